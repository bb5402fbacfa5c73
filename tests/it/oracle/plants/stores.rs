//! Plants in what two stores have to keep between them.
//!
//! Where a bot stands still beside another one, both use a server: who stands still may have a file locked.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::timeout;

use crate::bot::Behind;
use crate::oracle::people::{Crowd, as_usual};
use crate::oracle::plants::{catches, planted};
use crate::oracle::stage::Stage;
use crate::process::get;

const TEXT: &str = "une bouilloire, un kilo deux";
/// How long what must not happen is waited for.
const A_MOMENT: Duration = Duration::from_secs(2);

/// Waits until the row says that this store is in charge, since this epoch or a later one.
async fn primary(stage: &Stage, store: &str, epoch: i64) {
    let is =
        async || stage.leadership().await.is_some_and(|row| row.0 >= epoch && row.1 == store && row.2 == 1);
    stage.until(&format!("{store} is in charge"), is).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ack_before_mirror() {
    catches("ack_before_mirror", "P3", async |plant| {
        let stage = planted(Behind::SqliteAndRedis, 1, plant).await;
        let mut bot = stage.start(&[("FAILPOINT", "mirror_due")]).await;
        stage.user(1).says(TEXT);
        bot.ended().await;
        stage.died();
        stage.empty_redis();
        let bot = stage.start(&[]).await;
        stage.ends(bot, "").await
    })
    .await;
}

/// One instance finds Redis away and goes to SQL by itself; the next one finds Redis well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaker_per_instance() {
    catches("breaker_per_instance", "P3", async |plant| {
        let stage = planted(Behind::SqliteAndRedis, 1, plant).await;
        let mut bot = stage.start(&[]).await;
        let user = stage.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        let without_redis = async {
            let update = user.says("une table, dix kilos").update_id.unwrap();
            stage.until("SQL has the update", async || stage.is_acknowledged(update)).await;
            stage.kill(&mut bot).await;
        };
        stage.freezing_redis(without_redis).await;
        let bot = stage.start(&[]).await;
        user.says("une chaise, quatre kilos");
        stage.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_before_epoch() {
    catches("copy_before_epoch", "P3", async |plant| {
        let mut stage = planted(Behind::SqliteAndRedis, 1, plant).await;
        stage.people = 4;
        let bot = stage.start(&[]).await;
        let crowd = Crowd::gather(&stage, as_usual);
        stage.redis().kill();
        primary(&stage, "sql", 2).await;
        stage.redis().restart();
        primary(&stage, "redis", 3).await;
        let went_home = timeout(Duration::from_secs(60), crowd.goes_home()).await;
        assert!(!plant.is_empty() || went_home.is_ok_and(|rounds| rounds.unwrap() > 4));
        stage.ends(bot, "").await
    })
    .await;
}

/// A bot stands still before it writes to SQL what Redis has; another goes on; then the first writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_overwrites() {
    catches("mirror_overwrites", "P3", async |plant| {
        let stage = planted(Behind::PostgresAndRedis, 5, plant).await;
        let mut late = stage.start(&[("FREEZE", "mirror_due:2")]).await;
        let user = stage.user(1);
        user.says(TEXT);
        stage.froze(&late).await;
        let bot = stage.start(&[]).await;
        user.says("une table, dix kilos");
        let update = user.says("une chaise, quatre kilos").update_id.unwrap();
        stage.until("all is said", async || stage.is_acknowledged(update)).await;
        user.sees("chaise").await.unwrap();
        let version = async || stage.sql().await.documents().await[&1].version;
        stage.until("the mirror has it", async || stage.is_settled(1).await).await;
        let before = version().await;
        late.signal(Signal::SIGCONT);
        let long = if plant.is_empty() { A_MOMENT } else { 10 * A_MOMENT };
        stage.comes(long, async || version().await < before).await;
        stage.kill(&mut late).await;
        stage.empty_redis();
        primary(&stage, "redis", 3).await;
        user.says("/status");
        stage.ends(bot, "").await
    })
    .await;
}

/// A bot stands still before it writes to SQL what Redis had; Redis is emptied and copied anew; then the bot goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_mirror_accepted() {
    catches("late_mirror_accepted", "P3", async |plant| {
        let stage = planted(Behind::PostgresAndRedis, 5, plant).await;
        let bot = stage.start(&[("FREEZE", "mirror_due")]).await;
        let user = stage.user(1);
        let first = user.says(TEXT).update_id.unwrap();
        stage.froze(&bot).await;
        stage.telegram.faults(|faults| faults.hold_updates = true);
        stage.empty_redis();
        let mut other = stage.start(&[]).await;
        primary(&stage, "redis", 3).await;
        stage.kill(&mut other).await;
        bot.signal(Signal::SIGCONT);
        stage.telegram.faults(|faults| faults.hold_updates = false);
        stage.until("the update is done", async || stage.is_acknowledged(first)).await;
        user.says("une table, dix kilos");
        stage.ends(bot, "").await
    })
    .await;
}

/// A bot remembers a document that Redis lost; another wrote one with the same version in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_cache() {
    catches("stale_cache", "P5", async |plant| {
        let stage = planted(Behind::PostgresAndRedis, 3, plant).await;
        let bot = stage.start(&[("FREEZE", "mirror_due:2")]).await;
        let user = stage.user(1);
        user.says("/aide");
        stage.froze(&bot).await;
        stage.empty_redis();
        let mut other = stage.start(&[("FAILPOINT", "effect_claimed")]).await;
        other.ended().await;
        stage.died();
        bot.signal(Signal::SIGCONT);
        let (epoch, ..) = stage.leadership().await.unwrap();
        let knows = async || get(&bot.http, "/health/ready").await.1.contains(&format!("epoch {epoch}"));
        stage.until("it knows who is in charge now", knows).await;
        // Something else: two answers of the same words would be a repeat.
        user.says("/rien");
        stage.ends(bot, "").await
    })
    .await;
}

/// The bot dies as soon as the ledger has a deposit, and Redis is emptied; SQL must have the decision about it by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_before_mirror() {
    catches("record_before_mirror", "P2", async |plant| {
        let stage = planted(Behind::SqliteAndRedis, 10, plant).await;
        let mut bot = stage.start(&[("FAILPOINT", "ledger_written")]).await;
        let user = stage.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        stage.until("the mirror has it", async || stage.is_settled(1).await).await;
        user.taps("Valider").unwrap();
        bot.ended().await;
        stage.died();
        stage.empty_redis();
        let bot = stage.start(&[]).await;
        stage.ends(bot, "").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadline_ignored() {
    catches("deadline_ignored", "P7", async |plant| {
        let stage = planted(Behind::SqliteAndRedis, 1, plant).await;
        let bot = stage.start(&[]).await;
        let user = stage.user(1);
        user.says(TEXT);
        user.sees("Valider").await.unwrap();
        let without_redis = async {
            let update = user.says("une table, dix kilos").update_id.unwrap();
            stage.until("SQL has the update", async || stage.is_acknowledged(update)).await;
        };
        stage.freezing_redis(without_redis).await;
        stage.ends(bot, "").await
    })
    .await;
}
