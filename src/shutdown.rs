//! The end of the process: the signals that ask for it, and a stop whose steps cannot hang.
//!
//! The steps and their order are written in `app`.

use std::fmt;
use std::future::Future;
use std::io;
// A stop is measured by the clock that never jumps.
use std::time::{Duration, Instant};

use tokio::signal::unix::{self, SignalKind};

/// The exit code when a second signal cuts the stop short.
pub const CUT_SHORT: i32 = 130;

/// Begins to catch SIGTERM and SIGINT; the future ends with the name of the first one.
///
/// From then on a second one ends the process with [`CUT_SHORT`]: that is no worse than a crash. To be called, within a
/// Tokio runtime, before anything is started that a stop must end.
///
/// # Errors
/// The system does not let signals be caught.
pub fn signal() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = unix::signal(SignalKind::terminate())?;
    let mut interrupt = unix::signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    Ok(async move {
        let first = next().await;
        tracing::info!(signal = first, "stopping: a second signal exits at once");
        tokio::spawn(async move {
            let second = next().await;
            tracing::warn!(signal = second, "stopped at once: the next start finds what was not finished");
            std::process::exit(CUT_SHORT);
        });
        first
    })
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
            tracing::warn!(
                step = name,
                took_ms = millis(took),
                "stop: step given up, its time had passed; the next start recovers as after a crash"
            );
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
    async fn the_first_signal_asks_for_the_stop() {
        let stop = signal().unwrap();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(stop.await, "SIGTERM");
    }
}
