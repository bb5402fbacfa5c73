//! The sessions in SQL, on SQLite and PostgreSQL: one row per session, committed in groups by the writer.

mod catch_up;
mod durable;
mod inspection;
mod leadership;
mod mirror;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::database::{Connection, Database, DatabaseError, Job};
use crate::store::{
    Commit, Committed, Replicated, SessionInspection as _, SessionStore, StoreError, document,
};
use crate::{execute, fetch_all, fetch_one, fetch_optional};
use deposit::{BotId, ChatId, UserId};
use session::{Session, SessionKey};

/// The statements that write check the leadership row. On PostgreSQL they hold it, so that a change of it waits for
/// them, and a read after the change sees what they wrote. On SQLite there is one writer at a time anyway.
macro_rules! checked {
    ($lock:literal) => {
        Checked {
            insert: concat!(
                "insert into sessions
                    (bot, chat, owner, epoch, version, commit_id, schema, document, due_at, kept_until, updated_at)
                select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
                where exists (select 1 from leadership where bot = $1 and epoch = $4 and primary_store = 'sql'",
                $lock,
                ") on conflict (bot, chat, owner) do nothing"
            ),
            update: concat!(
                "update sessions
                set epoch = $4, version = $5, commit_id = $6, schema = $7, document = $8,
                    due_at = $9, kept_until = $10, updated_at = $11
                where bot = $1 and chat = $2 and owner = $3 and version = $12
                and exists (select 1 from leadership where bot = $1 and epoch = $4 and primary_store = 'sql'",
                $lock,
                ")"
            ),
        }
    };
}

struct Checked {
    insert: &'static str,
    update: &'static str,
}

const ON_SQLITE: Checked = checked!("");
const ON_POSTGRES: Checked = checked!(" for share");

const SERVES: &str =
    "select count(*) from leadership where bot = $1 and epoch = $2 and primary_store = 'sql'";

const CURRENT: &str = "
    select epoch, version, commit_id, document from sessions
    where bot = $1 and chat = $2 and owner = $3";

const LOAD: &str = "select document from sessions where bot = $1 and chat = $2 and owner = $3";

const DUE: &str = "
    select chat, owner from sessions
    where bot = $1 and due_at is not null and due_at <= $2
    order by due_at limit $3";

/// The sessions of one bot in SQL.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
    bot: BotId,
    /// The epoch of the commits.
    epoch: Arc<AtomicU64>,
}

impl SqlStore {
    /// The sessions of `bot`; the tables are there already ([`Database::migrate`]).
    #[must_use]
    pub fn new(database: Database, bot: BotId) -> Self {
        Self { database, bot, epoch: Arc::new(AtomicU64::new(1)) }
    }

    fn failure(&self, error: DatabaseError) -> StoreError {
        let store = self.name();
        match error {
            DatabaseError::Unavailable { reason } => StoreError::Unavailable { store, reason },
            DatabaseError::Unknown => StoreError::Unknown { store },
            DatabaseError::Full { reason } | DatabaseError::Failed { reason, .. } => {
                StoreError::Refused { store, reason }
            }
        }
    }

    async fn read<J: Job>(&self, job: J) -> Result<J::Output, StoreError> {
        self.database.read(job).await.map_err(|error| self.failure(error))
    }

    async fn write<J: Job>(&self, job: J) -> Result<J::Output, StoreError> {
        self.database.write(job).await.map_err(|error| self.failure(error))
    }
}

/// SQL is durable itself.
impl Replicated for SqlStore {}

#[async_trait]
impl SessionStore for SqlStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        let document = self.read(Load(key)).await?;
        document.map(|document| document::decode(key, document.as_bytes())).transpose()
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let session = commit.session;
        let job = CompareAndSet {
            key: session.key,
            expected: commit.expected.cast_signed(),
            epoch: session.epoch.cast_signed(),
            version: session.version.cast_signed(),
            commit: session.commit.cast_signed(),
            schema: session.schema,
            document: document::encode(session)?,
            due_at: commit.due_at.map(|at| at.0),
            kept_until: commit.kept_for.map(|duration| commit.now.after(duration).0),
            now: commit.now.0,
        };
        match self.write(job).await? {
            CompareAndSetOutcome::Applied => Ok(Committed::Applied),
            CompareAndSetOutcome::Superseded => Err(StoreError::Superseded { store: self.name() }),
            CompareAndSetOutcome::Conflict(None) => Ok(Committed::Conflict(None)),
            CompareAndSetOutcome::Conflict(Some(document)) => {
                let current = document::decode(session.key, document.as_bytes())?;
                Ok(Committed::Conflict(Some(Box::new(current))))
            }
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.read(Due { bot: self.bot.0, now: now.0, limit }).await?;
        let key = |(chat, user)| SessionKey { bot: self.bot, chat: ChatId(chat), user: UserId(user) };
        Ok(rows.into_iter().map(key).collect())
    }
}

