//! From a note to lines: object, quantity, weight and destination of each thing, by rules.
//!
//! A word that they cannot read stays unknown, and the card shows the rest.

#[cfg(test)]
mod tests;

use crate::chat;
use crate::lexicon::Lexicon;
use crate::reader::{Found, Item, Reader, Share};
use crate::tokens::{Token, stem, tokens};
use crate::vocabulary::{BEFORE_NOUN, FILLERS, LEFTOVERS, MASSES, NO_PLURAL, SINGULAR_COUNTS};
use crate::weights::GRAMS_MAX;
use deposit::Language;
use deposit::{Destination, LINES_MAX, QUANTITY_MAX, Weight, WeightSource};

/// The longest object label that is kept; the whole note stays in the deposit's words.
pub const OBJECT_CHARS_MAX: usize = 120;
/// Words that a note has in one language only.
const ENGLISH: &[&str] = &[
    "the",
    "of",
    "with",
    "and",
    "for",
    "from",
    "is",
    "are",
    "some",
    "two",
    "three",
    "five",
    "seven",
    "eight",
    "nine",
    "ten",
    "old",
    "to",
    "my",
    "in",
    "box",
    "boxes",
    "bag",
    "it",
    "broken",
    "each",
    "kilograms",
    "have",
];
const FRENCH: &[&str] = &[
    "de", "le", "la", "les", "un", "une", "et", "des", "du", "deux", "trois", "quatre", "avec", "pour", "en",
    "d", "l", "au",
];

/// One thing that a note names.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    /// The thing, in the volunteer's words, as one line of at most [`OBJECT_CHARS_MAX`] characters.
    pub(super) object: String,
    /// All that was said of it, without figures, for the classifier.
    pub(super) words: String,
    pub(super) quantity: Option<u32>,
    pub(super) weight: Option<Weight>,
    pub(super) destination: Destination,
}

/// Reads a note: its things and one weight for several of them. Nothing if it is no deposit.
pub(super) fn read(note: &str, language: Language, lexicon: &Lexicon) -> (Vec<Said>, Option<Weight>) {
    let tokens = tokens(note);
    if tokens.is_empty() {
        return (Vec::new(), None);
    }
    let known = lexicon.known(&tokens);
    let mut found = Reader::new(&tokens, &known, lexicon, spoken(&tokens, language)).read();
    let things = found.items.len();
    let has_figures = found.total.is_some() || found.items.iter().any(|item| !item.weighings.is_empty());
    found.items.retain(|item| item.named);
    if found.items.iter().any(Item::is_sound) {
        let is_preface = |item: &Item| {
            let last = item.words.last().and_then(|at| tokens.get(*at));
            let says =
                |at: &usize| tokens.get(*at).is_some_and(|token| FILLERS.contains(&token.word.as_str()));
            !item.is_sound() && (last.is_none_or(|last| last.stops) || item.words.iter().any(says))
        };
        found.items.retain(|item| !is_preface(item));
    }
    if found.items.len() > 1 {
        found.items.retain(|item| !(item.is_heading && item.weighings.is_empty()));
    }
    let names_something = (0..tokens.len()).any(|at| lexicon.longest(&tokens, &known, at).is_some());
    if chat::is_chat(note, &tokens, has_figures, names_something) {
        return (Vec::new(), None);
    }
    if found.items.is_empty() {
        return (unnamed(note, things, &found), None);
    }
    let shared = share_out(&mut found);
    let total = found.total.or(shared).and_then(stated);
    let mut lines: Vec<Said> = found.items.iter().map(|item| said(note, &tokens, item, &found)).collect();
    lines.truncate(LINES_MAX);
    if let ([line], Some(weight)) = (lines.as_mut_slice(), total) {
        line.weight.get_or_insert(weight);
        return (lines, None);
    }
    let repeats = lines.iter().all(|line| line.weight.is_some());
    (lines, total.filter(|_| !repeats))
}

/// Makes things of their own of parts that go elsewhere. The weight of a thing that was the only one is that of all parts.
fn share_out(found: &mut Found) -> Option<u64> {
    let mut total = None;
    let only = found.items.len() == 1;
    for item in std::mem::take(&mut found.items) {
        let left = item.count.unwrap_or_default().saturating_sub(item.shares.iter().map(|s| s.count).sum());
        let home = item.destination.or(found.destination).unwrap_or_default();
        let mut places: Vec<Share> = Vec::new();
        for share in item.shares.iter().copied().chain([Share { count: left, destination: home }]) {
            match places.iter_mut().find(|place| place.destination == share.destination) {
                Some(place) => place.count += share.count,
                None if share.count > 0 => places.push(share),
                None => {}
            }
        }
        if item.shares.is_empty() || places.len() < 2 {
            let destination =
                places.first().map(|place| place.destination).filter(|_| !item.shares.is_empty());
            found.items.push(Item { destination: destination.or(item.destination), ..item });
            continue;
        }
        total = total.or_else(|| only.then(|| item.weighings.iter().sum()).filter(|grams| *grams > 0));
        for (place, share) in places.into_iter().enumerate() {
            let weighings = if only || place > 0 { Vec::new() } else { item.weighings.clone() };
            found.items.push(Item {
                words: item.words.clone(),
                count: Some(share.count),
                weighings,
                destination: Some(share.destination),
                shares: Vec::new(),
                ..item
            });
        }
    }
    total
}

