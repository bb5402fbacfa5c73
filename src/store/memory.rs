//! The store in memory: the oracle that the others are compared with. It forgets everything with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::deposit::BotId;
use crate::session::{Session, SessionKey};
use crate::store::{Commit, Committed, SessionStore, Statistics, StoreError, document};

/// The store in memory; clones share their documents.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    bot: BotId,
    rows: Arc<Mutex<BTreeMap<SessionKey, Row>>>,
}

#[derive(Debug)]
struct Row {
    epoch: u64,
    version: u64,
    commit: u64,
    document: String,
    due_at: Option<Timestamp>,
    kept_until: Option<Timestamp>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(bot: BotId) -> Self {
        Self { bot, rows: Arc::default() }
    }

    /// The same documents, as another bot sees them.
    #[must_use]
    pub fn of_bot(&self, bot: BotId) -> Self {
        Self { bot, rows: Arc::clone(&self.rows) }
    }

    /// Replaces the text of a stored document: for tests of what cannot be read.
    pub fn spoil(&self, key: SessionKey, document: &str) {
        if let Some(row) = self.rows().get_mut(&key) {
            document.clone_into(&mut row.document);
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When each of this bot's conversations is due.
    fn instants(&self) -> Vec<(Timestamp, SessionKey)> {
        let rows = self.rows();
        let own = rows.iter().filter(|(key, _)| key.bot == self.bot);
        let mut instants: Vec<_> = own.filter_map(|(key, row)| Some((row.due_at?, *key))).collect();
        instants.sort_unstable();
        instants
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.rows().get(&key).map(|row| document::decode(key, row.document.as_bytes())).transpose()
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let session = commit.session;
        let document = document::encode(session)?;
        let mut rows = self.rows();
        let current = rows.get(&session.key);
        let (epoch, version, mark) = current.map_or((0, 0, 0), |row| (row.epoch, row.version, row.commit));
        if current.is_some() && (epoch, version, mark) == (session.epoch, session.version, session.commit) {
            return Ok(Committed::Applied);
        }
        if version != commit.expected || epoch > session.epoch {
            let current = current.map(|row| document::decode(session.key, row.document.as_bytes()));
            return Ok(Committed::Conflict(current.transpose()?.map(Box::new)));
        }
        let row = Row {
            epoch: session.epoch,
            version: session.version,
            commit: session.commit,
            document,
            due_at: commit.due_at,
            kept_until: commit.kept_for.map(|duration| commit.now.after(duration)),
        };
        rows.insert(session.key, row);
        Ok(Committed::Applied)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let due = self.instants().into_iter().take_while(|(at, _)| *at <= now);
        Ok(due.take(limit).map(|(_, key)| key).collect())
    }

    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.rows().get(&key).map(|row| row.document.clone().into_bytes());
        Ok(stored.and_then(|stored| document::if_corrupt(&document::decode(key, &stored), stored)))
    }

    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let is_same = rows.get(&key).is_some_and(|row| row.document.as_bytes() == document);
        Ok(is_same && rows.remove(&key).is_some())
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        let instants = self.instants();
        let overdue = instants.partition_point(|(at, _)| *at <= now) as u64;
        Ok(Statistics { active: instants.len() as u64, overdue, memory_bytes: None })
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let before = rows.len();
        rows.retain(|key, row| key.bot != self.bot || row.kept_until.is_none_or(|until| until > now));
        Ok((before - rows.len()) as u64)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        "memory"
    }
}
