//! Telegram refuses, or the chat has changed: a pause is obeyed by its chat alone, and nothing is lost.

use std::time::Duration;

use bot_api_simulator::{Fault, Faults, Happened, Rule};
use deposit::{Status, UserId};
use depot_bot::store::sql::SqlStore;
use depot_bot::store::{Commit, Committed, SessionStore as _};
use serde_json::json;
use session::{Session, State};

use crate::bot::{Behind, PATIENCE, TestBot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_pauses_its_chat_alone_and_is_obeyed() {
    let bot = TestBot::start().await;
    let (paused, other) = (bot.user(7), bot.user(8));
    let fault = Fault::TooManyRequests { retry_after: 30 };
    bot.telegram.faults(|faults| faults.add(Rule::every_call(fault).in_chat(7)));
    paused.says("une bouilloire");
    bot.telegram.wait_for("the refusal", |it| it.calls_with("sendMessage", 429) == 1).await.unwrap();
    for _ in 0..3 {
        other.says("une bouilloire");
        other.sees_new("Valider").await.unwrap();
        other.taps("Valider").unwrap();
        other.sees_new("enregistré").await.unwrap();
        paused.says("et une chaise");
        bot.telegram.wait_for("the note to be taken", |it| it.pending_updates() == 0).await.unwrap();
        bot.rests(7).await;
        bot.rests(8).await;
        bot.advance(8);
    }
    assert_eq!(bot.completed(8).await, 3);
    let to_the_paused = bot.telegram.journal().into_iter().filter(|entry| {
        matches!(entry.what, Happened::Call { chat: Some(7), method: "sendMessage" | "editMessageText", .. })
    });
    assert_eq!(to_the_paused.count(), 1, "nothing is sent before the pause is over");
    bot.telegram.faults(Faults::clear);
    bot.advance(8);
    let card = paused.sees("4. ").await.unwrap();
    assert_eq!(paused.live_keyboards(), [card.id], "one card shows all that was said meanwhile");
    paused.taps("Valider").unwrap();
    paused.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].draft.lines.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_blocks_the_bot_right_after_validating_has_the_deposit_recorded() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    bot.telegram.faults(|faults| faults.hold_updates = true);
    user.taps("Valider").unwrap();
    user.blocks();
    bot.telegram.faults(|faults| faults.hold_updates = false);
    bot.telegram.wait_for("the refusal", |it| it.calls_with("editMessageText", 403) == 1).await.unwrap();
    bot.telegram.wait_for("the confirmation", |it| it.pending_updates() == 0).await.unwrap();
    assert_eq!(bot.completed(7).await, 1);
    bot.rests(7).await;
    bot.advance(60);
    user.unblocks();
    user.says("/mesdepots");
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.telegram.calls_with("editMessageText", 403), 1, "it is final");
    let service = bot.app().service();
    assert!(!service.get(service.key(UserId(7))).await.unwrap().unwrap().is_open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_gone_is_sent_anew() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    let card = user.sees_new("Valider").await.unwrap();
    bot.telegram.faults(|faults| faults.hold_updates = true);
    user.taps("Valider").unwrap();
    let delete = format!("{}/bot{}/deleteMessage", bot.telegram.url(), bot.telegram.token());
    let answer = reqwest::Client::new().post(delete).json(&json!({"chat_id": 7, "message_id": card.id}));
    assert!(answer.send().await.unwrap().status().is_success());
    bot.telegram.faults(|faults| faults.hold_updates = false);
    let anew = user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    assert!(anew.id > card.id);
    assert_eq!(bot.completed(7).await, 1);
}

