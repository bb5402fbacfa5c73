//! Values by the names of things: found by the whole name, or by its beginning.

use std::collections::HashMap;

use crate::lexicon::is_function;
use crate::tokens::{plain_letters, stem};

/// A longer name is a description, and is not said twice.
pub(super) const WORDS_MAX: usize = 6;

/// Values by name; "Les théières", "théière" and "theieres" are one name.
#[derive(Debug)]
pub(super) struct Names<T> {
    values: HashMap<Box<str>, T>,
}

/// A name found in a text, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match<'a, T> {
    pub(super) value: &'a T,
    /// How many of its words were matched.
    pub(super) words: usize,
    /// Whether these are all of them.
    pub(super) is_whole: bool,
}

/// The name of a thing without plural, accents, articles and signs; `None` if nothing is left, or too much.
#[must_use]
pub fn key(name: &str) -> Option<String> {
    let plain = plain_letters(name);
    let words: Vec<_> = plain.split_whitespace().filter(|word| !is_function(word)).map(stem).collect();
    (1..=WORDS_MAX).contains(&words.len()).then(|| words.join(" "))
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { values: HashMap::new() }
    }
}

impl<T> Names<T> {
    /// Adds a value; of several for one name the first stays. Text that is no name is left out.
    pub(super) fn add(&mut self, name: &str, value: T) {
        if let Some(key) = key(name) {
            self.values.entry(key.into()).or_insert(value);
        }
    }

    /// The value of the longest name that `object` is, or begins with: French names the thing first.
    pub(super) fn find(&self, object: &str) -> Option<Match<'_, T>> {
        if self.values.is_empty() {
            return None;
        }
        let plain = plain_letters(object);
        let words: Vec<_> = plain.split_whitespace().filter(|word| !is_function(word)).map(stem).collect();
        (1..=words.len().min(WORDS_MAX)).rev().find_map(|length| {
            let value = self.values.get(words.get(..length)?.join(" ").as_str())?;
            Some(Match { value, words: length, is_whole: length == words.len() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whole_or_at_the_beginning() {
        let mut names = Names::default();
        names.add("Théière", 1);
        names.add("théière japonaise", 2);
        names.add("les théières", 3);
        names.add("", 4);
        names.add("un grand objet très curieux qui pend là au mur", 5);
        let found = |object| names.find(object).map(|found| (*found.value, found.words, found.is_whole));
        assert_eq!(found("theieres"), Some((1, 1, true)));
        assert_eq!(found("une théière ébréchée"), Some((1, 1, false)));
        assert_eq!(found("Théières japonaises"), Some((2, 2, true)));
        assert_eq!(found("couvercle de théière"), None);
        assert_eq!(found("!"), None);
    }
}
