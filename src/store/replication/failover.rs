//! Failover: the changes of the leadership row, and leaving Redis once SQL is the primary.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::store::replication::mirror::Mirror;
use crate::store::replication::view::LEASE;
use crate::store::replication::{DurableStore, Leadership, VolatileStore};

/// How long a command that was sent to Redis may still be executed: its deadline in Redis time.
const COMMAND: Duration = Duration::from_millis(500);
/// How long an election waits for the mirror to write what Redis committed; after it, the drain waits longer.
const FLUSH_BEFORE: Duration = Duration::from_secs(1);
const FLUSH_AFTER: Duration = Duration::from_secs(5);

/// Changes the leadership, and waits for what the change makes necessary.
pub(super) struct Failover<D, V> {
    sql: Arc<D>,
    redis: Arc<V>,
    mirror: Arc<Mirror<D, V>>,
    clock: Clock,
}

impl<D: DurableStore, V: VolatileStore> Failover<D, V> {
    pub(super) fn new(sql: Arc<D>, redis: Arc<V>, mirror: Arc<Mirror<D, V>>, clock: Clock) -> Self {
        Self { sql, redis, mirror, clock }
    }

    /// Replaces the row `from` by `to` if it still is in SQL; returns the row as it is then, `None` if SQL does not
    /// answer.
    pub(super) async fn elect(&self, from: Option<&Leadership>, to: &Leadership) -> Option<Leadership> {
        match self.sql.change_leadership(from, to, self.clock.now()).await {
            Ok(row) => row,
            Err(error) => {
                tracing::debug!(%error, "the leadership row could not be changed");
                None
            }
        }
    }

    /// Brings to SQL what this instance has seen committed, and perhaps acknowledged, before Redis is elected: behind
    /// the election it would miss the copy. Says whether all of it is there.
    pub(super) async fn flush_before_election(&self) -> bool {
        self.mirror.flush(FLUSH_BEFORE).await
    }

    /// SQL is the primary: returns once no instance can commit to Redis any more and the mirror has written what it
    /// could.
    pub(super) async fn drain(&self, leadership: &Leadership, is_sole_member: bool) {
        self.sql.serve(leadership.epoch);
        let others_are_done_at = Instant::now() + LEASE + COMMAND;
        self.redis.drain().await;
        if !is_sole_member {
            sleep_until(others_are_done_at).await;
        }
        // SQL has taken the election, so it takes these too; what comes behind the first commit under the new epoch
        // loses.
        if !self.mirror.flush(FLUSH_AFTER).await {
            let (unreplicated, _) = self.mirror.backlog();
            tracing::warn!(
                unreplicated,
                "failed over with {unreplicated} unreplicated commits: the database goes on without them; the mirror still \
                 writes each one whose session has no newer commit and stores the others in `conflicts`; find out why the \
                 database writes so slowly"
            );
        }
    }
}
