//! The end of the process: the signals that ask for it, and a stop whose steps cannot hang.
//!
//! What the steps are, and in which order, is written in `app`.

use std::fmt;
use std::future::Future;
use std::io;
// A stop is measured by the clock that never jumps.
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the process exits with when a second signal cuts the stop short.
pub const CUT_SHORT: i32 = 130;

/// SIGTERM and SIGINT, caught from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to catch the signals: to be called before anything is started that a stop must end.
    ///
    /// # Errors
    /// The system does not let it. Outside a Tokio runtime it panics.
    pub fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one and gives its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Asks for the stop at the first signal, and ends the process with [`CUT_SHORT`] at the second.
    pub async fn watch(mut self, stop: CancellationToken) {
        let name = self.next().await;
        tracing::info!(signal = name, "stopping: a second signal exits at once");
        stop.cancel();
        let name = self.next().await;
        tracing::warn!(
            signal = name,
            "stopped at once: what was not finished is found again at the next start"
        );
        std::process::exit(CUT_SHORT);
    }
}

/// A stop that is under way: each step has its own limit, and all of them together have one.
#[derive(Debug)]
pub struct Stop {
    began: Instant,
    within: Duration,
    unfinished: Vec<&'static str>,
}

/// How a stop went.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How long it took.
    pub took: Duration,
    /// The steps that were given up because their time had passed.
    pub unfinished: Vec<&'static str>,
}

impl Stop {
    /// Begins a stop that takes no longer than `within`.
    #[must_use]
    pub fn begin(within: Duration) -> Self {
        Self { began: Instant::now(), within, unfinished: Vec::new() }
    }

    /// Takes one step, for at most `at_most` and never beyond the end of the whole; `None` when it was given up.
    ///
    /// A step that is given up is dropped where it stands: whatever it leaves must be as good as after a crash.
    pub async fn step<T>(
        &mut self,
        name: &'static str,
        at_most: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let began = Instant::now();
        let limit = at_most.min(self.within.saturating_sub(self.began.elapsed()));
        let done = tokio::time::timeout(limit, work).await.ok();
        let took = began.elapsed();
        if done.is_some() {
            tracing::debug!(step = name, took_ms = millis(took), "stop: step done");
        } else {
            tracing::warn!(step = name, took_ms = millis(took), "stop: step given up, its time had passed");
            self.unfinished.push(name);
        }
        done
    }

    /// Ends the stop.
    #[must_use]
    pub fn end(self) -> Stopped {
        Stopped { took: self.began.elapsed(), unfinished: self.unfinished }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {} ms", millis(self.took))?;
        if !self.unfinished.is_empty() {
            write!(f, ", without finishing: {}", self.unfinished.join(", "))?;
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_step_holds_up_the_end() {
        let mut stop = Stop::begin(Duration::from_millis(50));
        assert_eq!(stop.step("commits", Duration::from_secs(5), async { 7 }).await, Some(7));
        stop.step("effects", Duration::from_millis(1), std::future::pending::<()>()).await;
        stop.step("leases", Duration::from_secs(10), std::future::pending::<()>()).await;
        stop.step("deliveries", Duration::from_secs(10), std::future::pending::<()>()).await;
        let stopped = stop.end();
        assert_eq!(stopped.unfinished, ["effects", "leases", "deliveries"]);
        assert!(stopped.took < Duration::from_secs(10), "{stopped}");
        assert!(stopped.to_string().ends_with(" ms, without finishing: effects, leases, deliveries"));
    }

    #[tokio::test]
    async fn a_signal_asks_for_the_stop() {
        let signals = Signals::catch().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(signals.watch(stop.clone()));
        tokio::task::yield_now().await;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        stop.cancelled().await;
    }
}
