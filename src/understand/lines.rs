//! One note as one line: object, quantity, weight and destination, by simple and honest rules.
//!
//! What they cannot read stays unknown, and the card shows what was read. Several things in one note stay one line, with
//! their weights added up; "chacun", tares and corrections are not understood: that is the business of a later issue.

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::deposit::{Destination, Weight, WeightSource};
use crate::session::Language;
use crate::understand::classify::plain_letters;
use crate::understand::numbers::number;

/// The longest object label that is kept; the whole note stays in what was said.
pub const OBJECT_CHARS_MAX: usize = 120;
/// More than ten tonnes is not a deposit but a slip.
const GRAMS_MAX: u32 = 10_000_000;
const QUANTITY_MAX: u64 = 9_999;

const KILOGRAMS: &[&str] =
    &["kg", "kgs", "kilo", "kilos", "kilogramme", "kilogrammes", "kilogram", "kilograms"];
const GRAMS: &[&str] = &["g", "gr", "gramme", "grammes", "gram", "grams"];
/// Nouns that hold an unknown number of things.
const CONTAINERS: &[&str] = &[
    "lot", "lots", "carton", "cartons", "sac", "sacs", "caisse", "caisses", "bac", "bacs", "tas", "vrac",
    "box", "boxes", "bag", "bags", "load",
];
/// What a number before it measures instead of counting.
const MEASURES: &[&str] = &[
    "l", "litre", "litres", "liter", "liters", "cl", "ml", "mm", "cm", "m", "metre", "metres", "w", "watt",
    "watts", "v", "volt", "volts", "pouce", "pouces", "inch", "inches", "an", "ans", "year", "years", "euro",
    "euros", "go", "gb", "place", "places", "tiroir", "tiroirs", "porte", "portes", "tasses", "pieces",
    "vitesses", "feux",
];
/// What is left at the ends of a note when its figures are taken out.
const LEFTOVERS: &[&str] = &[
    "", "de", "d", "du", "et", "a", "x", "environ", "pour", "fait", "pese", "ca", "en", "au", "tout",
    "total", "le", "of", "and", "about", "around", "weighing", "in",
];

/// What a note says.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    /// The thing, in the volunteer's words, as one line of at most [`OBJECT_CHARS_MAX`] characters.
    pub(super) object: String,
    /// All its words without figures, for the classifier.
    pub(super) words: String,
    pub(super) quantity: Option<u32>,
    pub(super) weight: Option<Weight>,
    pub(super) destination: Destination,
}

/// A word or a number, and where it stands in the note.
#[derive(Debug)]
pub(super) struct Token {
    /// Lower case, without accents.
    pub(super) word: String,
    /// What it is worth if it is written in digits, in thousandths.
    pub(super) thousandths: Option<u64>,
    /// Whether the clause ends behind it: a comma, a full stop, the end of the note.
    pub(super) stops: bool,
    at: Range<usize>,
}

/// The numbers of a note and what they are about.
#[derive(Debug, Default)]
struct Figures {
    grams: u64,
    quantity: Option<u32>,
    /// Whether a number counts containers and not things.
    of_containers: bool,
    /// The tokens that say no more than a number, in order.
    taken: Vec<Range<usize>>,
}

/// Reads a note; `None` if there is neither letter nor digit in it.
pub(super) fn read(note: &str, language: Language) -> Option<Said> {
    let tokens = tokens(note);
    tokens.first()?;
    let figures = figures(&tokens, language);
    let words = without(note, &tokens, &figures.taken);
    let grams = u32::try_from(figures.grams).ok().filter(|grams| (1..=GRAMS_MAX).contains(grams));
    Some(Said {
        object: label(&words),
        words,
        quantity: figures.quantity.or_else(|| uncounted(&tokens, &figures)),
        weight: grams.map(|grams| Weight { grams, source: WeightSource::Stated }),
        destination: destination(&tokens),
    })
}

