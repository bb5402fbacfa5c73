//! The other instances: when each was last heard of.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;

/// Who was not heard of for so long runs no more, whatever its clock said last.
const GONE: Duration = Duration::from_secs(10);

/// What each of them last said, and when that was first read here: their clocks may differ from ours.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<i64, (Timestamp, Instant)>);

impl Members {
    /// Takes what was read at `read_at`, and leaves those who run; who is not there any more has signed off, or is gone for
    /// good.
    pub(super) fn hear(&mut self, seen: &mut Vec<(i64, Timestamp)>, read_at: Instant) {
        self.0.retain(|instance, _| seen.iter().any(|(it, _)| it == instance));
        seen.retain(|(instance, seen_at)| {
            let heard = self.0.entry(*instance).or_insert((*seen_at, read_at));
            if heard.0 != *seen_at {
                *heard = (*seen_at, read_at);
            }
            read_at.duration_since(heard.1) < GONE
        });
    }

    /// For how long the one that is silent for longest was not heard of; `None` where there is no other.
    pub(super) fn heartbeat_age(&self) -> Option<Duration> {
        self.0.values().map(|(_, heard_at)| heard_at.elapsed()).filter(|silence| *silence < GONE).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_not_heard_of_is_gone_whatever_its_clock_said() {
        let mut others = Members::default();
        let mut hear = async |seen: &[(i64, i64)], seconds| {
            let mut seen = seen.iter().map(|(instance, at)| (*instance, Timestamp(*at))).collect();
            others.hear(&mut seen, Instant::now());
            tokio::time::advance(Duration::from_secs(seconds)).await;
            (seen.len(), others.heartbeat_age())
        };
        assert_eq!(hear(&[], 1).await, (0, None));
        // The clock of the second is hours ahead, and it dies at once.
        assert_eq!(hear(&[(1, 5), (2, 10_000_000)], 6).await, (2, Some(Duration::from_secs(6))));
        assert_eq!(hear(&[(1, 6), (2, 10_000_000)], 3).await, (2, Some(Duration::from_secs(9))));
        assert_eq!(hear(&[(1, 7), (2, 10_000_000)], 1).await, (2, Some(Duration::from_secs(1))));
        assert_eq!(hear(&[(1, 7), (2, 10_000_000)], 1).await, (1, Some(Duration::from_secs(2))));
        assert_eq!(
            hear(&[(1, 7), (2, 10_000_001)], 1).await,
            (2, Some(Duration::from_secs(3))),
            "it runs again"
        );
        assert_eq!(
            hear(&[(2, 10_000_002)], 1).await,
            (1, Some(Duration::from_secs(1))),
            "the first signed off"
        );
    }
}
