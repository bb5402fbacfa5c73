//! The modelled stores: memory behind a connection that fails, freezes, loses replies and applies late.

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::memory::MemoryStore;
use depot_bot::store::StoreError;
use session::SessionKey;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::world::{BOT, Mutation, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sql,
    Redis,
    Chat,
}

/// The faults of the way to a server, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Connections are refused.
    Away,
    /// It takes commands and executes none; when it thaws it executes them.
    Frozen,
    /// It takes no writes: full, or read-only.
    ReadOnly,
    /// Some commands are lost, some replies are, and some commands come late.
    Lossy,
    /// Commands are executed, and some connections break before the reply.
    Breaks,
    /// Many documents at once do not come through.
    Narrow,
}

/// A server, for all its clients.
pub(super) struct Engine {
    pub(super) kind: Kind,
    pub(super) memory: MemoryStore,
    /// The fault, and the instance that alone has it.
    faults: Mutex<Vec<(Fault, Option<usize>)>>,
    changed: Notify,
    /// How often it was started: earlier commands are gone with their connection.
    starts: AtomicU64,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl Engine {
    pub(super) fn new(kind: Kind) -> Self {
        let memory = MemoryStore::new(BOT);
        memory.empty();
        Self { kind, memory, faults: Mutex::default(), changed: Notify::new(), starts: AtomicU64::new(1) }
    }

    pub(super) fn begin(&self, fault: Fault, only: Option<usize>) {
        self.faults.lock().unwrap().push((fault, only));
    }

    pub(super) fn end(&self, fault: Fault, only: Option<usize>) {
        let mut faults = self.faults.lock().unwrap();
        let index = faults.iter().position(|it| *it == (fault, only)).unwrap();
        faults.remove(index);
        drop(faults);
        self.changed.notify_waiters();
    }

    /// Starts it anew: every connection breaks. Returns its new name.
    pub(super) fn restart(&self) -> String {
        let run_id = format!("run {}", self.starts.fetch_add(1, Relaxed) + 1);
        self.changed.notify_waiters();
        run_id
    }

    pub(super) fn is_well(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }

    pub(super) fn fault(&self, instance: usize) -> Option<Fault> {
        let faults = self.faults.lock().unwrap();
        let here = faults.iter().filter(|(_, only)| only.is_none_or(|only| only == instance));
        here.map(|(fault, _)| *fault).min()
    }
}

/// A process, which may die or stand still at any await.
#[derive(Debug, Default)]
pub(super) struct Process {
    is_dead: AtomicBool,
    is_paused: AtomicBool,
    changed: Notify,
}

impl Process {
    pub(super) fn set(&self, dead: bool, paused: bool) {
        self.is_dead.store(dead, Relaxed);
        self.is_paused.store(paused, Relaxed);
        self.changed.notify_waiters();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Relaxed)
    }

    /// Returns when the process runs, which a dead one never does again.
    pub(super) async fn awake(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_dead() {
                pending::<()>().await;
            }
            if !self.is_paused.load(Relaxed) {
                return;
            }
            changed.await;
        }
    }

    pub(super) async fn died(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_dead() {
                return;
            }
            changed.await;
        }
    }
}

/// Why a command has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    Away,
    Unknown,
    Refused,
}

/// A server as one instance reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(super) world: Arc<World>,
    pub(super) engine: Arc<Engine>,
    pub(super) memory: MemoryStore,
    pub(super) instance: usize,
    pub(super) process: Arc<Process>,
    /// When the last command that was sent will not be executed any more.
    pub(super) busy_until: Arc<Mutex<Instant>>,
}

impl Model {
    pub(super) fn new(
        world: &Arc<World>,
        engine: &Arc<Engine>,
        instance: usize,
        process: &Arc<Process>,
    ) -> Self {
        Self {
            world: Arc::clone(world),
            engine: Arc::clone(engine),
            memory: engine.memory.beside(),
            instance,
            process: Arc::clone(process),
            busy_until: Arc::new(Mutex::new(Instant::now())),
        }
    }

    fn patience(&self, what: &str) -> Duration {
        Duration::from_millis(match (self.engine.kind, what) {
            (Kind::Redis, _) => 500,
            (Kind::Sql, "read cluster" | "heartbeat") => 700,
            (Kind::Sql, _) => 2_000,
            (Kind::Chat, _) => 3_000,
        })
    }

