//! Signals at bad moments: F71, F72.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bot_api_simulator::{Fault, Happened, Rule, Simulator, Tap, User, UserProfile};
use nix::sys::signal::Signal;
use sqlx::{Connection as _, SqliteConnection};

use crate::faults::{deposits, describes};
use crate::oracle::measured;
use crate::process::{Process, get, listed, telegram, variables};
use crate::proxy::{FaultProxy, Line};
use crate::servers::RedisServer;

/// After this long an orchestrator kills.
const LIMIT: Duration = Duration::from_secs(25);
/// The button by which a stranger asks to be let in.
const ASKS: &str = "Demander l'accès";

struct Stage {
    telegram: Simulator,
    variables: HashMap<String, String>,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
        let variables = variables(&telegram, folder.path());
        Self { telegram, variables, folder }
    }

    fn user(&self, id: i64) -> User {
        self.telegram.user(UserProfile::new(id, "Camille", "fr"))
    }

    /// Waits until the bot has the tap.
    async fn has(&self, tap: &Tap) {
        let delivered = |it: &Simulator| {
            let wanted = Happened::Delivered { update_id: tap.update_ids[0] };
            it.journal().iter().any(|entry| entry.what == wanted)
        };
        self.telegram.wait_for("the tap to be fetched", delivered).await.unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Starts the bot again, and the deposit of user 7 is confirmed once.
    async fn goes_on(&self, deposits: usize) {
        let _second = Process::start(&self.variables).await;
        self.user(7).sees(&format!("Dépôt n°\u{a0}{deposits} enregistré")).await.unwrap();
        assert_eq!(listed(&self.variables).await.get("completed"), Some(&deposits));
    }
}

/// SIGTERM ends it in time, with status 0.
async fn stops(bot: &mut Process) {
    let told = Instant::now();
    bot.signal(Signal::SIGTERM);
    let status = bot.ended().await;
    assert!(told.elapsed() < LIMIT, "it took {:?}", told.elapsed());
    assert_eq!(status.code(), Some(0), "{}", bot.lines.join("\n"));
    measured(&format!("F71: stopped within {} ms", told.elapsed().as_millis()));
}

/// F71: with nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f71_sigterm_when_idle() {
    let stage = Stage::new().await;
    let mut bot = Process::start(&stage.variables).await;
    deposits(&stage.user(7)).await;
    stops(&mut bot).await;
    stage.goes_on(1).await;
}

/// F71: while Redis has the commit and the answer is on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f71_sigterm_in_the_middle_of_a_commit() {
    let mut stage = Stage::new().await;
    let redis = RedisServer::start();
    let proxy = FaultProxy::to_unix(&redis.socket()).await.unwrap();
    stage.set("REDIS_URL", &format!("redis://{}", proxy.address()));
    let mut bot = Process::start(&stage.variables).await;
    let user = stage.user(7);
    describes(&user).await;
    let slow = Duration::from_millis(300);
    proxy.set(Line::Slow { least: slow, jitter: Duration::ZERO });
    user.taps("Valider").unwrap();
    let delayed = proxy.done().delayed;
    while proxy.done().delayed == delayed {
        tokio::task::yield_now().await;
    }
    stops(&mut bot).await;
    proxy.set(Line::Clear);
    stage.goes_on(1).await;
}

async fn lock(folder: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}/depot.db", folder.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("begin exclusive").execute(&mut other).await.unwrap();
    other
}

/// F71: while the ledger is locked, so that the recording (and here the commit too) waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f71_sigterm_in_the_middle_of_a_recording() {
    for with_redis in [false, true] {
        let mut stage = Stage::new().await;
        let redis = with_redis.then(RedisServer::start);
        if let Some(redis) = &redis {
            stage.set("REDIS_URL", &redis.url());
        }
        let mut bot = Process::start(&stage.variables).await;
        let user = stage.user(7);
        describes(&user).await;
        let mut other = lock(stage.folder.path()).await;
        let tap = user.taps("Valider").unwrap();
        if with_redis {
            // The commit is in Redis, the deposit is not in the ledger.
            user.wait("the tap's answer", |chat| chat.toast_of_last_tap().cloned()).await.unwrap();
        } else {
            stage.has(&tap).await;
        }
        stops(&mut bot).await;
        sqlx::query("commit").execute(&mut other).await.unwrap();
        stage.goes_on(1).await;
    }
}

