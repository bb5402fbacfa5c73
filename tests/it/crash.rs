//! The process is killed at each named point of the flow (K1–K15 of the fault matrix), again and again, while users go
//! on: the oracle finds nothing missing, doubled or forgotten.
//!
//! 20 times on each engine; with `DEPOT_SOAK=1` 200 times, and on PostgreSQL too. The points exist in a build with feature
//! `failpoints` only, which `tests/run.sh` asks for.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use bot_api_simulator::User;
use futures_util::{StreamExt as _, stream};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::timeout;

use crate::bot::Behind;
use crate::oracle::harness::Harness;
use crate::oracle::personas::{Crowd, as_usual, asks_to_be_let_in, forgets, lets_in, speaks};
use crate::oracle::{Report, judge, measured, seed, soaks};
use crate::process::Process;
use crate::remote::Server;

/// How many scenarios run at once.
const AT_ONCE: usize = 8;
/// How long it takes at most until a point is reached.
const PATIENCE: Duration = Duration::from_secs(50);
/// The first of the users without access.
const STRANGERS: i64 = 10_000;

/// The way to a point, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// People deposit.
    Deposits,
    /// They send voice notes, which are transcribed.
    Speaks,
    /// Strangers ask to be let in, which an admin is told.
    Asks,
    /// Users abandon their deposits.
    Forgets,
    /// Redis is emptied while users deposit, so that it is copied anew.
    Copies,
    /// The bot is told to stop while users deposit.
    Stops,
}

/// A point, the step of the process there, how often it is passed at most before it is the
/// end, and the way to it.
struct Point(&'static str, &'static str, u32, Way);

const POINTS: [Point; 17] = [
    Point("update_received", "K1: an update was received, nothing done", 6, Way::Deposits),
    Point("commit_sent", "K2: a commit is about to be sent", 12, Way::Deposits),
    Point("commit_applied", "K3: the store applied a commit, nobody knows", 12, Way::Deposits),
    Point("committed", "K4: committed, not acknowledged", 6, Way::Deposits),
    Point("effect_claimed", "K5: the lane is taken, its effect not begun", 8, Way::Deposits),
    Point("request_written", "K6: a request is on its way to Telegram", 30, Way::Deposits),
    Point("response_unread", "K7: Telegram has answered, unread", 30, Way::Deposits),
    Point("response_read", "K8: the answer was read, not committed", 30, Way::Deposits),
    Point("transcribed", "K9: a recording was put into words, not committed", 3, Way::Speaks),
    Point("understood", "K9: a note was understood, not committed", 3, Way::Deposits),
    Point("ledger_written", "K10: the ledger has the deposit, the session does not know", 3, Way::Deposits),
    Point("mirror_due", "K11: Redis has it, SQL not", 8, Way::Deposits),
    Point("mirrored", "K11: SQL has it, nobody is told", 8, Way::Deposits),
    Point("delivered_unread", "K12: another person was told, not noted", 3, Way::Asks),
    Point("timer_claimed", "K13: a session has expired, nobody is told", 3, Way::Forgets),
    Point("copying", "K14: conversations are being copied to Redis", 4, Way::Copies),
    Point("draining", "K15: told to stop, not all is written", 1, Way::Stops),
];

