//! Outages as users see them: Redis stopped in mid-conversation, both engines away, the disk full, the bot
//! itself frozen: the acceptance, F06, F30, F38.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use bot_api_simulator::{Simulator, UserProfile};
use depot_bot::clock::Clock;
use nix::sys::signal::Signal;
use tokio::task::block_in_place;

use crate::bot::{Behind, TestBot};
use crate::faults::storm::{Storm, primary, quantile};
use crate::faults::{deposits_patiently, describes, holds_what_was_seen};
use crate::oracle::{measured, soaks};
use crate::process::{Process, get, listed, listed_by, telegram, until, variables};
use crate::servers::{PostgresServer, RedisServer, postgres_database};

const OPEN: [(&str, &str); 1] = [("ACCESS_MODE", "open")];

/// The acceptance: Redis stops between a card and the tap on it; the tap is answered, readiness says `degraded`; Redis
/// starts, is the primary again, and the session that was open all the while goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stops_in_mid_conversation_and_the_next_tap_is_answered() {
    let (mut answers, mut confirmations, mut returns) = (Vec::new(), Vec::new(), Vec::new());
    for behind in [Behind::SqliteAndRedis, Behind::PostgresAndRedis] {
        let mut bot = TestBot::on(Clock::system(), behind, &OPEN).await;
        let sql = if behind == Behind::SqliteAndRedis { "sqlite" } else { "postgres" };
        let (user, other) = (bot.user(7), bot.user(8));
        primary(&bot, "redis", "ok").await;
        for round in 0..if soaks() { 8 } else { 1 } {
            describes(&user).await;
            describes(&other).await;
            block_in_place(|| bot.redis.as_mut().unwrap().kill());
            let tapped = Instant::now();
            user.taps("Valider").unwrap();
            user.toast().await.unwrap();
            answers.push(tapped.elapsed());
            user.sees_new("enregistré").await.unwrap();
            confirmations.push(tapped.elapsed());
            primary(&bot, sql, "degraded").await;
            block_in_place(|| bot.redis.as_mut().unwrap().restart());
            let started = Instant::now();
            primary(&bot, "redis", "ok").await;
            returns.push(started.elapsed());
            other.taps("Valider").unwrap();
            other.sees_new("enregistré").await.unwrap();
            holds_what_was_seen(&bot, 7, round + 1).await;
            holds_what_was_seen(&bot, 8, round + 1).await;
            if soaks() {
                // So that each round is an outage of its own, not a flap.
                tokio::time::sleep(Duration::from_secs(61)).await;
            }
        }
    }
    measured(&format!(
        "acceptance | {} outages | tap answered p50 {} max {} ms | confirmed p50 {} max {} ms | primary again p50 {} max {} ms",
        answers.len(),
        quantile(&answers, 0.5),
        quantile(&answers, 1.0),
        quantile(&confirmations, 0.5),
        quantile(&confirmations, 1.0),
        quantile(&returns, 0.5),
        quantile(&returns, 1.0),
    ));
    // Ten times the promised limit: this machine may be busy with the other tests.
    assert!(quantile(&answers, 1.0) < 20_000 && quantile(&returns, 1.0) < 150_000);
}

/// F38: Redis and SQL away: nothing is acknowledged, and everything comes from Telegram's queue when one is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f38_with_both_stores_away_nothing_is_acknowledged_and_nothing_lost() {
    let mut postgres = PostgresServer::start();
    let mut bot = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, &OPEN).await;
    bot.set("DATABASE_URL", &postgres.database());
    bot.resume().await;
    primary(&bot, "redis", "ok").await;
    let people: Vec<_> = (1..=20).map(|id| bot.user(id)).collect();
    for user in &people {
        describes(user).await;
    }
    let quiet = |it: &Simulator| it.pending_updates() == 0;
    bot.telegram.wait_for("everything to be acknowledged", quiet).await.unwrap();
    block_in_place(|| {
        bot.redis.as_mut().unwrap().kill();
        postgres.kill();
    });
    for user in &people {
        user.taps("Valider").unwrap();
    }
    until(&bot.app().http.to_string(), "/health/ready", 503).await;
    if soaks() {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(bot.telegram.pending_updates(), 20, "nothing is acknowledged");
    let began = Instant::now();
    block_in_place(|| {
        postgres.restart();
        bot.redis.as_mut().unwrap().restart();
    });
    for user in &people {
        user.sees_new("enregistré").await.unwrap();
    }
    let recovered = began.elapsed();
    primary(&bot, "redis", "ok").await;
    bot.telegram.wait_for("everything to be acknowledged", quiet).await.unwrap();
    for user in &people {
        holds_what_was_seen(&bot, user.id(), 1).await;
    }
    measured(&format!(
        "F38 | 20 taps waited | 0 lost, 0 doubled | all confirmed {} ms after the start",
        recovered.as_millis()
    ));
}

/// F30: the disk of the ledger is full: intake stops and nothing is acknowledged that is not kept; freed, it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f30_the_disk_of_the_ledger_is_full() {
    for disk in Disk::kinds() {
        for with_redis in [false, true] {
            let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
            let mut variables = variables(&telegram, folder.path());
            let redis = with_redis.then(RedisServer::start);
            if let Some(redis) = &redis {
                variables.insert("REDIS_URL".to_owned(), redis.url());
            }
            let path = folder.path().to_str().unwrap();
            let mut bot = Process::start_by(&disk.wrapper(path), &variables).await;
            let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
            deposits_patiently(&user).await;
            disk.fill(&bot, path);
            user.says("deux chaises, trois kilos");
            until(&bot.http, "/health/ready", 503).await;
            assert_eq!(get(&bot.http, "/health/live").await.0, 200);
            assert!(telegram.pending_updates() > 0, "nothing is acknowledged");
            disk.free(&bot, path);
            user.sees("chaises").await.unwrap();
            until(&bot.http, "/health/ready", 200).await;
            user.taps("Valider").unwrap();
            user.sees_new("enregistré").await.unwrap();
            let id = bot.id().to_string();
            let completed = listed_by(&disk.entry(&id), &variables).await.remove("completed");
            assert_eq!(completed, Some(2), "{disk:?}, Redis {with_redis}");
            bot.signal(Signal::SIGTERM);
            assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.lines.join("\n"));
            measured(&format!("F30 | {disk:?}, Redis {with_redis} | 0 lost, 0 doubled"));
        }
    }
}

