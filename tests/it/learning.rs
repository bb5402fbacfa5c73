//! A site teaches the bot by its corrections, sees the learned names, and retracts them.

use bot_api_simulator::User;
use deposit::WeightSource;

use crate::bot::{Behind, TestBot};
use crate::process::run;

const TEAPOT: &str = "une théière japonaise, un kilo";
/// The bot's own category for an object, and the one that the site prefers.
const BY_ITSELF: &str = "household";
const PREFERRED: &str = "decor";

/// Deposits a teapot and corrects its category on the way.
async fn corrects(user: &User) {
    user.says(TEAPOT);
    user.sees_new("Valider").await.unwrap();
    user.taps("Corriger").unwrap();
    user.sees_new("Maison").await.unwrap();
    user.taps("Maison").unwrap();
    user.sees_new("Déco").await.unwrap();
    user.taps("Déco").unwrap();
    user.sees_new("enregistré").await.unwrap();
}

/// Deposits a teapot as it is proposed; the proposed category and the model.
async fn deposits(bot: &TestBot, user: &User) -> (String, String) {
    user.says(TEAPOT);
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let proposal = bot.deposits(user.id()).await[0].draft.lines[0].proposal.clone();
    (proposal.category.0, proposal.model)
}

/// Deposits teapots until the bot, which learns beside its conversations, proposes this category.
async fn comes_to_propose(bot: &TestBot, user: &User, category: &str) {
    let comes = async { while deposits(bot, user).await.0 != category {} };
    let comes = bot.while_time_passes(comes);
    tokio::time::timeout(crate::bot::PATIENCE, comes).await.expect("the bot learns");
}

async fn taught(behind: Behind) {
    let mut bot = TestBot::with(behind, &[("ACCESS_MODE", "open")]).await;
    let user = bot.user(7);
    assert_eq!(deposits(&bot, &user).await.0, BY_ITSELF);
    corrects(&user).await;
    corrects(&user).await;
    comes_to_propose(&bot, &user, PREFERRED).await;
    let (_, model) = deposits(&bot, &user).await;
    assert_eq!(model, note_reader::site::MODEL);

    bot.stop().await;
    bot.resume().await;
    comes_to_propose(&bot, &user, PREFERRED).await;

    let listed = run(&["lexicon", "list"], bot.variables()).await;
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("théière japonaise\tdecor\t2\t0"), "{listed}");
    let unknown = run(&["lexicon", "remove", "grille-pain"], bot.variables()).await;
    assert!(!unknown.status.success());
    let removed = run(&["lexicon", "remove", "Théières japonaises"], bot.variables()).await;
    assert!(removed.status.success(), "{removed:?}");
    comes_to_propose(&bot, &user, BY_ITSELF).await;
    let listed = run(&["lexicon", "list"], bot.variables()).await;
    assert!(listed.stdout.is_empty(), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_category_corrected_twice_is_proposed_survives_a_restart_and_can_be_retracted_on_sqlite() {
    taught(Behind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_category_corrected_twice_is_proposed_survives_a_restart_and_can_be_retracted_on_postgres() {
    taught(Behind::PostgresAndRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_that_was_undone_teaches_nothing() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    corrects(&user).await;
    corrects(&user).await;
    comes_to_propose(&bot, &user, PREFERRED).await;
    corrects(&user).await;
    user.taps("Annuler ce dépôt").unwrap();
    user.sees_new("annulé").await.unwrap();
    let listed = run(&["lexicon", "list"], bot.variables()).await;
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("\tdecor\t2\t0"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managers_see_the_learned_names_and_the_quality_of_proposals() {
    let bot = TestBot::with(Behind::Sqlite, &[("ACCESS_MODE", "open"), ("ADMIN_TELEGRAM_IDS", "1")]).await;
    let (manager, user) = (bot.user(1), bot.user(7));
    for command in ["/qualite", "/lexique", "/oublier théière japonaise"] {
        user.says(command);
        user.sees_new("réservée aux responsables").await.unwrap();
    }
    manager.says("/qualite");
    manager.sees_new("Rien à comparer").await.unwrap();
    manager.says("/lexique");
    manager.sees_new("encore rien appris").await.unwrap();
    deposits(&bot, &user).await;
    corrects(&user).await;
    corrects(&user).await;
    comes_to_propose(&bot, &user, PREFERRED).await;
    manager.says("/lexique");
    let list = manager.sees_new("corrections m'ont appris").await.unwrap();
    assert!(list.shows("théière japonaise") && list.shows("Déco (2 fois)"), "{list:?}");
    manager.says("/qualite");
    let quality = manager.sees_new("ces 90 derniers jours").await.unwrap();
    assert!(quality.shows("site-1") && quality.shows("Déco") && quality.shows("2 fois"), "{quality:?}");
    manager.says("/oublier");
    manager.sees_new("Oublier quoi").await.unwrap();
    manager.says("/oublier la théière japonaise");
    manager.sees_new("C'est oublié").await.unwrap();
    comes_to_propose(&bot, &user, BY_ITSELF).await;
    manager.says("/aide");
    manager.sees_new("/qualite").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typical_weight_is_suggested_and_never_taken_for_a_weighed_one() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("un micro-ondes onze kilos cinq, deux réfrigérateurs");
    let card = user.sees_new("Valider").await.unwrap();
    assert!(card.shows("≈ 90"), "{card:?}");
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let deposits = bot.deposits(7).await;
    let [oven, fridges] = deposits[0].draft.lines.as_slice() else { panic!("{deposits:?}") };
    let weight = |line: &deposit::Line| line.weight.map(|weight| (weight.grams, weight.source));
    assert_eq!(weight(fridges), Some((90_000, WeightSource::Estimated)));
    assert_eq!(weight(oven), Some((11_500, WeightSource::Stated)));
}