/// F71: while a message to another user is on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f71_sigterm_in_the_middle_of_a_delivery() {
    let mut stage = Stage::new().await;
    stage.set("ACCESS_MODE", "approval");
    stage.set("ADMIN_TELEGRAM_IDS", "1");
    let mut bot = Process::start(&stage.variables).await;
    let (admin, stranger) = (stage.user(1), stage.user(9));
    admin.starts("");
    admin.sees_new("Bonjour").await.unwrap();
    stranger.says("bonjour");
    stranger.sees_new(ASKS).await.unwrap();
    let slow = Fault::Delay(Duration::from_secs(2));
    stage.telegram.faults(|faults| faults.add(Rule::next(1, slow).on("sendMessage").in_chat(1)));
    stranger.taps(ASKS).unwrap();
    // It is on its way.
    while !stage.telegram.faults(|faults| faults.have_struck()) {
        tokio::task::yield_now().await;
    }
    stops(&mut bot).await;
    admin.sees("Demande d'accès").await.unwrap();
    let url = format!("sqlite://{}/depot.db", stage.folder.path().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let (waiting,): (i64,) = sqlx::query_as("select count(*) from deliveries where sent_at is null")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(waiting, 0, "who was told is not told again after the next start");
}

/// F71: while Redis is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f71_sigterm_during_an_outage_of_redis() {
    let mut stage = Stage::new().await;
    let mut redis = RedisServer::durable();
    stage.set("REDIS_URL", &redis.url());
    let mut bot = Process::start(&stage.variables).await;
    let user = stage.user(7);
    describes(&user).await;
    redis.kill();
    let tap = user.taps("Valider").unwrap();
    stage.has(&tap).await;
    stops(&mut bot).await;
    redis.restart();
    stage.goes_on(1).await;
}

/// F72: SIGINT is as SIGTERM; SIGHUP ends the process as a crash does, and nothing is lost by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f72_sigint_stops_in_order_and_sighup_is_no_worse_than_a_crash() {
    let stage = Stage::new().await;
    let mut bot = Process::start(&stage.variables).await;
    deposits(&stage.user(7)).await;
    bot.signal(Signal::SIGINT);
    assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.lines.join("\n"));
    let mut bot = Process::start(&stage.variables).await;
    let user = stage.user(7);
    describes(&user).await;
    user.taps("Valider").unwrap();
    bot.signal(Signal::SIGHUP);
    assert!(!bot.ended().await.success());
    stage.goes_on(2).await;
}

/// F72: SIGTERM before the bot is started: while PostgreSQL accepts the connection and does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f72_sigterm_during_the_start_ends_it() {
    let mut stage = Stage::new().await;
    let hole = FaultProxy::to_tcp("127.0.0.1:9").await.unwrap();
    hole.set(Line::BlackHole);
    let stored = stage.variables.get("DATABASE_URL").cloned().unwrap();
    stage.set("DATABASE_URL", &format!("postgres://depot@{}/depot?sslmode=disable", hole.address()));
    let mut bot = Process::spawn(&stage.variables);
    while hole.done().accepted == 0 {
        tokio::task::yield_now().await;
    }
    let told = Instant::now();
    bot.signal(Signal::SIGTERM);
    let status = bot.ended().await;
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert_eq!(status.code(), Some(0), "{}", bot.lines.join("\n"));
    stage.set("DATABASE_URL", &stored);
    let bot = Process::start(&stage.variables).await;
    assert_eq!(get(&bot.http, "/health/live").await.0, 200);
}
