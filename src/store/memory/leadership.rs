//! The store in memory as SQL and as Redis see themselves when they take charge: what their implementations must do.

use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::store::memory::{Held, MemoryStore, NAME, Row};
use crate::store::replication::{
    Branch, ClusterState, CopyPage, DurableStore, Leadership, MirrorOutcome, Primary, Probe, StoredSession,
    VolatileStore,
};
use crate::store::{StoreError, document};

const SEEN_LATELY: Duration = Duration::from_secs(10);
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

impl MemoryStore {
    /// The server starts anew: another run, with what it had kept.
    pub fn restart(&self, run_id: &str) {
        run_id.clone_into(&mut self.held().run_id);
    }

    /// The server loses everything, its epoch too.
    pub fn empty(&self) {
        let mut held = self.held();
        held.rows.clear();
        held.dirty.clear();
        held.copying.clear();
        held.served = None;
    }

    /// Everything as it is now, apart from what happens to it afterwards.
    #[must_use]
    pub fn copied(&self) -> Self {
        let held = Arc::new(Mutex::new(self.held().clone()));
        Self { bot: self.bot, held, view: Arc::default() }
    }

    /// The server starts anew as another run, with what it had in an earlier copy.
    pub fn roll_back(&self, copy: &Self, run_id: &str) {
        let earlier = copy.held().clone();
        *self.held() = Held { run_id: run_id.to_owned(), ..earlier };
    }

    /// Epoch, version and mark of a document, whether it can be read or not.
    #[must_use]
    pub fn stamp(&self, key: SessionKey) -> Option<(u64, u64, u64)> {
        self.held().rows.get(&key).map(|row| (row.epoch, row.version, row.commit))
    }

    /// What lost against another branch.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Branch> {
        self.held().conflicts.clone()
    }
}

impl Held {
    fn put(&mut self, stored: &StoredSession, replicated: (u64, u64)) -> Result<(), StoreError> {
        let session = &stored.session;
        let row = Row {
            epoch: session.epoch,
            version: session.version,
            commit: session.commit,
            document: document::encode(session)?,
            due_at: stored.due_at,
            kept_until: stored.kept_until,
            replicated,
        };
        self.rows.insert(session.key, row);
        Ok(())
    }

    fn keep_conflict(&mut self, branch: Branch) {
        let is_it = |kept: &Branch| (kept.key, kept.stamp) == (branch.key, branch.stamp);
        if !self.conflicts.iter().any(is_it) {
            self.conflicts.push(branch);
        }
    }

    fn branch(stored: &StoredSession) -> Result<Branch, StoreError> {
        let session = &stored.session;
        let stamp = (session.epoch, session.version, session.commit);
        Ok(Branch { key: session.key, document: document::encode(session)?, stamp })
    }
}

impl Row {
    fn stamp(&self) -> (u64, u64) {
        (self.epoch, self.version)
    }

    /// Whether Redis has dropped its document, by a clock that may differ.
    fn is_over(&self, now: Timestamp) -> bool {
        self.kept_until.is_some_and(|until| until <= now.after(CLOCKS_DIFFER))
    }
}

