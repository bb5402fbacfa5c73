//! Redis answers, and the answer does not arrive as it was sent: F22.

use depot_bot::clock::Clock;

use crate::bot::{Behind, TestBot};
use crate::faults::{describes, holds_what_was_seen};
use crate::proxy::FaultProxy;

/// More than any answer to a commit has.
const LONGEST: usize = 48;

/// F22: the connection is reset at every byte of the answer to a commit. Its outcome is unknown then, the same commit is
/// repeated, and the repetition counts as applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_a_commit_whose_answer_breaks_off_at_any_byte_is_done_once() {
    let variables = [("ACCESS_MODE", "open")];
    let mut bot = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, &variables).await;
    let proxy = FaultProxy::to_unix(&bot.redis.as_ref().unwrap().socket()).await;
    bot.set("REDIS_URL", &format!("redis://{}", proxy.address()));
    bot.resume().await;
    let user = bot.user(7);
    for at in 0..LONGEST {
        // What a commit carries, and no other command does: the document.
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
