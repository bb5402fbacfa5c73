//! Numbers in digits and in French and English words, in thousandths: kilos are grams then.

use crate::tokens::Token;
use deposit::Language;

/// The words for 0, 1, 2, … and for 20, 30, 40, …
const FRENCH: &str =
    "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize";
const FRENCH_TENS: &str = "vingt trente quarante cinquante soixante";
const ENGLISH: &str = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen \
                       fifteen sixteen seventeen eighteen nineteen";
const ENGLISH_TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";

/// The number that begins at the first of `tokens`, in thousandths, and how many tokens it takes: "un virgule quatre" too.
pub(super) fn number(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let said = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let half = usize::from(matches!(said(0), "un" | "une" | "a" | "1"));
    if let Some(group) = group_word(said(half + 1)).filter(|_| matches!(said(half), "demi" | "half")) {
        return Some((group * 500, half + 2));
    }
    let (whole, used) = whole(tokens, language)?;
    let is_comma = tokens.get(used).is_some_and(|token| matches!(token.word.as_str(), "virgule" | "point"));
    let stops = tokens.get(used - 1).is_none_or(|token| token.stops);
    // "deux et demi", "four and a half"; "deux et demie bouteilles" is not said.
    match (said(used), said(used + 1), said(used + 2)) {
        _ if stops => {}
        ("et", "demi" | "demie", _) => return Some((whole.saturating_add(500), used + 2)),
        ("and", "a", "half") => return Some((whole.saturating_add(500), used + 3)),
        _no_half => {}
    }
    let decimals = tokens.get(used + 1..).filter(|_| is_comma).and_then(|rest| decimals(rest, language));
    Some(decimals.map_or((whole, used), |(more, length)| (whole.saturating_add(more), used + 1 + length)))
}

/// The digits behind the comma: "quatre" is 400 thousandths, "vingt-cinq" 250, "zéro cinq" 50.
fn decimals(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let (mut value, mut used) = whole(tokens, language)?;
    let mut scale = 10;
    while value == 0 && used < 3 && !tokens.get(used - 1)?.stops {
        scale *= 10;
        let (next, length) = whole(tokens.get(used..)?, language)?;
        (value, used) = (next, used + length);
    }
    let thousandths = match value / 1000 {
        digit @ 0..10 => 1000 * digit / scale,
        digits @ 10..100 => 1000 * digits / scale / 10,
        digits => 1000 * digits.min(999) / scale / 100,
    };
    Some((thousandths, used))
}

fn whole(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let first = tokens.first()?;
    if let Some(thousandths) = first.thousandths {
        return Some((thousandths, 1));
    }
    let mut value = number_word(&first.word, language).or_else(|| group_word(&first.word))?;
    let (mut last, mut used) = (value, 1);
    while let (Some(before), Some(token)) = (tokens.get(used - 1), tokens.get(used)) {
        if before.stops {
            break;
        }
        if let Some(group) = group_word(&token.word) {
            value = value.saturating_mul(group);
            (last, used) = (group, used + 1);
            continue;
        }
        // "vingt et un", "a hundred and five"
        let joined = last >= 20 && matches!(token.word.as_str(), "et" | "and");
        let next =
            tokens.get(used + usize::from(joined)).and_then(|token| number_word(&token.word, language));
        match (last, next) {
            (4, Some(20)) => value += 76,
            (10, Some(next @ 7..=9)) | (20..=90, Some(next @ 1..=19)) | (100, Some(next @ 1..=99)) => {
                value = value.saturating_add(next);
            }
            _another_number => break,
        }
        last = if last == 4 { 80 } else { next.unwrap_or_default() };
        used += 1 + usize::from(joined);
    }
    Some((value.saturating_mul(1000), used))
}

/// A word for so many at once: "deux douzaines".
fn group_word(word: &str) -> Option<u64> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "dizaine" => 10,
        "douzaine" | "dozen" => 12,
        "quinzaine" => 15,
        "vingtaine" => 20,
        "trentaine" => 30,
        "quarantaine" => 40,
        "cinquantaine" => 50,
        "cent" | "centaine" | "hundred" => 100,
        "mille" | "millier" | "thousand" => 1000,
        _ => return None,
    })
}

fn number_word(word: &str, language: Language) -> Option<u64> {
    let place =
        |list: &str| list.split(' ').position(|known| known == word).and_then(|at| u64::try_from(at).ok());
    let tens = |list: &str| place(list).map(|at| 10 * (at + 2));
    match word {
        "une" => Some(1),
        // A French oven is no number.
        "four" if language == Language::Fr => None,
        "a" | "an" => (language == Language::En).then_some(1),
        "vingts" => Some(20),
        _ => place(FRENCH)
            .or_else(|| place(ENGLISH))
            .or_else(|| tens(FRENCH_TENS))
            .or_else(|| tens(ENGLISH_TENS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokens;

    #[test]
    fn numbers_are_read_in_digits_and_words() {
        for (text, value, used) in [
            ("12 chaises", 12000, 1),
            ("2,5 kg", 2_500, 1),
            ("vingt et une assiettes", 21000, 3),
            ("vingt-deux verres", 22000, 2),
            ("soixante-dix-sept", 77000, 3),
            ("soixante et onze", 71000, 3),
            ("quatre-vingts", 80000, 2),
            ("quatre-vingt-dix-neuf", 99000, 4),
            ("cent vingt-cinq", 125000, 3),
            ("un virgule quatre", 1_400, 3),
            ("deux virgule vingt-cinq kilos", 2_250, 4),
            ("trois virgule zéro cinq", 3_050, 4),
            ("deux cents", 200000, 2),
            ("une douzaine", 12000, 2),
            ("deux douzaines", 24000, 2),
            ("dix-sept", 17000, 2),
            ("trois quatre", 3000, 1),
            ("quatre, vingt", 4000, 1),
        ] {
            assert_eq!(number(&tokens(text), Language::Fr), Some((value, used)), "{text}");
        }
        assert_eq!(number(&tokens("a hundred and five books"), Language::En), Some((105_000, 4)));
        assert_eq!(number(&tokens("twenty-one"), Language::En), Some((21_000, 2)));
        assert_eq!(number(&tokens("a chaise"), Language::Fr), None);
        assert_eq!(number(&tokens(&"cent ".repeat(500)), Language::Fr), Some((u64::MAX, 500)));
    }
}