#[test]
fn this_build_has_the_failpoints() {
    if !cfg!(feature = "failpoints") {
        panic!("run the tests by tests/run.sh, or with --features failpoints");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_loses_and_doubles_nothing() {
    let (seed, kills) = (seed(), if soaks() { 200 } else { 20 });
    let began = Instant::now();
    measured(&format!("DEPOT_SEED={seed}"));
    let played = (0..).zip(&POINTS).flat_map(|(index, point)| {
        let engines = [Behind::Sqlite, Behind::SqliteAndRedis, Behind::PostgresAndRedis];
        engines.map(|behind| (index, point, behind))
    });
    let runs = played.filter(|(_, point, behind)| is_played(point, *behind)).map(|(index, point, behind)| {
        let seed = seed ^ (index << 8) ^ behind as u64;
        async move {
            let report = survives(point, behind, kills, StdRng::seed_from_u64(seed)).await;
            let clean = report.and_then(|report| report.verdict().map(|()| report));
            (point, behind, clean)
        }
    });
    let mut runs = stream::iter(runs).buffer_unordered(AT_ONCE);
    let (mut confirmed, mut scenarios, mut wrong) = (0, 0, Vec::new());
    while let Some((Point(_, meaning, ..), behind, clean)) = runs.next().await {
        match clean {
            Ok(report) => {
                confirmed += report.confirmed;
                measured(&format!("| {meaning} | {behind:?} | {kills} kills | {report} |"));
            }
            Err(error) => {
                measured(&format!("{meaning}, on {behind:?}: {error:#}"));
                wrong.push(format!("{meaning}, on {behind:?}: {error:#}"));
            }
        }
        scenarios += 1;
    }
    assert!(wrong.is_empty(), "DEPOT_SEED={seed}\n{}", wrong.join("\n\n"));
    let kills = scenarios * kills;
    measured(&format!("F01: {kills} kills, {confirmed} deposits, 0 violations, {:?}", began.elapsed()));
}

fn is_played(Point(name, _, _, way): &Point, behind: Behind) -> bool {
    let needs_redis = *way == Way::Copies || name.starts_with("mirror");
    match behind {
        Behind::Sqlite => !needs_redis,
        Behind::SqliteAndRedis => true,
        Behind::PostgresAndRedis => soaks(),
        Behind::Postgres => false,
    }
}

/// So many kills at one point while two or three users go on.
async fn survives(point: &Point, behind: Behind, kills: usize, mut rng: StdRng) -> anyhow::Result<Report> {
    let Point(name, _, nth, way) = *point;
    // Leases last 15 s, those of deliveries three minutes.
    let mut harness = Harness::new(behind, if way == Way::Asks { 60 } else { 10 }).await;
    harness.people = 3;
    let ear = Server::start().await;
    ear.hears("une bouilloire, un kilo deux");
    match way {
        Way::Forgets => harness.set("SESSION_TTL_SECONDS", "10"),
        Way::Asks => {
            harness.set("ACCESS_MODE", "approval");
            harness.set("ADMIN_TELEGRAM_IDS", "1");
            // An admin's decision is in the table of requests, and strangers have no session.
            harness.strangers_from = 1;
        }
        Way::Speaks => {
            harness.set("STT_BASE_URL", &ear.url);
            harness.set("STT_MODEL", "whisper-small");
        }
        Way::Deposits | Way::Copies | Way::Stops => {}
    }
    let admin = harness.user(1);
    if way == Way::Asks {
        admin.starts("");
    }
    let strangers = harness.strangers();
    let mut crowd = Crowd::gather(&harness, move |user: User, round: usize| {
        let strangers = strangers.clone();
        async move {
            match way {
                Way::Deposits | Way::Copies | Way::Stops => as_usual(user, round).await,
                Way::Speaks => speaks(&user).await,
                Way::Forgets => forgets(&user).await,
                Way::Asks if user.id() == 1 => lets_in(&user).await,
                Way::Asks => asks_to_be_let_in(&strangers, STRANGERS + 1_000 * user.id(), round).await,
            }
        }
    });
    for kill in 1..=kills {
        let failpoint = format!("{name}:{}", rng.random_range(1..=nth));
        let mut bot = harness.spawn(&[("FAILPOINT", &failpoint)]);
        let ends = async {
            ends_at_the_point(&harness, way, &mut bot, &mut rng).await;
            timeout(PATIENCE, bot.ended()).await
        };
        let exit = tokio::select! {
            error = crowd.complains() => {
                let found = judge(&harness.evidence().await).verdict();
                return Err(error.context(format!("before end {kill}; {found:?}")));
            }
            exit = ends => exit,
        };
        let Ok(exit) = exit else {
            anyhow::bail!("{failpoint} is not reached, for end {kill}:\n{}", bot.tail())
        };
        anyhow::ensure!(
            exit.signal() == Some(nix::libc::SIGABRT),
            "it ended by itself: {exit}\n{}",
            bot.tail()
        );
        harness.died();
    }
    let bot = harness.start(&[]).await;
    crowd.goes_home().await?;
    Ok(harness.ends(bot, "ok").await)
}

/// Takes the way to the point, where users alone do not.
async fn ends_at_the_point(harness: &Harness, way: Way, bot: &mut Process, rng: &mut StdRng) {
    match way {
        Way::Deposits | Way::Speaks | Way::Asks | Way::Forgets => {}
        Way::Copies => loop {
            let some = Duration::from_millis(rng.random_range(100..600));
            if timeout(some, bot.ended()).await.is_ok() {
                return;
            }
            harness.empty_redis();
        },
        Way::Stops => {
            bot.says("the bot is started").await;
            let shown = |it: &bot_api_simulator::Simulator| it.calls("sendMessage");
            let goal = shown(&harness.telegram) + rng.random_range(1..8);
            harness.telegram.wait_for("some answers", |it| shown(it) >= goal).await.unwrap();
            bot.signal(Signal::SIGTERM);
        }
    }
}

/// K15: the schema is half-way to where this release wants it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_a_migration_leaves_a_database_that_the_next_start_brings_to_its_end() {
    let kills = if soaks() { 200 } else { 20 };
    for behind in [Behind::Sqlite, Behind::Postgres] {
        for _ in 0..kills {
            let harness = Harness::new(behind, 10).await;
            let mut bot = harness.spawn(&[("FAILPOINT", "migrating")]);
            assert_eq!(bot.ended().await.signal(), Some(nix::libc::SIGABRT));
            harness.died();
            let bot = harness.start(&[]).await;
            as_usual(harness.user(1), 0).await.unwrap();
            harness.ends(bot, "ok").await.verdict().unwrap();
        }
    }
}
