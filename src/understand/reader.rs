//! One walk over a note: which words begin a thing, which numbers count it, which weights are whose.

mod figures;

use crate::deposit::{Destination, LINES_MAX};
use crate::session::Language;
use crate::understand::destinations::destination;
use crate::understand::lexicon::Lexicon;
use crate::understand::numbers::number;
use crate::understand::tokens::{Token, stem};
use crate::understand::vocabulary::{
    ACCESSORIES, ASIDES, BEFORE_NOUN, CONTAINERS, CORRECTIONS, FILLERS, MATERIALS, THINGS_TOO, TOGETHER,
    VERBS,
};
use crate::understand::weights::weight;

const DEFINITE: &[&str] = &[
    "le", "la", "les", "l", "the", "leur", "leurs", "son", "sa", "ses", "its", "their", "mon", "ma", "mes",
    "my", "ce", "cet", "cette", "ces", "this", "these",
];
const PARTITIVE: &[&str] = &["des", "du", "some", "quelques", "plusieurs", "several"];
const OWNED: &[&str] = &["son", "sa", "ses", "leur", "leurs", "its", "their"];
/// Words that begin a remark behind a comma.
const REMARKS: &[&str] = &[
    "ca",
    "c",
    "il",
    "elle",
    "ils",
    "elles",
    "je",
    "on",
    "it",
    "they",
    "i",
    "personne",
    "faut",
    "apporte",
    "donne",
    "venu",
    "vient",
    "viennent",
    "y",
    "fait",
    "perd",
    "sent",
    "pese",
    "marche",
    "fonctionne",
    "manque",
    "tient",
];

/// A thing as it is being read.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// Its tokens, in order.
    pub(super) words: Vec<usize>,
    /// How many were counted.
    pub(super) count: Option<u64>,
    /// Whether nobody knows how many: a container, a mass, an article of plenty.
    pub(super) uncountable: bool,
    /// What was put on the scale, in grams.
    pub(super) weighings: Vec<u64>,
    pub(super) destination: Option<Destination>,
    /// Whether it only says what the next things have in common.
    pub(super) is_heading: bool,
    /// Whether a word names it.
    pub(super) named: bool,
    /// Whether the lexicon knows it.
    pub(super) known: bool,
    /// Its category, where its name tells.
    pub(super) category: Option<usize>,
    /// Whether its weight was said without a unit.
    pub(super) is_bare: bool,
    /// Where the words about a container end.
    pub(super) contents: usize,
}

impl Item {
    /// Whether it is more than some words before the first thing.
    pub(super) fn is_sound(&self) -> bool {
        self.known || self.count.is_some() || self.uncountable || !self.weighings.is_empty()
    }
}

/// What was read of a note.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// One weight for several things, in grams.
    pub(super) total: Option<u64>,
    /// Where all of it goes that says nothing else.
    pub(super) destination: Option<Destination>,
}

