//! How many paid calls a day may have.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::remote::cache::Cache;

/// Milliseconds of a day, UTC.
const DAY: i64 = 86_400_000;
/// The kind under which calls are counted.
const KIND: &str = "model";

/// Counts the calls of a day over all instances; where the shared store does not answer, those of this one.
pub struct Budget {
    calls_max: Option<NonZeroU32>,
    cache: Option<Arc<dyn Cache>>,
    clock: Clock,
    /// The day, and the calls that this instance made in it.
    own: Mutex<(i64, u64)>,
}

impl Budget {
    /// A budget of so many calls a day; `None` is without limit.
    #[must_use]
    pub fn new(calls_max: Option<NonZeroU32>, cache: Option<Arc<dyn Cache>>, clock: Clock) -> Self {
        Self { calls_max, cache, clock, own: Mutex::new((0, 0)) }
    }

    /// Counts one more call, and returns whether it may be made.
    pub(super) async fn allows(&self) -> bool {
        let Some(calls_max) = self.calls_max else { return true };
        let day = self.clock.now().0.div_euclid(DAY);
        let own = self.count_here(day);
        let shared = match &self.cache {
            Some(cache) => cache.count(KIND, day).await,
            None => None,
        };
        shared.unwrap_or(own) <= u64::from(calls_max.get())
    }

    fn count_here(&self, day: i64) -> u64 {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.0 != day {
            *own = (day, 0);
        }
        own.1 += 1;
        own.1
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("calls_max", &self.calls_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[tokio::test]
    async fn a_day_has_so_many_calls_and_the_next_as_many_again() {
        let clock = Clock::manual(Timestamp(1_780_000_000_000));
        let budget = Budget::new(NonZeroU32::new(2), None, clock.clone());
        assert!(budget.allows().await && budget.allows().await);
        assert!(!budget.allows().await);
        clock.advance(std::time::Duration::from_secs(86_400));
        assert!(budget.allows().await);
        let endless = Budget::new(None, None, clock);
        for _ in 0..10 {
            assert!(endless.allows().await);
        }
    }
}
