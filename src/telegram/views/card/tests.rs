//! Every view of the card, in both languages.

mod corrections;
mod limits;

use std::sync::LazyLock;

use super::*;
use deposit::{
    Attachment, BotId, CategoryKey, ChatId, DepositId, DepositRef, Destination, LINES_MAX, Leaving, Line,
    Proposal, Status, UserId, Weight, WeightSource,
};
use session::{Pending, SessionKey};

const NOW: Timestamp = Timestamp(1_764_763_200_000);
const TTL: Duration = Duration::from_secs(300);

fn line(object: &str, category: &str, confidence: f32) -> Line {
    Line {
        object: object.to_owned(),
        quantity: Some(1),
        weight: None,
        destination: Destination::Magasin,
        proposal: Proposal {
            category: category.into(),
            confidence,
            alternatives: vec!["decor".into(), "furniture".into()],
            model: "test".to_owned(),
        },
        chosen: None,
    }
}

fn stated(grams: u32) -> Option<Weight> {
    Some(Weight { grams, source: WeightSource::Stated })
}

/// Two kettles, a lot of crockery and something strange.
fn draft() -> Draft {
    let mut draft = Draft::new(DepositId(uuid::Uuid::nil()), DepositRef(0xd0), NOW);
    draft.step = 3;
    let kettles =
        Line { quantity: Some(2), weight: stated(2_500), ..line("bouilloires", "small_equipment", 0.93) };
    let plates =
        Line { quantity: None, destination: Destination::Recyclage, ..line("vaisselle", "household", 0.55) };
    let chosen = Some(CategoryKey::from("furniture"));
    draft.lines = vec![kettles, plates, Line { chosen, ..line("pied de lampe", "decor", 0.2) }];
    draft
}

fn session(language: Language, state: State) -> Session {
    let key = SessionKey { bot: BotId(1), chat: ChatId(7), user: UserId(7) };
    Session { language, state, ..Session::new(key, NOW) }
}

fn lines_of(draft: Draft) -> State {
    State::AwaitingValidation { draft, view: CardView::Lines, notice: None }
}

fn view_of(view: CardView) -> State {
    State::AwaitingValidation { draft: draft(), view, notice: None }
}

fn closed(status: Status, number: Option<u64>) -> State {
    let Draft { id, reference, lines, total_weight, .. } = draft();
    let recorded =
        Recorded { id, reference, revision: 1, number, status, lines, total_weight, decided_at: NOW };
    State::Closed { recorded }
}

fn leaving(status: Status) -> Leaving {
    Leaving { draft: draft(), status, decided_at: NOW }
}

fn i18n() -> &'static I18n {
    static I18N: LazyLock<I18n> = LazyLock::new(|| I18n::new().unwrap());
    &I18N
}

fn taxonomy() -> &'static Taxonomy {
    static TAXONOMY: LazyLock<Taxonomy> = LazyLock::new(|| Taxonomy::built_in().unwrap());
    &TAXONOMY
}

fn rendered(session: &Session) -> View {
    render(session, i18n(), taxonomy(), NOW, TTL)
}

fn show(language: Language, state: State) -> String {
    rendered(&session(language, state)).sketch()
}

#[test]
fn a_description_is_asked_for() {
    let asked = |asked| State::AwaitingDescription { draft: draft(), asked };
    insta::assert_snapshot!(show(Language::Fr, asked(Asked::Opening)), @"
    *📦 Nouveau dépôt*

    Dites-moi ce que vous déposez : l'objet, le nombre, le poids si vous l'avez. Par exemple : « deux bouilloires, 3 kg ».
    [❌ Annuler]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::Fr, asked(Asked::VoiceKept)), @"
    *📦 Nouveau dépôt*

    🎤 J'ai gardé votre message vocal, mais je n'ai pas pu l'écouter. Écrivez-moi quelques mots : l'objet, le nombre, le poids.
    [❌ Annuler]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::Fr, asked(Asked::PhotoKept)), @"
    *📦 Nouveau dépôt*

    📷 Photo bien reçue. Qu'est-ce que c'est ? Quelques mots suffisent, avec le poids si vous l'avez.
    [❌ Annuler]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::Fr, asked(Asked::NotUnderstood)), @"
    *📦 Nouveau dépôt*

    Je n'ai pas compris, mais j'ai tout gardé. Redites-le autrement, en quelques mots : « un fauteuil, 12 kg ».
    [❌ Annuler]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::Fr, asked(Asked::NoDeposit)), @"
    *📦 Nouveau dépôt*

    Je n'ai pas reconnu d'objet dans votre message. Pour un dépôt, dites l'objet, le nombre et le poids : « un fauteuil, 12 kg ». Pour le reste : /aide.
    [❌ Annuler]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::En, asked(Asked::VoiceKept)), @"
    *📦 New deposit*

    🎤 I kept your voice message, but I could not listen to it. Write me a few words: what, how many, the weight.
    [❌ Cancel]{Cancel}
    ");
}