#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) tokens: &'a [Token],
    lexicon: &'a Lexicon,
    known: &'a [Option<u32>],
    language: Language,
    found: Found,
    /// The thing that is spoken of.
    current: usize,
    at: usize,
    /// Whether a new thing may begin here.
    begins: bool,
    /// Whether "avec" or "with" led here.
    with: bool,
    /// Whether what was said last is taken back.
    corrects: bool,
    /// Whether words are said about a thing and count nothing.
    aside: bool,
    /// Whether words are a remark that no label needs.
    mute: bool,
    /// Whether a thing that was named before is spoken of again.
    returned: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        tokens: &'a [Token],
        known: &'a [Option<u32>],
        lexicon: &'a Lexicon,
        language: Language,
    ) -> Self {
        Self {
            tokens,
            lexicon,
            known,
            language,
            found: Found::default(),
            current: 0,
            at: 0,
            begins: true,
            with: false,
            corrects: false,
            aside: false,
            mute: false,
            returned: false,
        }
    }

    pub(super) fn read(mut self) -> Found {
        while self.at < self.tokens.len() {
            let used = self.step().max(1);
            self.at += used;
            if let Some(last) = self.tokens.get(self.at - 1)
                && (last.stops || matches!(last.sign, '+' | '&' | '/'))
            {
                let sign = last.sign;
                self.stop(sign);
                self.aside = sign == '(' && self.has_item();
            }
        }
        self.found
    }

    /// Takes what begins here; how many tokens it is.
    fn step(&mut self) -> usize {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        if self.takes_back() {
            self.corrects = true;
            self.begins = true;
            return 1;
        }
        if let Some((grams, used)) = weight(rest, self.language) {
            return self.weigh(grams, used);
        }
        if let Some((destination, used)) = destination(self.tokens, self.at) {
            self.send(destination);
            return used;
        }
        if let Some((value, used)) = number(rest, self.language)
            && self.name(self.at).is_none_or(|end| end == self.at + 1)
        {
            return self.number(value, used);
        }
        match self.word(0) {
            "et" | "plus" | "puis" | "ainsi" | "and" | "also" | "ensuite" | "avec" | "with" => {
                self.with = matches!(self.word(0), "avec" | "with");
                self.begins = true;
                1
            }
            word if (ASIDES.contains(&word) || word == "no") && self.has_item() => {
                self.aside = true;
                self.append(1);
                1
            }
            _word => self.words(),
        }
    }

    fn stop(&mut self, sign: char) {
        self.begins = true;
        self.with = false;
        self.aside = false;
        self.mute = false;
        self.returned = false;
        if sign == ':'
            && let Some(item) = self.found.items.last_mut().filter(|item| item.weighings.is_empty())
        {
            item.is_heading = true;
        }
    }

    /// The word `ahead` of here.
    fn word(&self, ahead: usize) -> &'a str {
        self.word_at(self.at + ahead)
    }

    fn word_at(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.word.as_str())
    }

    /// The word `back` behind here.
    fn before(&self, back: usize) -> &'a str {
        self.at.checked_sub(back).map_or("", |at| self.word_at(at))
    }

    fn stopped_before(&self) -> bool {
        self.at == 0 || self.tokens.get(self.at - 1).is_none_or(|token| token.stops)
    }

    /// Where the name that begins at `at` ends.
    fn name(&self, at: usize) -> Option<usize> {
        self.lexicon.longest(self.tokens, self.known, at).map(|(_, end)| end)
    }

    fn has_item(&self) -> bool {
        self.found.items.get(self.current).is_some_and(|item| item.named)
    }

    /// Whether the word here takes back what was said before it.
    fn takes_back(&self) -> bool {
        let word = self.word(0);
        let figure_follows =
            self.tokens.get(self.at + 1..).and_then(|rest| number(rest, self.language)).is_some();
        match word {
            "enfin" => figure_follows && !self.found.items.is_empty(),
            "non" | "no" | "plutot" | "rather" | "actually" | "wait" => {
                let stops = self.tokens.get(self.at).is_none_or(|token| token.stops);
                !self.found.items.is_empty()
                    && (figure_follows || stops || matches!(self.before(1), "euh" | "ou"))
            }
            "dire" | "mean" => self.before(1) == "veux" || self.before(1) == "i",
            word => CORRECTIONS.contains(&word) && !self.found.items.is_empty(),
        }
    }

    /// Words: a new thing, or more about the last one.
    fn words(&mut self) -> usize {
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
            self.mute = REMARKS.contains(&word);
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
            self.close();
            if PARTITIVE.contains(&word) || word == "les" {
                self.open();
                if let Some(item) = self.found.items.get_mut(self.current) {
                    item.uncountable = true;
                }
            }
            let from = self.at;
            return noun - from + self.begin_thing(noun);
        }
        self.aside |= belongs;
        self.append(1);
        self.begins = false;
        1
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
    fn returns_to(&mut self, noun: usize) -> bool {
        let head = stem(self.word_at(noun));
        let same = |item: &Item| item.words.iter().any(|at| stem(self.word_at(*at)) == head);
        let Some(place) = self.found.items.iter().position(same) else { return false };
        self.current = place;
        self.returned = true;
        true
    }

    /// Begins to speak of a new thing, unless the last one has no name yet or is taken back.
    fn close(&mut self) {
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

    fn open(&mut self) {
        while self.found.items.len() <= self.current && self.found.items.len() < LINES_MAX * 2 {
            self.found.items.push(Item::default());
        }
        self.current = self.current.min(self.found.items.len().saturating_sub(1));
    }

    /// Takes the name of a thing at `at`, with the container that holds it; how many tokens from there.
    fn begin_thing(&mut self, at: usize) -> usize {
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
            let counts =
                inner.filter(|(value, used)| value % 1000 == 0 && !self.word_at(end + used).is_empty());
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

    fn ends_at(&self, at: usize) -> bool {
        self.tokens.get(at).is_none_or(|token| token.stops)
    }

    /// Where the thing in a container begins: "carton de livres", but neither "sac de couchage" nor "boîte à outils".
    fn holds(&self, at: usize) -> Option<usize> {
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

    fn push(&mut self, tokens: std::ops::Range<usize>) {
        if let Some(item) = self.found.items.get_mut(self.current) {
            item.words.extend(tokens);
        }
    }

    /// Says more about the thing that is spoken of.
    fn append(&mut self, used: usize) {
        let (from, to) = (self.at, self.at + used);
        if let Some(item) = self.found.items.get_mut(self.current) {
            let joined = item.words.last().is_some_and(|last| last + 2 == from)
                && matches!(
                    self.tokens.get(from - 1).map(|token| token.word.as_str()),
                    Some("et" | "and" | "avec" | "with")
                );
            item.words.extend(from - usize::from(joined)..to);
        }
    }

    fn send(&mut self, to: Destination) {
        let all = (1..=5)
            .any(|back| matches!(self.before(back), "tout" | "tous" | "toutes" | "all" | "everything"));
        let after_stop = (1..=4).any(|back| {
            self.at.checked_sub(back + 1).and_then(|at| self.tokens.get(at)).is_some_and(|token| token.stops)
                && self.at.checked_sub(back).is_some_and(|at| {
                    self.found.items.iter().all(|item| {
                        !item.words.contains(&at) || !item.named || item.words.first() != Some(&at)
                    })
                })
        });
        let several = self.found.items.len() > 1;
        let first = self.found.items.iter().all(|item| item.destination.is_none());
        let returned = self.returned || self.current + 1 < self.found.items.len();
        if self.found.items.is_empty() || all {
            self.found.destination = Some(to);
        } else if several && after_stop && first && !returned {
            self.found.items.iter_mut().for_each(|item| item.destination = Some(to));
        } else if let Some(item) = self.found.items.get_mut(self.current) {
            item.destination = Some(to);
        }
    }
}
