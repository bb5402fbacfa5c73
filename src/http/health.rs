//! The health that the probes report: a watchdog per loop, a condition per component. The loops and components report it;
//! nothing here makes a call.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
// Ages are measured by the clock that never jumps: a corrected wall clock must not restart the bot.
use std::time::{Duration, Instant};

use serde::Serialize;

/// The condition of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It works.
    Ok,
    /// It has a fault, and updates are taken all the same.
    Degraded,
    /// It keeps updates from being taken.
    Down,
}

/// The health of the process; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<HealthState>);

#[derive(Debug, Default)]
struct HealthState {
    is_started: AtomicBool,
    is_draining: AtomicBool,
    watchdogs: Mutex<BTreeMap<&'static str, WatchdogState>>,
    components: Mutex<BTreeMap<&'static str, Reported>>,
}

#[derive(Clone, Copy, Debug)]
struct WatchdogState {
    last: Instant,
    limit: Duration,
}

#[derive(Clone, Debug)]
struct Reported {
    condition: Condition,
    detail: Cow<'static, str>,
    since: Instant,
    at: Instant,
}

/// The watchdog of one loop, which is watched until this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    name: &'static str,
    health: Health,
}

/// The reporter of one component.
#[derive(Clone, Debug)]
pub struct Component {
    name: &'static str,
    health: Health,
}

/// The answer of `/health/live`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Liveness {
    /// Whether every watchdog was fed within its limit.
    pub is_alive: bool,
    /// The age of the last iteration of each loop.
    pub seconds_since_turn: BTreeMap<&'static str, f64>,
    /// The loops that are late.
    pub stuck: Vec<&'static str>,
}

/// The answer of `/health/ready`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Readiness {
    /// `ok`, `degraded`, `down`, `starting` or `draining`.
    pub state: &'static str,
    /// Each component by name.
    pub components: BTreeMap<&'static str, ComponentReport>,
}

/// The report of one component.
#[derive(Debug, PartialEq, Serialize)]
pub struct ComponentReport {
    /// Its condition.
    pub state: Condition,
    /// The fault and its remedy, in short; empty if there is none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub detail: Cow<'static, str>,
    /// How long it has been in this condition.
    pub seconds_in_state: f64,
    /// The age of the last report.
    pub seconds_since_report: f64,
}

impl Health {
    /// The health of a process that has not started.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches a loop that promises to feed its watchdog at least every `limit`; it counts as fed now.
    #[must_use]
    pub fn watchdog(&self, name: &'static str, limit: Duration) -> Watchdog {
        lock(&self.0.watchdogs).insert(name, WatchdogState { last: Instant::now(), limit });
        Watchdog { name, health: self.clone() }
    }

    /// Adds a component, which is down until it reports otherwise.
    #[must_use]
    pub fn component(&self, name: &'static str) -> Component {
        let component = Component { name, health: self.clone() };
        component.set(Condition::Down, "not yet known");
        component
    }

    /// Marks the start as complete: from now on readiness depends on the components alone.
    pub fn started(&self) {
        self.0.is_started.store(true, Ordering::Release);
    }

    /// Whether the start is complete.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.is_started.load(Ordering::Acquire)
    }

    /// Ends readiness for good: the first step of a stop.
    pub fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Release);
    }

    /// Whether all loops feed their watchdogs.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        let watchdogs = lock(&self.0.watchdogs);
        let stuck: Vec<_> = watchdogs
            .iter()
            .filter(|(_, fed)| fed.last.elapsed() > fed.limit)
            .map(|(name, _)| *name)
            .collect();
        let seconds_since_turn =
            watchdogs.iter().map(|(name, fed)| (*name, seconds(fed.last.elapsed()))).collect();
        Liveness { is_alive: stuck.is_empty(), seconds_since_turn, stuck }
    }

    /// Whether updates can be taken.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let components: BTreeMap<_, _> =
            lock(&self.0.components).iter().map(|(name, reported)| (*name, reported.report())).collect();
        let worst = components.values().map(|report| report.state).max();
        let state = match worst {
            _ if self.0.is_draining.load(Ordering::Acquire) => "draining",
            _ if !self.is_started() => "starting",
            Some(Condition::Down) => "down",
            Some(Condition::Degraded) => "degraded",
            Some(Condition::Ok) | None => "ok",
        };
        Readiness { state, components }
    }
}

impl Readiness {
    /// Whether updates can be taken, also with a degraded component.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, "ok" | "degraded")
    }
}

impl Watchdog {
    /// Reports an iteration of the loop.
    pub fn feed(&self) {
        if let Some(fed) = lock(&self.health.0.watchdogs).get_mut(self.name) {
            fed.last = Instant::now();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // A loop that has ended in order is not stuck; one that panics is: it makes no further iteration.
        if !std::thread::panicking() {
            lock(&self.health.0.watchdogs).remove(self.name);
        }
    }
}

impl Component {
    /// Reports the condition of the component; `detail` holds no id, no text of a user and no secret.
    pub fn set(&self, condition: Condition, detail: impl Into<Cow<'static, str>>) {
        let at = Instant::now();
        let mut components = lock(&self.health.0.components);
        let since = components
            .get(self.name)
            .filter(|reported| reported.condition == condition)
            .map_or(at, |reported| reported.since);
        components.insert(self.name, Reported { condition, detail: detail.into(), since, at });
    }
}

impl Reported {
    fn report(&self) -> ComponentReport {
        ComponentReport {
            state: self.condition,
            detail: self.detail.clone(),
            seconds_in_state: seconds(self.since.elapsed()),
            seconds_since_report: seconds(self.at.elapsed()),
        }
    }
}

/// Seconds, rounded to the millisecond.
fn seconds(age: Duration) -> f64 {
    (age.as_secs_f64() * 1000.0).round() / 1000.0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
