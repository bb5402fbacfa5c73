//! Phrases in volunteers' words, and the changes they make.

mod any_input;

use std::sync::LazyLock;

use super::*;
use deposit::{Change, Part};
use deposit::{Destination, Line, Proposal, Weight, WeightSource};

pub(super) fn taxonomy() -> &'static Taxonomy {
    static TAXONOMY: LazyLock<Taxonomy> = LazyLock::new(|| Taxonomy::built_in().unwrap());
    &TAXONOMY
}

pub(super) fn classifier() -> &'static Classifier {
    static CLASSIFIER: LazyLock<Classifier> = LazyLock::new(|| Classifier::train(taxonomy()));
    &CLASSIFIER
}

/// A line as "chaises ×3 2kg": no number is a lot, no weight is none, "~2kg" is a guess.
pub(super) fn line(text: &str) -> Line {
    let mut line = Line {
        object: String::new(),
        quantity: None,
        weight: None,
        destination: Destination::Magasin,
        proposal: Proposal {
            category: "other".into(),
            confidence: 0.9,
            alternatives: Vec::new(),
            model: "test".to_owned(),
        },
        chosen: None,
    };
    for word in text.split(' ') {
        if let Some(quantity) = word.strip_prefix('×') {
            line.quantity = Some(quantity.parse().unwrap());
        } else if let Some(kilos) = word.strip_suffix("kg") {
            let source = if kilos.starts_with('~') { WeightSource::Estimated } else { WeightSource::Stated };
            let grams = kilos.trim_start_matches('~').parse::<u32>().unwrap() * 1_000;
            line.weight = Some(Weight { grams, source });
        } else {
            line.object = format!("{} {word}", line.object).trim().to_owned();
        }
    }
    line
}

