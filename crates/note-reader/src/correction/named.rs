//! Which line, place or category a few words name.

use crate::correction::parse::Target;
use crate::correction::words::{ALL, BEFORE_ALL, DEFINITE, INDEFINITE, LEADING, LINE, ONE, ordinal};
use crate::correction::{Scene, Word};
use crate::destinations::destination;
use crate::lexicon::is_function;
use crate::numbers::number;
use crate::tokens::{plain_letters, stem};
use crate::vocabulary::ADJECTIVES;
use crate::weights::weight;
use deposit::Language;
use deposit::{CategoryKey, Destination};

impl Scene<'_> {
    /// A number in thousandths, and how many tokens it takes.
    pub(super) fn number(&self, at: usize) -> Option<(u64, usize)> {
        number(self.tokens.get(at..)?, self.language)
    }

    /// A weight in grams, and how many tokens it takes.
    pub(super) fn weight(&self, at: usize) -> Option<(u64, usize)> {
        weight(self.tokens.get(at..)?, self.language)
    }

    /// A line by its place in the list: "la deuxième", "the last one", "ligne 2", "la 2", "2 :".
    pub(super) fn place(&self, at: usize) -> Option<(Target, usize)> {
        let article = usize::from(DEFINITE.contains(&self.word(at)) && !self.ends(at));
        let from = at + article;
        if let Some(place) = ordinal(self.word(from)) {
            let more = usize::from(!self.ends(from) && ONE.contains(&self.word(from + 1)));
            return Some((self.line(place), article + 1 + more));
        }
        // "Article 5" may be a thing.
        let may_be_thing = matches!(self.word(from), "objet" | "item" | "article") && article == 0;
        if LINE.contains(&self.word(from)) && !self.ends(from) && !may_be_thing {
            let (place, used) = self.whole(from + 1)?;
            return Some((self.line(place), article + 1 + used));
        }
        let (place, used) = self.whole(from).filter(|_| self.weight(from).is_none())?;
        let last = from + used - 1;
        // "La 2e" is two tokens.
        let suffix = usize::from(!self.ends(last) && matches!(self.word(last + 1), "e"));
        let sign = self.tokens.get(last).map_or(' ', |token| token.sign);
        let is_listed = matches!(sign, ':' | ')') && self.tokens.len() > last + 1 && self.begins(at);
        let is_led = article == 1
            && matches!(self.word(at), "la" | "le")
            && (self.ends(last) || suffix == 1 || self.is_verb(last + 1));
        (is_listed || is_led).then(|| (self.line(place), article + used + suffix))
    }

    /// A whole number from 1, as a place from 0.
    fn whole(&self, at: usize) -> Option<(usize, usize)> {
        let (value, used) = self.number(at).filter(|(value, _)| value.is_multiple_of(1000))?;
        let place = usize::try_from(value / 1000).ok()?.checked_sub(1)?;
        Some((place, used))
    }

    fn line(&self, place: usize) -> Target {
        match (place, self.card.lines.len()) {
            (usize::MAX, lines) => Target::Line(lines - 1),
            (place, lines) if place < lines => Target::Line(place),
            _too_high => Target::Missing,
        }
    }

    /// Whether a word says what a line is, so that what stands before it may be the line.
    fn is_verb(&self, at: usize) -> bool {
        matches!(
            self.word(at),
            "est"
                | "c"
                | "ce"
                | "fait"
                | "font"
                | "pese"
                | "va"
                | "is"
                | "weighs"
                | "goes"
                | "au"
                | "a"
                | "en"
                | "et"
                | "and"
                | "pas"
                | "not"
                | "par"
                | "with"
                | "pour"
        ) || self.weight(at).is_some()
    }

    /// A line by its name behind a definite article: "les chaises", "la table basse".
    pub(super) fn definite(&self, at: usize) -> Option<(Target, usize)> {
        let led = DEFINITE.contains(&self.word(at)) && !self.ends(at);
        let (line, used) = self.named(at + 1).filter(|_| led)?;
        Some((line.map_or(Target::Several, Target::Line), used + 1))
    }

    /// A line by its name: which one, `None` if it could be several; and how many tokens name it.
    pub(super) fn named(&self, at: usize) -> Option<(Option<usize>, usize)> {
        let mut lines: Vec<usize> = (0..self.names.len()).collect();
        let (mut end, mut next, mut count) = (at, at, 0);
        while let Some(token) = self.tokens.get(next) {
            let word =
                Word { stem: stem(&token.word).to_owned(), known: self.known.get(next).copied().flatten() };
            let is_link = count > 0
                && is_function(&token.word)
                && !matches!(token.word.as_str(), "et" | "and" | "pour" | "en");
            let matching: Vec<usize> = lines
                .iter()
                .copied()
                .filter(|line| self.names.get(*line).is_some_and(|name| has(name, &word)))
                .collect();
            if !matching.is_empty() && !is_function(&token.word) {
                (lines, end, count) = (matching, next + 1, count + 1);
            } else if !is_link || next > end + 1 {
                break;
            }
            if token.stops {
                break;
            }
            next += 1;
        }
        if count == 0 {
            return None;
        }
        while !self.ends(end - 1)
            && ADJECTIVES.contains(&self.word(end))
            && !matches!(self.word(end), "de" | "plus")
        {
            end += 1;
        }
        let line = match lines.as_slice() {
            [line] => Some(*line),
            several => {
                // "La table" is the line "table" where "table basse" is another.
                let mut exact = several
                    .iter()
                    .filter(|line| self.names.get(**line).is_some_and(|name| name.len() == count));
                exact.next().copied().filter(|_| exact.next().is_none())
            }
        };
        Some((line, end - at))
    }

    /// The line that these words are a name of, all of them.
    pub(super) fn line_of(&self, words: &[Word]) -> Option<Option<usize>> {
        if words.is_empty() {
            return None;
        }
        let named = |name: &Vec<Word>| words.iter().all(|word| has(name, word));
        let lines: Vec<usize> =
            (0..self.names.len()).filter(|line| self.names.get(*line).is_some_and(named)).collect();
        match lines.as_slice() {
            [] => None,
            [line] => Some(Some(*line)),
            several => {
                let mut exact = several
                    .iter()
                    .filter(|line| self.names.get(**line).is_some_and(|name| name.len() == words.len()));
                Some(exact.next().copied().filter(|_| exact.next().is_none()))
            }
        }
    }

    /// All lines at once: "en tout", "le tout", "all"; how many tokens say it.
    pub(super) fn all(&self, at: usize) -> Option<usize> {
        let led = (0..=2).find(|led| {
            ALL.contains(&self.word(at + led))
                && (0..*led)
                    .all(|before| BEFORE_ALL.contains(&self.word(at + before)) && !self.ends(at + before))
        });
        if let Some(led) = led {
            return Some(led + 1);
        }
        let both =
            matches!((self.word(at), self.word(at + 1)), ("les", "deux")) && self.card.lines.len() == 2;
        both.then_some(2)
    }

    /// A destination with what leads to it; how many tokens say it.
    pub(super) fn sent(&self, at: usize) -> Option<(Destination, usize)> {
        for led in 0..=3 {
            if let Some((to, used)) = destination(self.tokens, at + led) {
                return Some((to, led + used));
            }
            if !LEADING.contains(&self.word(at + led)) || self.ends(at + led) {
                break;
            }
        }
        let place = match self.word(at) {
            "magasin" | "boutique" | "shop" | "vente" => Destination::Magasin,
            "dechetterie" | "decheterie" | "tip" | "benne" | "poubelle" => Destination::Dechetterie,
            _another => return None,
        };
        (self.begins(at) && self.ends(at)).then_some((place, 1))
    }

    /// A category by its own name, the longest; how many tokens name it.
    pub(super) fn category(&self, at: usize) -> Option<(CategoryKey, usize)> {
        let mut found: Option<(usize, bool, &CategoryKey)> = None;
        let mut is_one = false;
        for category in &self.taxonomy.categories {
            let labels =
                [&category.short, &category.label].into_iter().flat_map(|label| [&label.fr, &label.en]);
            for label in labels.map(String::as_str).chain([category.key.0.as_str()]) {
                for (part, is_whole) in parts(label) {
                    let Some(used) = self.says(at, &part) else { continue };
                    let better = found.is_none_or(|(most, whole, _)| (used, is_whole) > (most, whole));
                    let equal = found.is_some_and(|(most, whole, key)| {
                        (used, is_whole) == (most, whole) && *key != category.key
                    });
                    if better {
                        (found, is_one) = (Some((used, is_whole, &category.key)), true);
                    } else if equal {
                        is_one = false;
                    }
                }
            }
        }
        let (used, _, key) = found.filter(|_| is_one)?;
        Some((key.clone(), used))
    }

    /// How many tokens from `at` say these words.
    fn says(&self, at: usize, words: &str) -> Option<usize> {
        let plain = plain_letters(words);
        let mut used = 0;
        for word in plain.split_whitespace() {
            if stem(self.word(at + used)) != stem(word) || (used > 0 && self.ends(at + used - 1)) {
                return None;
            }
            used += 1;
        }
        (used > 0).then_some(used)
    }

    /// How many tokens of an article lead to a thing; the second says whether it may be any word.
    pub(super) fn article(&self, at: usize) -> Option<(usize, bool)> {
        match (self.word(at), self.word(at + 1), self.word(at + 2)) {
            ("de", "la" | "l", _) => Some((2, false)),
            ("un" | "une", _, _) if !self.ends(at) => Some((1, true)),
            ("a" | "an", _, _) => (self.language == Language::En && !self.ends(at)).then_some((1, true)),
            (word, _, _) if (INDEFINITE.contains(&word) || DEFINITE.contains(&word)) && !self.ends(at) => {
                Some((1, false))
            }
            _none => None,
        }
    }
}

pub(super) fn has(name: &[Word], word: &Word) -> bool {
    name.iter().any(|known| known.stem == word.stem || (known.known.is_some() && known.known == word.known))
}

/// A label as a whole, and what its commas and conjunctions join.
fn parts(label: &str) -> Vec<(String, bool)> {
    let label = label.split('(').next().unwrap_or(label).replace('_', " ");
    let pieces = label.replace(" et ", ",").replace(" and ", ",");
    let mut parts = vec![(label, true)];
    parts.extend(pieces.split(',').map(|part| (part.trim().to_owned(), false)));
    parts
}
