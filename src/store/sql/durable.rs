//! SQL as the durable store: the leadership row, the members, and what the mirror and a copy need.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::database::Job;
use crate::store::replication::{
    Branch, ClusterState, CopyPage, DurableStore, Leadership, MirrorOutcome, Primary,
};
use crate::store::sql::SqlStore;
use crate::store::sql::catch_up::{ReadCopies, RecordConflicts, Remove};
use crate::store::sql::leadership::{ChangeLeadership, Deregister, Heartbeat, ReadCluster};
use crate::store::sql::mirror::{Mirror, MirroredDocument};
use crate::store::{SessionInspection as _, StoreError, StoredSession};
use session::SessionKey;

/// A member runs as long as its heartbeat is younger.
const MEMBER_FOR: Duration = Duration::from_secs(10);
/// How long one read of the row may take: after a second without it the leadership lease has expired.
const READ_DEADLINE: Duration = Duration::from_millis(700);
/// How long one heartbeat may take: the probe of Redis waits behind it, and the next one comes soon.
const HEARTBEAT_DEADLINE: Duration = Duration::from_millis(700);

impl SqlStore {
    /// The job of [`DurableStore::mirror`], for a transaction that does more.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn mirror_job(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<impl Job<Output = Vec<MirrorOutcome>> + use<>, StoreError> {
        let documents = documents.iter().map(MirroredDocument::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Mirror { bot: self.bot.0, documents, epoch: epoch.cast_signed(), now: now.0 })
    }

    /// Makes SQL the primary without Redis, for good: the embedded default, or an operator who has taken Redis away.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another instance runs that uses Redis: each would work on sessions of its own.
    pub async fn become_primary(&self, now: Timestamp) -> Result<(), StoreError> {
        let cluster = self.read_cluster(rand::random(), now).await?;
        let is_sole_member = cluster.is_sole_member();
        let to = match &cluster.leadership {
            None => Leadership::sql(1),
            Some(leadership) if leadership.primary == Primary::Sql => {
                DurableStore::serve(self, leadership.epoch);
                return Ok(());
            }
            Some(_) if !is_sole_member => {
                let reason = "another instance keeps sessions in Redis: set REDIS_URL here too".to_owned();
                return Err(StoreError::Refused { store: self.name(), reason });
            }
            Some(before) => {
                tracing::warn!(
                    "sessions were in Redis, and REDIS_URL is not set any more: the database is their primary from now on; set \
                     REDIS_URL again if that was a mistake"
                );
                Leadership::sql(before.epoch + 1)
            }
        };
        let row = self.change_leadership(cluster.leadership.as_ref(), &to, now).await?;
        DurableStore::serve(self, row.unwrap_or(to).epoch);
        Ok(())
    }
}

#[async_trait]
impl DurableStore for SqlStore {
    async fn read_cluster(&self, instance: i64, now: Timestamp) -> Result<ClusterState, StoreError> {
        let since = now.before(MEMBER_FOR).0;
        let read = ReadCluster { bot: self.bot.0, instance, since };
        self.database.with_deadline(READ_DEADLINE).read(read).await.map_err(|error| self.failure(error))
    }

    async fn change_leadership(
        &self,
        from: Option<&Leadership>,
        to: &Leadership,
        now: Timestamp,
    ) -> Result<Option<Leadership>, StoreError> {
        self.write(ChangeLeadership { bot: self.bot.0, from: from.cloned(), to: to.clone(), now: now.0 })
            .await
    }

    async fn heartbeat(&self, instance: i64, now: Timestamp) -> Result<(), StoreError> {
        let long_gone = now.before(MEMBER_FOR * 60).0;
        let heartbeat = Heartbeat { bot: self.bot.0, instance, now: now.0, long_gone };
        self.database
            .with_deadline(HEARTBEAT_DEADLINE)
            .write(heartbeat)
            .await
            .map_err(|error| self.failure(error))
    }

    async fn deregister(&self, instance: i64) -> Result<(), StoreError> {
        self.write(Deregister { bot: self.bot.0, instance }).await
    }

    async fn mirror(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<MirrorOutcome>, StoreError> {
        self.write(self.mirror_job(documents, epoch, now)?).await
    }

    async fn sessions_after(&self, after: Option<SessionKey>, limit: usize) -> Result<CopyPage, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(ReadCopies { bot: self.bot, after, limit }).await
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.write(Remove(key)).await
    }

    async fn record_conflicts(&self, branches: &[Branch], now: Timestamp) -> Result<(), StoreError> {
        if branches.is_empty() {
            return Ok(());
        }
        self.write(RecordConflicts { branches: branches.to_vec(), now: now.0 }).await
    }

    fn serve(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }
}
