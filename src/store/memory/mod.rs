//! The store in memory: the oracle that the others are compared with, and the model of both of them in simulations.
//! It forgets everything with the process.

mod leadership;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::deposit::BotId;
use crate::session::{Session, SessionKey};
use crate::store::replication::{Branch, Leadership};
use crate::store::{
    Commit, Committed, Found, Page, SessionStore, Statistics, StoreError, document, place_after,
};

/// The store in memory; clones share their documents.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    bot: BotId,
    held: Arc<Mutex<Held>>,
    view: Arc<Mutex<View>>,
}

/// What one instance believes.
#[derive(Clone, Debug)]
struct View {
    /// The epoch under which it commits.
    epoch: u64,
    /// The run that its commands are for.
    trusted: Option<String>,
    /// The copy that it makes.
    copying: Option<u64>,
}

impl Default for View {
    fn default() -> Self {
        Self { epoch: 1, trusted: None, copying: None }
    }
}

/// Everything that is kept.
#[derive(Clone, Debug)]
struct Held {
    rows: BTreeMap<SessionKey, Row>,
    /// The epoch whose commits are taken.
    served: Option<u64>,
    leadership: Option<Leadership>,
    instances: BTreeMap<i64, Timestamp>,
    conflicts: Vec<Branch>,
    dirty: BTreeMap<SessionKey, Instant>,
    run_id: String,
    /// How many copies were begun, and which of them are under way.
    copies: u64,
    copying: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
struct Row {
    epoch: u64,
    version: u64,
    commit: u64,
    document: String,
    due_at: Option<Timestamp>,
    kept_until: Option<Timestamp>,
    replicated: (u64, u64),
}

impl MemoryStore {
    /// An empty store that serves its first epoch.
    #[must_use]
    pub fn new(bot: BotId) -> Self {
        let held = Held {
            rows: BTreeMap::new(),
            served: Some(1),
            leadership: None,
            instances: BTreeMap::new(),
            conflicts: Vec::new(),
            dirty: BTreeMap::new(),
            run_id: "first".to_owned(),
            copies: 0,
            copying: BTreeSet::new(),
        };
        Self { bot, held: Arc::new(Mutex::new(held)), view: Arc::default() }
    }

    /// The same documents, as another bot sees them.
    #[must_use]
    pub fn of_bot(&self, bot: BotId) -> Self {
        Self { bot, held: Arc::clone(&self.held), view: Arc::default() }
    }

    /// The same documents, as another instance sees them.
    #[must_use]
    pub fn beside(&self) -> Self {
        self.of_bot(self.bot)
    }

    /// Replaces the text of a stored document: for tests of what cannot be read.
    pub fn spoil(&self, key: SessionKey, document: &str) {
        if let Some(row) = self.held().rows.get_mut(&key) {
            document.clone_into(&mut row.document);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that is kept, if it is still with the run that this instance trusts.
    fn trusted(&self) -> Result<MutexGuard<'_, Held>, StoreError> {
        let held = self.held();
        if self.view().trusted.as_ref().is_some_and(|trusted| *trusted != held.run_id) {
            let reason = "another server answers".to_owned();
            return Err(StoreError::Unavailable { store: NAME, reason });
        }
        Ok(held)
    }

    /// When each of this bot's conversations is due.
    fn instants(&self) -> Result<Vec<(Timestamp, SessionKey)>, StoreError> {
        let held = self.trusted()?;
        let own = held.rows.iter().filter(|(key, _)| key.bot == self.bot);
        let mut instants: Vec<_> = own.filter_map(|(key, row)| Some((row.due_at?, *key))).collect();
        instants.sort_unstable();
        Ok(instants)
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.trusted()?.rows.get(&key).map(|row| document::decode(key, row.document.as_bytes())).transpose()
    }

    fn epoch(&self) -> u64 {
        self.view().epoch
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let session = commit.session;
        let document = document::encode(session)?;
        let mut held = self.trusted()?;
        let current = held.rows.get(&session.key);
        let (epoch, version, mark) = current.map_or((0, 0, 0), |row| (row.epoch, row.version, row.commit));
        if current.is_some() && (epoch, version, mark) == (session.epoch, session.version, session.commit) {
            return Ok(Committed::Applied);
        }
        if held.served != Some(session.epoch) {
            return Err(StoreError::Superseded { store: NAME });
        }
        if version != commit.expected {
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
            replicated: current.map_or((0, 0), |row| row.replicated),
        };
        held.rows.insert(session.key, row);
        held.dirty.entry(session.key).or_insert_with(Instant::now);
        Ok(Committed::Applied)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let due = self.instants()?.into_iter().take_while(|(at, _)| *at <= now);
        Ok(due.take(limit).map(|(_, key)| key).collect())
    }

    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.held().rows.get(&key).map(|row| row.document.clone().into_bytes());
        Ok(stored.and_then(|stored| document::if_corrupt(&document::decode(key, &stored), stored)))
    }

    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        let mut held = self.held();
        let is_same = held.rows.get(&key).is_some_and(|row| row.document.as_bytes() == document);
        if is_same {
            held.rows.remove(&key);
            held.dirty.remove(&key);
        }
        Ok(is_same)
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        let instants = self.instants()?;
        let overdue = instants.partition_point(|(at, _)| *at <= now) as u64;
        Ok(Statistics { active: instants.len() as u64, overdue, memory_bytes: None })
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let rows = &mut self.held().rows;
        let before = rows.len();
        rows.retain(|key, row| key.bot != self.bot || row.kept_until.is_none_or(|until| until > now));
        Ok((before - rows.len()) as u64)
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let after = place_after(self.name(), after)?;
        let held = self.held();
        let own = held.rows.iter().filter(|(key, _)| key.bot == self.bot && (key.chat.0, key.user.0) > after);
        let found: Vec<Found> = own
            .take(limit)
            .map(|(key, row)| Found { key: *key, session: document::decode(*key, row.document.as_bytes()) })
            .collect();
        let last = found.last().filter(|_| found.len() >= limit);
        let next = last.map(|found| format!("{}:{}", found.key.chat, found.key.user));
        Ok(Page { found, next })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        NAME
    }
}

const NAME: &str = "memory";
