//! The faults of Redis while users deposit: F10 to F15, F17, F18, F20, F21, F25, F26.
//!
//! Each runs in a short form, and with `DEPOT_SOAK=1` for as long as it would last in life.

use std::time::Duration;

use depot_bot::clock::Clock;
use tokio::task::block_in_place;

use crate::bot::{Behind, TestBot};
use crate::faults::storm::{LOOK, PATIENCE, Storm, epoch, primary};
use crate::oracle::soaks;
use crate::proxy::{FaultProxy, Line};
use crate::servers::RedisServer;

const OPEN: [(&str, &str); 1] = [("ACCESS_MODE", "open")];
const PEOPLE: i64 = 6;
/// How many deposits are confirmed before and after each blow.
const SOME: usize = 6;

async fn bot_on(redis: RedisServer) -> TestBot {
    let mut bot = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, &OPEN).await;
    bot.set("REDIS_URL", &redis.url());
    bot.redis = Some(redis);
    bot.resume().await;
    primary(&bot, "redis", "ok").await;
    bot
}

/// A bot that finds its Redis through a proxy.
async fn bot_behind_proxy() -> (TestBot, FaultProxy) {
    let mut bot = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, &OPEN).await;
    let proxy = FaultProxy::to_unix(&bot.redis.as_ref().unwrap().socket()).await.unwrap();
    bot.set("REDIS_URL", &format!("redis://{}", proxy.address()));
    bot.resume().await;
    primary(&bot, "redis", "ok").await;
    (bot, proxy)
}

/// The outage lasts so long; deposits are confirmed all the while.
async fn lasts(storm: &Storm, outage: Duration) {
    let end = tokio::time::Instant::now() + outage;
    storm.goes_on(SOME).await;
    tokio::time::sleep_until(end).await;
}

/// Redis is the primary of a later epoch.
async fn opened_anew(bot: &TestBot, before: u64) {
    let later = async {
        while epoch(bot).await <= before {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, later).await.expect("Redis is opened anew");
    primary(bot, "redis", "ok").await;
}

/// F10: frozen, and thawed: commands that were sent into it are not executed late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_redis_is_frozen_and_thawed() {
    let bot = bot_on(RedisServer::start()).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    for seconds in if soaks() { &[10, 60, 300][..] } else { &[1] } {
        storm.goes_on(SOME).await;
        let before = epoch(&bot).await;
        bot.redis.as_ref().unwrap().pause();
        primary(&bot, "sqlite", "degraded").await;
        lasts(&storm, Duration::from_secs(*seconds)).await;
        bot.redis.as_ref().unwrap().resume();
        storm.recovers(primary(&bot, "redis", "ok")).await;
        assert_eq!(epoch(&bot).await, before + 2, "there and back again");
        storm.goes_on(SOME).await;
    }
    storm.ends("F10", &bot).await;
}

/// F11: restarted, with everything on its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_redis_restarts_with_its_memory() {
    restarts("F11", RedisServer::durable()).await;
}

/// F12: restarted, with nothing on its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f12_redis_restarts_without_its_memory() {
    restarts("F12", RedisServer::start()).await;
}

async fn restarts(fault: &str, redis: RedisServer) {
    let mut bot = bot_on(redis).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    for _ in 0..if soaks() { 30 } else { 3 } {
        storm.goes_on(SOME).await;
        let before = epoch(&bot).await;
        block_in_place(|| bot.redis.as_mut().unwrap().restart());
        storm.recovers(opened_anew(&bot, before)).await;
    }
    storm.ends(fault, &bot).await;
}

/// F13: emptied by FLUSHALL, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f13_redis_is_emptied_under_load() {
    let bot = bot_on(RedisServer::start()).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    for _ in 0..if soaks() { 100 } else { 5 } {
        storm.goes_on(SOME).await;
        let before = epoch(&bot).await;
        bot.redis.as_ref().unwrap().command::<()>(&["FLUSHALL"]);
        storm.recovers(opened_anew(&bot, before)).await;
    }
    storm.ends("F13", &bot).await;
}

/// F14: killed every few seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_redis_is_killed_again_and_again() {
    let mut bot = bot_on(RedisServer::durable()).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    for _ in 0..if soaks() { 60 } else { 3 } {
        storm.goes_on(SOME).await;
        block_in_place(|| bot.redis.as_mut().unwrap().kill());
        storm.goes_on(1).await;
        block_in_place(|| bot.redis.as_mut().unwrap().restart());
        if soaks() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    storm.recovers(primary(&bot, "redis", "ok")).await;
    storm.ends("F14", &bot).await;
}

/// F15: its memory is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_redis_is_full() {
    let bot = bot_on(RedisServer::start()).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    storm.goes_on(SOME).await;
    bot.redis.as_ref().unwrap().limit_memory(1);
    primary(&bot, "sqlite", "degraded").await;
    lasts(&storm, Duration::from_secs(if soaks() { 60 } else { 0 })).await;
    bot.redis.as_ref().unwrap().limit_memory(0);
    storm.recovers(primary(&bot, "redis", "ok")).await;
    storm.goes_on(SOME).await;
    storm.ends("F15", &bot).await;
}

