//! Time, injected: the one place that reads a clock, so that a test can make five minutes pass at once.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use deposit::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

/// A source of wall-clock time: the system's, or one that a test moves by hand or with tokio's.
#[derive(Clone, Debug, Default)]
pub struct Clock(ClockSource);

#[derive(Clone, Debug, Default)]
enum ClockSource {
    #[default]
    System,
    /// The system's, which from this instant on passes so many times as quickly.
    Hastened(Timestamp, i64),
    Manual(Arc<watch::Sender<Timestamp>>),
    /// The system's, and the time skipped so far.
    Skippable(Arc<watch::Sender<Duration>>),
    /// The time it showed at some instant.
    Tokio(Timestamp, Instant),
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self(ClockSource::System)
    }

    /// The machine's own clock, which from `since` on runs `times` as quickly: for tests of what takes minutes.
    #[must_use]
    pub fn hastened(since: Timestamp, times: u32) -> Self {
        Self(ClockSource::Hastened(since, times.into()))
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(ClockSource::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// The machine's own clock, until [`Clock::advance`] skips some time: for a page on which users try the bot.
    #[must_use]
    pub fn skippable() -> Self {
        Self(ClockSource::Skippable(Arc::new(watch::Sender::new(Duration::ZERO))))
    }

    /// A clock that shows `start` now and goes as tokio's does, which a simulation pauses.
    #[must_use]
    pub fn tokio(start: Timestamp) -> Self {
        Self(ClockSource::Tokio(start, Instant::now()))
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            ClockSource::System => system(),
            ClockSource::Hastened(since, times) => Timestamp(since.0 + (system().0 - since.0) * times),
            ClockSource::Manual(hand) => *hand.borrow(),
            ClockSource::Skippable(skipped) => system().after(*skipped.borrow()),
            ClockSource::Tokio(start, began) => start.after(began.elapsed()),
        }
    }

    /// Moves a manual or skippable clock forward and wakes the tasks that sleep until then; does nothing to the others.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            ClockSource::Manual(hand) => hand.send_modify(|now| *now = now.after(by)),
            ClockSource::Skippable(skipped) => {
                skipped.send_modify(|so_far| *so_far = so_far.saturating_add(by))
            }
            ClockSource::System | ClockSource::Hastened(..) | ClockSource::Tokio(..) => {}
        }
    }

    /// Sleeps until the clock shows `at`; returns at once if it already does.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            ClockSource::System | ClockSource::Tokio(..) => tokio::time::sleep(at.since(self.now())).await,
            ClockSource::Hastened(_, times) => {
                let times = u32::try_from(*times).unwrap_or(1).max(1);
                tokio::time::sleep(at.since(self.now()) / times).await;
            }
            ClockSource::Manual(hand) => {
                let mut seen = hand.subscribe();
                if seen.wait_for(|now| *now >= at).await.is_err() {
                    pending::<()>().await;
                }
            }
            ClockSource::Skippable(skipped) => {
                let mut seen = skipped.subscribe();
                loop {
                    seen.mark_unchanged();
                    let left = at.since(self.now());
                    if left.is_zero() {
                        return;
                    }
                    // The sender lives in this clock, so a change is all there can be.
                    let _skipped_or_over = tokio::time::timeout(left, seen.changed()).await;
                }
            }
        }
    }

    /// Sleeps for `duration` on this clock.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().after(duration)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn system() -> Timestamp {
    Timestamp(0).after(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_its_sleepers_when_it_is_moved() {
        let clock = Clock::manual(Timestamp(1_000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(300)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(299));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp(301_000));
    }

    #[tokio::test]
    async fn a_skippable_clock_goes_by_itself_and_wakes_its_sleepers_when_time_is_skipped() {
        let clock = Clock::skippable();
        let before = clock.now();
        clock.sleep(Duration::from_millis(20)).await;
        assert!(clock.now() >= before.after(Duration::from_millis(20)));
        let hour = Duration::from_secs(3600);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(hour).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(1800));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1800));
        sleeper.await.unwrap();
        assert!(clock.now() >= before.after(hour));
    }

    #[tokio::test]
    async fn a_hastened_clock_runs_as_much_quicker_as_it_is_told() {
        let now = Clock::system().now();
        let clock = Clock::hastened(now.before(Duration::from_secs(1)), 100);
        assert!(clock.now() >= now.after(Duration::from_secs(99)));
        let before = clock.now();
        clock.sleep(Duration::from_secs(1)).await;
        assert!(clock.now() >= before.after(Duration::from_secs(1)));
    }
}