/// The words and numbers of a note.
pub(super) fn tokens(note: &str) -> Vec<Token> {
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}');
    let mut tokens = Vec::<Token>::new();
    let mut at = 0;
    while let Some((rest, char)) = note.get(at..).and_then(|rest| Some((rest, rest.chars().next()?))) {
        let (length, thousandths) = match char {
            '0'..='9' => digits(rest),
            _ => (leading(rest, |c| in_word(c) && !c.is_ascii_digit()), None),
        };
        if length > 0 {
            let word = plain_letters(rest.get(..length).unwrap_or_default());
            tokens.push(Token { word, thousandths, stops: false, at: at..at + length });
        } else if let Some(last) = tokens.last_mut() {
            last.stops |= ",;.:!?()\n".contains(char);
        }
        at += length.max(char.len_utf8());
    }
    if let Some(last) = tokens.last_mut() {
        last.stops = true;
    }
    tokens
}

/// The number that `text` begins with: its length and its thousandths. "2,5" is one number, "2, 5" are two.
fn digits(text: &str) -> (usize, Option<u64>) {
    let is_digit = |c: char| c.is_ascii_digit();
    let whole = leading(text, is_digit);
    let fraction = text.get(whole..).and_then(|rest| rest.strip_prefix(['.', ','])).unwrap_or_default();
    let decimals = fraction.get(..leading(fraction, is_digit)).unwrap_or_default();
    let length = if decimals.is_empty() { whole } else { whole + 1 + decimals.len() };
    let written = format!("{}{decimals:0<3.3}", text.get(..whole).unwrap_or_default());
    (length, written.parse().ok())
}

