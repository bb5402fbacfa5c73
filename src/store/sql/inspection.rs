//! The inspection of the sessions in SQL, for operators and the clean-up.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::database::{Connection, Engine, Job};
use crate::store::sql::{Load, SqlStore};
use crate::store::{
    FoundSession, SessionInspection, SessionPage, Statistics, StoreError, document, position_after,
};
use crate::{execute, fetch_all, fetch_one};
use deposit::{ChatId, UserId};
use session::SessionKey;

const DISCARD: &str = "delete from sessions where bot = $1 and chat = $2 and owner = $3 and document = $4";

const STATISTICS: &str = "
    select count(*), count(*) filter (where due_at <= $2) from sessions
    where bot = $1 and due_at is not null";

const PAGE: &str = "
    select chat, owner, document from sessions
    where bot = $1 and (chat, owner) > ($2, $3)
    order by chat, owner limit $4";

const PURGE: &str = "
    delete from sessions where (bot, chat, owner) in
        (select bot, chat, owner from sessions
         where bot = $1 and kept_until is not null and kept_until <= $2 limit $3)";

/// The most rows that one transaction purges, so that commits come in between.
const PURGE_MAX: i64 = 500;

#[async_trait]
impl SessionInspection for SqlStore {
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

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError> {
        let after = position_after(self.name(), after)?;
        let rows =
            self.read(ReadPage { bot: self.bot.0, after, limit: i64::try_from(limit).unwrap_or(i64::MAX) });
        let rows = rows.await?;
        let last = rows.last().filter(|_| rows.len() >= limit);
        let next = last.map(|(chat, owner, _)| format!("{chat}:{owner}"));
        let found = rows.into_iter().map(|(chat, owner, document)| {
            let key = SessionKey { bot: self.bot, chat: ChatId(chat), user: UserId(owner) };
            FoundSession { key, session: document::decode(key, document.as_bytes()) }
        });
        Ok(SessionPage { found: found.collect(), next })
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

struct ReadPage {
    bot: i64,
    after: (i64, i64),
    limit: i64,
}

impl Job for ReadPage {
    type Output = Vec<(i64, i64, String)>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        fetch_all!(connection, PAGE, self.bot, self.after.0, self.after.1, self.limit)
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
