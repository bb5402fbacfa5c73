//! The process is killed at each named point of the flow (K1–K10 of the fault matrix) and started again: the conversation
//! goes on, and no deposit is missing or doubled.
//!
//! The points exist in a build with feature `failpoints` only, which `tests/run.sh` asks for.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use depot_bot::clock::Clock;
use depot_bot::simulator::{Options, Simulator, UserProfile};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use crate::servers::RedisServer;

const TOKEN: &str = "4242:AAcrash_token_0123456789_abcdefghijkl";

/// The points, and what the process was about to do or had just done there.
const POINTS: [(&str, &str); 10] = [
    ("update_received", "K1: an update was received, nothing done"),
    ("commit_sent", "K2: a commit is about to be sent"),
    ("commit_applied", "K3: the store applied a commit, nobody knows"),
    ("committed", "K4: committed, not acknowledged"),
    ("effect_claimed", "K5: the lane is taken, its effect not begun"),
    ("request_written", "K6: a request is on its way to Telegram"),
    ("response_unread", "K7: Telegram has answered, unread"),
    ("response_read", "K8: the answer was read, not committed"),
    ("understood", "K9: a note was understood, not committed"),
    ("ledger_written", "K10: the ledger has the deposit, the session does not know"),
];

#[test]
fn this_build_has_the_failpoints() {
    if !cfg!(feature = "failpoints") {
        panic!("run the tests by tests/run.sh, or with --features failpoints");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_loses_and_doubles_nothing() {
    let at_once = Arc::new(Semaphore::new(5));
    let mut runs = tokio::task::JoinSet::new();
    for (point, meaning) in POINTS {
        for (nth, with_redis) in [(1, false), (2, true), (3, false)] {
            let at_once = Arc::clone(&at_once);
            runs.spawn(async move {
                let _turn = at_once.acquire().await.unwrap();
                let what =
                    format!("{meaning}, time {nth}, {}", if with_redis { "on Redis" } else { "on SQLite" });
                survive(point, nth, with_redis).await.unwrap_or_else(|error| panic!("{what}: {error:#}"));
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

/// Three deposits by one person, with the process killed at `point` and started again by a supervisor.
async fn survive(point: &str, nth: u32, with_redis: bool) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let redis = with_redis.then(RedisServer::start);
    let telegram = Simulator::start(Options {
        clock: Clock::system(),
        token: Some(TOKEN.to_owned()),
        patience: Duration::from_secs(60),
        ..Options::default()
    })
    .await?;
    let database = folder.path().join("depot.db");
    let start = |failpoint: &str| start(&telegram, &database, redis.as_ref(), failpoint);
    let mut restarted = None;
    let mut first = start(&format!("{point}:{nth}"));
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    let talk = async {
        for number in 1..=3 {
            user.says("une bouilloire, un kilo deux");
            user.sees_new("Valider").await?;
            user.taps("Valider")?;
            user.sees_new(&format!("Dépôt n°\u{a0}{number} enregistré")).await?;
        }
        anyhow::Ok(())
    };
    let supervise = async {
        let exit = first.wait().await?;
        anyhow::ensure!(exit.signal() == Some(nix::libc::SIGABRT), "the process ended by itself: {exit}");
        let exit = restarted.insert(start("")).wait().await?;
        anyhow::bail!("the process ended after its restart: {exit}")
    };
    tokio::select! {
        talked = talk => talked?,
        ended = supervise => ended?,
    }
    anyhow::ensure!(restarted.is_some(), "the failpoint was never reached");
    let completed = completed(&database).await?;
    anyhow::ensure!(completed == 3, "{completed} deposits are completed, and the user saw 3 confirmations");
    Ok(())
}

/// Starts the bot as a process of its own, which is killed when the handle goes.
fn start(telegram: &Simulator, database: &Path, redis: Option<&RedisServer>, failpoint: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_depot-bot"));
    command
        .arg("run")
        .env_clear()
        .env("TELEGRAM_BOT_TOKEN", TOKEN)
        .env("TELEGRAM_API_URL", telegram.url())
        .env("DATABASE_URL", format!("sqlite://{}", database.display()))
        .env("HTTP_BIND", "127.0.0.1:0")
        .env("ACCESS_MODE", "open")
        .env("RATE_LIMIT_PER_MINUTE", "0")
        .env("RUST_LOG", "error")
        .env("FAILPOINT", failpoint)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(redis) = redis {
        command.env("REDIS_URL", redis.url());
    }
    command.spawn().unwrap()
}

/// What `depot-bot deposits` lists as completed.
async fn completed(database: &Path) -> anyhow::Result<usize> {
    let listed = Command::new(env!("CARGO_BIN_EXE_depot-bot"))
        .args(["deposits", "--format", "jsonl"])
        .env_clear()
        .env("TELEGRAM_BOT_TOKEN", TOKEN)
        .env("DATABASE_URL", format!("sqlite://{}", database.display()))
        .output()
        .await?;
    let text = String::from_utf8(listed.stdout)?;
    let deposits: Vec<serde_json::Value> =
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(deposits.iter().filter(|deposit| deposit["status"] == "completed").count())
}