fn leading(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn word(tokens: &[Token], index: usize) -> &str {
    tokens.get(index).map_or("", |token| token.word.as_str())
}

fn figures(tokens: &[Token], language: Language) -> Figures {
    let mut figures = Figures::default();
    let mut index = 0;
    while let Some(rest) = tokens.get(index..).filter(|rest| !rest.is_empty()) {
        let Some((value, used)) = number(rest, language).map(|number| halved(rest, number)) else {
            index += 1;
            continue;
        };
        let next = word(rest, used);
        let end = if KILOGRAMS.contains(&next) {
            let (more, length) = fraction(rest.get(used..).unwrap_or_default(), language);
            figures.grams = figures.grams.saturating_add(value).saturating_add(more);
            index + used + 1 + length
        } else if GRAMS.contains(&next) {
            figures.grams = figures.grams.saturating_add(value / 1000);
            index + used + 1
        } else {
            let times = index > 0 && word(tokens, index - 1) == "x";
            let counts = times || !(next.is_empty() || MEASURES.contains(&next));
            let count = (value % 1000 == 0)
                .then_some(value / 1000)
                .filter(|count| (1..=QUANTITY_MAX).contains(count));
            let leads = times || figures.taken.last().map_or(0, |taken| taken.end) == index;
            index += used;
            if counts && CONTAINERS.contains(&next) {
                figures.of_containers = true;
            } else if let Some(count) = count.filter(|_| counts && figures.quantity.is_none()) {
                figures.quantity = u32::try_from(count).ok();
                figures.taken.extend(leads.then_some(index - used..index));
            }
            continue;
        };
        figures.taken.push(index..end);
        index = end;
    }
    figures
}

/// "un demi-kilo": the half of the number before.
fn halved(tokens: &[Token], (value, used): (u64, usize)) -> (u64, usize) {
    if word(tokens, used) == "demi" { (value / 2, used + 1) } else { (value, used) }
}

/// What follows the word kilo: "deux kilos et demi", "trois kilos deux" (3.2 kg), "6 kilos cent" (6.1 kg). In grams, with
/// the tokens it takes. "deux kilos cinq" ends there, "deux kilos cinq chaises" goes on.
fn fraction(from_unit: &[Token], language: Language) -> (u64, usize) {
    let Some((unit, rest)) = from_unit.split_first() else { return (0, 0) };
    if (word(rest, 0), word(rest, 1)) == ("et", "demi") {
        return (500, 2);
    }
    let spoken = number(rest, language).filter(|(_, used)| rest.get(used - 1).is_some_and(|last| last.stops));
    match spoken.filter(|_| !unit.stops) {
        Some((tenths @ 0..10_000, used)) => (tenths / 10, used),
        Some((hundredths @ 10_000..100_000, used)) => (hundredths / 100, used),
        Some((thousandths @ 100_000..1_000_000, used)) => (thousandths / 1000, used),
        Some(_) | None => (0, 0),
    }
}

/// How many there are of what was not counted: one of a singular, unknown of a plural, a mass or a lot.
fn uncounted(tokens: &[Token], figures: &Figures) -> Option<u32> {
    const ARTICLES: &[&str] = &["le", "la", "l", "the"];
    let is_taken = |index: &usize| figures.taken.iter().any(|taken| taken.contains(index));
    let others =
        tokens.iter().enumerate().filter(|(index, token)| !is_taken(index) && token.thousandths.is_none());
    let mut words = others.map(|(_, token)| token.word.as_str());
    let head = words.find(|word| !ARTICLES.contains(word)).unwrap_or_default();
    let is_plural = head.len() > 3 && head.ends_with(['s', 'x']);
    let is_mass = matches!(head, "des" | "du" | "de" | "d" | "les" | "some");
    (!(is_plural || is_mass || figures.of_containers || CONTAINERS.contains(&head))).then_some(1)
}

/// Where it goes, if the note says so; "récupéré à la déchetterie" says where it comes from.
fn destination(tokens: &[Token]) -> Destination {
    let came = ["recup", "trouve", "vient", "found"];
    let is_from = tokens.iter().any(|token| came.iter().any(|start| token.word.starts_with(start)));
    let mut destination = Destination::Magasin;
    for (index, token) in tokens.iter().enumerate() {
        match (word(tokens, index.wrapping_sub(1)), token.word.as_str()) {
            (_, "recyclage" | "recycler" | "recycling" | "ferraille" | "scrap") | ("pour", "pieces") => {
                return Destination::Recyclage;
            }
            (_, "dechetterie" | "decheterie" | "jeter" | "encombrants")
            | ("la", "poubelle" | "benne")
            | ("the", "tip" | "bin")
                if !is_from =>
            {
                destination = Destination::Dechetterie;
            }
            _no_destination => {}
        }
    }
    destination
}

/// The note as one line without its figures and what they leave at its ends; the whole note if no letter is left.
fn without(note: &str, tokens: &[Token], figures: &[Range<usize>]) -> String {
    const PUNCTUATION: [char; 11] = [' ', ',', ';', '.', ':', '-', '–', '/', '+', '=', '~'];
    let mut rest = String::new();
    let mut from = 0;
    for figure in figures.iter().filter_map(|figure| tokens.get(figure.clone())) {
        let (Some(first), Some(last)) = (figure.first(), figure.last()) else { continue };
        let before = note.get(from..first.at.start).unwrap_or_default();
        rest.push_str(before.trim_end_matches(PUNCTUATION));
        from = last.at.end;
    }
    rest.push_str(note.get(from..).unwrap_or_default());
    let is_leftover =
        |word: &&str| LEFTOVERS.contains(&plain_letters(word.trim_matches(PUNCTUATION)).as_str());
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    while !figures.is_empty() && words.last().is_some_and(is_leftover) {
        words.pop();
    }
    let first = words.iter().position(|word| figures.is_empty() || !is_leftover(word)).unwrap_or_default();
    let mut line = words.get(first..).unwrap_or_default().join(" ");
    if !line.contains(char::is_alphabetic) {
        line = note.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    line.trim_matches(PUNCTUATION).to_owned()
}

fn label(words: &str) -> String {
    if words.chars().count() <= OBJECT_CHARS_MAX {
        return words.to_owned();
    }
    let cut: String = words.chars().take(OBJECT_CHARS_MAX - 1).collect();
    format!("{}…", cut.trim_end())
}
