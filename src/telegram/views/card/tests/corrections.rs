//! The results of corrections, also of impossible ones, and the menus of a line.

use super::*;
use session::{Corrected, Done, Unclear};

fn noticed(language: Language, notice: Notice) -> String {
    let mut draft = draft();
    draft.lines.truncate(1);
    let state = State::AwaitingValidation { draft, view: CardView::Lines, notice: Some(notice) };
    let view = rendered(&session(language, state));
    assert_eq!(view.entities.len(), 1, "the title stays bold");
    view.sketch().split("*").next().unwrap().trim().to_owned()
}

fn done(language: Language, done: Vec<Done>) -> String {
    noticed(language, Notice::Corrected(Corrected { done, more: 0, outdated: false }))
}

#[test]
fn what_was_done_is_the_first_line_of_the_card() {
    let (line, object) = (1, "chaises".to_owned());
    let all = [
        Done::Counted { line, object: object.clone(), was: Some(3), quantity: Some(4) },
        Done::Weighed { line, object: object.clone(), was: None, grams: Some(2_500) },
        Done::Weighed { line, object: object.clone(), was: Some(3_000), grams: None },
        Done::Renamed { line, was: "scanner".to_owned(), object: object.clone() },
        Done::Sorted { line, object: object.clone(), category: "decor".into() },
        Done::Sent { line, object: object.clone(), destination: Destination::Recyclage },
        Done::Added { line, object: object.clone() },
        Done::Removed { object },
        Done::TotalWeighed { grams: 12_000 },
    ];
    let told =
        |language| all.iter().map(|one| done(language, vec![one.clone()])).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(told(Language::Fr), @"
    ✏️ 2. chaises : 4 au lieu de 3
    ✏️ 2. chaises : 2,5 kg
    ✏️ 2. chaises : poids non précisé au lieu de 3 kg
    ✏️ 2. chaises au lieu de « scanner »
    ✏️ 2. chaises : 🖼️ Déco
    ✏️ 2. chaises : recyclage
    ✏️ 2. chaises : nouvelle ligne
    ✏️ chaises : ligne enlevée
    ✏️ Poids total : 12 kg
    ");
    insta::assert_snapshot!(told(Language::En), @"
    ✏️ 2. chaises: 4 instead of 3
    ✏️ 2. chaises: 2.5 kg
    ✏️ 2. chaises: no weight given instead of 3 kg
    ✏️ 2. chaises instead of “scanner”
    ✏️ 2. chaises: 🖼️ Decor
    ✏️ 2. chaises: recycling
    ✏️ 2. chaises: new line
    ✏️ chaises: line removed
    ✏️ Total weight: 12 kg
    ");
}

#[test]
fn several_changes_are_one_line_and_what_was_left_alone_is_said() {
    let removed = Done::Removed { object: "table".to_owned() };
    let several = Corrected { done: vec![removed.clone(), removed], more: 2, outdated: true };
    insta::assert_snapshot!(noticed(Language::Fr, Notice::Corrected(several)), @"✏️ table : ligne enlevée ; table : ligne enlevée ; et 2 de plus ; La fiche avait changé entre-temps : redites-moi ce qui manque.");
    insta::assert_snapshot!(done(Language::En, Vec::new()), @"✏️ That is how it stands already.");
    insta::assert_snapshot!(noticed(Language::Fr, Notice::Unclear(Unclear::Which(String::new()))), @"❓ Quelle ligne ? Répondez par son numéro, par exemple « la 2 ».");
}

#[test]
fn each_part_of_a_line_has_its_menu() {
    insta::assert_snapshot!(show(Language::Fr, view_of(CardView::Quantities { line: 0 })), @"
    *✏️ « bouilloires » : combien ?*
    🔌 Petits appareils
    ×2 · 2,5 kg · magasin
    [1]{Count(Some(1))} [2]{Count(Some(2))} [3]{Count(Some(3))} [4]{Count(Some(4))}
    [5]{Count(Some(5))} [6]{Count(Some(6))} [8]{Count(Some(8))} [10]{Count(Some(10))}
    [12]{Count(Some(12))} [15]{Count(Some(15))} [20]{Count(Some(20))} [50]{Count(Some(50))}
    [Par lot]{Count(None)}
    [↩ Retour]{Back}
    ");
    insta::assert_snapshot!(show(Language::En, view_of(CardView::Weights { line: 0 })).replace('\u{a0}', " "), @"
    *✏️ “bouilloires”: how heavy?*
    🔌 Small appliances
    ×2 · 2.5 kg · shop
    [0.5 kg]{Weigh(Some(500))} [1 kg]{Weigh(Some(1000))} [1.5 kg]{Weigh(Some(1500))}
    [2 kg]{Weigh(Some(2000))} [3 kg]{Weigh(Some(3000))} [4 kg]{Weigh(Some(4000))}
    [5 kg]{Weigh(Some(5000))} [8 kg]{Weigh(Some(8000))} [10 kg]{Weigh(Some(10000))}
    [15 kg]{Weigh(Some(15000))} [20 kg]{Weigh(Some(20000))} [30 kg]{Weigh(Some(30000))}
    [Other weight…]{WriteWeight} [No weight]{Weigh(None)}
    [↩ Back]{Back}
    ");
    insta::assert_snapshot!(show(Language::Fr, view_of(CardView::WeightAsked { line: 0 })), @"
    *✏️ « bouilloires » : quel poids ?*
    🔌 Petits appareils
    ×2 · 2,5 kg · magasin

    Écrivez-moi le poids de cette ligne, par exemple « 2,5 kg ».
    [↩ Retour]{Back}
    ");
    insta::assert_snapshot!(show(Language::Fr, view_of(CardView::Destinations { line: 0 })), @"
    *✏️ « bouilloires » : pour où ?*
    🔌 Petits appareils
    ×2 · 2,5 kg · magasin
    [magasin]{Send(Magasin)}
    [recyclage]{Send(Recyclage)}
    [déchetterie]{Send(Dechetterie)}
    [↩ Retour]{Back}
    ");
}
