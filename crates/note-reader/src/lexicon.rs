//! The names of things: the taxonomy's examples and the shipped lexicon, found again in a note.

mod names;
mod spelling;

use std::collections::HashMap;

pub(super) use crate::lexicon::names::{entries, telling};
use crate::lexicon::spelling::{distance, sound};
use crate::tokens::{Token, plain_letters, stem};

/// Words that do not distinguish one thing from another.
const FUNCTION: &[&str] = &[
    "a", "au", "aux", "avec", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les", "of", "the", "un",
    "une", "pour", "and", "for", "with", "sur", "sous", "par", "dans",
];
/// The most words of a text that are looked up.
pub(super) const WORDS_MAX: usize = 40;

/// A name of a thing.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) category: usize,
    pub(super) stems: Box<[u32]>,
}

/// A word and its number.
type Spelling = (Box<str>, u32);

/// All names, found by their first word.
#[derive(Debug)]
pub(super) struct Lexicon {
    pub(super) names: Vec<Name>,
    words: HashMap<Box<str>, u32>,
    /// How many names hold each word.
    uses: Vec<u32>,
    /// The names that begin with each word.
    first: Vec<Vec<u32>>,
    /// Words by their first letter and their length, for misspelt ones.
    spellings: HashMap<(u8, usize), Vec<Spelling>>,
    /// Words by how they sound.
    sounds: HashMap<Box<str>, u32>,
}

impl Lexicon {
    pub(super) fn new(entries: &[(usize, String)]) -> Self {
        let mut lexicon = Self {
            names: Vec::new(),
            words: HashMap::new(),
            uses: Vec::new(),
            first: Vec::new(),
            spellings: HashMap::new(),
            sounds: HashMap::new(),
        };
        for (category, text) in entries {
            lexicon.add(*category, text);
        }
        lexicon
    }

    fn add(&mut self, category: usize, text: &str) {
        let plain = plain_letters(text);
        let stems: Vec<u32> = plain
            .split_whitespace()
            .filter(|word| !is_function(word))
            .map(|word| self.learn(stem(word)))
            .collect();
        // An acronym that is spelt out would be found in any letter.
        if plain.split_whitespace().all(|word| word.len() < 2) {
            return;
        }
        let Some(first) = stems.first().and_then(|first| usize::try_from(*first).ok()) else { return };
        let Ok(place) = u32::try_from(self.names.len()) else { return };
        if let Some(named) = self.first.get_mut(first) {
            named.push(place);
        }
        for stem in &stems {
            if let Some(uses) = usize::try_from(*stem).ok().and_then(|stem| self.uses.get_mut(stem)) {
                *uses += 1;
            }
        }
        self.names.push(Name { category, stems: stems.into() });
    }

    fn learn(&mut self, stem: &str) -> u32 {
        if let Some(known) = self.words.get(stem) {
            return *known;
        }
        let id = u32::try_from(self.uses.len()).unwrap_or(u32::MAX);
        self.words.insert(stem.into(), id);
        self.uses.push(0);
        self.first.push(Vec::new());
        if let Some(letter) = stem.bytes().next().filter(|_| stem.len() > 5) {
            self.spellings.entry((letter, stem.len())).or_default().push((stem.into(), id));
            self.sounds.entry(sound(stem).into()).or_insert(id);
        }
        id
    }

    /// The known word that a word of a note is, as it stands or misspelt.
    pub(super) fn word(&self, word: &str) -> Option<u32> {
        let stem = stem(word);
        let stem = if matches!(stem, "elec" | "electr") { "electrique" } else { stem };
        let known = self.words.get(stem).or_else(|| self.words.get(word)).copied();
        known
            .or_else(|| self.sounds.get(sound(stem).as_str()).copied().filter(|_| stem.len() > 5))
            .or_else(|| self.misspelt(stem))
    }

    fn misspelt(&self, stem: &str) -> Option<u32> {
        let far = match stem.len() {
            0..=5 => return None,
            6..=8 => 1,
            9..=30 => 2,
            _ => return None,
        };
        let letter = stem.bytes().next()?;
        let near =
            (stem.len() - far..=stem.len() + far).filter_map(|length| self.spellings.get(&(letter, length)));
        let near = near.flatten().filter_map(|(word, id)| Some((distance(stem, word, far)?, *id)));
        near.min().map(|(_, id)| id)
    }

    /// The known words of a note, one for each token; `None` where there is nothing to know.
    pub(super) fn known(&self, tokens: &[Token]) -> Vec<Option<u32>> {
        let mut budget = WORDS_MAX;
        tokens
            .iter()
            .map(|token| {
                if is_function(&token.word) {
                    return None;
                }
                if token.thousandths.is_some() {
                    return self.words.get(token.word.as_str()).copied();
                }
                let stem = stem(&token.word);
                match self.words.get(stem).or_else(|| self.words.get(token.word.as_str())) {
                    Some(known) => Some(*known),
                    None if budget == 0 => None,
                    None => {
                        budget -= 1;
                        self.word(&token.word)
                    }
                }
            })
            .collect()
    }