    /// Sends a command and waits for its reply; the faults and the random numbers decide its fate.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        writes: bool,
        act: impl FnOnce(&MemoryStore) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        if !self.world.takes_time {
            return Ok(act(&self.memory));
        }
        self.process.awake().await;
        let deadline = Instant::now() + self.patience(what);
        {
            let mut busy_until = self.busy_until.lock().unwrap();
            *busy_until = deadline.max(*busy_until);
        }
        let (starts, latency) = (self.engine.starts.load(Relaxed), self.world.millis(1, 4));
        let fault = self.engine.fault(self.instance);
        let outcome = match fault {
            Some(Fault::Away) => {
                sleep(Duration::from_millis(1)).await;
                Err(Lost::Away)
            }
            Some(Fault::ReadOnly) if writes => {
                sleep(latency).await;
                Err(Lost::Refused)
            }
            Some(Fault::Lossy) if self.world.happens(30) => self.unlucky(what, starts, deadline, act).await,
            Some(Fault::Breaks) if self.world.happens(30) => {
                let _reply = self.clone().serve(what, starts, latency, deadline, act).await;
                Err(Lost::Unknown)
            }
            Some(Fault::Narrow) if matches!(what, "restore" | "mirror") => {
                sleep_until(deadline).await;
                Err(Lost::Unknown)
            }
            Some(Fault::Lossy | Fault::Breaks | Fault::ReadOnly | Fault::Frozen | Fault::Narrow) | None => {
                let serving = tokio::spawn(self.clone().serve(what, starts, latency, deadline, act));
                match timeout_at(deadline, serving).await {
                    Ok(done) => done.unwrap().ok_or(Lost::Unknown),
                    Err(_) => Err(Lost::Unknown),
                }
            }
        };
        if let Err(lost) = &outcome {
            self.world.note(format_args!(
                "{} of {} {what}: {lost:?}",
                self.engine.kind.name(),
                self.instance
            ));
        }
        self.process.awake().await;
        outcome
    }

    /// The command, its reply or both come late or never.
    async fn unlucky<T: Send + 'static>(
        &self,
        what: &'static str,
        starts: u64,
        deadline: Instant,
        act: impl FnOnce(&MemoryStore) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let most = u64::try_from(2 * self.patience(what).as_millis()).unwrap();
        match self.world.below(4) {
            0 => return Err(Lost::Away),
            1 => {}
            _ => {
                let late = self.world.millis(1, most);
                tokio::spawn(self.clone().serve(what, starts, late, deadline, act));
            }
        }
        sleep_until(deadline).await;
        Err(Lost::Unknown)
    }

    /// The execution of a command by the server; none if it is too late, or the server has gone meanwhile.
    async fn serve<T>(
        self,
        what: &'static str,
        starts: u64,
        arrives_in: Duration,
        deadline: Instant,
        act: impl FnOnce(&MemoryStore) -> T + Send,
    ) -> Option<T> {
        sleep(arrives_in).await;
        loop {
            let changed = self.engine.changed.notified();
            if self.engine.fault(self.instance) != Some(Fault::Frozen) {
                break;
            }
            changed.await;
        }
        let is_late = self.engine.kind == Kind::Redis && Instant::now() > deadline;
        if self.engine.starts.load(Relaxed) != starts || is_late {
            return None;
        }
        if Instant::now() > deadline {
            self.world.note(format_args!("{} of {} {what} late", self.engine.kind.name(), self.instance));
        }
        Some(act(&self.memory))
    }

    pub(super) fn is_mutated(&self, mutation: Mutation) -> bool {
        self.world.mutation == mutation
    }

    /// Notes a commit that a store has applied just now.
    pub(super) fn note_commit(
        &self,
        key: SessionKey,
        before: Option<(u64, u64, u64)>,
        stamp: (u64, u64, u64),
    ) {
        let (kind, chat, (epoch, version, mark)) = (self.engine.kind.name(), key.chat.0, stamp);
        self.world
            .note(format_args!("{kind} of {} commits {chat} {epoch}.{version} {mark:016x}", self.instance));
        self.world.seen().commits.entry((key, stamp)).or_insert(before);
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Redis => "redis",
            Self::Chat => "chat",
        }
    }
}

/// The meaning of a lost command for its caller: only writes that would have changed something are unknown.
pub(super) fn failure(kind: Kind, is_unknown: bool, lost: Lost) -> StoreError {
    let store = kind.name();
    match lost {
        Lost::Unknown if is_unknown => StoreError::Unknown { store },
        Lost::Away | Lost::Unknown => StoreError::Unavailable { store, reason: format!("{lost:?}") },
        Lost::Refused => StoreError::Refused { store, reason: "read-only".to_owned() },
    }
}
