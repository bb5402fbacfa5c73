//! Memory as Redis: probed, filled by copies, emptied and restarted by the tests.

use std::time::Duration;

use async_trait::async_trait;
use depot_bot::clock::Timestamp;
use depot_bot::store::replication::{Branch, Probe, VolatileStore};
use depot_bot::store::{StoreError, StoredSession};
use session::SessionKey;
use tokio::time::Instant;

use crate::memory::{MemoryStore, NAME, Row};

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
            let reason = "it was emptied while sessions were copied to it".to_owned();
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
