//! The shared part of one simulation: random numbers, time, the journal, and the commits of each store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deposit::{BotId, ChatId, Recorded, UserId};
use depot_bot::clock::Clock;
use depot_bot::rng::Rng;
use session::SessionKey;
use tokio::time::Instant;

use super::chat::Room;
use super::model::{Engine, Kind};
use crate::stores::NOW;

pub(super) const BOT: BotId = BotId(1);

/// A fault seeded in the model itself: the simulation must go red with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// Everything is as it should be.
    None,
    /// SQL and Redis overwrite any version.
    IgnoresVersions,
    /// The mirror says that it has written, and has not.
    MirrorLies,
    /// Every instance takes itself for the sole member, and waits for no other at a failover.
    WaitsForNobody,
    /// Updates are acknowledged before their commit.
    AcknowledgesEarly,
    /// The ledger writes a row that it has already.
    RecordsTwice,
    /// Redis comes back from a restart or a roll-back as if nothing had happened.
    TrustsAnyRun,
    /// Sessions expire while updates wait.
    ExpiresAlways,
}

/// Epoch, version and mark.
pub(super) type Stamp = (u64, u64, u64);

/// An update that Telegram was told is done.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) key: SessionKey,
    pub(super) update: i64,
    /// When Telegram got it, when the first handling that succeeded began, and when Telegram was told.
    pub(super) sent: Duration,
    pub(super) began: Duration,
    pub(super) at: Duration,
    /// It came as a message, with the time at which it was written.
    pub(super) is_message: bool,
    /// The words that must end up in a deposit.
    pub(super) note: Option<String>,
    /// The document that has it, if anything had to be committed for it.
    pub(super) stamp: Option<Stamp>,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) journal: Vec<String>,
    /// Each commit that a store has applied, and the one that it replaced.
    pub(super) commits: BTreeMap<(SessionKey, Stamp), Option<Stamp>>,
    pub(super) acknowledged: Vec<Acknowledged>,
    /// The rows of the ledger, in the order of their recording.
    pub(super) ledger: Vec<(SessionKey, Recorded, Duration)>,
    /// How often a note was not understood.
    pub(super) misunderstood: BTreeMap<String, u32>,
    pub(super) rooms: BTreeMap<i64, Room>,
    /// Updates that Telegram has and was not told are done.
    pub(super) waiting: usize,
    /// The causes of possible repeats: unknown outcomes in the chat, instances that died.
    pub(super) repeats: usize,
    /// Until then Redis loses nothing, because SQL may lack acknowledged commits.
    pub(super) calm_until: Duration,
    /// An instance is gone that knew of commits which Redis alone had.
    pub(super) is_witness_gone: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) clock: Clock,
    pub(super) began: Instant,
    pub(super) mutation: Mutation,
    /// Commands take a moment, in which something else may happen.
    pub(super) takes_time: bool,
    pub(super) ttl: Duration,
    /// All users act at once, while their previous actions are still being committed.
    pub(super) is_hasty: bool,
    pub(super) sql: Arc<Engine>,
    pub(super) redis: Arc<Engine>,
    pub(super) chat: Arc<Engine>,
    /// The journal is printed as it is written.
    is_loud: bool,
    seen: Mutex<Seen>,
}

impl World {
    pub(super) fn new(seed: u64, mutation: Mutation) -> Self {
        let rng = Rng::seeded(seed);
        let ttl = Duration::from_millis(3_000 + rng.number() % 5_000);
        Self {
            rng,
            clock: Clock::tokio(NOW),
            began: Instant::now(),
            mutation,
            takes_time: true,
            ttl,
            is_hasty: seed % 4 == 3,
            sql: Arc::new(Engine::new(Kind::Sql)),
            redis: Arc::new(Engine::new(Kind::Redis)),
            chat: Arc::new(Engine::new(Kind::Chat)),
            is_loud: super::number_of("DEPOT_SEED").is_some(),
            seen: Mutex::default(),
        }
    }

    /// One in which nothing happens by itself.
    pub(super) fn calm() -> Self {
        Self { takes_time: false, ..Self::new(0, Mutation::None) }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// How much time has passed.
    pub(super) fn time(&self) -> Duration {
        self.began.elapsed()
    }

    #[expect(clippy::print_stderr, reason = "somebody replays a seed to read it")]
    pub(super) fn note(&self, line: impl std::fmt::Display) {
        let line = format!("{:>6} {line}", self.time().as_millis());
        if self.is_loud {
            eprintln!("{line}");
        }
        self.seen().journal.push(line);
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.rng.number() % bound
    }

    pub(super) fn happens(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }
}

/// The session of a user.
pub(super) fn key(person: i64) -> SessionKey {
    SessionKey { bot: BOT, chat: ChatId(person), user: UserId(person) }
}
