//! The offset of Redis' clock to ours, learnt from replies and carried by the monotonic clock.
//!
//! A command sent to a frozen Redis is executed when it thaws, long after its caller has gone. So each commit carries its deadline in Redis time, and the script refuses to be late.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Offset {
    origin: Instant,
    /// Redis time minus ours, in ms; the least that it can be, by the replies so far.
    least: Mutex<Option<i64>>,
}

impl Offset {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), least: Mutex::new(None) }
    }

    /// A reply that says `redis_now` (ms) came at `answered` to a question asked at `sent`.
    ///
    /// Redis read its clock somewhere in between, so each reply bounds the offset from both sides. The best lower bound
    /// is kept; one that contradicts a reply is void, because a clock was set.
    pub(super) fn learn(&self, redis_now: i64, sent: Instant, answered: Instant) {
        let (least, most) = (redis_now - self.millis(answered), redis_now - self.millis(sent) + 1);
        let mut known = self.least.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(known.filter(|known| *known <= most).map_or(least, |known| known.max(least)));
    }

    /// `deadline` in Redis time (ms), not later than it really is; 0, which has long passed, while nothing was learnt.
    pub(super) fn in_redis_time(&self, deadline: Instant) -> i64 {
        let known = *self.least.lock().unwrap_or_else(PoisonError::into_inner);
        known.map_or(0, |offset| offset + self.millis(deadline))
    }

    fn millis(&self, instant: Instant) -> i64 {
        let since = instant.checked_duration_since(self.origin).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_slow_reply_does_not_spoil_what_a_quick_one_taught() {
        let offset = Offset::new();
        let at = |millis| offset.origin + Duration::from_millis(millis);
        assert_eq!(offset.in_redis_time(at(500)), 0);
        offset.learn(DAY + 10, at(10), at(10));
        assert_eq!(offset.in_redis_time(at(500)), DAY + 500);
        // Read at once, answered 400 ms late: alone it would teach an offset that is 400 ms too low.
        offset.learn(DAY + 20, at(20), at(420));
        assert_eq!(offset.in_redis_time(at(500)), DAY + 500);
    }

    #[test]
    fn a_better_reply_replaces_a_slow_one() {
        let offset = Offset::new();
        let at = |millis| offset.origin + Duration::from_millis(millis);
        offset.learn(DAY + 200, at(0), at(400));
        assert_eq!(offset.in_redis_time(at(500)), DAY + 300);
        offset.learn(DAY + 450, at(449), at(451));
        assert_eq!(offset.in_redis_time(at(500)), DAY + 499);
    }

    #[test]
    fn a_clock_that_was_set_is_believed() {
        let offset = Offset::new();
        let began = offset.origin;
        offset.learn(DAY, began, began);
        offset.learn(DAY - 60_000, began, began);
        assert_eq!(offset.in_redis_time(began), DAY - 60_000);
        offset.learn(2 * DAY, began, began);
        assert_eq!(offset.in_redis_time(began), 2 * DAY);
    }
}
