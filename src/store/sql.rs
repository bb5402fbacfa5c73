//! The sessions in SQL, on SQLite and PostgreSQL: one row per conversation, committed in groups by the writer.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::database::{Connection, Database, DatabaseError, Engine, Job};
use crate::deposit::{BotId, ChatId, UserId};
use crate::session::{Session, SessionKey};
use crate::store::{Commit, Committed, SessionStore, Statistics, StoreError, document};
use crate::{execute, fetch_all, fetch_one, fetch_optional};

const INSERT: &str = "
    insert into sessions
        (bot, chat, owner, epoch, version, commit_mark, schema, document, due_at, kept_until, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (bot, chat, owner) do nothing";

const UPDATE: &str = "
    update sessions
    set epoch = $4, version = $5, commit_mark = $6, schema = $7, document = $8,
        due_at = $9, kept_until = $10, updated_at = $11
    where bot = $1 and chat = $2 and owner = $3 and version = $12 and epoch <= $4";

const CURRENT: &str = "
    select epoch, version, commit_mark, document from sessions
    where bot = $1 and chat = $2 and owner = $3";

const LOAD: &str = "select document from sessions where bot = $1 and chat = $2 and owner = $3";

const DISCARD: &str = "delete from sessions where bot = $1 and chat = $2 and owner = $3 and document = $4";

const DUE: &str = "
    select chat, owner from sessions
    where bot = $1 and due_at is not null and due_at <= $2
    order by due_at limit $3";

const STATISTICS: &str = "
    select count(*), count(*) filter (where due_at <= $2) from sessions
    where bot = $1 and due_at is not null";

const PURGE: &str = "
    delete from sessions where (bot, chat, owner) in
        (select bot, chat, owner from sessions
         where bot = $1 and kept_until is not null and kept_until <= $2 limit $3)";

/// How many rows one purging transaction deletes; others commit in between.
const PURGE_MAX: i64 = 500;

/// The sessions of one bot in SQL.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
    bot: BotId,
}

impl SqlStore {
    /// The sessions of `bot`; the tables are there already ([`Database::migrate`]).
    #[must_use]
    pub fn new(database: Database, bot: BotId) -> Self {
        Self { database, bot }
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

#[async_trait]
impl SessionStore for SqlStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        let document = self.read(Load(key)).await?;
        document.map(|document| document::decode(key, document.as_bytes())).transpose()
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let session = commit.session;
        let job = CompareAndSet {
            key: session.key,
            expected: commit.expected.cast_signed(),
            epoch: session.epoch.cast_signed(),
            version: session.version.cast_signed(),
            mark: session.commit.cast_signed(),
            schema: session.schema,
            document: document::encode(session)?,
            due_at: commit.due_at.map(|at| at.0),
            kept_until: commit.kept_for.map(|duration| commit.now.after(duration).0),
            now: commit.now.0,
        };
        match self.write(job).await? {
            Outcome::Applied => Ok(Committed::Applied),
            Outcome::Conflict(None) => Ok(Committed::Conflict(None)),
            Outcome::Conflict(Some(document)) => {
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

    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.read(Load(key)).await?.map(String::into_bytes);
        Ok(stored.and_then(|stored| document::if_corrupt(&document::decode(key, &stored), stored)))
    }

    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        let document = String::from_utf8_lossy(document).into_owned();
        Ok(self.write(Discard { key, document }).await? > 0)
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        let (active, overdue) = self.read(Count { bot: self.bot.0, now: now.0 }).await?;
        Ok(Statistics {
            active: active.cast_unsigned(),
            overdue: overdue.cast_unsigned(),
            memory_bytes: None,
        })
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let rows = self.write(Purge { bot: self.bot.0, now: now.0 }).await?;
            purged += rows;
            if rows < PURGE_MAX.cast_unsigned() {
                return Ok(purged);
            }
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await.map_err(|error| self.failure(error))
    }

    fn name(&self) -> &'static str {
        match self.database.engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }
}

struct CompareAndSet {
    key: SessionKey,
    expected: i64,
    epoch: i64,
    version: i64,
    /// All 64 bits of the mark; its sign means nothing.
    mark: i64,
    schema: u16,
    document: String,
    due_at: Option<i64>,
    kept_until: Option<i64>,
    now: i64,
}

enum Outcome {
    Applied,
    Conflict(Option<String>),
}

impl Job for CompareAndSet {
    type Output = Outcome;

    async fn run(&self, connection: &mut Connection) -> Result<Outcome, sqlx::Error> {
        let SessionKey { bot, chat, user } = self.key;
        // The numbers follow the placeholders; `version = 0` is nowhere, so that 0 means "must not exist".
        let written = if self.expected == 0 {
            execute!(
                &mut *connection,
                INSERT,
                bot.0,
                chat.0,
                user.0,
                self.epoch,
                self.version,
                self.mark,
                i64::from(self.schema),
                self.document.as_str(),
                self.due_at,
                self.kept_until,
                self.now,
            )?
        } else {
            execute!(
                &mut *connection,
                UPDATE,
                bot.0,
                chat.0,
                user.0,
                self.epoch,
                self.version,
                self.mark,
                i64::from(self.schema),
                self.document.as_str(),
                self.due_at,
                self.kept_until,
                self.now,
                self.expected,
            )?
        };
        if written == 1 {
            return Ok(Outcome::Applied);
        }
        let current: Option<(i64, i64, i64, String)> =
            fetch_optional!(connection, CURRENT, bot.0, chat.0, user.0)?;
        Ok(match current {
            Some((epoch, version, mark, _))
                if (epoch, version, mark) == (self.epoch, self.version, self.mark) =>
            {
                Outcome::Applied
            }
            current => Outcome::Conflict(current.map(|(_, _, _, document)| document)),
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

struct Discard {
    key: SessionKey,
    document: String,
}

impl Job for Discard {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let SessionKey { bot, chat, user } = self.key;
        execute!(connection, DISCARD, bot.0, chat.0, user.0, self.document.as_str())
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

struct Count {
    bot: i64,
    now: i64,
}

impl Job for Count {
    type Output = (i64, i64);

    async fn run(&self, connection: &mut Connection) -> Result<(i64, i64), sqlx::Error> {
        fetch_one!(connection, STATISTICS, self.bot, self.now)
    }
}

struct Purge {
    bot: i64,
    now: i64,
}

impl Job for Purge {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        execute!(connection, PURGE, self.bot, self.now, PURGE_MAX)
    }
}
