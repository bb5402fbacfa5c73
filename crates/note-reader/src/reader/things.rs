//! Which words begin a thing, and which say more about the last one.

use super::{DEFINITE, Item, OWNED, PARTITIVE, REMARKS, Reader};
use crate::numbers::number;
use crate::tokens::stem;
use crate::vocabulary::{
    ACCESSORIES, BEFORE_NOUN, CONTAINERS, FILLERS, MATERIALS, THINGS_TOO, TOGETHER, VERBS,
};
use deposit::LINES_MAX;

impl Reader<'_> {
    /// Words: a new thing, or more about the last one.
    pub(super) fn words(&mut self) -> usize {
        if self.aside || self.mute {
            if !self.mute {
                self.append(1);
            }
            return 1;
        }
        if !self.has_item() {
            return self.first_words();
        }
        if !self.begins {
            self.append(1);
            return 1;
        }
        self.words_that_may_begin()
    }

    fn first_words(&mut self) -> usize {
        let word = self.word(0);
        if matches!(word, "en" | "in" | "au") && TOGETHER.contains(&self.word(1)) {
            return 2;
        }
        let named = self.name(self.at).filter(|end| *end > self.at + 1);
        let is_empty_word = (FILLERS.contains(&word) || TOGETHER.contains(&word) && word != "lot")
            && !self.tokens.get(self.at).is_none_or(|token| token.stops && self.at + 1 == self.tokens.len());
        if is_empty_word && named.is_none() {
            let plenty = PARTITIVE.contains(&word) || word == "les";
            if plenty && self.found.items.get(self.current).is_none_or(|item| item.count.is_none()) {
                self.open();
                if let Some(item) = self.found.items.get_mut(self.current) {
                    item.uncountable = true;
                }
            }
            return 1;
        }
        self.begin_thing(self.at)
    }

    /// Words behind a comma or "et", while a thing is spoken of.
    fn words_that_may_begin(&mut self) -> usize {
        let word = self.word(0);
        let article = usize::from(DEFINITE.contains(&word) || PARTITIVE.contains(&word));
        let article = article + usize::from(article == 1 && self.word(1) == "la");
        let mut noun = self.at + article;
        while BEFORE_NOUN.contains(&self.word_at(noun)) {
            noun += 1;
        }
        if article == 0
            && noun == self.at
            && (FILLERS.contains(&word) || TOGETHER.contains(&word))
            && self.name(self.at).is_none_or(|end| end == self.at + 1)
        {
            self.mute = REMARKS.contains(&word) && !self.corrects;
            return 1;
        }
        if REMARKS.contains(&word) {
            self.mute = true;
            return 1;
        }
        if article > 0 && TOGETHER.contains(&self.word_at(noun)) && self.word_at(noun) != "lot" {
            return noun + 1 - self.at;
        }
        if matches!(word, "de" | "d") && self.before(1) == "et" {
            self.begins = false;
            self.append(1);
            return 1;
        }
        let name = self.name(noun);
        let head = self.word_at(noun);
        let is_plain_word = article == 0 && (MATERIALS.contains(&head) && name == Some(noun + 1));
        let belongs = (self.with || OWNED.contains(&word)) && ACCESSORIES.contains(&head)
            || head.starts_with("manette")
            || head.starts_with("telecommande");
        let is_container = self.holds(noun).is_some();
        let short = name.is_none_or(|end| end == noun + 1) && !is_container;
        let part = self.stopped_before() && ACCESSORIES.contains(&head) && !self.ends_at(noun) && short;
        let described = name.is_some_and(|end| {
            let verb = self.word_at(end);
            matches!(verb, "est" | "sont" | "is" | "are")
                || (DEFINITE.contains(&word) && (VERBS.contains(&verb) || verb == "a"))
        });
        let is_pair = matches!(head, "paire" | "pair");
        let belongs = belongs || (self.before(1) == "avec" && article == 0 && !is_pair);
        if self.is_more_of_the_same(noun, article) {
            self.begins = false;
            self.append(1);
            return 1;
        }
        let counted_word = PARTITIVE.contains(&word) && !head.is_empty() && !self.with;
        if self.stopped_before() && (described || part) {
            self.aside = true;
            self.append(1);
            return 1;
        } else if !part
            && (name.is_some() && !is_plain_word || is_container || is_pair || counted_word)
            && !belongs
        {
            if DEFINITE.contains(&word) && self.returns_to(noun) {
                self.begins = false;
                return noun + 1 - self.at;
            }
            return self.begin_behind_article(noun);
        }
        self.aside |= belongs;
        self.append(1);
        self.begins = false;
        1
    }

    /// A new thing behind its article.
    fn begin_behind_article(&mut self, noun: usize) -> usize {
        let word = self.word(0);
        self.close();
        if PARTITIVE.contains(&word) || word == "les" {
            self.open();
            if let Some(item) = self.found.items.get_mut(self.current) {
                item.uncountable = true;
            }
        }
        noun - self.at + self.begin_thing(noun)
    }

    /// "Casseroles et poêles": one heap of one category.
    fn is_more_of_the_same(&self, noun: usize, article: usize) -> bool {
        let Some(item) = self.found.items.get(self.current) else { return false };
        let plural = |at: usize| self.word_at(at).ends_with(['s', 'x']) || self.word_at(at).len() < 4;
        let category = self.lexicon.longest(self.tokens, self.known, noun).map(|(name, _)| name.category);
        matches!(self.before(1), "et" | "and")
            && article == 0
            && item.count.is_none()
            && item.weighings.is_empty()
            && item.words.first().is_some_and(|at| plural(*at))
            && plural(noun)
            && category.is_some()
            && category == item.category
    }

    /// "La vaisselle au recyclage" speaks of a thing that was named before.
    pub(super) fn returns_to(&mut self, noun: usize) -> bool {
        let head = stem(self.word_at(noun));
        let same = |item: &Item| item.words.iter().any(|at| stem(self.word_at(*at)) == head);
        let Some(place) = self.found.items.iter().position(same) else { return false };
        self.current = place;
        self.returned = true;
        true
    }

    /// Begins to speak of a new thing, unless the last one has no name yet or is taken back.
    pub(super) fn close(&mut self) {
        if self.corrects && self.has_item() {
            self.corrects = false;
            if let Some(item) = self.found.items.get_mut(self.current) {
                item.words.clear();
                item.named = false;
            }
        } else if self.has_item() {
            self.current = self.found.items.len();
        }
    }

    pub(super) fn open(&mut self) {
        while self.found.items.len() <= self.current && self.found.items.len() < LINES_MAX * 2 {
            self.found.items.push(Item::default());
        }
        self.current = self.current.min(self.found.items.len().saturating_sub(1));
    }

    /// Takes the name of a thing at `at`, with the container that holds it; how many tokens from there.
    pub(super) fn begin_thing(&mut self, at: usize) -> usize {
        self.open();
        self.begins = false;
        self.with = false;
        let start = at;
        let mut at = at;
        if let Some(end) = self.holds(at) {
            self.push(at..end);
            if let Some(item) = self.found.items.get_mut(self.current) {
                item.contents = item.words.len();
            }
            let inner = self.tokens.get(end..).and_then(|rest| number(rest, self.language));
            let counts = inner
                .filter(|(value, used)| value.is_multiple_of(1000) && !self.word_at(end + used).is_empty());
            if let Some(item) = self.found.items.get_mut(self.current) {
                item.uncountable = true;
                if let Some((value, _)) = counts {
                    item.count = Some(value / 1000);
                    item.uncountable = false;
                }
            }
            at = end + counts.map_or(0, |(_, used)| used);
        }
        let pair = matches!(self.word_at(at), "paire" | "paires" | "pair" | "pairs");
        if pair {
            at += 1 + usize::from(matches!(self.word_at(at + 1), "de" | "d" | "of"));
            self.pair(at);
        }
        while BEFORE_NOUN.contains(&self.word_at(at))
            && self.name(at).is_none_or(|end| end == at + 1)
            && !self.ends_at(at)
        {
            self.push(at..at + 1);
            at += 1;
        }
        let category = self.lexicon.longest(self.tokens, self.known, at).map(|(name, _)| name.category);
        let name = self.name(at);
        let end = name.unwrap_or(at + 1).min(self.tokens.len());
        if at < self.tokens.len() {
            self.push(at..end);
        }
        if let Some(item) = self.found.items.get_mut(self.current) {
            item.named = !item.words.is_empty();
            item.known = name.is_some();
            item.category = category;
        }
        end.max(at) - start
    }

    pub(super) fn ends_at(&self, at: usize) -> bool {
        self.tokens.get(at).is_none_or(|token| token.stops)
    }

    /// Where the thing in a container begins: "carton de livres", but neither "sac de couchage" nor "boîte à outils".
    pub(super) fn holds(&self, at: usize) -> Option<usize> {
        let mut from = at;
        while BEFORE_NOUN.contains(&self.word_at(from)) {
            from += 1;
        }
        let container = self.word_at(from);
        if !CONTAINERS.contains(&container) || self.ends_at(from) {
            return None;
        }
        let end = match self.word_at(from + 1) {
            "de" | "d" | "of" => from + 2 + usize::from(self.word_at(from + 2) == "la"),
            _ if matches!(container, "lot" | "lots" | "stock" | "vrac") => from + 1,
            _ => return None,
        };
        let whole = self.lexicon.longest(self.tokens, self.known, from);
        let is_thing = THINGS_TOO.contains(&container)
            && whole.is_some_and(|(name, whole_end)| {
                whole_end > end && !self.lexicon.names(self.tokens, self.known, end, name.category)
            });
        (!is_thing).then_some(end)
    }
}
