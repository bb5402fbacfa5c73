//! Whatever is written, nothing breaks, and nothing absurd comes of it.

use proptest::prelude::*;

use super::{classifier, line, taxonomy};
use crate::OBJECT_CHARS_MAX;
use crate::correction::read;
use crate::site::Site;
use deposit::{Change, Correction, Language, OnCard, Part};
use deposit::{GRAMS_MAX, LINES_MAX, Line, QUANTITY_MAX, SAID_CHARS_MAX, Weight};

/// Words that the grammar depends on, in any order: text that chance would hardly ever hit.
const WORDS: &[&str] = &[
    "non",
    "pas",
    "c'est",
    "une",
    "un",
    "imprimante",
    "chaises",
    "la",
    "le",
    "les",
    "2",
    "deuxième",
    "dernière",
    "0",
    "00",
    "1e9",
    "99999999999999999999",
    "-3",
    "2,5",
    "0,0001",
    "kg",
    "kilos",
    "grammes",
    "tonnes",
    "chacune",
    "pièce",
    "de plus",
    "de moins",
    "et demi",
    "enlève",
    "supprime",
    "ajoute",
    "en",
    "tout",
    "total",
    "au lieu de",
    "remplace",
    "par",
    "au recyclage",
    "à la benne",
    "lot",
    "mille",
    "cent",
    "millions",
    "quatre",
    "vingt",
    "douzaines",
    "zéro",
    "virgule",
    "x",
    ",",
    ".",
    ":",
    "?",
    "\n",
    "ligne",
    "du textile",
    "kilo",
    "tare",
    "net",
    "moins",
    "no",
    "it's",
    "a",
    "printer",
    "remove",
    "the",
    "second",
    "one",
    "add",
    "half",
    "pounds",
    "🪑",
    "\u{301}",
    "\u{202e}",
    "ﷺ",
    "Ⅷ",
    "٣",
];

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 0..60).prop_map(|words| words.join(" "))
}

fn notes() -> impl Strategy<Value = String> {
    prop_oneof![6 => words(), 2 => any::<String>(), 2 => ".{0,200}", 1 => words().prop_map(|text| {
        text.chars().cycle().take(if text.is_empty() { 0 } else { SAID_CHARS_MAX }).collect()
    })]
}

fn languages() -> impl Strategy<Value = Language> {
    prop_oneof![Just(Language::Fr), Just(Language::En)]
}

fn assert_sound(line: &Line) {
    assert!(line.quantity.is_none_or(|quantity| (1..=QUANTITY_MAX).contains(&quantity)), "{line:?}");
    assert!(line.weight.is_none_or(is_sound), "{line:?}");
    assert!(line.object.chars().count() <= OBJECT_CHARS_MAX, "{line:?}");
    assert!((0.0..=1.0).contains(&line.proposal.confidence), "{line:?}");
}

fn is_sound(weight: Weight) -> bool {
    (1..=GRAMS_MAX).contains(&weight.grams)
}

fn assert_change(change: &Change, lines: usize) {
    let place = match change {
        Change::Added(line) => {
            assert_sound(line);
            None
        }
        Change::TotalWeighed(weight) => {
            assert!(is_sound(*weight), "{change:?}");
            None
        }
        Change::Counted { line, quantity } => {
            assert!(quantity.is_none_or(|quantity| (1..=QUANTITY_MAX).contains(&quantity)), "{change:?}");
            Some(line)
        }
        Change::Weighed { line, weight } => {
            assert!(weight.is_none_or(is_sound), "{change:?}");
            Some(line)
        }
        Change::Renamed { line, object, .. } => {
            assert!((1..=OBJECT_CHARS_MAX).contains(&object.chars().count()), "{change:?}");
            Some(line)
        }
        Change::Sorted { line, .. } | Change::Sent { line, .. } | Change::Removed { line } => Some(line),
    };
    assert!(place.is_none_or(|place| *place < lines), "{change:?} of {lines} lines");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_note_is_understood_as_something_sound(note in notes(), language in languages()) {
        let found = classifier().understand(&note, language, &Site::default());
        prop_assert!(found.lines.len() <= LINES_MAX);
        found.lines.iter().for_each(assert_sound);
        prop_assert!(found.total_weight.is_none_or(is_sound));
    }

    #[test]
    fn any_note_corrects_something_sound_or_nothing(
        note in notes(),
        language in languages(),
        objects in prop::collection::vec(prop_oneof![Just("chaises ×3 12kg".to_owned()), Just("imprimante ×1".to_owned()), Just("lot de vaisselle ~3kg".to_owned()), any::<String>().prop_map(|name| name.replace(['×', ' '], "").replace("kg", ""))], 1..=LINES_MAX),
        at in prop::option::of(0..LINES_MAX),
        flags in (any::<bool>(), any::<bool>()),
        said in prop::option::of(words()),
    ) {
        let lines: Vec<Line> = objects.iter().map(|text| line(text)).collect();
        let card = OnCard {
            lines: &lines,
            total_weight: None,
            line: at.filter(|at| *at < lines.len()),
            part: flags.0.then_some(Part::Weight),
            is_asked: flags.0,
            is_reply: flags.1,
            unclear: said.as_deref(),
        };
        if let Some(Correction::Changes { changes, .. }) = read(&note, &card, language, classifier(), taxonomy(), &Site::default()) {
            changes.iter().for_each(|change| assert_change(change, lines.len()));
        }
    }
}
