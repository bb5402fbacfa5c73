//! The store in memory as SQL and as Redis see themselves when they take charge: what their implementations must do.

use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::store::authority::{
    Authority, Branch, DurableStore, InCharge, Mirrored, Page, Probe, Row as AuthorityRow, Stored,
    VolatileStore,
};
use crate::store::memory::{Held, MemoryStore, NAME, Row};
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
        held.unmirrored.clear();
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
    fn put(&mut self, stored: &Stored, mirrored: (u64, u64)) -> Result<(), StoreError> {
        let session = &stored.session;
        let row = Row {
            epoch: session.epoch,
            version: session.version,
            commit: session.commit,
            document: document::encode(session)?,
            due_at: stored.due_at,
            kept_until: stored.kept_until,
            mirrored,
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

    fn branch(stored: &Stored) -> Result<Branch, StoreError> {
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
    async fn authority(&self, instance: i64, now: Timestamp) -> Result<AuthorityRow, StoreError> {
        let held = self.held();
        let others = held.instances.iter().filter(|(id, _)| **id != instance);
        let others = others.filter(|(_, seen)| **seen > now.before(SEEN_LATELY));
        let others = others.map(|(id, seen)| (*id, *seen)).collect();
        Ok(AuthorityRow { authority: held.authority.clone(), others })
    }

    async fn change_authority(
        &self,
        from: Option<&Authority>,
        to: &Authority,
        _now: Timestamp,
    ) -> Result<Option<Authority>, StoreError> {
        let mut held = self.held();
        if held.authority.as_ref() == from {
            held.authority = Some(to.clone());
            held.served = (to.store == InCharge::Sql).then_some(to.epoch);
        }
        Ok(held.authority.clone())
    }

    async fn sign_on(&self, instance: i64, now: Timestamp) -> Result<(), StoreError> {
        self.held().instances.insert(instance, now);
        Ok(())
    }

    async fn sign_off(&self, instance: i64) -> Result<(), StoreError> {
        self.held().instances.remove(&instance);
        Ok(())
    }

    async fn mirror(
        &self,
        documents: &[Stored],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<Mirrored>, StoreError> {
        let mut held = self.held();
        let authority = held.authority.clone();
        let is_late = authority.as_ref().is_some_and(|authority| authority.epoch > epoch);
        let is_closed = authority.is_none_or(|authority| is_late && authority.store != InCharge::Sql);
        let mut outcomes = Vec::with_capacity(documents.len());
        for stored in documents {
            let session = &stored.session;
            let stamp = (session.epoch, session.version);
            let there = held.rows.get(&session.key).filter(|row| !row.is_over(now));
            let there = there.map(|row| (row.stamp(), row.commit, row.mirrored));
            let outcome = match there {
                Some((there, mark, _)) if there == stamp && mark == session.commit => Mirrored::Written,
                Some((there, _, mirrored)) if there > stamp => {
                    let is_in = !is_late || there.0 == stamp.0 || mirrored >= stamp;
                    if is_in { Mirrored::Written } else { Mirrored::Lost }
                }
                Some((there, ..)) if there == stamp => Mirrored::Lost,
                Some(_) | None if is_closed => Mirrored::Lost,
                Some(_) | None => {
                    held.put(stored, stamp)?;
                    Mirrored::Written
                }
            };
            if outcome == Mirrored::Lost {
                held.keep_conflict(Held::branch(stored)?);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn stored_after(&self, after: Option<SessionKey>, limit: usize) -> Result<Page, StoreError> {
        let held = self.held();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows =
            held.rows.range((from, Bound::Unbounded)).filter(|(key, _)| key.bot == self.bot).take(limit);
        let mut page = Page::default();
        for (key, row) in rows {
            page.last = Some(*key);
            page.documents.extend(document::decode(*key, row.document.as_bytes()).ok().map(|session| {
                Stored {
                    session: Arc::new(session),
                    due_at: row.due_at,
                    kept_until: row.kept_until,
                    mirrored: row.mirrored,
                }
            }));
        }
        Ok(page)
    }

    async fn forget(&self, key: SessionKey) -> Result<(), StoreError> {
        self.held().rows.remove(&key);
        Ok(())
    }

    async fn keep_conflicts(&self, branches: &[Branch], _now: Timestamp) -> Result<(), StoreError> {
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
        let oldest = held.unmirrored.values().min();
        Ok(Probe {
            run_id: held.run_id.clone(),
            epoch: held.served,
            unmirrored: held.unmirrored.len() as u64,
            unmirrored_for: oldest.map_or(Duration::ZERO, Instant::elapsed),
        })
    }

    async fn fit(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn serve(&self, epoch: u64, run_id: &str) {
        let mut view = self.view();
        (view.epoch, view.trusted) = (epoch, Some(run_id.to_owned()));
    }

    async fn restore(&self, documents: &[Stored], _now: Timestamp) -> Result<Vec<Branch>, StoreError> {
        let mut held = self.trusted()?;
        let mut lost = Vec::new();
        for stored in documents {
            let (key, stamp) = (stored.session.key, (stored.session.epoch, stored.session.version));
            if held.rows.get(&key).is_some_and(|row| row.stamp() >= stamp) {
                continue;
            }
            let was_unmirrored = held.unmirrored.remove(&key).is_some();
            if let Some(row) =
                held.rows.get(&key).filter(|row| was_unmirrored && row.stamp() > stored.mirrored)
            {
                let stamp = (row.epoch, row.version, row.commit);
                lost.push(Branch { key, document: row.document.clone(), stamp });
            }
            held.put(stored, stored.mirrored)?;
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

    async fn debt(&self, age: Duration, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let held = self.trusted()?;
        let mut owed: Vec<_> = held.unmirrored.iter().filter(|(_, since)| since.elapsed() >= age).collect();
        owed.sort_unstable_by_key(|(_, since)| **since);
        Ok(owed.into_iter().take(limit).map(|(key, _)| *key).collect())
    }

    async fn paid(&self, documents: &[Stored]) -> Result<(), StoreError> {
        let mut held = self.trusted()?;
        for stored in documents {
            let session = &stored.session;
            let stamp = (session.epoch, session.version, session.commit);
            let is_still = |row: &Row| (row.epoch, row.version, row.commit) == stamp;
            if held.rows.get(&session.key).is_none_or(is_still) {
                held.unmirrored.remove(&session.key);
            } else if let Some(since) = held.unmirrored.get_mut(&session.key) {
                *since = Instant::now();
            }
        }
        Ok(())
    }

    async fn quiet(&self) {}
}
