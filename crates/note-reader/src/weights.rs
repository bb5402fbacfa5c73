//! Weights in words: "deux kilos cinq", "un kilo et demi", "cinq cents grammes", "une livre".

use crate::numbers::number;
use crate::tokens::Token;
use crate::vocabulary::{ADJECTIVES, CORRECTIONS, EACH, GRAMS, KILOGRAMS};
use deposit::Language;

/// Other units of weight, in grams.
const OTHER_UNITS: &[(&str, u64)] = &[
    ("tonne", 1_000_000),
    ("tonnes", 1_000_000),
    ("quintal", 100_000),
    ("quintaux", 100_000),
    ("pound", 454),
    ("pounds", 454),
    ("lb", 454),
    ("lbs", 454),
    ("ounce", 28),
    ("ounces", 28),
    ("oz", 28),
    ("stone", 6_350),
];
/// The greatest weight of a deposit, as the arithmetic here has it.
pub(super) const GRAMS_MAX: u64 = deposit::GRAMS_MAX as u64;
/// Words that may stand between a number and its unit: "un bon kilo", "une dizaine de kilos".
const BETWEEN: &[&str] =
    &["bon", "bons", "petit", "petits", "gros", "demi", "de", "d", "ou", "small", "good", "tout"];
/// Words that may follow "deux kilos cinq" when the five is half a kilo.
const AFTER_FRACTION: &[&str] = &[
    "et", "plus", "pour", "le", "la", "les", "l", "en", "au", "a", "environ", "tout", "total", "and", "in",
    "direct", "peu", "pas", "net", "brut", "hors", "avec", "sans", "dont", "mais", "chaque", "pile", "pres",
    "maximum", "max", "euh", "un", "une", "a", "ensemble", "moins", "dans", "c", "ca", "y", "il", "je", "on",
    "sur", "bien", "non", "pardon", "de",
];

/// The weight that is said at the first of `tokens`, in grams, and how many tokens say it.
pub(super) fn weight(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    // "kilo deux", "kilo et demi": the "un" goes without saying.
    if word(0) == "kilo" {
        let (more, length) = fraction(tokens, 0, language);
        return (length > 0).then_some((1_000 + more, 1 + length));
    }
    let said = several_times(tokens, language).or_else(|| between(tokens, language));
    said.or_else(|| once(tokens, language))
}

/// One number and its unit.
fn once(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let demi = usize::from(matches!(word(0), "demi" | "half"));
    let (mut value, mut used) = match number(tokens, language) {
        Some(number) => number,
        None if demi == 1 => (500, 1 + usize::from(word(1) == "a")),
        None => return None,
    };
    if tokens.get(used - 1).is_some_and(|token| token.stops) {
        return None;
    }
    // "cinq à six kilos", "entre quatre et cinq kilos", "4-5 kg": the middle.
    let spread =
        matches!(word(used), "a" | "ou" | "to" | "or") || tokens.get(used - 1).is_some_and(|t| t.sign == '-');
    let gap = used + usize::from(matches!(word(used), "a" | "ou" | "to" | "or"));
    if let Some((other, length)) =
        tokens.get(gap..).filter(|_| spread).and_then(|rest| number(rest, language))
        && other > value
        && unit(word(gap + length)).is_some()
    {
        value = u64::midpoint(value, other);
        used = gap + length;
    }
    let mut skipped = 0;
    while skipped < 2 && unit(word(used)).is_none() && BETWEEN.contains(&word(used)) {
        if word(used) == "demi" {
            value /= 2;
        }
        used += 1;
        skipped += 1;
    }
    // "un bon trois kilos"
    if let Some((inner, length)) =
        tokens.get(used..).filter(|_| skipped == 1).and_then(|rest| number(rest, language))
        && unit(word(used + length)).is_some()
    {
        value = inner;
        used += length;
    }
    // A pound of butter is "une livre", a book is "un livre".
    let pound = (word(used), word(used.wrapping_sub(1))) == ("livre", "une")
        || (word(used) == "livre" && word(used - 1) == "demi");
    let grams = if pound { 500 } else { unit(word(used))? };
    let base = (value.min(GRAMS_MAX * 10) * grams) / 1000;
    let (more, length) = if grams >= 500 { fraction(tokens, used, language) } else { (0, 0) };
    Some((base.saturating_add(more * grams / 1000), used + 1 + length))
}

/// "trois fois deux kilos", "2 x 5 kg", "deux pesées de dix kilos".
fn several_times(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let (times, used) = number(tokens, language)?;
    let by = match (word(used), word(used + 1)) {
        ("pesees" | "fois", "de") => 2,
        ("fois" | "x" | "times", _) => 1,
        _once => return None,
    };
    let (grams, length) = once(tokens.get(used + by..)?, language)?;
    let is_count = times.is_multiple_of(1_000) && (1_000..=100_000).contains(&times);
    is_count.then_some((grams.saturating_mul(times / 1_000), used + by + length))
}

