//! The words and numbers of a note, and where they stand in it.

use std::ops::Range;

/// A word or a number.
#[derive(Debug)]
pub(super) struct Token {
    /// Lower case, without accents.
    pub(super) word: String,
    /// Its value if it is written in digits, in thousandths.
    pub(super) thousandths: Option<u64>,
    /// Whether the clause ends behind it: a comma, a full stop, the end of the note.
    pub(super) stops: bool,
    /// The last sign behind it that is neither letter, digit nor space; a space if there is none.
    pub(super) sign: char,
    /// Whether it is written with a capital: a brand, a name, the first word.
    pub(super) capital: bool,
    pub(super) at: Range<usize>,
}

/// Units that may stand right behind the digits of a number: "12kg", "60x40".
const GLUED: &[&str] = &[
    "kg", "kgs", "kilo", "kilos", "k", "g", "gr", "l", "cl", "ml", "mm", "cm", "m", "w", "v", "x", "p", "go",
    "gb", "to", "tb", "t", "lb", "lbs", "oz", "h", "ans", "e",
];

/// The words and numbers of a note. "12kg" is two tokens, "ps4" and "3ds" are one each.
pub(super) fn tokens(note: &str) -> Vec<Token> {
    let mut tokens = Vec::<Token>::new();
    let mut at = 0;
    while let Some((rest, char)) = note.get(at..).and_then(|rest| Some((rest, rest.chars().next()?))) {
        let follows_unit = tokens.last().is_some_and(|last| {
            last.at.end == at && GLUED.contains(&last.word.as_str()) && last.thousandths.is_none()
        });
        let (length, thousandths) = piece(rest, char, follows_unit);
        if length > 0 {
            let word = plain_letters(rest.get(..length).unwrap_or_default());
            // A word of accents alone is nothing.
            if !word.trim().is_empty() {
                let capital = char.is_uppercase();
                tokens.push(Token {
                    word,
                    thousandths,
                    stops: false,
                    sign: ' ',
                    capital,
                    at: at..at + length,
                });
            }
        } else if let Some(last) = tokens.last_mut() {
            last.stops |= ",;.:!?()\n…=".contains(char);
            if !char.is_whitespace() {
                last.sign = char;
            }
        }
        at += length.max(char.len_utf8());
    }
    if let Some(last) = tokens.last_mut() {
        last.stops = true;
    }
    tokens
}

/// The length of the token that `rest` begins with, and what it is worth.
fn piece(rest: &str, first: char, follows_unit: bool) -> (usize, Option<u64>) {
    let word = leading(rest, in_word);
    if !first.is_ascii_digit() {
        let letters = leading(rest, |c| in_word(c) && !c.is_ascii_digit());
        let is_unit = GLUED.contains(&rest.get(..letters).unwrap_or_default().to_lowercase().as_str());
        return (if is_unit { letters } else { word }, None);
    }
    let (digits, thousandths) = digits(rest);
    let letters = rest.get(digits..).unwrap_or_default();
    let letters = letters.get(..leading(letters, |c| in_word(c) && !c.is_ascii_digit())).unwrap_or_default();
    let is_number = letters.is_empty() || follows_unit || GLUED.contains(&letters.to_lowercase().as_str());
    if is_number { (digits, thousandths) } else { (word.max(digits), None) }
}

fn in_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '\u{300}'..='\u{36f}')
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

/// Lower case without accents; what is neither letter nor digit becomes a space.
pub(super) fn plain_letters(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars().flat_map(char::to_lowercase) {
        match char {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => plain.push('a'),
            'ç' => plain.push('c'),
            'è' | 'é' | 'ê' | 'ë' => plain.push('e'),
            'ì' | 'í' | 'î' | 'ï' => plain.push('i'),
            'ñ' => plain.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' => plain.push('o'),
            'ù' | 'ú' | 'û' | 'ü' => plain.push('u'),
            'œ' => plain.push_str("oe"),
            'æ' => plain.push_str("ae"),
            // An accent that is written as a character of its own.
            '\u{300}'..='\u{36f}' => {}
            char if char.is_alphanumeric() => plain.push(char),
            _ => plain.push(' '),
        }
    }
    plain
}

/// A word without its plural.
pub(super) fn stem(word: &str) -> &str {
    word.strip_suffix(['s', 'x']).filter(|singular| singular.chars().count() > 2).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_one_word_and_a_unit_stands_alone() {
        let words = |note| tokens(note).into_iter().map(|token| token.word).collect::<Vec<_>>();
        assert_eq!(words("PS4, 12kg"), ["ps4", "12", "kg"]);
        assert_eq!(words("2kg5 3DS x4"), ["2", "kg", "5", "3ds", "x", "4"]);
        assert_eq!(words("Œufs d'ÉTÉ, cafe\u{301}s"), ["oeufs", "d", "ete", "cafes"]);
        assert_eq!(stem("assiettes"), "assiette");
        assert_eq!(stem("os"), "os");
    }
}
