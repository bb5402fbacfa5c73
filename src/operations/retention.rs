//! Rows that are retained for a time only: found by their age, and deleted or erased in small batches. Deposits stay.

use crate::clock::Timestamp;
use crate::database::{Database, DatabaseError, job};
use crate::{execute, fetch_one};
use deposit::BotId;

/// How many rows one transaction takes; others commit in between.
const BATCH: i64 = 200;

/// A kind of rows with a retention time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    /// Dead letters, by when they were stored; not one that is to be replayed.
    DeadLetters,
    /// Documents that lost against another branch, by when they were found.
    Conflicts,
    /// Documents that could not be read, by when they were found.
    Quarantine,
    /// Users' words and files of deposits, by when these were decided; columns and lines stay.
    Drafts,
    /// Messages to other chats that are no longer pending, by when they were written.
    Deliveries,
    /// Answers of paid servers, by when they expire.
    Cache,
}

impl Retained {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::DeadLetters, Self::Conflicts, Self::Quarantine, Self::Drafts, Self::Cache, Self::Deliveries];

    /// The label of metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead_letters",
            Self::Conflicts => "conflicts",
            Self::Quarantine => "quarantine",
            Self::Drafts => "drafts",
            Self::Deliveries => "deliveries",
            Self::Cache => "cache",
        }
    }

    /// Takes a batch of one bot's rows that are older than an instant.
    fn purge_sql(self) -> &'static str {
        match self {
            Self::DeadLetters => {
                "delete from dead_letters where (bot, update_id, sha256) in
                    (select bot, update_id, sha256 from dead_letters
                     where bot = $1 and created_at < $2 and replay_at is null limit $3)"
            }
            Self::Conflicts => {
                "delete from conflicts where (bot, chat, owner, epoch, version, commit_id) in
                    (select bot, chat, owner, epoch, version, commit_id from conflicts
                     where bot = $1 and found_at < $2 limit $3)"
            }
            Self::Quarantine => {
                "delete from quarantine where (bot, chat, owner, sha256) in
                    (select bot, chat, owner, sha256 from quarantine
                     where bot = $1 and found_at < $2 limit $3)"
            }
            Self::Drafts => {
                "update deposits set draft = '{}' where (id, revision) in
                    (select id, revision from deposits
                     where bot = $1 and decided_at < $2 and draft <> '{}' limit $3)"
            }
            Self::Deliveries => {
                "delete from deliveries where id in
                    (select id from deliveries
                     where bot = $1 and created_at < $2 and status <> 'pending' limit $3)"
            }
            Self::Cache => {
                "delete from cache where (bot, key) in
                    (select bot, key from cache where bot = $1 and expires_at < $2 limit $3)"
            }
        }
    }

    /// Reads the instant of one bot's oldest row.
    fn oldest_sql(self) -> &'static str {
        match self {
            Self::DeadLetters => "select min(created_at) from dead_letters where bot = $1",
            Self::Conflicts => "select min(found_at) from conflicts where bot = $1",
            Self::Quarantine => "select min(found_at) from quarantine where bot = $1",
            Self::Drafts => "select min(decided_at) from deposits where bot = $1 and draft <> '{}'",
            Self::Deliveries => {
                "select min(created_at) from deliveries where bot = $1 and status <> 'pending'"
            }
            Self::Cache => "select min(expires_at) from cache where bot = $1",
        }
    }
}

/// The rows of one bot that are retained for a time only; a clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Retention {
    database: Database,
    bot: BotId,
}

impl Retention {
    /// The rows of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId) -> Self {
        Self { database: database.clone(), bot }
    }

    /// Removes the rows older than `before`; returns how many there were.
    ///
    /// # Crash
    /// Some batches are done, and the next purge does the rest.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be repeated.
    pub async fn purge(&self, kind: Retained, before: Timestamp) -> Result<u64, DatabaseError> {
        let mut purged = 0;
        loop {
            let purge = job((kind, self.bot.0, before.0), |(kind, bot, before), connection| {
                Box::pin(async move { execute!(connection, kind.purge_sql(), *bot, *before, BATCH) })
            });
            let rows = self.database.write(purge).await?;
            purged += rows;
            if rows < BATCH.cast_unsigned() {
                return Ok(purged);
            }
        }
    }

    /// The instant of the oldest row; `None` without any.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn oldest(&self, kind: Retained) -> Result<Option<Timestamp>, DatabaseError> {
        let oldest = job((kind, self.bot.0), |(kind, bot), connection| {
            Box::pin(async move {
                let (oldest,): (Option<i64>,) = fetch_one!(connection, kind.oldest_sql(), *bot)?;
                Ok(oldest.map(Timestamp))
            })
        });
        self.database.read(oldest).await
    }
}