/// How a disk comes to be full.
#[derive(Clone, Copy, Debug)]
enum Disk {
    /// A file system of 3 MB that only the bot sees (ENOSPC).
    Small,
    /// The bot may not write beyond the first byte of any file (EFBIG).
    Forbidden,
}

impl Disk {
    /// Not every machine lets a user make a file system.
    fn kinds() -> Vec<Self> {
        let mut kinds = vec![Self::Forbidden];
        let may_mount =
            Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        if may_mount.is_ok_and(|output| output.status.success()) {
            kinds.push(Self::Small);
        } else {
            measured("F30 | this machine lets nobody mount a file system: only EFBIG is played");
        }
        kinds
    }

    fn wrapper(self, path: &str) -> Vec<&str> {
        match self {
            Self::Small => {
                let script = "mount -t tmpfs -o size=3m tmpfs \"$0\" && exec \"$@\"";
                vec!["unshare", "-Urm", "sh", "-c", script, path]
            }
            Self::Forbidden => vec!["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"],
        }
    }

    /// The command that lets another process see the disk of this one.
    fn entry(self, id: &str) -> Vec<&str> {
        match self {
            Self::Small => vec!["nsenter", "--preserve-credentials", "-U", "-m", "-t", id],
            Self::Forbidden => Vec::new(),
        }
    }

    fn fill(self, bot: &Process, path: &str) {
        match self {
            Self::Small => {
                let mut file = std::fs::File::create(ballast(bot, path)).unwrap();
                let error = loop {
                    if let Err(error) = file.write_all(&[0; 4_096]) {
                        break error;
                    }
                };
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
            }
            Self::Forbidden => limit_files(bot, "1"),
        }
    }

    fn free(self, bot: &Process, path: &str) {
        match self {
            Self::Small => std::fs::remove_file(ballast(bot, path)).unwrap(),
            Self::Forbidden => limit_files(bot, "unlimited"),
        }
    }
}

fn ballast(bot: &Process, path: &str) -> String {
    format!("/proc/{}/root{path}/ballast", bot.id())
}

fn limit_files(bot: &Process, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let status = Command::new("prlimit").args(["--pid", &bot.id().to_string(), &limit]).status().unwrap();
    assert!(status.success());
}

/// F06: the bot is frozen for longer than its leases, in the middle of everything, and thawed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f06_the_bot_is_frozen_and_thawed() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    let redis = RedisServer::start();
    variables.insert("REDIS_URL".to_owned(), redis.url());
    let mut bot = Process::start(&variables).await;
    let people: Vec<_> = (1..=6).map(|id| telegram.user(UserProfile::new(id, "Camille", "fr"))).collect();
    let storm = Storm::begin(people.iter().cloned());
    // The right to use Redis is good for 1 s, a lane for 15 s; users wait for a minute.
    for seconds in if soaks() { &[20, 45][..] } else { &[2, 3] } {
        storm.goes_on(6).await;
        bot.signal(Signal::SIGSTOP);
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        bot.signal(Signal::SIGCONT);
    }
    storm.goes_on(6).await;
    let deposits = storm.calms_down().await;
    bot.signal(Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.lines.join("\n"));
    assert_eq!(listed(&variables).await.get("completed"), Some(&deposits), "none lost, none doubled");
    measured(&format!("F06 | {deposits} deposits | 0 lost, 0 doubled"));
}

/// F06: two instances on PostgreSQL and Redis; one is frozen, the other goes on, and the first is thawed: the lanes
/// and leases that it still holds count for nothing. Both poll, so Telegram tells each of the other all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f06_one_of_two_instances_is_frozen_and_thawed() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let (redis, database) = (RedisServer::start(), postgres_database());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("REDIS_URL".to_owned(), redis.url());
    variables.insert("DATABASE_URL".to_owned(), database);
    let mut first = Process::start(&variables).await;
    let people: Vec<_> = (1..=6).map(|id| telegram.user(UserProfile::new(id, "Camille", "fr"))).collect();
    let storm = Storm::begin(people.iter().cloned());
    storm.goes_on(6).await;
    let mut second = Process::start(&variables).await;
    for seconds in if soaks() { &[20, 90][..] } else { &[2, 3] } {
        storm.goes_on(6).await;
        first.signal(Signal::SIGSTOP);
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        first.signal(Signal::SIGCONT);
        storm.goes_on(6).await;
        second.signal(Signal::SIGSTOP);
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        second.signal(Signal::SIGCONT);
    }
    storm.goes_on(6).await;
    let deposits = storm.calms_down().await;
    for bot in [&mut first, &mut second] {
        bot.signal(Signal::SIGTERM);
        assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.lines.join("\n"));
    }
    assert_eq!(listed(&variables).await.get("completed"), Some(&deposits), "none lost, none doubled");
    measured(&format!("F06, two instances | {deposits} deposits | 0 lost, 0 doubled"));
}