#[async_trait]
impl DurableStore for MemoryStore {
    async fn read_cluster(&self, instance: i64, now: Timestamp) -> Result<ClusterState, StoreError> {
        let held = self.held();
        let others = held.instances.iter().filter(|(id, _)| **id != instance);
        let others = others.filter(|(_, seen)| **seen > now.before(SEEN_LATELY));
        let others = others.map(|(id, seen)| (*id, *seen)).collect();
        Ok(ClusterState { leadership: held.leadership.clone(), other_members: others })
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
            held.served = (to.primary == Primary::Sql).then_some(to.epoch);
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
        let is_late = leadership.as_ref().is_some_and(|leadership| leadership.epoch > epoch);
        let is_closed = leadership.is_none_or(|leadership| is_late && leadership.primary != Primary::Sql);
        let mut outcomes = Vec::with_capacity(documents.len());
        for stored in documents {
            let session = &stored.session;
            let stamp = (session.epoch, session.version);
            let there = held.rows.get(&session.key).filter(|row| !row.is_over(now));
            let there = there.map(|row| (row.stamp(), row.commit, row.replicated));
            let outcome = match there {
                Some((there, mark, _)) if there == stamp && mark == session.commit => MirrorOutcome::Written,
                Some((there, _, replicated)) if there > stamp => {
                    let is_in = !is_late || there.0 == stamp.0 || replicated >= stamp;
                    if is_in { MirrorOutcome::Written } else { MirrorOutcome::Lost }
                }
                Some((there, ..)) if there == stamp => MirrorOutcome::Lost,
                Some(_) | None if is_closed => MirrorOutcome::Lost,
                Some(_) | None => {
                    held.put(stored, stamp)?;
                    MirrorOutcome::Written
                }
            };
            if outcome == MirrorOutcome::Lost {
                held.keep_conflict(Held::branch(stored)?);
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

    async fn forget(&self, key: SessionKey) -> Result<(), StoreError> {
        self.held().rows.remove(&key);
        Ok(())
    }

    async fn record_conflicts(&self, branches: &[Branch], _now: Timestamp) -> Result<(), StoreError> {
        let mut held = self.held();
        branches.iter().for_each(|branch| held.keep_conflict(branch.clone()));
        Ok(())
    }

    fn serve(&self, epoch: u64) {
        self.view().epoch = epoch;
    }
}

#[async_trait]
impl VolatileStore for MemoryStore {
    async fn probe(&self) -> Result<Probe, StoreError> {
        let held = self.held();
        let oldest = held.dirty.values().min();
        Ok(Probe {
            run_id: held.run_id.clone(),
            epoch: held.served,
            backlog: held.dirty.len() as u64,
            lag: oldest.map_or(Duration::ZERO, Instant::elapsed),
        })
    }

    async fn check_eligibility(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn serve(&self, epoch: u64, run_id: &str) {
        let mut view = self.view();
        (view.epoch, view.trusted) = (epoch, Some(run_id.to_owned()));
    }

    async fn restore(&self, documents: &[StoredSession], _now: Timestamp) -> Result<Vec<Branch>, StoreError> {
        let mut held = self.trusted()?;
        let mut lost = Vec::new();
        for stored in documents {
            let (key, stamp) = (stored.session.key, (stored.session.epoch, stored.session.version));
            if held.rows.get(&key).is_some_and(|row| row.stamp() >= stamp) {
                continue;
            }
            let was_dirty = held.dirty.remove(&key).is_some();
            if let Some(row) = held.rows.get(&key).filter(|row| was_dirty && row.stamp() > stored.replicated)
            {
                let stamp = (row.epoch, row.version, row.commit);
                lost.push(Branch { key, document: row.document.clone(), stamp });
            }
            held.put(stored, stored.replicated)?;
        }
        Ok(lost)
    }

    async fn begin_copy(&self) -> Result<(), StoreError> {
        let mut held = self.trusted()?;
        held.copies += 1;
        let copy = held.copies;
        held.copying.insert(copy);
        self.view().copying = Some(copy);
        Ok(())
    }

    async fn open(&self, epoch: u64) -> Result<(), StoreError> {
        let mut held = self.trusted()?;
        let is_gone = self.view().copying.take().is_some_and(|copy| !held.copying.remove(&copy));
        if is_gone && held.served.is_none_or(|served| served < epoch) {
            let reason = "it was emptied while conversations were copied to it".to_owned();
            return Err(StoreError::Unavailable { store: NAME, reason });
        }
        if held.served.is_some_and(|served| served > epoch) {
            return Err(StoreError::Superseded { store: NAME });
        }
        held.served = Some(epoch);
        Ok(())
    }

    async fn backlog(&self, age: Duration, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let held = self.trusted()?;
        let mut owed: Vec<_> = held.dirty.iter().filter(|(_, since)| since.elapsed() >= age).collect();
        owed.sort_unstable_by_key(|(_, since)| **since);
        Ok(owed.into_iter().take(limit).map(|(key, _)| *key).collect())
    }

    async fn mark_replicated(&self, documents: &[StoredSession]) -> Result<(), StoreError> {
        let mut held = self.trusted()?;
        for stored in documents {
            let session = &stored.session;
            let stamp = (session.epoch, session.version, session.commit);
            let is_still = |row: &Row| (row.epoch, row.version, row.commit) == stamp;
            if held.rows.get(&session.key).is_none_or(is_still) {
                held.dirty.remove(&session.key);
            } else if let Some(since) = held.dirty.get_mut(&session.key) {
                *since = Instant::now();
            }
        }
        Ok(())
    }

    async fn drain(&self) {}
}
