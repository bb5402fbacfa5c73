//! Redis answers wrongly: the answer breaks off (F22), or its keys hold foreign values (F23).

use depot_bot::clock::Clock;

use crate::bot::{Behind, TestBot};
use crate::faults::storm::primary;
use crate::faults::{confirmed, deposits_patiently, describes, holds, holds_what_was_seen};
use crate::oracle::measured;
use crate::proxy::FaultProxy;

/// More than any answer to a commit has.
const LONGEST: usize = 48;

/// F22: the connection is reset at every byte of the answer to a commit. Its outcome is unknown then, the same commit is
/// repeated, and the repetition counts as applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_a_commit_whose_answer_breaks_off_at_any_byte_is_done_once() {
    let variables = [("ACCESS_MODE", "open")];
    let mut bot = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, &variables).await;
    let proxy = FaultProxy::to_unix(&bot.redis.as_ref().unwrap().socket()).await.unwrap();
    bot.set("REDIS_URL", &format!("redis://{}", proxy.address()));
    bot.resume().await;
    let user = bot.user(7);
    for at in 0..LONGEST {
        // Only a commit carries a document.
        proxy.cut(2, "\"schema\":", at);
        describes(&user).await;
        user.taps("Valider").unwrap();
        user.sees_new(&format!("Dépôt n°\u{a0}{} enregistré", at + 1)).await.unwrap();
    }
    bot.rests(7).await;
    assert!(proxy.done().reset > u64::try_from(LONGEST).unwrap(), "{:?}", proxy.done());
    holds_what_was_seen(&bot, 7, LONGEST).await;
    println!("F22: {:?}, {LONGEST} flows, none missing, none doubled", proxy.done());
}

/// F23: a foreign value is in each of the keys: no user is left without an answer, nothing is half-written,
/// and the users of these keys and all others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_a_key_with_a_foreign_value_stops_no_user() {
    for (key, spoil) in [
        (":s:7:7", &["SET", "", "rubbish"][..]),
        (":s:7:7", &["SET", "", "2:4:x:{}"]),
        (":s:7:7", &["RPUSH", "", "a list"]),
        (":due", &["SET", "", "a string"]),
        (":dirty", &["SET", "", "a string"]),
        (":epoch", &["RPUSH", "", "a list"]),
        (":epoch", &["SET", "", "rubbish"]),
        (":epoch", &["SET", "", "1"]),
        (":epoch", &["SET", "", "1000"]),
        (":probe", &["RPUSH", "", "a list"]),
    ] {
        let bot = TestBot::on(Clock::system(), Behind::SqliteAndRedis, &[("ACCESS_MODE", "open")]).await;
        primary(&bot, "redis", "ok").await;
        let (user, other) = (bot.user(7), bot.user(8));
        describes(&user).await;
        describes(&other).await;
        let redis = bot.redis.as_ref().unwrap();
        let key = format!("depot:4242{key}");
        let _was_there: u64 = redis.command(&["DEL", &key]);
        let words: Vec<&str> =
            spoil.iter().map(|word| if word.is_empty() { key.as_str() } else { word }).collect();
        let _spoilt: redis::Value = redis.command(&words);
        user.taps("Valider").unwrap();
        other.taps("Valider").unwrap();
        other.sees_new("enregistré").await.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        user.wait_for("an outcome", |chat| chat.toast_of_last_tap().is_some()).await.unwrap();
        deposits_patiently(&user).await;
        holds_what_was_seen(&bot, 8, 1).await;
        let seen = user.wait("the chat", |chat| Some(confirmed(chat))).await.unwrap();
        holds(&bot, 7, &seen).await;
        measured(&format!("F23 | {words:?} | 0 lost, 0 doubled"));
    }
}
