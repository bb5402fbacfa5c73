//! F02: the bot is killed at random moments under load, and Redis is killed, emptied, rolled back, restarted and frozen in
//! turn, while users go on; only the supervisor restarts a process, which is the bot (F10–F14, F18).
//!
//! A short form each time; with `DEPOT_SOAK=1` the whole: 50 users, 200 kills, each Redis fault many times, on both
//! engines. `DEPOT_SEED` repeats a run's dice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bot_api_simulator::{Entry, Fault, Happened, Rule};
use depot_bot::clock::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::{interval, timeout};

use crate::bot::Behind;
use crate::oracle::harness::Harness;
use crate::oracle::personas::{Crowd, as_usual};
use crate::oracle::{Report, measured, seed, soaks};
use crate::servers::AofCopy;

/// How large a run is.
struct Size {
    people: usize,
    kills: usize,
    /// How long Redis stands still or is away.
    outage: Duration,
    /// How much quicker than outside time passes: leases last 15 s.
    times: u32,
    /// How long a user rests between two deposits, in ms.
    rest: u64,
    /// With every how manieth kill a fault of Redis begins or ends.
    every: usize,
}

const SHORT: Size =
    Size { people: 10, kills: 8, outage: Duration::from_secs(2), times: 5, rest: 300, every: 1 };
const WHOLE: Size =
    Size { people: 50, kills: 200, outage: Duration::from_secs(10), times: 1, rest: 5_000, every: 2 };

