//! The other instances: when each was last heard of.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;

/// What each of them last said, and when that was first read here: their clocks may differ from ours.
#[derive(Debug, Default)]
pub(super) struct Others(BTreeMap<i64, (Timestamp, Instant)>);

impl Others {
    /// Takes what was read at `read_at`; who is not there any more has signed off, or is gone for good.
    pub(super) fn hear(&mut self, seen: &[(i64, Timestamp)], read_at: Instant) {
        self.0.retain(|instance, _| seen.iter().any(|(it, _)| it == instance));
        for (instance, seen_at) in seen {
            let heard = self.0.entry(*instance).or_insert((*seen_at, read_at));
            if heard.0 != *seen_at {
                *heard = (*seen_at, read_at);
            }
        }
    }

    /// For how long the one that is silent for longest was not heard of; `None` where there is no other.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.0.values().map(|(_, heard_at)| heard_at.elapsed()).max()
    }
}