/// "entre trois et quatre kilos": the middle.
fn between(tokens: &[Token], language: Language) -> Option<(u64, usize)> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    if !matches!(word(0), "entre" | "between") {
        return None;
    }
    let (least, used) = number(tokens.get(1..)?, language)?;
    let gap = used + 1 + usize::from(unit(word(used + 1)).is_some());
    let (most, length) = once(tokens.get(gap + 1..)?, language)?;
    let is_spread = matches!(word(gap), "et" | "and") && least < most;
    is_spread.then_some((u64::midpoint(least, most), gap + 1 + length))
}

/// The weight of a unit, in grams.
pub(super) fn unit(word: &str) -> Option<u64> {
    if KILOGRAMS.contains(&word) {
        Some(1000)
    } else if GRAMS.contains(&word) {
        Some(1)
    } else {
        OTHER_UNITS.iter().find(|(name, _)| *name == word).map(|(_, grams)| *grams)
    }
}

/// The fraction behind the unit at `at`: "deux kilos et demi", "trois kilos deux" (3.2 kg), "6 kilos cent" (6.1 kg). In
/// thousandths, with the tokens it takes. "deux kilos cinq" ends there, "deux kilos cinq chaises" goes on.
fn fraction(tokens: &[Token], at: usize, language: Language) -> (u64, usize) {
    let word = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.word.as_str());
    let from = tokens.get(at + 1..).unwrap_or_default();
    if tokens.get(at).is_none_or(|unit| unit.stops) {
        return (0, 0);
    }
    match (word(1), word(2), word(3)) {
        ("et", "demi" | "demie", _) => return (500, 2),
        ("and", "a", "half") => return (500, 3),
        ("trois", "quarts", _) => return (750, 2),
        ("et" | "un", "quart", _) => return (250, 2),
        _another => {}
    }
    let zero = usize::from(word(1) == "zero" && !tokens.get(at + 1).is_none_or(|zero| zero.stops));
    let Some((value, used)) = number(from.get(zero..).unwrap_or_default(), language) else { return (0, 0) };
    let used = used + zero;
    let Some(last) = from.get(used - 1) else { return (0, 0) };
    let next = word(used + 1);
    let hundreds_of_grams = (100_000..1_000_000).contains(&value);
    if hundreds_of_grams && GRAMS.contains(&next) {
        return (value / 1000, used + 1);
    }
    let ends = last.stops
        || hundreds_of_grams
        || AFTER_FRACTION.contains(&next)
        || EACH.contains(&next)
        || CORRECTIONS.contains(&next)
        || ADJECTIVES.contains(&next);
    if !ends || unit(next).is_some() || !value.is_multiple_of(1000) || matches!(word(1), "un" | "une") {
        return (0, 0);
    }
    match value {
        tenths @ 0..10_000 => (if zero == 1 { tenths / 100 } else { tenths / 10 }, used),
        hundredths @ 10_000..100_000 => (hundredths / 100, used),
        thousandths @ 100_000..1_000_000 => (thousandths / 1000, used),
        _too_much => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokens;

    #[test]
    fn weights_are_read_as_they_are_said() {
        for (text, grams, used) in [
            ("2,5 kg", 2_500, 2),
            ("12kg", 12_000, 2),
            ("deux kilos cinq", 2_500, 3),
            ("deux kilos cinq chaises", 2_000, 2),
            ("deux kilos cinq et une chaise", 2_500, 3),
            ("trois kilos deux le tout", 3_200, 3),
            ("six kilos cent", 6_100, 3),
            ("2 kg 500", 2_500, 3),
            ("un kilo deux cent cinquante", 1_250, 5),
            ("deux kilos zéro cinq", 2_050, 4),
            ("un kilo et demi", 1_500, 4),
            ("kilo et demi", 1_500, 3),
            ("un demi-kilo", 500, 3),
            ("cinq cents grammes", 500, 3),
            ("une livre", 500, 2),
            ("un bon kilo", 1_000, 3),
            ("une dizaine de kilos", 10_000, 4),
            ("cinq à six kilos", 5_500, 4),
            ("un virgule quatre kilo", 1_400, 4),
            ("deux kilos trois cents grammes", 2_300, 5),
            ("une tonne", 1_000_000, 2),
            ("kilo deux", 1_200, 2),
            ("trois fois deux kilos", 6_000, 4),
            ("2 x 5 kg", 10_000, 4),
            ("entre trois et quatre kilos", 3_500, 5),
            ("un bon trois kilos", 3_000, 4),
            ("deux et demi kilos", 2_500, 4),
        ] {
            assert_eq!(weight(&tokens(text), Language::Fr), Some((grams, used)), "{text}");
        }
        assert_eq!(weight(&tokens("two kilos and a half"), Language::En), Some((2_500, 5)));
        assert_eq!(weight(&tokens("a pound of nails"), Language::En), Some((454, 2)));
        assert_eq!(weight(&tokens("one and a half kilos"), Language::En), Some((1_500, 5)));
        for text in ["un livre", "deux livres", "2 litres", "kilo", "trois, kilos", "chaise"] {
            assert_eq!(weight(&tokens(text), Language::Fr), None, "{text}");
        }
    }
}