struct CompareAndSet {
    key: SessionKey,
    expected: i64,
    epoch: i64,
    version: i64,
    /// All 64 bits of the commit id; its sign means nothing.
    commit: i64,
    schema: u16,
    document: String,
    due_at: Option<i64>,
    kept_until: Option<i64>,
    now: i64,
}

enum CompareAndSetOutcome {
    Applied,
    Superseded,
    Conflict(Option<String>),
}

impl Job for CompareAndSet {
    type Output = CompareAndSetOutcome;

    async fn run(&self, connection: &mut Connection) -> Result<CompareAndSetOutcome, sqlx::Error> {
        let SessionKey { bot, chat, user } = self.key;
        let checked = match connection {
            Connection::Sqlite(_) => &ON_SQLITE,
            Connection::Postgres(_) => &ON_POSTGRES,
        };
        // In the order of the placeholders. No row has version 0, so that 0 stands for "must not exist".
        let written = if self.expected == 0 {
            execute!(
                &mut *connection,
                checked.insert,
                bot.0,
                chat.0,
                user.0,
                self.epoch,
                self.version,
                self.commit,
                i64::from(self.schema),
                self.document.as_str(),
                self.due_at,
                self.kept_until,
                self.now,
            )?
        } else {
            execute!(
                &mut *connection,
                checked.update,
                bot.0,
                chat.0,
                user.0,
                self.epoch,
                self.version,
                self.commit,
                i64::from(self.schema),
                self.document.as_str(),
                self.due_at,
                self.kept_until,
                self.now,
                self.expected,
            )?
        };
        if written == 1 {
            return Ok(CompareAndSetOutcome::Applied);
        }
        let current: Option<(i64, i64, i64, String)> =
            fetch_optional!(&mut *connection, CURRENT, bot.0, chat.0, user.0)?;
        let (serves,): (i64,) = fetch_one!(connection, SERVES, bot.0, self.epoch)?;
        Ok(match current {
            Some((epoch, version, commit, _))
                if (epoch, version, commit) == (self.epoch, self.version, self.commit) =>
            {
                CompareAndSetOutcome::Applied
            }
            _ if serves == 0 => CompareAndSetOutcome::Superseded,
            current => CompareAndSetOutcome::Conflict(current.map(|(_, _, _, document)| document)),
        })
    }
}

struct Load(SessionKey);

impl Job for Load {
    type Output = Option<String>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<String>, sqlx::Error> {
        let SessionKey { bot, chat, user } = self.0;
        let row: Option<(String,)> = fetch_optional!(connection, LOAD, bot.0, chat.0, user.0)?;
        Ok(row.map(|(document,)| document))
    }
}

struct Due {
    bot: i64,
    now: i64,
    limit: i64,
}

impl Job for Due {
    type Output = Vec<(i64, i64)>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        fetch_all!(connection, DUE, self.bot, self.now, self.limit)
    }
}