/// The changes that a note makes, in short, in front of a card that is changed by `with`.
fn changes(lines: &str, note: &str, language: Language, with: impl FnOnce(&mut OnCard<'_>)) -> String {
    let lines: Vec<Line> = lines.split(", ").map(line).collect();
    let mut card = OnCard {
        lines: &lines,
        total_weight: None,
        line: None,
        part: None,
        is_asked: false,
        is_reply: false,
        unclear: None,
    };
    with(&mut card);
    match read(note, &card, language, classifier(), taxonomy(), &Site::default()) {
        None => "description".to_owned(),
        Some(Correction::Unclear(Unclear::Which(said))) => {
            assert_eq!(said, note);
            "which?".to_owned()
        }
        Some(Correction::Unclear(unclear)) => format!("{unclear:?}?"),
        Some(Correction::Changes { seen, changes }) => {
            assert_eq!(seen, lines);
            let told: Vec<_> = changes.iter().map(told).collect();
            if told.is_empty() { "nothing".to_owned() } else { told.join(" · ") }
        }
    }
}

fn told(change: &Change) -> String {
    match change {
        Change::Renamed { line, object, proposal } => {
            format!("{}: {object} ({})", line + 1, proposal.category)
        }
        Change::Sorted { line, category } => format!("{} in {category}", line + 1),
        Change::Counted { line, quantity: Some(quantity) } => format!("{} ×{quantity}", line + 1),
        Change::Counted { line, quantity: None } => format!("{} lot", line + 1),
        Change::Weighed { line, weight: Some(weight) } => {
            assert_eq!(weight.source, WeightSource::Stated);
            format!("{} {}g", line + 1, weight.grams)
        }
        Change::Weighed { line, weight: None } => format!("{} unweighed", line + 1),
        Change::Sent { line, destination } => format!("{} to {}", line + 1, destination.as_str()),
        Change::Removed { line } => format!("-{}", line + 1),
        Change::Added(line) => {
            let quantity = line.quantity.map_or("lot".to_owned(), |quantity| format!("×{quantity}"));
            // A suggestion is not what was said.
            let said = line.weight.filter(|weight| weight.source != WeightSource::Estimated);
            let weight = said.map_or(String::new(), |weight| format!(" {}g", weight.grams));
            format!("+{} {quantity}{weight}", line.object)
        }
        Change::TotalWeighed(weight) => format!("all {}g", weight.grams),
    }
}

/// Compares all rows of a table at once.
fn check(language: Language, rows: &[(&str, &str, &str)], with: impl Fn(&mut OnCard<'_>)) {
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|(lines, note, wanted)| {
            let found = changes(lines, note, language, &with);
            (found != *wanted).then(|| format!("{note:?} on [{lines}]: {found}, wanted {wanted}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

const ONE: &str = "scanner ×1";
const TWO: &str = "bouilloire ×1, chaises ×3";
const THREE: &str = "bouilloire ×1, chaises ×3, vaisselle";
const WEIGHED: &str = "bouilloire ×1 2kg, chaises ×3 12kg, vaisselle";

#[test]
fn things_are_called_otherwise() {
    check(
        Language::Fr,
        &[
            (ONE, "non, c'est une imprimante", "1: imprimante (small_it)"),
            (ONE, "non c'est une imprimante", "1: imprimante (small_it)"),
            (ONE, "c'est une imprimante", "1: imprimante (small_it)"),
            (ONE, "c'est une imprimante, pas un scanner", "1: imprimante (small_it)"),
            (ONE, "ce n'est pas un scanner, c'est une imprimante", "1: imprimante (small_it)"),
            (ONE, "pas un scanner, une imprimante", "1: imprimante (small_it)"),
            (ONE, "une imprimante, pas un scanner", "1: imprimante (small_it)"),
            (ONE, "une imprimante au lieu d'un scanner", "1: imprimante (small_it)"),
            (ONE, "plutôt une imprimante", "1: imprimante (small_it)"),
            (ONE, "non, imprimante", "1: imprimante (small_it)"),
            (ONE, "euh pardon, je voulais dire une imprimante", "1: imprimante (small_it)"),
            (ONE, "remplace le scanner par une imprimante", "1: imprimante (small_it)"),
            (ONE, "non, c'est une imprimante, 4 kilos", "1: imprimante (small_it) · 1 4000g"),
            (ONE, "non, c'est deux imprimantes", "1: imprimantes (small_it) · 1 ×2"),
            (TWO, "la deuxième c'est une table basse", "2: table basse (furniture) · 2 ×1"),
            (TWO, "la première, c'est un grille-pain", "1: grille-pain (small_equipment)"),
            (TWO, "remplace la bouilloire par un grille-pain", "1: grille-pain (small_equipment)"),
            (TWO, "pas une bouilloire, un grille-pain", "1: grille-pain (small_equipment)"),
            (TWO, "non, c'est une imprimante", "which?"),
            (TWO, "une imprimante", "description"),
            (TWO, "non", "What?"),
            (TWO, "c'est pas ça", "What?"),
        ],
        |_| {},
    );
}

#[test]
fn things_are_of_another_category() {
    check(
        Language::Fr,
        &[
            (ONE, "c'est du textile", "1 in textiles"),
            (ONE, "non, c'est de la déco", "1 in decor"),
            (ONE, "catégorie bricolage", "1 in diy_tools"),
            (TWO, "la deuxième c'est du textile", "2 in textiles"),
            (TWO, "mets la première en déco", "1 in decor"),
            (TWO, "les chaises c'est du jardin", "2 in garden"),
            (TWO, "c'est du textile", "which?"),
        ],
        |_| {},
    );
}

#[test]
fn things_are_counted_again() {
    check(
        Language::Fr,
        &[
            (ONE, "quatre", "1 ×4"),
            (ONE, "4", "1 ×4"),
            (ONE, "il y en a quatre", "1 ×4"),
            (ONE, "non, quatre", "1 ×4"),
            (ONE, "c'est un lot", "1 lot"),
            (ONE, "deux de plus", "1 ×3"),
            (TWO, "quatre", "2 ×4"),
            (TWO, "quatre, pas trois", "2 ×4"),
            (TWO, "quatre au lieu de trois", "2 ×4"),
            (TWO, "pas trois mais quatre", "2 ×4"),
            (TWO, "deux, pas une", "1 ×2"),
            (TWO, "non, quatre chaises", "2 ×4"),
            (TWO, "quatre chaises, pas trois", "2 ×4"),
            (TWO, "les chaises : quatre", "2 ×4"),
            (TWO, "chaises : 4", "2 ×4"),
            (TWO, "la première, quatre", "1 ×4"),
            (TWO, "mets-en quatre", "2 ×4"),
            (TWO, "ajoutes-en deux", "2 ×5"),
            (TWO, "enlève-en une", "2 ×2"),
            (TWO, "enlève une chaise", "2 ×2"),
            (TWO, "la 2 : 4", "2 ×4"),
            (TWO, "la 2 c'est par lot", "2 lot"),
            (TWO, "huit, pas sept", "which?"),
            (TWO, "quatre chaises", "description"),
            (TWO, "trois lampes, deux kilos", "description"),
            (TWO, "zéro", "description"),
        ],
        |_| {},
    );
}

#[test]
fn things_are_weighed_again() {
    check(
        Language::Fr,
        &[
            (ONE, "2,5 kg", "1 2500g"),
            (ONE, "deux kilos cinq", "1 2500g"),
            (ONE, "2,5", "1 2500g"),
            (ONE, "non, trois kilos", "1 3000g"),
            (ONE, "ça fait 12 kilos", "1 12000g"),
            (ONE, "en tout douze kilos", "1 12000g"),
            ("scanner ×1 ~4kg", "non, trois kilos", "1 3000g"),
            ("chaises ×4", "3 kg chacune", "1 12000g"),
            (TWO, "la première fait trois kilos", "1 3000g"),
            (TWO, "la première fait trois kilos et la deuxième deux", "1 3000g · 2 2000g"),
            (TWO, "3 kg pour la première, 12 kg pour les chaises", "1 3000g · 2 12000g"),
            (TWO, "les chaises font 12 kg", "2 12000g"),
            (TWO, "la bouilloire pèse un kilo deux", "1 1200g"),
            (TWO, "les chaises c'est 4 kg pièce", "2 12000g"),
            (TWO, "2,5 kg, la bouilloire", "1 2500g"),
            (TWO, "en tout douze kilos", "all 12000g"),
            (TWO, "12 kg au total", "all 12000g"),
            (TWO, "le tout fait 12 kg", "all 12000g"),
            (TWO, "2,5 kg", "which?"),
            ("bouilloire ×1 2kg, chaises ×3", "12 kg", "2 12000g"),
            ("bouilloire ×1 ~2kg, chaises ×3 9kg", "2 kg", "1 2000g"),
            (WEIGHED, "6 kg", "3 6000g"),
            (WEIGHED, "13 kg, pas 12", "2 13000g"),
            (WEIGHED, "non, 6 kg", "which?"),
            (WEIGHED, "en tout vingt kilos", "all 20000g"),
            (WEIGHED, "en tout dix kilos", "Total?"),
            (WEIGHED, "ajoute 2 kg aux chaises", "2 14000g"),
            (WEIGHED, "enlève le poids de la première", "1 unweighed"),
            ("bouilloire ×1 2kg, chaises ×3 12kg", "6 kg", "which?"),
            ("bouilloire ×1 2kg, chaises ×3 12kg", "en tout 14 kg", "nothing"),
            (TWO, "3 kg de vis", "description"),
            (TWO, "deux kilos de plus", "description"),
        ],
        |_| {},
    );
}

#[test]
fn things_go_somewhere_else() {
    check(
        Language::Fr,
        &[
            (ONE, "au recyclage", "1 to recyclage"),
            (ONE, "non, à la déchetterie", "1 to dechetterie"),
            (THREE, "la vaisselle au recyclage", "3 to recyclage"),
            (THREE, "vaisselle au recyclage", "3 to recyclage"),
            (THREE, "les chaises vont à la déchetterie", "2 to dechetterie"),
            (THREE, "mets la troisième au recyclage", "3 to recyclage"),
            (THREE, "tout au recyclage", "1 to recyclage · 2 to recyclage · 3 to recyclage"),
            (
                THREE,
                "la première au recyclage et la deuxième à la déchetterie",
                "1 to recyclage · 2 to dechetterie",
            ),
            (THREE, "la première et la deuxième au recyclage", "1 to recyclage · 2 to recyclage"),
            (THREE, "la 3 pour le magasin", "3 to magasin"),
            (THREE, "au recyclage", "which?"),
            (THREE, "une table au recyclage", "description"),
        ],
        |_| {},
    );
}

#[test]
fn lines_are_taken_away() {
    check(
        Language::Fr,
        &[
            (ONE, "supprime-le", "-1"),
            (ONE, "enlève le scanner", "-1"),
            (THREE, "enlève la deuxième", "-2"),
            (THREE, "enlève la 2", "-2"),
            (THREE, "supprime la ligne 2", "-2"),
            (THREE, "supprime les chaises", "-2"),
            (THREE, "retire la dernière", "-3"),
            (THREE, "enlève la deuxième et la troisième", "-2 · -3"),
            (THREE, "enlève les chaises et la bouilloire", "-2 · -1"),
            (THREE, "non, enlève la vaisselle s'il te plaît", "-3"),
            (THREE, "sans la vaisselle", "-3"),
            (THREE, "enlève trois chaises", "-2"),
            (THREE, "enlève la deuxième, la première fait 3 kilos", "-2 · 1 3000g"),
            (
                THREE,
                "enlève la deuxième et la première c'est un grille-pain",
                "-2 · 1: grille-pain (small_equipment)",
            ),
            (THREE, "la première fait 2 kg et enlève la vaisselle", "1 2000g · -3"),
            (THREE, "enlève", "which?"),
            (THREE, "supprime-la", "which?"),
            (THREE, "enlève la cinquième", "NoSuchLine?"),
            (THREE, "enlève les fauteuils", "NoSuchLine?"),
            (THREE, "enlève quatre chaises", "What?"),
            (THREE, "enlève la chaise", "which?"),
            (THREE, "enlève tout", "Everything?"),
            (THREE, "n'enlève pas la deuxième", "NoSuchLine?"),
            (THREE, "enlève la deuxième ?", "What?"),
            ("table ×1, table basse ×1", "enlève la table", "-1"),
            ("table noire ×1, table basse ×1", "enlève la table", "which?"),
        ],
        |_| {},
    );
}

#[test]
fn lines_are_added() {
    check(
        Language::Fr,
        &[
            (ONE, "ajoute un grille-pain", "+grille-pain ×1"),
            (ONE, "rajoute deux chaises, 8 kg", "+chaises ×2 8000g"),
            (TWO, "ajoute un grille-pain et enlève la 2", "+grille-pain ×1 · -2"),
            (ONE, "et aussi un grille-pain", "description"),
            (ONE, "ajoute", "description"),
        ],
        |_| {},
    );
}

#[test]
fn english_is_understood_too() {
    let two = "kettle ×1, chairs ×3";
    check(
        Language::En,
        &[
            ("scanner ×1", "no, it's a printer", "1: printer (small_it)"),
            ("scanner ×1", "it's a printer, not a scanner", "1: printer (small_it)"),
            ("scanner ×1", "make it four", "1 ×4"),
            ("scanner ×1", "four", "1 ×4"),
            (two, "four, not three", "2 ×4"),
            (two, "four instead of three", "2 ×4"),
            (two, "no, four chairs", "2 ×4"),
            (two, "remove the second one", "-2"),
            (two, "delete the chairs", "-2"),
            (two, "remove number 2", "-2"),
            (two, "remove the last one", "-2"),
            (two, "remove everything", "Everything?"),
            (two, "the first one weighs 3 kg", "1 3000g"),
            (two, "line 2: 12 kg", "2 12000g"),
            (two, "the chairs go to recycling", "2 to recyclage"),
            (two, "12 kg in total", "all 12000g"),
            (two, "add a toaster", "+toaster ×1"),
            (two, "the second one is a table", "2: table (furniture) · 2 ×1"),
            (two, "replace the kettle with a toaster", "1: toaster (small_equipment)"),
            ("scanner ×1", "2.5 kg", "1 2500g"),
            ("scanner ×1", "it's textiles", "1 in textiles"),
            (two, "three lamps, two kilos", "description"),
            (two, "a toaster", "description"),
        ],
        |_| {},
    );
}

#[test]
fn a_reply_to_the_card_is_rather_a_correction() {
    check(
        Language::Fr,
        &[
            (ONE, "une imprimante", "1: imprimante (small_it)"),
            (ONE, "imprimante", "1: imprimante (small_it)"),
            (TWO, "quatre chaises", "2 ×4"),
            (TWO, "chaises 12 kg", "2 12000g"),
            (TWO, "une imprimante", "which?"),
            (TWO, "deux lampes et une table, dix kilos", "description"),
            (TWO, "merci !", "description"),
        ],
        |card| card.is_reply = true,
    );
}

#[test]
fn what_a_menu_is_open_for_is_meant() {
    let of = |line, part, is_asked| {
        move |card: &mut OnCard<'_>| (card.line, card.part, card.is_asked) = (line, part, is_asked)
    };
    check(
        Language::Fr,
        &[
            (THREE, "2,5", "2 2500g"),
            (THREE, "4", "2 4000g"),
            (THREE, "quatre", "2 4000g"),
            (THREE, "500 g", "2 500g"),
            (THREE, "la première 3 kg", "1 3000g"),
            (THREE, "une table", "description"),
            (THREE, "euh beaucoup", "What?"),
        ],
        of(Some(1), Some(Part::Weight), true),
    );
    check(
        Language::Fr,
        &[(THREE, "4", "1 ×4"), (THREE, "au recyclage", "1 to recyclage"), (THREE, "supprime", "-1")],
        of(Some(0), Some(Part::Quantity), false),
    );
}

#[test]
fn the_question_which_line_is_answered_with_its_number_or_its_name() {
    let after = |said: &'static str| move |card: &mut OnCard<'_>| card.unclear = Some(said);
    for (answer, line) in
        [("la 2", 2), ("2", 2), ("la deuxième", 2), ("les chaises", 2), ("chaises", 2), ("la première", 1)]
    {
        assert_eq!(changes(TWO, answer, Language::Fr, after("2,5 kg")), format!("{line} 2500g"), "{answer}");
        assert_eq!(
            changes(TWO, answer, Language::Fr, after("non, c'est une imprimante"))
                .split(" (")
                .next()
                .unwrap(),
            format!("{line}: imprimante")
        );
        assert_eq!(changes(TWO, answer, Language::Fr, after("supprime-la")), format!("-{line}"));
    }
    assert_eq!(changes(TWO, "une table", Language::Fr, after("2,5 kg")), "description");
    assert_eq!(changes(TWO, "la 7", Language::Fr, after("2,5 kg")), "What?");
}

#[test]
fn the_only_weight_is_said_again() {
    let total = |card: &mut OnCard<'_>| {
        card.total_weight = Some(Weight { grams: 6_000, source: WeightSource::Stated })
    };
    check(Language::Fr, &[(TWO, "non, 7 kg", "all 7000g"), (TWO, "7 kg", "all 7000g")], total);
}