/// Waits until the stored document of user 7 is as `look` wants it.
async fn document(bot: &TestBot, look: impl Fn(&Session) -> bool) -> Session {
    let service = bot.app().service();
    let found = async {
        loop {
            match service.get(service.key(UserId(7))).await.unwrap() {
                Some(session) if look(&session) => return session,
                _ => tokio::time::sleep(crate::process::POLL_EVERY).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the document comes to this")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undone_deposit_is_not_overwritten_by_a_late_repetition_of_its_confirmation() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    bot.telegram.faults(|faults| faults.add(Rule::next(1, Fault::DropAfter).on("editMessageText")));
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    document(&bot, |session| session.card.not_before.is_some()).await;
    user.taps("Annuler ce dépôt").unwrap();
    assert!(user.toast().await.unwrap().text.contains("annulé"));
    bot.advance(2);
    user.sees_new("annulé").await.unwrap();
    document(&bot, |session| session.kept_for().is_some()).await;
    let card = user.messages().into_iter().rfind(|message| message.from_bot()).unwrap();
    assert!(card.shows("annulé"), "{card:?}");
    assert_eq!(bot.deposits(7).await[0].status, Status::Reversed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_expires_while_telegram_cannot_be_reached() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    let mut allowed = bot.app().service().expiry_allowed();
    let mut becomes = async |wanted: bool| {
        let is_so = allowed.wait_for(|&allowed| allowed == wanted);
        drop(tokio::time::timeout(PATIENCE, is_so).await.expect("expiry follows the intake").unwrap());
    };
    becomes(true).await;
    bot.telegram.faults(|faults| faults.add(Rule::every_call(Fault::BadGateway).on("getUpdates")));
    // The call that was waiting brings this; the next ones fail.
    bot.user(8).says("une table");
    becomes(false).await;
    user.says("deux chaises");
    bot.advance(301);
    // The loop of the deadlines has looked by now; it looks again with each turn.
    bot.advance(1);
    bot.telegram.faults(Faults::clear);
    let card = user.sees_new("chaises").await.unwrap();
    assert!(card.shows("bouilloire"), "{card:?}");
    assert!(bot.deposits(7).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_comes_twice_counts_once_against_the_limit() {
    let limit = [("ACCESS_MODE", "open"), ("RATE_LIMIT_PER_MINUTE", "3")];
    let bot = TestBot::with(Behind::Sqlite, &limit).await;
    bot.telegram.faults(|faults| faults.repeat_every = 1);
    let user = bot.user(7);
    for object in ["bouilloire", "chaise", "table"] {
        user.says(&format!("une {object}"));
        user.sees_new(object).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_more_lines_than_a_deposit_holds_is_told_and_can_record_it() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    // The longest message that Telegram takes, in the characters that need the most room: one for this deposit, two that
    // wait for the next, and one too many.
    for _ in 0..4 {
        user.says(&"🎈".repeat(2_048));
    }
    user.sees("n'est pas noté").await.unwrap();
    bot.telegram.wait_for("every update to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
    bot.rests(7).await;
    user.taps("Valider").unwrap();
    user.sees("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    assert_eq!(bot.app().tables().dead_letters.list(10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_whose_document_is_full_is_told_and_delays_no_other() {
    let mut bot = TestBot::start().await;
    let (crowded, other) = (bot.user(7), bot.user(8));
    crowded.says("une bouilloire");
    crowded.sees_new("Valider").await.unwrap();
    bot.rests(7).await;
    let mut session = document(&bot, Session::is_open).await;
    bot.stop().await;
    // As a release without these bounds could have left it.
    let State::AwaitingValidation { draft, .. } = &mut session.state else { panic!("{:?}", session.state) };
    draft.said = vec!["🎈".repeat(5_000)];
    let (before, due_at) = (session.version, session.due_at(Duration::from_secs(300)));
    session.version += 1;
    let store = SqlStore::new(bot.database().await, session.key.bot);
    let now = bot.clock.now();
    let commit = Commit { expected: before, session: &session, due_at, kept_for: None, now };
    assert_eq!(store.commit(&commit).await.unwrap(), Committed::Applied);
    bot.resume().await;
    crowded.says("/annuler");
    other.says("une chaise");
    crowded.sees_new("Quelque chose s'est mal passé").await.unwrap();
    other.sees_new("Valider").await.unwrap();
    bot.telegram.wait_for("every update to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
    let letters = bot.app().tables().dead_letters.list(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].raw.contains("/annuler") && letters[0].reason.contains("no room"), "{letters:?}");
}
