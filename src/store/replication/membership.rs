//! Membership: which instances run, told by heartbeats in SQL. A sole member may act where several would have to wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::store::StoreError;
use crate::store::replication::{ClusterState, DurableStore};

/// A member without a new heartbeat for so long runs no more, whatever its clock said last.
const GONE: Duration = Duration::from_secs(10);
/// The pause between two heartbeats, of a sole member and beside others.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(2);
const HEARTBEAT_EVERY_BESIDE_OTHERS: Duration = Duration::from_millis(500);
/// How long one heartbeat counts here; the other members count on it for ten seconds, which leaves something to spare.
const REGISTERED: Duration = Duration::from_secs(8);

/// The part of this instance among the members.
pub(super) struct Membership<D> {
    sql: Arc<D>,
    clock: Clock,
    /// The id of this instance, new with each start.
    instance: i64,
    others: Mutex<Members>,
    heartbeats: Mutex<Heartbeats>,
}

/// The heartbeats of this instance.
#[derive(Clone, Copy, Debug, Default)]
struct Heartbeats {
    tried_at: Option<Instant>,
    /// When the last one that SQL took was begun.
    registered_at: Option<Instant>,
}

impl<D: DurableStore> Membership<D> {
    pub(super) fn new(sql: Arc<D>, clock: Clock, instance: i64) -> Self {
        Self { sql, clock, instance, others: Mutex::default(), heartbeats: Mutex::default() }
    }

    /// Writes a heartbeat if one is due.
    pub(super) async fn heartbeat(&self) {
        let every = match self.heartbeat_age() {
            None => HEARTBEAT_EVERY,
            Some(_) => HEARTBEAT_EVERY_BESIDE_OTHERS,
        };
        let began = Instant::now();
        {
            let mut heartbeats = lock(&self.heartbeats);
            if heartbeats.tried_at.is_some_and(|at| at.elapsed() < every) {
                return;
            }
            heartbeats.tried_at = Some(began);
        }
        match self.sql.heartbeat(self.instance, self.clock.now()).await {
            Ok(()) => lock(&self.heartbeats).registered_at = Some(began),
            Err(error) => tracing::debug!(%error, "the heartbeat of this instance could not be written"),
        }
    }

    /// Whether the other members count on this instance, and SQL takes writes.
    pub(super) fn is_registered(&self) -> bool {
        lock(&self.heartbeats).registered_at.is_some_and(|at| at.elapsed() < REGISTERED)
    }

    /// Reads the leadership row and the other members.
    pub(super) async fn read_cluster(&self) -> Result<ClusterState, StoreError> {
        self.sql.read_cluster(self.instance, self.clock.now()).await
    }

    /// Takes what was read at `read_at`, and leaves those members in it that run.
    pub(super) fn learn(&self, cluster: &mut ClusterState, read_at: Instant) {
        lock(&self.others).learn(&mut cluster.other_members, read_at);
    }

    /// The age of the oldest heartbeat among the other members; `None` for a sole member.
    pub(super) fn heartbeat_age(&self) -> Option<Duration> {
        lock(&self.others).heartbeat_age()
    }

    /// Leaves the membership.
    pub(super) async fn deregister(&self) {
        if let Err(error) = self.sql.deregister(self.instance).await {
            tracing::debug!(%error, "this instance is not deregistered: others count on it for ten seconds more");
        }
    }
}

/// The last heartbeat of each other member, and when it was first read here: their clocks may differ from ours.
#[derive(Debug, Default)]
struct Members(BTreeMap<i64, (Timestamp, Instant)>);

impl Members {
    /// Takes what was read at `read_at`, and leaves the members that run; one that is missing has deregistered, or is
    /// gone for good.
    fn learn(&mut self, read: &mut Vec<(i64, Timestamp)>, read_at: Instant) {
        self.0.retain(|instance, _| read.iter().any(|(it, _)| it == instance));
        read.retain(|(instance, heartbeat)| {
            let known = self.0.entry(*instance).or_insert((*heartbeat, read_at));
            if known.0 != *heartbeat {
                *known = (*heartbeat, read_at);
            }
            read_at.duration_since(known.1) < GONE
        });
    }

    fn heartbeat_age(&self) -> Option<Duration> {
        self.0.values().map(|(_, read_at)| read_at.elapsed()).filter(|age| *age < GONE).max()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_member_without_a_new_heartbeat_is_gone_whatever_its_clock_said() {
        let mut members = Members::default();
        let mut learn = async |read: &[(i64, i64)], seconds| {
            let mut read = read.iter().map(|(instance, at)| (*instance, Timestamp(*at))).collect();
            members.learn(&mut read, Instant::now());
            tokio::time::advance(Duration::from_secs(seconds)).await;
            (read.len(), members.heartbeat_age())
        };
        assert_eq!(learn(&[], 1).await, (0, None));
        // The clock of the second is hours ahead, and it dies at once.
        assert_eq!(learn(&[(1, 5), (2, 10_000_000)], 6).await, (2, Some(Duration::from_secs(6))));
        assert_eq!(learn(&[(1, 6), (2, 10_000_000)], 3).await, (2, Some(Duration::from_secs(9))));
        assert_eq!(learn(&[(1, 7), (2, 10_000_000)], 1).await, (2, Some(Duration::from_secs(1))));
        assert_eq!(learn(&[(1, 7), (2, 10_000_000)], 1).await, (1, Some(Duration::from_secs(2))));
        assert_eq!(
            learn(&[(1, 7), (2, 10_000_001)], 1).await,
            (2, Some(Duration::from_secs(3))),
            "it runs again"
        );
        assert_eq!(
            learn(&[(2, 10_000_002)], 1).await,
            (1, Some(Duration::from_secs(1))),
            "the first deregistered"
        );
    }
}
