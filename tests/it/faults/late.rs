//! Late users: F73.

use deposit::{Status, UserId};
use depot_bot::store::keys::{Keys, PREFIX};
use tokio::time::timeout;

use crate::bot::{Behind, PATIENCE, TestBot};
use crate::faults::{describes, holds_what_was_seen};

/// F73: a tap on an expired and on a completed deposit, on an old card, an edit after the validation, an undo after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f73_taps_and_edits_that_come_late_are_answered_and_change_nothing() {
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis] {
        let bot = TestBot::with(behind, &[("ACCESS_MODE", "open")]).await;
        let user = bot.user(7);
        // An old card's buttons, once a further note was answered by a new one.
        let old = describes(&user).await;
        let validate = button(&user, old, "Valider");
        let note = user.says("et une chaise");
        let card = user.sees_new("2. ").await.unwrap();
        user.taps_data(old, &validate);
        assert!(user.toast().await.unwrap().text.contains("La fiche a changé"), "{}", user.transcript());
        assert!(bot.deposits(7).await.is_empty(), "an old view validates nothing");
        // On a completed deposit.
        let validate = button(&user, card.id, "Valider");
        user.taps("Valider").unwrap();
        user.sees_new("enregistré").await.unwrap();
        user.taps_data(card.id, &validate);
        assert!(!user.toast().await.unwrap().text.is_empty());
        // A message is edited after its deposit was validated.
        user.edits(note.message_id, "et deux chaises");
        user.sees_new("modifi").await.unwrap();
        let deposit = &bot.deposits(7).await[0];
        assert_eq!((deposit.status, deposit.draft.lines.len()), (Status::Completed, 2));
        // On an expired deposit.
        let expired = describes(&user).await;
        let validate = button(&user, expired, "Valider");
        bot.rests(7).await;
        bot.advance(301);
        bot.while_time_passes(user.sees("Reprendre")).await.unwrap();
        user.taps_data(expired, &validate);
        assert!(!user.toast().await.unwrap().text.is_empty());
        bot.rests(7).await;
        let is_kept = bot.deposits(7).await.iter().any(|entry| entry.status == Status::Expired);
        assert!(is_kept, "{:?}", bot.deposits(7).await);
        // The first is undone within ten minutes, and a tap on it afterwards changes nothing more.
        let undo = button(&user, card.id, "Annuler ce dépôt");
        user.taps_on(card.id, "Annuler ce dépôt").unwrap();
        user.sees_new("annulé").await.unwrap();
        user.taps_data(card.id, &undo);
        assert!(!user.toast().await.unwrap().text.is_empty());
        user.taps_data(card.id, &validate);
        assert!(!user.toast().await.unwrap().text.is_empty());
        bot.rests(7).await;
        let mut statuses: Vec<_> = bot.deposits(7).await.iter().map(|entry| entry.status).collect();
        statuses.sort_by_key(|status| status.as_str());
        assert_eq!(statuses, [Status::Expired, Status::Reversed]);
    }
}

/// F73: an undo is tapped again when its conversation is long gone from both stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f73_an_undo_that_is_tapped_again_after_its_session_delays_no_user() {
    let bot = TestBot::with(Behind::SqliteAndRedis, &[("ACCESS_MODE", "open")]).await;
    let user = bot.user(7);
    describes(&user).await;
    user.taps("Valider").unwrap();
    let card = user.sees_new("enregistré").await.unwrap();
    let undo = button(&user, card.id, "Annuler ce dépôt");
    user.taps_on(card.id, "Annuler ce dépôt").unwrap();
    user.sees_new("annulé").await.unwrap();
    bot.rests(7).await;
    let service = bot.app().service();
    let key = service.key(UserId(7));
    bot.advance(80 * 3_600);
    let is_purged = async {
        while service.clean_up().await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, is_purged).await.expect("the mirror has it, and its time is over");
    // Redis has a clock of its own, which the test cannot move.
    bot.redis.as_ref().unwrap().command::<()>(&["DEL", &Keys::new(PREFIX, key.bot).session(key)]);
    user.taps_data(card.id, &undo);
    assert!(!user.toast().await.unwrap().text.is_empty());
    bot.telegram.wait_for("the acknowledgement", |it| it.pending_updates() == 0).await.unwrap();
    describes(&user).await;
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    bot.rests(7).await;
    let statuses: Vec<_> = bot.deposits(7).await.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [Status::Completed, Status::Reversed]);
}

fn button(user: &bot_api_simulator::User, message: i64, label: &str) -> String {
    let message = user.messages().into_iter().find(|it| it.id == message).unwrap();
    message.button(label).unwrap().data.clone().unwrap()
}

/// F73: taps on a session that was closed and opened anew by /depot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f73_a_tap_on_the_card_before_a_new_depot_is_answered_from_the_ledger() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    let first = describes(&user).await;
    let validate = button(&user, first, "Valider");
    user.says("/annuler");
    user.sees_new("abandonné").await.unwrap();
    user.says("/depot");
    user.sees_new("Annuler").await.unwrap();
    user.taps_data(first, &validate);
    assert!(!user.toast().await.unwrap().text.is_empty());
    user.says("deux chaises");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let completed: Vec<_> =
        bot.deposits(7).await.into_iter().filter(|it| it.status == Status::Completed).collect();
    assert_eq!(completed.len(), 1);
    assert!(completed[0].draft.said.iter().any(|said| said.contains("chaises")));
    holds_what_was_seen(&bot, 7, 1).await;
}
