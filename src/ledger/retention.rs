//! What is kept for a time only: found by its age, and deleted or erased in small batches. The deposits stay.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::ledger::{Ledger, LedgerError};
use crate::{execute, fetch_one};

/// How many rows one transaction takes; others commit in between.
const BATCH: i64 = 200;

/// What has a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Updates that lie aside, by when they were put there; not one that is to be handled again.
    Parked,
    /// Documents that lost against another branch, by when they were found.
    Conflicts,
    /// Documents that could not be read, by when they were found.
    Quarantine,
    /// What was said and sent for deposits, by when they were decided; columns and lines are kept.
    Drafts,
    /// Messages to other chats that are no longer pending, by when they were written.
    Deliveries,
    /// What paid servers answered, by when its time is over.
    Cache,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Parked, Self::Conflicts, Self::Quarantine, Self::Drafts, Self::Cache, Self::Deliveries];

    /// The label of metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
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
            Self::Parked => {
                "delete from parked_updates where (bot, update_id, sha256) in
                    (select bot, update_id, sha256 from parked_updates
                     where bot = $1 and parked_at < $2 and replay_at is null limit $3)"
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
                "delete from cache where (bot, asked) in
                    (select bot, asked from cache where bot = $1 and kept_until < $2 limit $3)"
            }
        }
    }

    /// Reads the instant of one bot's oldest row.
    fn oldest_sql(self) -> &'static str {
        match self {
            Self::Parked => "select min(parked_at) from parked_updates where bot = $1",
            Self::Conflicts => "select min(found_at) from conflicts where bot = $1",
            Self::Quarantine => "select min(found_at) from quarantine where bot = $1",
            Self::Drafts => "select min(decided_at) from deposits where bot = $1 and draft <> '{}'",
            Self::Deliveries => {
                "select min(created_at) from deliveries where bot = $1 and status <> 'pending'"
            }
            Self::Cache => "select min(kept_until) from cache where bot = $1",
        }
    }
}

impl Ledger {
    /// Removes what is older than `before`; returns how many rows it was.
    ///
    /// # Crash
    /// Some batches are done, and the next purge does the rest.
    ///
    /// # Errors
    /// [`LedgerError`]; may be repeated.
    pub async fn purge(&self, kind: Kind, before: Timestamp) -> Result<u64, LedgerError> {
        let mut purged = 0;
        loop {
            let rows = self.write(Purge { bot: self.bot.0, before: before.0, kind }).await?;
            purged += rows;
            if rows < BATCH.cast_unsigned() {
                return Ok(purged);
            }
        }
    }

    /// When the oldest that is kept came about; `None` if nothing is kept.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn oldest(&self, kind: Kind) -> Result<Option<Timestamp>, LedgerError> {
        Ok(self.read(Oldest { bot: self.bot.0, kind }).await?.map(Timestamp))
    }
}

struct Purge {
    bot: i64,
    before: i64,
    kind: Kind,
}

impl Job for Purge {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        execute!(connection, self.kind.purge_sql(), self.bot, self.before, BATCH)
    }
}

struct Oldest {
    bot: i64,
    kind: Kind,
}

impl Job for Oldest {
    type Output = Option<i64>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<i64>, sqlx::Error> {
        let (oldest,): (Option<i64>,) = fetch_one!(connection, self.kind.oldest_sql(), self.bot)?;
        Ok(oldest)
    }
}