/// F17: demoted to a replica, which refuses writes and goes on answering reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_redis_is_demoted_and_promoted() {
    let bot = bot_on(RedisServer::start()).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    storm.goes_on(SOME).await;
    bot.redis.as_ref().unwrap().demote();
    primary(&bot, "sqlite", "degraded").await;
    lasts(&storm, Duration::from_secs(if soaks() { 60 } else { 0 })).await;
    bot.redis.as_ref().unwrap().promote();
    storm.recovers(primary(&bot, "redis", "ok")).await;
    storm.goes_on(SOME).await;
    storm.ends("F17", &bot).await;
}

/// F18: the machine under it loses power: its log of commands is an older one, or its last write is torn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f18_redis_is_rolled_back() {
    let mut bot = bot_on(RedisServer::durable()).await;
    let mut storm = Storm::over(&bot, PEOPLE);
    for _ in 0..if soaks() { 30 } else { 2 } {
        storm.goes_on(SOME).await;
        let older = bot.redis.as_ref().unwrap().copy_aof();
        storm.goes_on(2 * SOME).await;
        let before = epoch(&bot).await;
        block_in_place(|| bot.redis.as_mut().unwrap().roll_back(&older));
        storm.recovers(opened_anew(&bot, before)).await;
        storm.goes_on(SOME).await;
        let before = epoch(&bot).await;
        block_in_place(|| bot.redis.as_mut().unwrap().tear(300));
        storm.recovers(opened_anew(&bot, before)).await;
    }
    storm.ends("F18", &bot).await;
}

/// F20: it accepts connections and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_redis_is_a_black_hole() {
    let (bot, proxy) = bot_behind_proxy().await;
    let mut storm = Storm::over(&bot, PEOPLE);
    storm.goes_on(SOME).await;
    proxy.set(Line::BlackHole);
    primary(&bot, "sqlite", "degraded").await;
    lasts(&storm, Duration::from_secs(if soaks() { 120 } else { 0 })).await;
    proxy.set(Line::Clear);
    storm.recovers(primary(&bot, "redis", "ok")).await;
    storm.goes_on(SOME).await;
    storm.ends("F20", &bot).await;
}

/// F21: it takes 50 to 900 ms for each answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_redis_is_slow() {
    let (bot, proxy) = bot_behind_proxy().await;
    let mut storm = Storm::over(&bot, PEOPLE);
    for (least, most) in [(50, 150), (200, 450), (400, 900), (50, 900)] {
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        proxy.set(Line::Slow { least, jitter: most - least });
        lasts(&storm, Duration::from_secs(if soaks() { 60 } else { 0 })).await;
    }
    proxy.set(Line::Clear);
    storm.recovers(primary(&bot, "redis", "ok")).await;
    storm.goes_on(SOME).await;
    assert!(proxy.done().delayed > 10, "{:?}", proxy.done());
    storm.ends("F21", &bot).await;
}

/// F25: the password is changed while the bot runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_redis_no_longer_takes_the_password() {
    let redis = RedisServer::start();
    let user = |password: &str| {
        let rule = format!(">{password}");
        redis.command::<()>(&["ACL", "SETUSER", "depot", "on", "resetpass", &rule, "~*", "&*", "+@all"]);
        let _ended: u64 = redis.command(&["CLIENT", "KILL", "USER", "depot"]);
    };
    user("first");
    let mut bot = TestBot::prepared(Clock::system(), Behind::Sqlite, &OPEN).await;
    bot.set("REDIS_URL", &format!("{}?user=depot&pass=first", redis.url()));
    bot.resume().await;
    primary(&bot, "redis", "ok").await;
    let mut storm = Storm::over(&bot, PEOPLE);
    storm.goes_on(SOME).await;
    user("second");
    primary(&bot, "sqlite", "degraded").await;
    lasts(&storm, Duration::from_secs(if soaks() { 60 } else { 0 })).await;
    user("first");
    storm.recovers(primary(&bot, "redis", "ok")).await;
    storm.goes_on(SOME).await;
    storm.ends("F25", &bot).await;
}

/// F26: it goes and comes: each return takes longer to be believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_redis_flaps() {
    let bot = bot_on(RedisServer::start()).await;
    let storm = Storm::over(&bot, PEOPLE);
    let (before, began) = (epoch(&bot).await, tokio::time::Instant::now());
    for _ in 0..if soaks() { 150 } else { 3 } {
        bot.redis.as_ref().unwrap().pause();
        tokio::time::sleep(Duration::from_secs(2)).await;
        bot.redis.as_ref().unwrap().resume();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    // Two changes for each time that Redis was believed again: after 5 s without a fault, which it never is.
    let changes = epoch(&bot).await - before;
    let windows = began.elapsed().as_secs() / 5 + 1;
    assert!(changes <= windows, "{changes} changes in {:?}", began.elapsed());
    primary(&bot, "redis", "ok").await;
    storm.goes_on(SOME).await;
    storm.ends(&format!("F26 ({changes} changes of epoch)"), &bot).await;
}
