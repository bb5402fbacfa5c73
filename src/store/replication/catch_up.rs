//! Catch-up: a Redis that was elected gets every session that SQL has higher, and only then serves its epoch. Back,
//! empty, restarted or rolled back: it is one procedure, and each step of it may be repeated.

use std::sync::Arc;

use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::replication::{Branch, DurableStore, Leadership, VolatileStore};

/// How many documents one round trip copies, and the divisor of that number when Redis is too slow for so many.
const PAGE: usize = 256;
const SMALLER: usize = 8;

/// Copies sessions from SQL to Redis.
pub(super) struct CatchUp<D, V> {
    sql: Arc<D>,
    redis: Arc<V>,
    clock: Clock,
}

impl<D: DurableStore, V: VolatileStore> CatchUp<D, V> {
    pub(super) fn new(sql: Arc<D>, redis: Arc<V>, clock: Clock) -> Self {
        Self { sql, redis, clock }
    }

    /// Copies all sessions, notes that in the row, and lets Redis serve the epoch; returns how many were copied.
    pub(super) async fn copy(&self, leadership: &Leadership) -> Result<usize, StoreError> {
        let copied = self.copy_sessions().await?;
        // Before the epoch: any instance that finds Redis without its epoch after this knows that it was emptied.
        if !leadership.opened {
            let opened = leadership.clone().into_opened();
            let row = self.sql.change_leadership(Some(leadership), &opened, self.clock.now()).await?;
            if row.as_ref() != Some(&opened) {
                return Err(StoreError::Superseded { store: self.redis.name() });
            }
        }
        self.redis.open(leadership.epoch).await?;
        Ok(copied)
    }

    async fn copy_sessions(&self) -> Result<usize, StoreError> {
        let (mut after, mut copied, mut limit) = (None, 0, PAGE);
        self.redis.begin_copy().await?;
        loop {
            let page = self.sql.sessions_after(after, limit).await?;
            let lost = match self.redis.restore(&page.documents, self.clock.now()).await {
                Err(StoreError::Unavailable { .. }) if limit > SMALLER => {
                    limit /= SMALLER;
                    continue;
                }
                restored => restored?,
            };
            crate::failpoint!("copying");
            self.record_conflicts(&lost).await?;
            copied += page.documents.len();
            match page.last {
                Some(last) => after = Some(last),
                None => return Ok(copied),
            }
        }
    }

    /// Stores what only Redis had of sessions that went on in SQL.
    async fn record_conflicts(&self, lost: &[Branch]) -> Result<(), StoreError> {
        if lost.is_empty() {
            return Ok(());
        }
        metrics::counter!("depot_branches_lost_total").increment(lost.len() as u64);
        tracing::warn!(
            sessions = lost.len(),
            "commits that only Redis had were replaced: their sessions went on in the database meanwhile; the documents are \
             in `conflicts`, to be looked at if a user misses a step"
        );
        self.sql.record_conflicts(lost, self.clock.now()).await
    }

    /// Whether it was Redis that made a copy fail.
    pub(super) fn is_of_redis(&self, error: &StoreError) -> bool {
        match error {
            StoreError::Unavailable { store, .. }
            | StoreError::Unknown { store }
            | StoreError::Refused { store, .. }
            | StoreError::Superseded { store } => *store == self.redis.name(),
            StoreError::Corrupt { .. } | StoreError::Newer { .. } | StoreError::TooLarge { .. } => false,
        }
    }
}
