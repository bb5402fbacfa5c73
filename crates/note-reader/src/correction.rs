//! A note about the lines that its author has before them, read by rules.
//!
//! Every word has to be accounted for: a note with a word that is not understood is no correction but a description, as
//! before, unless it says clearly that something is wrong. Then nothing is changed, and its author is asked.
//! `docs/UNDERSTANDING.md` has the rules in words.

mod named;
mod parse;
mod settle;
#[cfg(test)]
mod tests;
mod words;

use crate::classify::Classifier;
use crate::correction::parse::{Act, Clause, Parser, Target};
use crate::lines::{Said, spoken};
use crate::site::Site;
use crate::tokens::{Token, stem, tokens};
use deposit::CategoryKey;
use deposit::taxonomy::Taxonomy;
use deposit::{Correction, Language, OnCard, Unclear};

/// The longest correction that waits for the number of its line, in characters.
const WAITING_CHARS_MAX: usize = 200;
/// The most words of a correction: a longer note is a description.
const WORDS_MAX: usize = 60;

/// The card, the note and the site that a correction is read against.
struct Scene<'a> {
    note: &'a str,
    tokens: &'a [Token],
    known: Vec<Option<u32>>,
    language: Language,
    card: &'a OnCard<'a>,
    classifier: &'a Classifier,
    taxonomy: &'a Taxonomy,
    site: &'a Site,
    /// The words that name each line.
    names: Vec<Vec<Word>>,
}

/// A word as names are compared: without its plural, and as the lexicon knows it.
#[derive(Clone, Debug)]
struct Word {
    stem: String,
    known: Option<u32>,
}

/// Something that a note says of a line.
#[derive(Debug)]
enum Value {
    /// There are so many; `None` for a lot.
    Count(Option<u32>),
    /// There are so many more, or less.
    More(i64),
    /// It weighs so many grams.
    Weight { grams: u32, each: bool },
    /// So many grams come to it.
    MoreWeight(u32),
    /// Its weight is not known.
    NoWeight,
    /// It goes there.
    Destination(deposit::Destination),
    /// It belongs there.
    Category(CategoryKey),
    /// It is this.
    Thing(Said),
}

/// Reads a note that was written with these lines on the card; `None` where it is not about them.
#[must_use]
pub fn read(
    note: &str,
    card: &OnCard<'_>,
    language: Language,
    classifier: &Classifier,
    taxonomy: &Taxonomy,
    site: &Site,
) -> Option<Correction> {
    let tokens = tokens(note);
    if tokens.is_empty() || tokens.len() > WORDS_MAX || card.lines.is_empty() {
        return None;
    }
    let scene = Scene {
        note,
        tokens: &tokens,
        known: classifier.lexicon().known(&tokens),
        language: spoken(&tokens, language),
        card,
        classifier,
        taxonomy,
        site,
        names: card.lines.iter().map(|line| words_of(&line.object, classifier)).collect(),
    };
    if let Some(said) = card.unclear
        && let Some(line) = scene.answered()
    {
        let card = OnCard { line: Some(line), unclear: None, ..*card };
        return read(said, &card, language, classifier, taxonomy, site);
    }
    let Some(parsed) = Parser::new(&scene).parse() else {
        return scene.not_parsed().map(Correction::Unclear);
    };
    if parsed.several_things {
        return None;
    }
    match settle::settle(&scene, &parsed)? {
        Ok(changes) => Some(Correction::Changes { seen: card.lines.to_vec(), changes }),
        Err(unclear) => Some(Correction::Unclear(unclear)),
    }
}

impl Scene<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.word.as_str())
    }

    /// Whether a clause ends before `at`.
    fn begins(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|before| self.tokens.get(before)).is_none_or(|before| before.stops)
    }

    fn ends(&self, at: usize) -> bool {
        self.tokens.get(at).is_none_or(|token| token.stops)
    }

    /// The note's own words from one token to before another.
    fn text(&self, from: usize, to: usize) -> &str {
        let start = self.tokens.get(from).map(|token| token.at.start);
        let end = to.checked_sub(1).and_then(|last| self.tokens.get(last)).map(|token| token.at.end);
        start.zip(end).and_then(|(start, end)| self.note.get(start..end)).unwrap_or_default()
    }

    /// The line that answers the question which one was meant: "la 2", "2", "les chaises".
    fn answered(&self) -> Option<usize> {
        if let ([token], Some(thousandths)) = (self.tokens, self.number(0).map(|(value, _)| value))
            && thousandths.is_multiple_of(1000)
            && token.stops
        {
            let place = usize::try_from(thousandths / 1000).ok()?.checked_sub(1)?;
            return Some(place).filter(|place| *place < self.card.lines.len());
        }
        let whole = |used: usize| used == self.tokens.len();
        if let Some((line, used)) = self.named(0)
            && whole(used)
        {
            return line;
        }
        let parsed = Parser::new(self).parse()?;
        match parsed.clauses.as_slice() {
            [Clause { act: Act::Say, targets, values, was, .. }] if values.is_empty() && was.is_empty() => {
                match targets.as_slice() {
                    [Target::Line(line)] => Some(*line),
                    _another => None,
                }
            }
            _more => None,
        }
    }

    /// The question about a note that could not be read to its end; none if it may well be a description.
    fn not_parsed(&self) -> Option<Unclear> {
        let first = (0..self.tokens.len()).find(|at| !words::SKIPPED.contains(&self.word(*at)))?;
        let removes = words::REMOVE.contains(&self.word(first));
        let denies = words::STRONG.contains(&self.word(first));
        let understood = || self.classifier.understand(self.note, self.language, self.site).lines;
        if removes {
            return Some(Unclear::NoSuchLine);
        }
        let names_nothing = || self.known.iter().all(Option::is_none);
        if self.card.is_asked && self.tokens.len() <= 4 && names_nothing() {
            return Some(Unclear::What);
        }
        if denies {
            return (!understood().is_empty()).then_some(Unclear::What);
        }
        (self.card.is_reply && understood().len() == 1).then_some(Unclear::What)
    }
}

/// The words that name a thing, without those that are in any name.
fn words_of(name: &str, classifier: &Classifier) -> Vec<Word> {
    let tokens = tokens(name);
    let known = classifier.lexicon().known(&tokens);
    let words = tokens.iter().zip(known).filter(|(token, _)| !crate::lexicon::is_function(&token.word));
    words.map(|(token, known)| Word { stem: stem(&token.word).to_owned(), known }).collect()
}

/// A correction that lacks its line waits for it, unless it is very long.
fn which(scene: &Scene<'_>) -> Unclear {
    let is_short = scene.note.chars().count() <= WAITING_CHARS_MAX;
    Unclear::Which(if is_short { scene.note.to_owned() } else { String::new() })
}
