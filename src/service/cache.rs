//! The cache of documents, which saves a read per commit; a stale document costs a conflict and nothing else.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use session::{Session, SessionKey};

/// How many documents are cached.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Documents of one epoch: the next primary may have others.
#[derive(Debug)]
pub(super) struct Cache(Mutex<Documents>);

#[derive(Debug)]
struct Documents {
    epoch: u64,
    by_key: LruCache<SessionKey, Arc<Session>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(Documents { epoch: 0, by_key: LruCache::new(DOCUMENTS) }))
    }
}

impl Cache {
    /// The cached document of a conversation; a new epoch empties the cache.
    pub(super) fn get(&self, key: SessionKey, epoch: u64) -> Option<Arc<Session>> {
        let mut documents = self.documents();
        if documents.epoch < epoch {
            documents.epoch = epoch;
            documents.by_key.clear();
        }
        documents.by_key.get(&key).cloned()
    }

    /// Caches a document that was read or written under `epoch`, if the store still serves that; `current` is asked under
    /// the lock, so that no document of an older epoch slips in.
    pub(super) fn put(&self, session: &Arc<Session>, epoch: u64, current: impl FnOnce() -> u64) {
        let mut documents = self.documents();
        if documents.epoch == epoch && current() == epoch {
            documents.by_key.put(session.key, Arc::clone(session));
        }
    }

    pub(super) fn forget(&self, key: SessionKey) {
        self.documents().by_key.pop(&key);
    }

    pub(super) fn len(&self) -> usize {
        self.documents().by_key.len()
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
