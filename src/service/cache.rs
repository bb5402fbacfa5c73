//! The documents that an instance remembers to save a read; a stale one costs a conflict and nothing else.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::session::{Session, SessionKey};

/// How many documents are remembered.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Documents of one epoch: the next store in charge may have others.
#[derive(Debug)]
pub(super) struct Cache(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    epoch: u64,
    documents: LruCache<SessionKey, Arc<Session>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(Inside { epoch: 0, documents: LruCache::new(DOCUMENTS) }))
    }
}

impl Cache {
    /// What is remembered of a conversation; with a new epoch everything older is forgotten.
    pub(super) fn get(&self, key: SessionKey, epoch: u64) -> Option<Arc<Session>> {
        let mut inside = self.inside();
        if inside.epoch < epoch {
            inside.epoch = epoch;
            inside.documents.clear();
        }
        inside.documents.get(&key).cloned()
    }

    /// Remembers what was read or written under `epoch`, if that still lasts at the store, which says so while nobody
    /// else may ask.
    pub(super) fn put(&self, session: &Arc<Session>, epoch: u64, current: impl FnOnce() -> u64) {
        let mut inside = self.inside();
        if inside.epoch == epoch && current() == epoch {
            inside.documents.put(session.key, Arc::clone(session));
        }
    }

    pub(super) fn forget(&self, key: SessionKey) {
        self.inside().documents.pop(&key);
    }

    pub(super) fn len(&self) -> usize {
        self.inside().documents.len()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
