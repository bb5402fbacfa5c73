//! Memory as SQL: the leadership row, the members and the conflicts.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use depot_bot::clock::Timestamp;
use depot_bot::store::replication::{
    Branch, ClusterState, CopyPage, DurableStore, Leadership, MirrorOutcome,
};
use depot_bot::store::{StoreError, StoredSession, document};
use session::SessionKey;

use crate::memory::{Held, MemoryStore, Row};

const MEMBER_FOR: Duration = Duration::from_secs(10);

#[async_trait]
impl DurableStore for MemoryStore {
    async fn read_cluster(&self, instance: i64, now: Timestamp) -> Result<ClusterState, StoreError> {
        let held = self.held();
        let others = held.instances.iter().filter(|(id, _)| **id != instance);
        let others = others.filter(|(_, heartbeat)| **heartbeat > now.before(MEMBER_FOR));
        let other_members = others.map(|(id, heartbeat)| (*id, *heartbeat)).collect();
        Ok(ClusterState { leadership: held.leadership.clone(), other_members })
    }

    async fn change_leadership(
        &self,
        from: Option<&Leadership>,
        to: &Leadership,
        _now: Timestamp,
    ) -> Result<Option<Leadership>, StoreError> {
        let mut held = self.held();
        if held.leadership.as_ref() == from {
            held.leadership = Some(to.clone());
            held.served = (!to.is_redis()).then_some(to.epoch);
        }
        Ok(held.leadership.clone())
    }

    async fn heartbeat(&self, instance: i64, now: Timestamp) -> Result<(), StoreError> {
        self.held().instances.insert(instance, now);
        Ok(())
    }

    async fn deregister(&self, instance: i64) -> Result<(), StoreError> {
        self.held().instances.remove(&instance);
        Ok(())
    }

    async fn mirror(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<MirrorOutcome>, StoreError> {
        let mut held = self.held();
        let leadership = held.leadership.clone();
        let is_late = leadership.as_ref().is_some_and(|row| row.is_past(epoch));
        let may_write = leadership.is_some_and(|row| row.lets_mirror_write(epoch));
        let mut outcomes = Vec::with_capacity(documents.len());
        for stored in documents {
            let session = &stored.session;
            let stamp = (session.epoch, session.version);
            let there = held.rows.get(&session.key).filter(|row| !row.is_over(now)).map(Row::as_copy);
            let outcome = match MirrorOutcome::of(stamp, session.commit, there, is_late) {
                Some(outcome) => outcome,
                None if !may_write => MirrorOutcome::Lost,
                None => {
                    held.put(stored, stamp)?;
                    MirrorOutcome::Written
                }
            };
            if outcome == MirrorOutcome::Lost {
                held.record_conflict(Held::branch(stored)?);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn sessions_after(&self, after: Option<SessionKey>, limit: usize) -> Result<CopyPage, StoreError> {
        let held = self.held();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows =
            held.rows.range((from, Bound::Unbounded)).filter(|(key, _)| key.bot == self.bot).take(limit);
        let mut page = CopyPage::default();
        for (key, row) in rows {
            page.last = Some(*key);
            page.documents.extend(document::decode(*key, row.document.as_bytes()).ok().map(|session| {
                StoredSession {
                    session: Arc::new(session),
                    due_at: row.due_at,
                    kept_until: row.kept_until,
                    replicated: row.replicated,
                }
            }));
        }
        Ok(page)
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.held().rows.remove(&key);
        Ok(())
    }

    async fn record_conflicts(&self, branches: &[Branch], _now: Timestamp) -> Result<(), StoreError> {
        let mut held = self.held();
        branches.iter().for_each(|branch| held.record_conflict(branch.clone()));
        Ok(())
    }

    fn serve(&self, epoch: u64) {
        self.view().epoch = epoch;
    }
}
