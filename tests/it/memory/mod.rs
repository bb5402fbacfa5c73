//! The store in memory: the oracle that the others are compared with, and the model of both of them in simulations. It
//! forgets everything with the process.

mod durable;
mod volatile;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use deposit::BotId;
use depot_bot::clock::Timestamp;
use depot_bot::store::replication::{Branch, Leadership, SqlCopy};
use depot_bot::store::{
    Commit, Committed, FoundSession, Replicated, SessionInspection, SessionPage, SessionStore, Statistics,
    StoreError, StoredSession, document, position_after,
};
use session::{Session, SessionKey};
use tokio::time::Instant;

const NAME: &str = "memory";

/// By how much the clocks of Redis and SQL may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The store in memory; clones share their documents.
#[derive(Clone, Debug)]
pub(crate) struct MemoryStore {
    bot: BotId,
    held: Arc<Mutex<Held>>,
    view: Arc<Mutex<InstanceView>>,
}

/// The view of one instance.
#[derive(Clone, Debug)]
struct InstanceView {
    /// The epoch under which it commits.
    epoch: u64,
    /// The run that its commands are for.
    trusted: Option<String>,
    /// The copy that it makes.
    copying: Option<u64>,
}

impl Default for InstanceView {
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
    pub(crate) fn new(bot: BotId) -> Self {
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
    pub(crate) fn of_bot(&self, bot: BotId) -> Self {
        Self { bot, held: Arc::clone(&self.held), view: Arc::default() }
    }

    /// The same documents, as another instance sees them.
    pub(crate) fn beside(&self) -> Self {
        self.of_bot(self.bot)
    }

    /// Replaces the text of a stored document: for tests of what cannot be read.
    pub(crate) fn spoil(&self, key: SessionKey, document: &str) {
        if let Some(row) = self.held().rows.get_mut(&key) {
            document.clone_into(&mut row.document);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> MutexGuard<'_, InstanceView> {
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

impl MemoryStore {
    /// The server starts anew: another run, with what it had kept.
    pub(crate) fn restart(&self, run_id: &str) {
        run_id.clone_into(&mut self.held().run_id);
    }

    /// The server loses everything, its epoch too.
    pub(crate) fn empty(&self) {
        let mut held = self.held();
        held.rows.clear();
        held.dirty.clear();
        held.copying.clear();
        held.served = None;
    }

    /// Everything as it is now, apart from what happens to it afterwards.
    pub(crate) fn copied(&self) -> Self {
        let held = Arc::new(Mutex::new(self.held().clone()));
        Self { bot: self.bot, held, view: Arc::default() }
    }

    /// The server starts anew as another run, with what it had in an earlier copy.
    pub(crate) fn roll_back(&self, copy: &Self, run_id: &str) {
        let earlier = copy.held().clone();
        *self.held() = Held { run_id: run_id.to_owned(), ..earlier };
    }

    /// Epoch, version and commit id of a document, readable or not.
    pub(crate) fn stamp(&self, key: SessionKey) -> Option<(u64, u64, u64)> {
        self.held().rows.get(&key).map(|row| (row.epoch, row.version, row.commit))
    }

    /// The documents that lost against another branch.
    pub(crate) fn conflicts(&self) -> Vec<Branch> {
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

    fn record_conflict(&mut self, branch: Branch) {
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

    fn as_copy(&self) -> SqlCopy {
        SqlCopy { stamp: self.stamp(), commit: self.commit, replicated: self.replicated }
    }

    /// Whether Redis has dropped its document, by a clock that may differ.
    fn is_over(&self, now: Timestamp) -> bool {
        self.kept_until.is_some_and(|until| until <= now.after(CLOCKS_DIFFER))
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
}

impl Replicated for MemoryStore {}

#[async_trait]
impl SessionInspection for MemoryStore {
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

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError> {
        let after = position_after(self.name(), after)?;
        let held = self.held();
        let own = held.rows.iter().filter(|(key, _)| key.bot == self.bot && (key.chat.0, key.user.0) > after);
        let found: Vec<FoundSession> = own
            .take(limit)
            .map(|(key, row)| FoundSession {
                key: *key,
                session: document::decode(*key, row.document.as_bytes()),
            })
            .collect();
        let last = found.last().filter(|_| found.len() >= limit);
        let next = last.map(|found| format!("{}:{}", found.key.chat, found.key.user));
        Ok(SessionPage { found, next })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        NAME
    }
}
