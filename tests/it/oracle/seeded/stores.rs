//! Faults in the consistency of two stores.
//!
//! Where a bot stands still beside another one, both use a server: the frozen one may have locked a file.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::timeout;

use crate::bot::Behind;
use crate::oracle::harness::Harness;
use crate::oracle::personas::{Crowd, as_usual};
use crate::oracle::seeded::{catches, seeded};
use crate::process::get;

const TEXT: &str = "une bouilloire, un kilo deux";
/// How long a test waits for a forbidden event.
const A_MOMENT: Duration = Duration::from_secs(2);

/// Waits until the row says that this store is the primary, since this epoch or a later one.
async fn primary(harness: &Harness, store: &str, epoch: i64) {
    let is =
        async || harness.leadership().await.is_some_and(|row| row.0 >= epoch && row.1 == store && row.2 == 1);
    harness.until(&format!("{store} is the primary"), is).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ack_before_mirror() {
    catches("ack_before_mirror", "P3", async |fault| {
        let harness = seeded(Behind::SqliteAndRedis, 1, fault).await;
        let mut bot = harness.start(&[("FAILPOINT", "mirror_due")]).await;
        harness.user(1).says(TEXT);
        bot.ended().await;
        harness.died();
        harness.empty_redis();
        let bot = harness.start(&[]).await;
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mirror() {
    catches("no_mirror", "P3", async |fault| {
        let harness = seeded(Behind::SqliteAndRedis, 1, fault).await;
        let mut bot = harness.start(&[]).await;
        let update = harness.user(1).says(TEXT).update_id.unwrap();
        harness.until("the update is done", async || harness.is_acknowledged(update)).await;
        harness.kill(&mut bot).await;
        harness.empty_redis();
        let bot = harness.start(&[]).await;
        harness.ends(bot, "").await
    })
    .await;
}

/// One instance finds Redis away and goes to SQL by itself; the next one finds Redis well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaker_per_instance() {
    catches("breaker_per_instance", "P3", async |fault| {
        let harness = seeded(Behind::SqliteAndRedis, 1, fault).await;
        let mut bot = harness.start(&[]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        let without_redis = async {
            let update = user.says("une table, dix kilos").update_id.unwrap();
            harness.until("SQL has the update", async || harness.is_acknowledged(update)).await;
            harness.kill(&mut bot).await;
        };
        harness.freezing_redis(without_redis).await;
        let bot = harness.start(&[]).await;
        user.says("une chaise, quatre kilos");
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_before_epoch() {
    catches("copy_before_epoch", "P3", async |fault| {
        let mut harness = seeded(Behind::SqliteAndRedis, 1, fault).await;
        harness.people = 4;
        let bot = harness.start(&[]).await;
        let crowd = Crowd::gather(&harness, as_usual);
        harness.redis().kill();
        primary(&harness, "sql", 2).await;
        harness.redis().restart();
        primary(&harness, "redis", 3).await;
        let went_home = timeout(Duration::from_secs(60), crowd.goes_home()).await;
        assert!(!fault.is_empty() || went_home.is_ok_and(|rounds| rounds.unwrap() > 4));
        harness.ends(bot, "").await
    })
    .await;
}

/// A bot stands still before it replicates a document to SQL; another bot goes on; then the first writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_overwrites() {
    catches("mirror_overwrites", "P3", async |fault| {
        let harness = seeded(Behind::PostgresAndRedis, 5, fault).await;
        let mut late = harness.start(&[("FREEZE", "mirror_due:2")]).await;
        let user = harness.user(1);
        user.says(TEXT);
        harness.froze(&late).await;
        let bot = harness.start(&[]).await;
        user.says("une table, dix kilos");
        let update = user.says("une chaise, quatre kilos").update_id.unwrap();
        harness.until("all is said", async || harness.is_acknowledged(update)).await;
        user.sees("chaise").await.unwrap();
        let version = async || harness.sql().await.documents().await[&1].version;
        harness.until("the mirror has it", async || harness.is_settled(1).await).await;
        let before = version().await;
        late.signal(Signal::SIGCONT);
        let long = if fault.is_empty() { A_MOMENT } else { 10 * A_MOMENT };
        harness.comes(long, async || version().await < before).await;
        harness.kill(&mut late).await;
        harness.empty_redis();
        primary(&harness, "redis", 3).await;
        user.says("/status");
        harness.ends(bot, "").await
    })
    .await;
}

/// A bot stands still before it replicates a document to SQL; Redis is emptied and copied anew; then the bot goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_mirror_accepted() {
    catches("late_mirror_accepted", "P3", async |fault| {
        let harness = seeded(Behind::PostgresAndRedis, 5, fault).await;
        let bot = harness.start(&[("FREEZE", "mirror_due")]).await;
        let user = harness.user(1);
        let first = user.says(TEXT).update_id.unwrap();
        harness.froze(&bot).await;
        harness.telegram.faults(|faults| faults.hold_updates = true);
        harness.empty_redis();
        let mut other = harness.start(&[]).await;
        primary(&harness, "redis", 3).await;
        harness.kill(&mut other).await;
        bot.signal(Signal::SIGCONT);
        harness.telegram.faults(|faults| faults.hold_updates = false);
        harness.until("the update is done", async || harness.is_acknowledged(first)).await;
        user.says("une table, dix kilos");
        harness.ends(bot, "").await
    })
    .await;
}

/// A bot remembers a document that Redis lost; another wrote one with the same version in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_cache() {
    catches("stale_cache", "P5", async |fault| {
        let harness = seeded(Behind::PostgresAndRedis, 3, fault).await;
        let bot = harness.start(&[("FREEZE", "mirror_due:2")]).await;
        let user = harness.user(1);
        user.says("/aide");
        harness.froze(&bot).await;
        harness.empty_redis();
        let mut other = harness.start(&[("FAILPOINT", "effect_claimed")]).await;
        other.ended().await;
        harness.died();
        bot.signal(Signal::SIGCONT);
        let (epoch, ..) = harness.leadership().await.unwrap();
        let knows = async || get(&bot.http, "/health/ready").await.1.contains(&format!("epoch {epoch}"));
        harness.until("it knows which store is the primary now", knows).await;
        // Something else: two answers of the same words would be a repeat.
        user.says("/rien");
        harness.ends(bot, "").await
    })
    .await;
}

/// The bot dies as soon as the ledger has a deposit, and Redis is emptied; SQL must have the decision about it by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_before_mirror() {
    catches("record_before_mirror", "P2", async |fault| {
        let harness = seeded(Behind::SqliteAndRedis, 10, fault).await;
        let mut bot = harness.start(&[("FAILPOINT", "ledger_written")]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        harness.until("the mirror has it", async || harness.is_settled(1).await).await;
        user.taps("Valider").unwrap();
        bot.ended().await;
        harness.died();
        harness.empty_redis();
        let bot = harness.start(&[]).await;
        harness.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadline_ignored() {
    catches("deadline_ignored", "P7", async |fault| {
        let harness = seeded(Behind::SqliteAndRedis, 1, fault).await;
        let bot = harness.start(&[]).await;
        let user = harness.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        let without_redis = async {
            let update = user.says("une table, dix kilos").update_id.unwrap();
            harness.until("SQL has the update", async || harness.is_acknowledged(update)).await;
        };
        harness.freezing_redis(without_redis).await;
        harness.ends(bot, "").await
    })
    .await;
}
