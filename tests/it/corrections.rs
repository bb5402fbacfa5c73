//! Corrections in words and by buttons, through the front door: the text of the card and the rows of the ledger.

use deposit::{Destination, Line, Status, WeightSource};

use crate::bot::TestBot;

/// A bot, and a user whose card shows this note.
async fn card_of(note: &str) -> (TestBot, bot_api_simulator::User) {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says(note);
    user.sees_new("Valider").await.unwrap();
    (bot, user)
}

async fn validated(bot: &TestBot, user: &bot_api_simulator::User) -> Vec<Line> {
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    bot.deposits(7).await.remove(0).draft.lines
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace(['\u{a0}', '\u{202f}'], " ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_changes_the_lines_and_comes_first_on_the_card() {
    let (bot, user) = card_of("une bouilloire et trois chaises").await;
    let says = async |note: &str, wanted: &str| {
        user.says(note);
        let card = user.sees_new("Valider").await.unwrap();
        assert_eq!(first_line(card.text()), wanted, "{note}");
        assert_eq!(user.live_keyboards(), [card.id]);
    };
    says("quatre, pas trois", "✏️ 2. chaises : 4 au lieu de 3").await;
    says("la première fait un kilo deux", "✏️ 1. bouilloire : 1,2 kg").await;
    says("les chaises au recyclage", "✏️ 2. chaises : recyclage").await;
    says("ajoute un grille-pain", "✏️ 3. grille-pain : nouvelle ligne").await;
    says("la troisième, c'est une imprimante", "✏️ 3. imprimante au lieu de « grille-pain »").await;
    says("ajoute un vélo", "✏️ 4. vélo : nouvelle ligne").await;
    says("enlève la dernière", "✏️ vélo : ligne enlevée").await;
    says("huit, pas sept", "❓ Quelle ligne ? Répondez par son numéro, par exemple « la 2 ».").await;
    says("la 3 : 4 kg, la 2 : douze kilos", "✏️ 3. imprimante : 4 kg ; 2. chaises : 12 kg").await;
    let lines = validated(&bot, &user).await;
    let [kettle, chairs, printer] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(
        (kettle.object.as_str(), kettle.quantity, kettle.weight.unwrap().grams),
        ("bouilloire", Some(1), 1_200)
    );
    assert_eq!(kettle.weight.unwrap().source, WeightSource::Stated);
    assert_eq!(
        (chairs.quantity, chairs.weight.unwrap().grams, chairs.destination),
        (Some(4), 12_000, Destination::Recyclage)
    );
    assert_eq!((printer.object.as_str(), printer.category().0.as_str()), ("imprimante", "small_it"));
    assert_eq!(printer.proposal.category.0, "small_equipment", "what was proposed of the toaster is kept");
    assert!(printer.is_corrected() && !kettle.is_corrected());
    assert_eq!(bot.deposits(7).await[0].draft.said.len(), 10, "every word is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_to_the_card_is_a_correction_and_the_same_words_beside_it_are_not() {
    let (bot, user) = card_of("trois chaises").await;
    let card = user.card().unwrap();
    user.replies(card.id, "quatre chaises");
    let card = user.sees_new("4 au lieu de 3").await.unwrap();
    user.replies(card.id, "une table");
    let card = user.sees_new("au lieu de «").await.unwrap();
    assert!(first_line(card.text()).starts_with("✏️ 1. table au lieu de « chaises »"), "{}", card.text());
    user.says("deux lampes");
    user.sees_new("2. lampes").await.unwrap();
    let lines = validated(&bot, &user).await;
    let counts: Vec<_> = lines.iter().map(|line| (line.object.as_str(), line.quantity)).collect();
    assert_eq!(counts, [("table", Some(1)), ("lampes", Some(2))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ambiguous_correction_changes_nothing_and_is_asked_about_once() {
    let (bot, user) = card_of("une bouilloire et trois chaises").await;
    user.says("2,5 kg");
    let card = user.sees_new("Quelle ligne").await.unwrap();
    assert!(card.shows("1. bouilloire") && card.shows("2. chaises"), "the lines are numbered");
    user.says("la 1");
    let card = user.sees_new("Valider").await.unwrap();
    assert_eq!(first_line(card.text()), "✏️ 1. bouilloire : 2,5 kg");
    user.says("enlève les fauteuils");
    user.sees_new("Je ne trouve pas cette ligne").await.unwrap();
    user.says("supprime tout");
    user.sees_new("Pour tout abandonner").await.unwrap();
    let lines = validated(&bot, &user).await;
    let weights: Vec<_> =
        lines.iter().map(|line| line.weight.map(|weight| (weight.grams, weight.source))).collect();
    assert_eq!(weights, [Some((2_500, WeightSource::Stated)), Some((13_500, WeightSource::Estimated))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn english_corrections_are_answered_in_english() {
    let bot = TestBot::start().await;
    let user = bot.person(7, "en");
    user.says("a kettle and three chairs");
    user.sees_new("Confirm").await.unwrap();
    user.says("four, not three");
    let card = user.sees_new("Confirm").await.unwrap();
    assert_eq!(first_line(card.text()), "✏️ 2. chairs: 4 instead of 3");
    user.says("remove the first one");
    let card = user.sees_new("Confirm").await.unwrap();
    assert_eq!(first_line(card.text()), "✏️ kettle: line removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buttons_change_quantity_weight_and_destination() {
    let (bot, user) = card_of("une bouilloire et trois chaises").await;
    let opens = async |part: &str| {
        user.taps("Corriger").unwrap();
        user.sees_new("Quelle ligne").await.unwrap();
        user.taps("2. chaises").unwrap();
        user.sees_new("Enlever").await.unwrap();
        user.taps(part).unwrap();
    };
    let card = user.card().unwrap();
    opens("Quantité").await;
    user.sees_new("combien").await.unwrap();
    user.taps("8").unwrap();
    let done = user.sees_new("Valider").await.unwrap();
    assert_eq!(first_line(done.text()), "✏️ 2. chaises : 8 au lieu de 3");
    assert_eq!(done.id, card.id, "a tap edits the card in place");
    opens("Poids").await;
    user.sees_new("quel poids").await.unwrap();
    user.taps("Autre poids").unwrap();
    user.sees_new("Écrivez-moi").await.unwrap();
    user.says("24,5");
    let done = user.sees_new("Valider").await.unwrap();
    assert_eq!(first_line(done.text()), "✏️ 2. chaises : 24,5 kg");
    opens("Destination").await;
    user.sees_new("pour où").await.unwrap();
    user.taps("déchetterie").unwrap();
    user.sees_new("Valider").await.unwrap();
    let lines = validated(&bot, &user).await;
    assert_eq!((lines[1].quantity, lines[1].weight.unwrap().grams), (Some(8), 24_500));
    assert_eq!(lines[1].weight.unwrap().source, WeightSource::Stated);
    assert_eq!(
        (lines[0].destination, lines[1].destination),
        (Destination::Magasin, Destination::Dechetterie)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weight_is_chosen_and_taken_back_and_a_heap_is_a_lot() {
    let (bot, user) = card_of("trois chaises").await;
    user.taps("Corriger").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps("Poids").unwrap();
    user.sees_new("quel poids").await.unwrap();
    user.taps("15").unwrap();
    user.sees_new("Valider").await.unwrap();
    user.taps("Corriger").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps("Quantité").unwrap();
    user.sees_new("combien").await.unwrap();
    user.taps("Par lot").unwrap();
    let card = user.sees_new("Valider").await.unwrap();
    assert_eq!(first_line(card.text()), "✏️ 1. chaises : lot au lieu de 3");
    let lines = validated(&bot, &user).await;
    assert_eq!((lines[0].quantity, lines[0].weight.unwrap().grams), (None, 15_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_line_that_is_taken_away_leaves_a_question() {
    let (bot, user) = card_of("une bouilloire et trois chaises").await;
    user.taps("Corriger").unwrap();
    user.sees_new("Quelle ligne").await.unwrap();
    user.taps("1. bouilloire").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps("Enlever").unwrap();
    let card = user.sees_new("Valider").await.unwrap();
    assert_eq!(first_line(card.text()), "✏️ bouilloire : ligne enlevée");
    user.says("enlève-les");
    user.sees_new("La fiche est vide").await.unwrap();
    user.says("une table");
    user.sees_new("Valider").await.unwrap();
    let lines = validated(&bot, &user).await;
    assert_eq!(lines.iter().map(|line| line.object.as_str()).collect::<Vec<_>>(), ["table"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_is_cancelled_and_expires_like_any_card() {
    let (bot, user) = card_of("trois chaises").await;
    user.taps("Corriger").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps("Quantité").unwrap();
    user.sees_new("combien").await.unwrap();
    user.says("/annuler");
    user.sees_new("abandonné").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].status, Status::Cancelled);
    user.says("trois chaises");
    user.sees_new("Valider").await.unwrap();
    user.taps("Corriger").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps("Poids").unwrap();
    user.sees_new("quel poids").await.unwrap();
    bot.rests(7).await;
    bot.advance(301);
    user.sees("Reprendre").await.unwrap();
    user.taps("Reprendre").unwrap();
    user.sees_new("Valider").await.unwrap();
    let lines = validated(&bot, &user).await;
    let source = lines[0].weight.map(|weight| weight.source);
    assert_eq!((lines[0].quantity, source), (Some(3), Some(WeightSource::Estimated)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_of_an_older_menu_changes_nothing() {
    let (bot, user) = card_of("trois chaises").await;
    user.taps("Corriger").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps("Quantité").unwrap();
    let menu = user.sees_new("combien").await.unwrap();
    let four = menu.button("4").unwrap().data.clone().unwrap();
    user.taps("Retour").unwrap();
    user.sees_new("Enlever").await.unwrap();
    user.taps_data(menu.id, &four);
    assert!(user.toast().await.unwrap().text.contains("a changé"));
    user.taps("Retour").unwrap();
    user.sees_new("Valider").await.unwrap();
    assert_eq!(validated(&bot, &user).await[0].quantity, Some(3));
}
