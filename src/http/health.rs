//! What the probes answer from: a watchdog per loop, a condition per component. Nothing here asks anybody anything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
// Ages are measured by the clock that never jumps: a corrected wall clock must not restart the bot.
use std::time::{Duration, Instant};

use serde::Serialize;

/// How well a component does its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// As it should.
    Ok,
    /// Something is wrong, and updates are taken all the same.
    Degraded,
    /// Updates cannot be taken because of it.
    Down,
}

/// The state of the process as the probes see it; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_started: AtomicBool,
    is_draining: AtomicBool,
    watchdogs: Mutex<BTreeMap<&'static str, Fed>>,
    components: Mutex<BTreeMap<&'static str, Reported>>,
}

#[derive(Clone, Copy, Debug)]
struct Fed {
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

/// The watchdog of one loop; its loop is watched until it is dropped.
#[derive(Debug)]
pub struct Watchdog {
    name: &'static str,
    health: Health,
}

/// The place where one component says how it is.
#[derive(Clone, Debug)]
pub struct Component {
    name: &'static str,
    health: Health,
}

/// What `/health/live` answers.
#[derive(Debug, PartialEq, Serialize)]
pub struct Liveness {
    /// Whether every loop has turned within its limit.
    pub is_alive: bool,
    /// For each loop, how long ago it last turned.
    pub seconds_since_turn: BTreeMap<&'static str, f64>,
    /// The loops that are late.
    pub stuck: Vec<&'static str>,
}

/// What `/health/ready` answers.
#[derive(Debug, PartialEq, Serialize)]
pub struct Readiness {
    /// `ok`, `degraded`, `down`, `starting` or `draining`.
    pub state: &'static str,
    /// Each component by name.
    pub components: BTreeMap<&'static str, ComponentReport>,
}

/// How one component is.
#[derive(Debug, PartialEq, Serialize)]
pub struct ComponentReport {
    /// Its condition.
    pub state: Condition,
    /// What is wrong and what to do, in a few words; empty when nothing is.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub detail: Cow<'static, str>,
    /// How long it has been in this condition.
    pub seconds_in_state: f64,
    /// How long ago it last said so.
    pub seconds_since_report: f64,
}

impl Health {
    /// Nothing is started, nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches a loop that promises to feed its watchdog at least every `limit`; it counts as having turned just now.
    #[must_use]
    pub fn watchdog(&self, name: &'static str, limit: Duration) -> Watchdog {
        lock(&self.0.watchdogs).insert(name, Fed { last: Instant::now(), limit });
        Watchdog { name, health: self.clone() }
    }

    /// Adds a component, which is down until it says otherwise.
    #[must_use]
    pub fn component(&self, name: &'static str) -> Component {
        let component = Component { name, health: self.clone() };
        component.set(Condition::Down, "not yet known");
        component
    }

    /// Says that the start is complete: from now on readiness depends on the components alone.
    pub fn started(&self) {
        self.0.is_started.store(true, Ordering::Release);
    }

    /// Whether the start is complete.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.is_started.load(Ordering::Acquire)
    }

    /// Takes readiness away for good: the first step of a stop.
    pub fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Release);
    }

    /// Whether the loops have turned.
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
    /// Whether updates can be taken, be it with something degraded.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, "ok" | "degraded")
    }
}

impl Watchdog {
    /// Says that the loop has turned.
    pub fn feed(&self) {
        if let Some(fed) = lock(&self.health.0.watchdogs).get_mut(self.name) {
            fed.last = Instant::now();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // A loop that has ended in order is not stuck; one that panics is, for it will not turn again.
        if !std::thread::panicking() {
            lock(&self.health.0.watchdogs).remove(self.name);
        }
    }
}

impl Component {
    /// Says how the component is; `detail` holds no id, no text of a user and no secret.
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

/// Seconds to the millisecond: more digits would only be noise in a probe's answer.
fn seconds(age: Duration) -> f64 {
    (age.as_secs_f64() * 1000.0).round() / 1000.0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
