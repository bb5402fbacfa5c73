//! The words that a note's grammar depends on, from `vocabulary.txt`.

use std::collections::HashSet;
use std::sync::LazyLock;

const FILE: &str = include_str!("vocabulary.txt");

/// Some words, plain and without accents.
pub(super) type Words = LazyLock<HashSet<&'static str>>;

fn section(name: &str) -> HashSet<&'static str> {
    let heading = format!("[{name}]");
    let lines = FILE.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
}

pub(super) static KILOGRAMS: Words = LazyLock::new(|| section("kilograms"));
pub(super) static GRAMS: Words = LazyLock::new(|| section("grams"));
/// Nouns that hold an unknown number of things.
pub(super) static CONTAINERS: Words = LazyLock::new(|| section("containers"));
/// The containers that are things as well: with a number and without contents they are counted.
pub(super) static THINGS_TOO: Words = LazyLock::new(|| section("things_too"));
/// Units and the like: a number before one of them measures instead of counting.
pub(super) static MEASURES: Words = LazyLock::new(|| section("measures"));
/// Those that are things of their own when nothing stands before the number.
pub(super) static COUNTED_TOO: Words = LazyLock::new(|| section("counted_too"));
/// Words behind which a number is a model, a size or a part of a name.
pub(super) static NAMING: Words = LazyLock::new(|| section("naming"));
/// Adjectives that stand before a thing and are no thing.
pub(super) static BEFORE_NOUN: Words = LazyLock::new(|| section("before_noun"));
/// Defects of some of the things that were counted already.
pub(super) static STATES: Words = LazyLock::new(|| section("states"));
/// Attributes of things that were named already.
pub(super) static ADJECTIVES: Words = LazyLock::new(|| section("adjectives"));
/// Things that belong to what was named before them.
pub(super) static ACCESSORIES: Words = LazyLock::new(|| section("accessories"));
/// Words that begin something said aside, in which nothing is counted.
pub(super) static ASIDES: Words = LazyLock::new(|| section("asides"));
/// Verbs: what they follow is being described, not brought.
pub(super) static VERBS: Words = LazyLock::new(|| section("verbs"));
/// Materials and looks of a thing: no thing of its own behind a comma.
pub(super) static MATERIALS: Words = LazyLock::new(|| section("materials"));
/// Words left at the ends of an object when its figures are taken out.
pub(super) static LEFTOVERS: Words = LazyLock::new(|| section("leftovers"));
/// Words that volunteers say before they name a thing.
pub(super) static FILLERS: Words = LazyLock::new(|| section("fillers"));
/// Words that take back the last statement.
pub(super) static CORRECTIONS: Words = LazyLock::new(|| section("corrections"));
/// How near a figure is to the truth; `_` between the words.
pub(super) static ABOUT: Words = LazyLock::new(|| section("about"));
/// Words for all of it.
pub(super) static TOGETHER: Words = LazyLock::new(|| section("together"));
/// Words for each of them.
pub(super) static EACH: Words = LazyLock::new(|| section("each"));
/// Things that come in pairs and are counted so.
pub(super) static PAIRED: Words = LazyLock::new(|| section("paired"));
/// Masses: things that are not counted.
pub(super) static MASSES: Words = LazyLock::new(|| section("masses"));
/// Masses only in the plural: one book is one.
pub(super) static SINGULAR_COUNTS: Words = LazyLock::new(|| section("singular_counts"));
/// Words that end like a plural and are none.
pub(super) static NO_PLURAL: Words = LazyLock::new(|| section("no_plural"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_its_words_and_every_word_can_be_met() {
        for heading in FILE.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')) {
            let words = section(heading);
            assert!(!words.is_empty(), "{heading}");
            for word in words {
                let words = word.replace('_', " ");
                assert_eq!(words, crate::tokens::plain_letters(&words), "{heading}");
            }
        }
        assert!(KILOGRAMS.contains("kilo") && !KILOGRAMS.contains("chaise"));
    }
}
