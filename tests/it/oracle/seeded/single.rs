//! Faults that need no second store.

use std::time::Duration;

use bot_api_simulator::{Chat, Fault, Rule};
use nix::sys::signal::Signal;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::bot::Behind;
use crate::oracle::personas::deposits;
use crate::oracle::seeded::{catches, seeded};
use crate::process::{TOKEN, get};

const TEXT: &str = "une bouilloire, un kilo deux";
/// How long a test waits for a forbidden event.
const A_MOMENT: Duration = Duration::from_secs(2);
/// How long the outcome of a call may be known to its caller alone.
const LEASE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ack_before_commit() {
    catches("ack_before_commit", "P3", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        let mut bot = harness.start(&[]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        let mut other = SqliteConnection::connect(&harness.variables["DATABASE_URL"]).await.unwrap();
        sqlx::query("begin immediate").execute(&mut other).await.unwrap();
        let update = user.says("une table, dix kilos").update_id.unwrap();
        harness.until("the update is fetched", async || harness.is_delivered(update)).await;
        harness.comes(A_MOMENT, async || harness.is_acknowledged(update)).await;
        harness.kill(&mut bot).await;
        sqlx::query("rollback").execute(&mut other).await.unwrap();
        let bot = harness.start(&[]).await;
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_version_check() {
    catches("no_version_check", "P5", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        let bot = harness.start(&[]).await;
        // The outcome of one note is committed while the next one comes in.
        for note in 1..=12 {
            for person in 1..=5 {
                harness.user(person).says(&format!("{note} lampes, {note} kilos"));
            }
        }
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn high_water_mark() {
    catches("high_water_mark", "P3", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        let bot = harness.start(&[]).await;
        let user = harness.user(1);
        deposits(&user).await.unwrap();
        harness.telegram.restart_ids();
        // The poll that waits beyond the new ids is ended by another one that waits.
        let telegram = harness.telegram.url().trim_start_matches("http://");
        get(telegram, &format!("/bot{TOKEN}/getUpdates?timeout=1")).await;
        let update = user.says(TEXT).update_id.unwrap();
        harness.until("the update is done", async || harness.is_acknowledged(update)).await;
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_in_gap() {
    catches("expiry_in_gap", "P6", async |fault| {
        let mut harness = seeded(Behind::Sqlite, 10, fault).await;
        harness.set("SESSION_TTL_SECONDS", "15");
        let mut bot = harness.start(&[]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        harness.kill(&mut bot).await;
        user.taps("Valider").unwrap();
        let tapped_at = harness.now();
        let late = async || harness.now().since(tapped_at) > Duration::from_secs(16);
        harness.until("the time of the session is over", late).await;
        let slow = Rule::next(1, Fault::Delay(Duration::from_secs(1))).on("getUpdates");
        harness.telegram.faults(|faults| faults.add(slow));
        let bot = harness.start(&[]).await;
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_idempotency() {
    catches("no_idempotency", "P2", async |fault| {
        let harness = seeded(Behind::Sqlite, 10, fault).await;
        let mut bot = harness.start(&[("FAILPOINT", "ledger_written")]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        bot.ended().await;
        harness.died();
        let bot = harness.start(&[]).await;
        user.sees("enregistré").await.unwrap();
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_dedup() {
    catches("no_dedup", "P2", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        harness.telegram.faults(|faults| faults.repeat_every = 1);
        let bot = harness.start(&[]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_holders() {
    catches("two_holders", "P12", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        let bot = harness.start(&[]).await;
        let user = harness.user(1);
        for _ in 0..3 {
            user.says("/aide");
            user.sees_new("dépôt").await.unwrap();
        }
        harness.ends(bot, "").await
    })
    .await;
}

/// A bot stands still in the middle of a call, longer than its lease; another takes the lane over and is in the middle of
/// its own when the first goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_token() {
    catches("stale_token", "P12", async |fault| {
        let harness = seeded(Behind::Sqlite, 5, fault).await;
        let mut late = harness.start(&[]).await;
        let user = harness.user(1);
        let slow = |seconds| Rule::next(1, Fault::Delay(Duration::from_secs(seconds))).on("sendMessage");
        let struck = async || harness.telegram.faults(|faults| faults.have_struck());
        harness.telegram.faults(|faults| faults.add(slow(1)));
        user.says(TEXT);
        harness.until("the first call is on its way", struck).await;
        late.signal(Signal::SIGSTOP);
        harness.died();
        harness.telegram.faults(|faults| faults.add(slow(2)));
        let bot = harness.start(&[]).await;
        harness.until("the second call is on its way", struck).await;
        let settled = || {
            let mine = |line: &&serde_json::Value| line["process"] == late.id() && line["what"] == "ran";
            harness.history().iter().filter(mine).count()
        };
        let before = settled();
        late.signal(Signal::SIGCONT);
        harness.until("the late outcome is committed", async || settled() > before).await;
        harness.kill(&mut late).await;
        harness.ends(bot, "").await
    })
    .await;
}

/// The first message of each process is sent twice. No effect is under way when the bot is killed, so its death
/// explains none of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resends() {
    catches("resends", "P12", async |fault| {
        let mut harness = seeded(Behind::Sqlite, 10, fault).await;
        harness.people = 5;
        let mut bot = harness.start(&[]).await;
        deposits(&harness.user(1)).await.unwrap();
        let settled_at = harness.now();
        let is_old = async || harness.now().since(settled_at) > 2 * LEASE;
        harness.until("all that was shown is known", is_old).await;
        harness.kill(&mut bot).await;
        let bot = harness.start(&[]).await;
        deposits(&harness.user(2)).await.unwrap();
        harness.ends(bot, "").await
    })
    .await;
}

/// A tap on a button that is no longer there is handled without an answer, and then the user gets another message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_tap() {
    catches("silent_tap", "P4", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        let bot = harness.start(&[]).await;
        let user = harness.user(1);
        user.says(TEXT);
        let button = |chat: &Chat| {
            chat.from_bot().find_map(|card| Some((card.id, card.button("Corriger")?.data.clone()?)))
        };
        let (card, correct) = user.wait("a button", button).await.unwrap();
        user.taps("Corriger").unwrap();
        user.wait("another keyboard", |chat| button(chat).is_none().then_some(())).await.unwrap();
        let late = user.taps_data(card, &correct).update_ids[0];
        harness.until("the late tap is done", async || harness.is_acknowledged(late)).await;
        user.says("une table, dix kilos");
        user.sees("table").await.unwrap();
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirm_before_record() {
    catches("confirm_before_record", "P1", async |fault| {
        let harness = seeded(Behind::Sqlite, 1, fault).await;
        let bot = harness.start(&[]).await;
        deposits(&harness.user(1)).await.unwrap();
        harness.ends(bot, "").await
    })
    .await;
}