#[test]
fn a_note_is_being_read() {
    insta::assert_snapshot!(show(Language::Fr, State::Understanding { draft: draft() }), @"
    ⏳ Un instant, je lis votre message…
    [❌ Annuler]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::En, State::Understanding { draft: draft() }), @"
    ⏳ One moment, I am reading your message…
    [❌ Cancel]{Cancel}
    ");
    insta::assert_snapshot!(show(Language::Fr, State::Idle), @"Aucun dépôt en cours. Dites-moi ce que vous déposez pour en commencer un.");
}

#[test]
fn the_lines_are_shown_and_the_first_doubtful_one_is_asked_about() {
    insta::assert_snapshot!(show(Language::Fr, lines_of(draft())), @r#"
    *📦 Votre dépôt : c'est bien ça ?*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils (sûr) · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison (à vérifier) · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles (corrigé) · magasin
    Poids total : au moins 2,5 kg

    ❓ Ligne 2, « vaisselle » : dans quelle catégorie ?
    [🍽️ Vaisselle, maison]{Choose(CategoryKey("household"))}
    [🖼️ Déco]{Choose(CategoryKey("decor"))}
    [🪑 Meubles]{Choose(CategoryKey("furniture"))}
    [Autre…]{Other}
    [✅ Valider]{Validate}
    [✏️ Corriger]{Correct} [❌ Annuler]{Cancel}
    "#);
    insta::assert_snapshot!(show(Language::En, lines_of(draft())), @r#"
    *📦 Your deposit: is this right?*

    1. bouilloires ×2 · 2.5 kg
         🔌 Small appliances (sure) · shop
    2. vaisselle (lot) · no weight given
         🍽️ Kitchenware (please check) · recycling
    3. pied de lampe ×1 · no weight given
         🪑 Furniture (corrected) · shop
    Total weight: at least 2.5 kg

    ❓ Line 2, “vaisselle”: which category?
    [🍽️ Kitchenware]{Choose(CategoryKey("household"))}
    [🖼️ Decor]{Choose(CategoryKey("decor"))}
    [🪑 Furniture]{Choose(CategoryKey("furniture"))}
    [Other…]{Other}
    [✅ Confirm]{Validate}
    [✏️ Correct]{Correct} [❌ Cancel]{Cancel}
    "#);
}

#[test]
fn a_sure_deposit_of_one_line_is_two_taps_away() {
    let mut draft = draft();
    draft.lines.truncate(1);
    insta::assert_snapshot!(show(Language::Fr, lines_of(draft.clone())), @"
    *📦 Votre dépôt : c'est bien ça ?*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils (sûr) · magasin
    [✅ Valider]{Validate}
    [✏️ Corriger]{Correct} [❌ Annuler]{Cancel}
    ");
    draft.lines = vec![line("truc", "other", 0.1)];
    insta::assert_snapshot!(show(Language::Fr, lines_of(draft)), @r#"
    *📦 Votre dépôt : c'est bien ça ?*

    1. truc ×1 · poids non précisé
         📦 Autre (je ne sais pas) · magasin

    ❓ « truc » : dans quelle catégorie ?
    [📦 Autre]{Choose(CategoryKey("other"))}
    [🖼️ Déco]{Choose(CategoryKey("decor"))}
    [🪑 Meubles]{Choose(CategoryKey("furniture"))}
    [Autre…]{Other}
    [✅ Valider]{Validate}
    [✏️ Corriger]{Correct} [❌ Annuler]{Cancel}
    "#);
}

#[test]
fn confidence_is_said_in_words() {
    let said = |confidence| {
        let mut draft = draft();
        draft.lines = vec![line("chaise", "furniture", confidence)];
        let view = rendered(&session(Language::Fr, lines_of(draft)));
        let confidence = view.text.split(['(', ')']).nth(1).unwrap().to_owned();
        (confidence, view.keyboard.len() > 2)
    };
    assert_eq!(said(0.70), ("sûr".to_owned(), false));
    assert_eq!(said(0.69), ("à vérifier".to_owned(), true));
    assert_eq!(said(0.40), ("à vérifier".to_owned(), true));
    assert_eq!(said(0.39), ("je ne sais pas".to_owned(), true));
}

#[test]
fn notices_files_totals_and_the_coming_end_are_on_the_card() {
    let file = |media| Attachment { media, file: "f".to_owned(), seconds: None };
    let mut draft = draft();
    draft.lines.truncate(2);
    draft.lines[1].chosen = Some("household".into());
    draft.lines[0].weight = Some(Weight { grams: 1_800, source: WeightSource::Estimated });
    draft.total_weight = stated(6_000);
    draft.attachments = vec![file(Media::Photo), file(Media::Voice), file(Media::Photo)];
    let state = State::AwaitingValidation { draft, view: CardView::Lines, notice: Some(Notice::PhotoKept) };
    let mut session = session(Language::Fr, state);
    session.warned = true;
    session.active_at = NOW.before(Duration::from_secs(240));
    insta::assert_snapshot!(rendered(&session).sketch(), @"
    *📦 Votre dépôt : c'est bien ça ?*
    📷 Photo ajoutée.

    1. bouilloires ×2 · ≈ 1,8 kg
         🔌 Petits appareils (sûr) · magasin
    2. vaisselle (lot) · compté dans le total
         🍽️ Vaisselle, maison (confirmé) · recyclage
    Poids total : ≈ 7,8 kg
    📷 2 photos · 🎤 1 message vocal

    ⏰ Sans réponse, la session se termine dans une minute.
    [✅ Valider]{Validate}
    [✏️ Corriger]{Correct} [❌ Annuler]{Cancel}
    ");
    session.active_at = NOW.before(Duration::from_secs(290));
    session.language = Language::En;
    insta::assert_snapshot!(rendered(&session).sketch(), @"
    *📦 Your deposit: is this right?*
    📷 Photo added.

    1. bouilloires ×2 · ≈ 1.8 kg
         🔌 Small appliances (sure) · shop
    2. vaisselle (lot) · counted in the total
         🍽️ Kitchenware (confirmed) · recycling
    Total weight: ≈ 7.8 kg
    📷 2 photos · 🎤 1 voice message

    ⏰ Without an answer, the session ends in less than a minute.
    [✅ Confirm]{Validate}
    [✏️ Correct]{Correct} [❌ Cancel]{Cancel}
    ");
}

#[test]
fn a_category_is_corrected_by_line_group_and_category() {
    let categories = |page| CardView::Categories { line: 2, group: "works".to_owned(), page };
    insta::assert_snapshot!(show(Language::Fr, view_of(CardView::PickLine)), @"
    *✏️ Quelle ligne voulez-vous corriger ?*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils (sûr) · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison (à vérifier) · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles (corrigé) · magasin
    Poids total : au moins 2,5 kg
    [1. bouilloires]{PickLine(0)}
    [2. vaisselle]{PickLine(1)}
    [3. pied de lampe]{PickLine(2)}
    [↩ Retour]{Back}
    ");
    insta::assert_snapshot!(show(Language::En, view_of(CardView::Groups { line: 1 })), @r#"
    *✏️ “vaisselle”: what should change?*
    🍽️ Kitchenware
    (lot) · no weight given · recycling
    Choose a family for another category, or write me the correction.
    [🏠 Home and textiles]{OpenGroup("home")} [🎲 Culture, games and leisure]{OpenGroup("leisure")}
    [🛠️ DIY, garden, materials]{OpenGroup("works")} [🔌 Electrical equipment (EEE)]{OpenGroup("electrical")}
    [⚠️ To redirect]{OpenGroup("redirect")} [📦 Other]{OpenGroup("other")}
    [🔢 Quantity]{OpenPart(Quantity)} [⚖️ Weight]{OpenPart(Weight)}
    [📍 Destination]{OpenPart(Destination)} [🗑️ Remove]{Remove}
    [↩ Back]{Back}
    "#);
    insta::assert_snapshot!(show(Language::Fr, view_of(CardView::Groups { line: 1 })), @r#"
    *✏️ « vaisselle » : que faut-il corriger ?*
    🍽️ Vaisselle, maison
    (lot) · poids non précisé · recyclage
    Choisissez une famille pour changer de catégorie, ou écrivez-moi la correction.
    [🏠 Maison et textile]{OpenGroup("home")} [🎲 Culture, jeux et loisirs]{OpenGroup("leisure")}
    [🛠️ Bricolage, jardin, matériaux]{OpenGroup("works")} [🔌 Appareils électriques (DEEE)]{OpenGroup("electrical")}
    [⚠️ À réorienter]{OpenGroup("redirect")} [📦 Autre]{OpenGroup("other")}
    [🔢 Quantité]{OpenPart(Quantity)} [⚖️ Poids]{OpenPart(Weight)}
    [📍 Destination]{OpenPart(Destination)} [🗑️ Enlever]{Remove}
    [↩ Retour]{Back}
    "#);
    insta::assert_snapshot!(show(Language::Fr, view_of(categories(0))), @r#"
    *✏️ « pied de lampe » : quelle catégorie ?*
    🪑 Meubles
    ×1 · poids non précisé · magasin
    [🔨 Bricolage]{Choose(CategoryKey("diy_tools"))} [🌿 Jardin]{Choose(CategoryKey("garden"))}
    [🧱 Matériaux]{Choose(CategoryKey("building_materials"))}
    [↩ Retour]{Back}
    "#);
    insta::assert_snapshot!(show(Language::En, view_of(categories(200))), @r#"
    *✏️ “pied de lampe”: which category?*
    🪑 Furniture
    ×1 · no weight given · shop
    [🔨 DIY]{Choose(CategoryKey("diy_tools"))} [🌿 Garden]{Choose(CategoryKey("garden"))}
    [🧱 Materials]{Choose(CategoryKey("building_materials"))}
    [↩ Back]{Back}
    "#);
}

#[test]
fn long_groups_are_paged() {
    let mut taxonomy = taxonomy().clone();
    for category in &mut taxonomy.categories {
        category.group = "home".to_owned();
    }
    let page = |page| {
        let view = CardView::Categories { line: 0, group: "home".to_owned(), page };
        let view = render(&session(Language::Fr, view_of(view)), i18n(), &taxonomy, NOW, TTL);
        let rows: Vec<_> = view.sketch().lines().map(str::to_owned).collect();
        (rows[3].clone(), rows[rows.len() - 2].clone(), view.keyboard.len())
    };
    assert_eq!(page(0), ("Maison et textile · page 1 sur 3".into(), "[▶]{TurnTo(1)}".into(), 6));
    assert_eq!(
        page(1),
        ("Maison et textile · page 2 sur 3".into(), "[◀]{TurnTo(0)} [▶]{TurnTo(2)}".into(), 6)
    );
    assert_eq!(page(9), ("Maison et textile · page 3 sur 3".into(), "[◀]{TurnTo(1)}".into(), 5));
}

#[test]
fn a_decided_deposit_is_on_its_way_into_the_ledger() {
    let recording = |status| State::Recording { leaving: leaving(status) };
    insta::assert_snapshot!(show(Language::Fr, recording(Status::Completed)), @"
    *⏳ enregistrement…*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles · magasin
    Poids total : au moins 2,5 kg
    ");
    let mut slow = session(Language::En, recording(Status::Cancelled));
    let effect = Effect::RecordDeposit(Box::new(leaving(Status::Cancelled)));
    slow.pending.push(Pending { id: 1, effect, since: NOW, attempts: 1, not_before: None });
    insta::assert_snapshot!(rendered(&slow).sketch(), @"
    *⏳ One moment…*

    1. bouilloires ×2 · 2.5 kg
         🔌 Small appliances · shop
    2. vaisselle (lot) · no weight given
         🍽️ Kitchenware · recycling
    3. pied de lampe ×1 · no weight given
         🪑 Furniture · shop
    Total weight: at least 2.5 kg

    This takes a little longer, but your choice is kept: nothing to do again.
    ");
}

#[test]
fn a_closed_deposit_shows_what_the_ledger_holds() {
    insta::assert_snapshot!(show(Language::Fr, closed(Status::Completed, Some(12))), @"
    *✅ Dépôt n° 12 enregistré*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles · magasin
    Poids total : au moins 2,5 kg

    Merci !
    [↩ Annuler ce dépôt]{Undo}
    ");
    insta::assert_snapshot!(show(Language::En, closed(Status::Completed, Some(12))), @"
    *✅ Deposit no. 12 saved*

    1. bouilloires ×2 · 2.5 kg
         🔌 Small appliances · shop
    2. vaisselle (lot) · no weight given
         🍽️ Kitchenware · recycling
    3. pied de lampe ×1 · no weight given
         🪑 Furniture · shop
    Total weight: at least 2.5 kg

    Thank you!
    [↩ Undo this deposit]{Undo}
    ");
    insta::assert_snapshot!(show(Language::Fr, closed(Status::Expired, None)), @"
    *⌛ La session a expiré*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles · magasin
    Poids total : au moins 2,5 kg

    Rien n'est perdu : le brouillon est gardé, vous pouvez le reprendre.
    [▶️ Reprendre]{Resume}
    ");
    insta::assert_snapshot!(show(Language::Fr, closed(Status::Cancelled, None)), @"
    *❌ Dépôt abandonné*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles · magasin
    Poids total : au moins 2,5 kg

    Rien n'a été enregistré.
    ");
    insta::assert_snapshot!(show(Language::Fr, closed(Status::ClassificationFailed, None)), @"
    *🤔 Je n'ai pas su lire ce dépôt*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles · magasin
    Poids total : au moins 2,5 kg

    Tout est gardé : un responsable va le regarder.
    ");
    insta::assert_snapshot!(show(Language::Fr, closed(Status::Reversed, Some(12))), @"
    *↩ Dépôt n° 12 annulé*

    1. bouilloires ×2 · 2,5 kg
         🔌 Petits appareils · magasin
    2. vaisselle (lot) · poids non précisé
         🍽️ Vaisselle, maison · recyclage
    3. pied de lampe ×1 · poids non précisé
         🪑 Meubles · magasin
    Poids total : au moins 2,5 kg
    ");
}

#[test]
fn undo_is_offered_for_ten_minutes_and_an_old_card_shows_the_same() {
    let State::Closed { recorded } = closed(Status::Completed, Some(12)) else { panic!() };
    let entry = |now| render_entry(&recorded, Language::Fr, i18n(), taxonomy(), now);
    assert_eq!(entry(NOW), rendered(&session(Language::Fr, closed(Status::Completed, Some(12)))));
    assert_eq!(entry(NOW.after(UNDO_WINDOW).before(Duration::from_millis(1))).keyboard.len(), 1);
    assert_eq!(entry(NOW.after(UNDO_WINDOW)).keyboard, Vec::<Vec<Button>>::new());
}

#[test]
fn what_looks_like_formatting_is_shown_as_it_was_written() {
    let mut draft = draft();
    draft.lines = vec![line("<b>&amp; *gras* _x_ [a](b) 🪑\n\u{202e}fin", "decor", 0.9)];
    let view = rendered(&session(Language::Fr, lines_of(draft)));
    assert!(view.text.contains("1. <b>&amp; *gras* _x_ [a](b) 🪑 fin ×1"), "{}", view.text);
    assert_eq!(view.entities.len(), 1);
}