/// The language that the note is in, where its small words tell.
pub(super) fn spoken(tokens: &[Token], language: Language) -> Language {
    let count = |words: &[&str]| tokens.iter().filter(|token| words.contains(&token.word.as_str())).count();
    match count(ENGLISH).cmp(&count(FRENCH)) {
        std::cmp::Ordering::Greater => Language::En,
        std::cmp::Ordering::Less => Language::Fr,
        std::cmp::Ordering::Equal => language,
    }
}

/// The whole note as one line, where no word of it names a thing.
fn unnamed(note: &str, things: usize, found: &Found) -> Vec<Said> {
    let words = note.split_whitespace().collect::<Vec<_>>().join(" ");
    let item = found.items.first();
    let weight = item.map(|item| item.weighings.iter().sum()).filter(|_| things == 1).or(found.total);
    let quantity = Some(1);
    let destination = found.destination.unwrap_or_default();
    vec![Said { object: label(&words), words, quantity, weight: weight.and_then(stated), destination }]
}

fn stated(grams: u64) -> Option<Weight> {
    let grams = u32::try_from(grams).ok().filter(|grams| (1..=GRAMS_MAX).contains(&u64::from(*grams)))?;
    Some(Weight { grams, source: WeightSource::Stated })
}

fn said(note: &str, tokens: &[Token], item: &Item, found: &Found) -> Said {
    let words = trimmed(tokens, &item.words);
    let text = text(note, tokens, words);
    Said {
        object: label(if text.is_empty() { note.trim() } else { &text }),
        quantity: quantity(tokens, item),
        weight: stated(item.weighings.iter().fold(0, |sum, grams| sum.saturating_add(*grams))),
        destination: item.destination.or(found.destination).unwrap_or_default(),
        words: self::text(
            note,
            tokens,
            item.words.get(item.contents..).filter(|words| !words.is_empty()).unwrap_or(words),
        ),
    }
}

/// How many: as counted, one of a singular, unknown of a plural, a mass or a lot.
fn quantity(tokens: &[Token], item: &Item) -> Option<u32> {
    if item.uncountable {
        return None;
    }
    if let Some(count) = item.count {
        return u32::try_from(count).ok().map(|count| count.min(QUANTITY_MAX)).filter(|count| *count > 0);
    }
    let words = item.words.iter().filter_map(|at| tokens.get(*at)).map(|token| token.word.as_str());
    let mut heads = words.skip_while(|word| BEFORE_NOUN.contains(word) || FILLERS.contains(word));
    let head = heads.next().unwrap_or_default();
    let next = heads.next().unwrap_or_default();
    let ends = head.ends_with('s') || ["aux", "eux", "oux"].iter().any(|end| head.ends_with(end));
    let is_plural = head.len() > 3 && ends && !NO_PLURAL.contains(&head)
        || head == "vis"
        || head == "cds"
        || head == "bds";
    let english_plural =
        next.len() > 3 && next.ends_with('s') && !NO_PLURAL.contains(&next) && ENGLISH_HEADS.contains(&head);
    let is_mass = MASSES.contains(&stem(head)) && (is_plural || !SINGULAR_COUNTS.contains(&head))
        || matches!(head, "cd" | "dvd" | "bd");
    (!is_plural && !is_mass && !english_plural).then_some(1)
}

/// Words before an English thing that do not end like its plural.
const ENGLISH_HEADS: &[&str] = &[
    "garden",
    "wooden",
    "plastic",
    "wine",
    "board",
    "baby",
    "kids",
    "school",
    "picture",
    "led",
    "light",
    "paint",
    "kitchen",
    "dinner",
    "winter",
    "leather",
    "christmas",
    "hand",
    "power",
    "video",
    "cook",
    "children",
    "running",
    "walking",
    "bed",
    "curtain",
    "toy",
    "soft",
    "glass",
    "flower",
    "plant",
    "floor",
    "roof",
    "wall",
    "computer",
    "usb",
    "mobile",
];

/// The words of an item without what is left over at its ends.
fn trimmed<'a>(tokens: &[Token], words: &'a [usize]) -> &'a [usize] {
    let is_leftover =
        |at: &usize| tokens.get(*at).is_none_or(|token| LEFTOVERS.contains(&token.word.as_str()));
    let first = words.iter().position(|at| !is_leftover(at)).unwrap_or_default();
    let last = words.iter().rposition(|at| !is_leftover(at)).map_or(words.len(), |last| last + 1);
    words.get(first..last).unwrap_or(words)
}

/// The words as they stand in the note, on one line.
fn text(note: &str, tokens: &[Token], words: &[usize]) -> String {
    let mut text = String::new();
    let mut last: Option<(usize, usize)> = None;
    for (at, token) in words.iter().filter_map(|at| Some((*at, tokens.get(*at)?))) {
        let from = match last {
            Some((before, end)) if before + 1 == at => end,
            Some((before, end)) => {
                let comma = tokens.get(before).is_some_and(|token| token.stops);
                text.push_str(if comma && end < token.at.start { ", " } else { " " });
                token.at.start
            }
            None => token.at.start,
        };
        text.push_str(note.get(from..token.at.end).unwrap_or_default());
        last = Some((at, token.at.end));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn label(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= OBJECT_CHARS_MAX {
        return words;
    }
    let cut: String = words.chars().take(OBJECT_CHARS_MAX - 1).collect();
    format!("{}…", cut.trim_end())
}