/// The acceptance: after 60 s of quiet no user is left without an answer.
///
/// A user who wrote before the end of the last fault waits from that end on, others from their message on: so long on the bot's clock,
/// by which it waits for leases and tries again, so that a hastened clock makes nothing easier (in the short form it is
/// 12 s outside). Until all users have finished and no work is left it takes a minute outside: users finish
/// their deposits, and they rest and tap by the clock on the wall.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills_under_load_on_sqlite() {
    everything_goes_wrong(Behind::SqliteAndRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills_under_load_on_postgres() {
    everything_goes_wrong(Behind::PostgresAndRedis).await;
}

async fn everything_goes_wrong(behind: Behind) {
    let size = if soaks() { WHOLE } else { SHORT };
    let seed = seed();
    measured(&format!("{behind:?}: DEPOT_SEED={seed}"));
    let began = Instant::now();
    let mut harness = Harness::new(behind, size.times).await;
    harness.people = size.people;
    let unknown = Rule::sometimes(0.01, Fault::DropAfter).on("sendMessage");
    harness.telegram.faults(|faults| faults.add(unknown));
    let mut bot = harness.start(&[]).await;
    let rest = size.rest;
    let mut crowd = Crowd::gather(&harness, move |user, round| async move {
        let mut rests = interval(Duration::from_millis(rest + 37 * user.id().unsigned_abs() % 300));
        rests.tick().await;
        as_usual(user, round).await?;
        rests.tick().await;
        Ok(())
    });
    let (mut rng, mut trouble) = (StdRng::seed_from_u64(seed), Trouble::new(&size));
    let mut killed_at = Vec::new();
    for kill in 0..size.kills {
        // One life in eight is long enough for Redis to become the primary again.
        let life = if kill % 8 == 7 { 8_000..14_000 } else { 300..3_000 };
        let life = Duration::from_millis(rng.random_range(life));
        if let Ok(complaint) = timeout(life, crowd.complains()).await {
            trouble.ends(&harness).await;
            drop(crowd);
            let found = harness.ends(bot, "").await.verdict();
            panic!("DEPOT_SEED={seed}, before kill {kill}: {complaint:#}\n{found:?}");
        }
        killed_at.push(harness.now());
        harness.kill(&mut bot).await;
        trouble.goes_on(&harness, kill);
        bot = harness.start(&[]).await;
    }
    trouble.ends(&harness).await;
    harness.telegram.faults(bot_api_simulator::Faults::clear);
    let healed_at = harness.now();
    let went_home = crowd.goes_home().await;
    let report = harness.ends(bot, "ok").await;
    let rounds =
        went_home.unwrap_or_else(|error| panic!("DEPOT_SEED={seed}: {error:#}\n{:?}", report.verdict()));
    tell(behind, &size, &report, &harness.happened(), &killed_at, began.elapsed());
    report.verdict().unwrap_or_else(|error| panic!("DEPOT_SEED={seed}: {error:#}"));
    let waited = harness.longest_wait(healed_at);
    let settled = report.quiet_at.unwrap().since(healed_at) / size.times;
    measured(&format!(
        "{behind:?}: {rounds} rounds; after the last fault nobody waited longer than {waited:?} on the bot's clock for \
         an answer, and {settled:?} outside until nothing was left to do"
    ));
    assert!(waited <= ANSWERED_WITHIN, "DEPOT_SEED={seed}: somebody waited {waited:?} for an answer");
    assert!(settled <= ANSWERED_WITHIN, "DEPOT_SEED={seed}: {settled:?} until nothing was left to do");
}

/// The faults of Redis, in turn.
struct Trouble {
    outage: Duration,
    every: usize,
    /// Since when it is away or frozen, and which.
    since: Option<(Instant, Outage, Timestamp)>,
    turn: usize,
    aof: Option<AofCopy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    Killed,
    Frozen,
}

impl Trouble {
    fn new(size: &Size) -> Self {
        Self { outage: size.outage, every: size.every, since: None, turn: 0, aof: None }
    }

    /// With each kill of the bot: an outage that is over ends, or the next fault begins.
    fn goes_on(&mut self, harness: &Harness, kill: usize) {
        if let Some((since, outage, at)) = self.since {
            if since.elapsed() >= self.outage {
                self.since = None;
                heal(harness, outage, at);
            }
            return;
        }
        if !kill.is_multiple_of(self.every) {
            return;
        }
        self.turn += 1;
        let mut redis = harness.redis();
        match self.turn % 5 {
            1 => {
                self.aof = Some(redis.copy_aof());
                redis.pause();
                self.since = Some((Instant::now(), Outage::Frozen, harness.now()));
            }
            2 => redis.command::<()>(&["FLUSHALL"]),
            3 => redis.restart(),
            4 => {
                if let Some(aof) = &self.aof {
                    redis.roll_back(aof);
                }
            }
            _ => {
                redis.kill();
                self.since = Some((Instant::now(), Outage::Killed, harness.now()));
            }
        }
    }

    /// The last outage lasts as long as the others.
    async fn ends(&mut self, harness: &Harness) {
        if let Some((since, outage, at)) = self.since.take() {
            harness.comes(self.outage, async || since.elapsed() >= self.outage).await;
            heal(harness, outage, at);
        }
    }
}

fn heal(harness: &Harness, outage: Outage, since: Timestamp) {
    match outage {
        Outage::Killed => harness.redis().restart(),
        Outage::Frozen => harness.thaws_redis(since),
    }
}

/// The figures of the run.
fn tell(
    behind: Behind,
    size: &Size,
    report: &Report,
    journal: &[Entry],
    killed_at: &[Timestamp],
    took: Duration,
) {
    let is_seen = |entry: &&Entry| matches!(entry.what, Happened::Shown { .. } | Happened::Answered { .. });
    let seen: Vec<(i64, Timestamp)> = journal
        .iter()
        .filter(is_seen)
        .map(|entry| match &entry.what {
            Happened::Shown { chat, .. } | Happened::Answered { chat, .. } => (*chat, Timestamp(entry.at.0)),
            _ => (0, Timestamp(entry.at.0)),
        })
        .collect();
    let real = |duration: Duration| duration / size.times;
    let mut anybody: Vec<Duration> = killed_at
        .iter()
        .filter_map(|at| Some(real(seen.iter().find(|(_, seen)| seen > at)?.1.since(*at))))
        .collect();
    let mut asked: HashMap<i64, Timestamp> = HashMap::new();
    let mut everybody = Vec::new();
    // A user without an answer at a kill waits from then on.
    for entry in journal {
        match &entry.what {
            Happened::Enqueued { chat: Some(chat), .. } => {
                asked.entry(*chat).or_insert(Timestamp(entry.at.0));
            }
            Happened::Shown { chat, .. } | Happened::Answered { chat, .. } => {
                if let Some(asked_at) = asked.remove(chat) {
                    let kill = killed_at.iter().find(|at| **at >= asked_at && **at <= Timestamp(entry.at.0));
                    everybody.extend(kill.map(|at| real(Timestamp(entry.at.0).since(*at))));
                }
            }
            _ => {}
        }
    }
    let unknown = journal
        .iter()
        .filter(|entry| matches!(entry.what, Happened::Call { code: 0, applied: true, .. }))
        .count()
        + killed_at.len();
    measured(&format!(
        "F02 {behind:?}: {} people, {} kills in {took:?}: {report}; {} violations; first answer after a kill p50 {:?} \
         p99 {:?}; whoever waited then p50 {:?} p99 {:?} (of {}); {} repeats per 1000 unknown outcomes (of {unknown})",
        size.people,
        killed_at.len(),
        report.violations.len(),
        quantile(&mut anybody, 50),
        quantile(&mut anybody, 99),
        quantile(&mut everybody, 50),
        quantile(&mut everybody, 99),
        everybody.len(),
        report.duplicates * 1_000 / unknown.max(1),
    ));
}

fn quantile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    let index = (durations.len() * percent / 100).min(durations.len().saturating_sub(1));
    durations.get(index).copied().unwrap_or_default()
}