    /// The longest name that begins at `start`, and where it ends. It does not go on behind a stop.
    pub(super) fn longest(
        &self,
        tokens: &[Token],
        known: &[Option<u32>],
        start: usize,
    ) -> Option<(&Name, usize)> {
        let first = usize::try_from((*known.get(start)?)?).ok()?;
        let named =
            self.first.get(first)?.iter().filter_map(|name| self.names.get(usize::try_from(*name).ok()?));
        let mut best: Option<(&Name, usize)> = None;
        for name in named {
            let is_longer = best.is_none_or(|(best, _)| name.stems.len() > best.stems.len());
            if let Some(end) = found(name, tokens, known, start).filter(|_| is_longer) {
                best = Some((name, end));
            }
        }
        best
    }

    /// Whether something of this category is named at `start`, however short.
    pub(super) fn names(
        &self,
        tokens: &[Token],
        known: &[Option<u32>],
        start: usize,
        category: usize,
    ) -> bool {
        let first = known.get(start).copied().flatten().and_then(|first| usize::try_from(first).ok());
        let named = first.and_then(|first| self.first.get(first)).into_iter().flatten();
        let mut named = named.filter_map(|name| self.names.get(usize::try_from(*name).ok()?));
        named.any(|name| name.category == category && found(name, tokens, known, start).is_some())
    }

    /// How much memory it takes, in bytes, as its tables are laid out; the allocator's own is not counted.
    pub(super) fn bytes(&self) -> usize {
        let names = self.names.iter().map(|name| size_of::<Name>() + size_of_val::<[u32]>(&name.stems));
        let first =
            self.first.iter().map(|names| size_of::<Vec<u32>>() + names.capacity() * size_of::<u32>());
        let words = |table: &HashMap<Box<str>, u32>| {
            table.keys().map(|word| word.len()).sum::<usize>()
                + table.capacity() * (size_of::<Spelling>() + 1)
        };
        let rows = self.spellings.values().flatten().map(|(word, _)| word.len() + size_of::<Spelling>());
        let rows =
            rows.sum::<usize>() + self.spellings.capacity() * size_of::<((u8, usize), Vec<Spelling>)>();
        let uses = self.uses.capacity() * size_of::<u32>();
        names.sum::<usize>() + first.sum::<usize>() + words(&self.words) + words(&self.sounds) + rows + uses
    }

    /// How much it says that a name was found: the rarity of its words.
    pub(super) fn rarity(&self, name: &Name) -> f32 {
        let all = self.names.len() as f32;
        let uses = name.stems.iter().filter_map(|stem| self.uses.get(usize::try_from(*stem).ok()?));
        uses.map(|uses| ((all + 1.0) / (*uses as f32 + 0.5)).ln()).sum()
    }
}

/// Where the words of a name end that begin at `start`, with nothing but function words between them.
fn found(name: &Name, tokens: &[Token], known: &[Option<u32>], start: usize) -> Option<usize> {
    let mut at = start;
    for (index, stem) in name.stems.iter().enumerate() {
        let stops = |at: usize| at > 0 && tokens.get(at - 1).is_none_or(|token| token.stops);
        while index > 0 && !stops(at) && tokens.get(at).is_some_and(|token| is_link(&token.word)) {
            at += 1;
        }
        if (index > 0 && stops(at)) || known.get(at).copied().flatten() != Some(*stem) {
            return None;
        }
        at += 1;
    }
    Some(at)
}

/// Whether a name may go on behind the word: "lampe de table" is one thing, "lampe et une table" are two.
fn is_link(word: &str) -> bool {
    is_function(word) && !matches!(word, "et" | "and" | "un" | "une" | "avec" | "with")
}

pub(super) fn is_function(word: &str) -> bool {
    FUNCTION.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::names::SHIPPED;
    use super::*;
    use crate::tokens::tokens;
    use deposit::taxonomy::Taxonomy;

    #[test]
    fn the_shipped_lexicon_is_broad_and_every_key_exists() {
        let taxonomy = Taxonomy::built_in().unwrap();
        assert!(entries(&taxonomy).len() > 18_000);
        for file in SHIPPED {
            for key in file.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')) {
                assert!(taxonomy.category(&key.into()).is_some(), "{key}");
            }
        }
        for category in 0..taxonomy.categories.len() {
            assert!(entries(&taxonomy).iter().filter(|(place, _)| *place == category).count() >= 40);
        }
    }

    #[test]
    fn a_name_is_found_misspelt_and_at_its_longest() {
        let lexicon =
            Lexicon::new(&[(0, "sac".into()), (1, "sac de couchage".into()), (2, "imprimante".into())]);
        let category = |note: &str| {
            let tokens = tokens(note);
            lexicon.longest(&tokens, &lexicon.known(&tokens), 0).map(|(name, end)| (name.category, end))
        };
        assert_eq!(category("sacs de couchage verts"), Some((1, 3)));
        assert_eq!(category("sac, couchage"), Some((0, 1)));
        assert_eq!(category("imprimente"), Some((2, 1)));
        assert_eq!(category("imprimnate"), Some((2, 1)));
        assert_eq!(category("chaise"), None);
        assert_eq!(distance("abc", "abd", 1), Some(1));
        assert_eq!(distance("abc", "xyz", 1), None);
    }
}
