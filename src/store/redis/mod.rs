//! The sessions in Redis: one string per session, one sorted set as the due index, one script per commit.

mod cache;
mod error;
mod inspect;
mod link;
mod offset;
mod options;
mod pool;
mod server;
mod shared;
mod volatile;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use redis::{RedisResult, Script, pipe};
use tokio::time::Instant;

pub use crate::store::redis::inspect::Description;
pub use crate::store::redis::options::{AddressError, DEADLINE, PoolOptions, RedisOptions};

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};
use crate::store::keys::Keys;
use crate::store::redis::error::LinkError;
use crate::store::redis::link::{Call, Link, Route};
use crate::store::{
    Commit, Committed, FoundSession, Replicated, SessionInspection, SessionPage, SessionStore, Statistics,
    StoreError, document, no_such_cursor,
};

/// The sessions of one bot in Redis.
pub struct RedisStore {
    link: Link,
    keys: Keys,
    /// The epoch that is served.
    epoch: AtomicU64,
    scripts: Scripts,
    /// The mark of the copy that this instance makes.
    copying: Mutex<Option<String>>,
}

struct Scripts {
    commit: Script,
    due: Script,
    restore: Script,
    open: Script,
    replicated: Script,
    probe: Script,
    discard: Script,
}

impl Scripts {
    fn new() -> Self {
        Self {
            commit: Script::new(include_str!("scripts/commit.lua")),
            due: Script::new(include_str!("scripts/due.lua")),
            restore: Script::new(include_str!("scripts/restore.lua")),
            open: Script::new(include_str!("scripts/open.lua")),
            replicated: Script::new(include_str!("scripts/replicated.lua")),
            probe: Script::new(include_str!("scripts/probe.lua")),
            discard: Script::new(include_str!("scripts/discard.lua")),
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The verdict of `commit.lua`, Redis' time in ms, and the document as it is now.
type Reply = (String, i64, Option<Vec<u8>>);

impl RedisStore {
    /// Prepares the link to Redis; the first call connects, so Redis may be down.
    ///
    /// # Errors
    /// [`AddressError`] if the URL cannot be understood.
    pub fn connect(options: &RedisOptions) -> Result<Self, AddressError> {
        let link =
            Link::new(options::address(options)?, options.deadline, options.pool).map_err(AddressError)?;
        let keys = Keys::new(&options.prefix, options.bot);
        Ok(Self { link, keys, epoch: AtomicU64::new(1), scripts: Scripts::new(), copying: Mutex::default() })
    }

    /// Runs a command that only reads: where a write would be unknown, it simply has no answer.
    async fn query<T>(&self, operation: &'static str, command: redis::Cmd) -> Result<T, StoreError>
    where
        T: redis::FromRedisValue + Send,
    {
        self.query_on(Route::Inspection, operation, command).await
    }

    async fn query_on<T>(
        &self,
        route: Route,
        operation: &'static str,
        command: redis::Cmd,
    ) -> Result<T, StoreError>
    where
        T: redis::FromRedisValue + Send,
    {
        let command = &command;
        let asked = |mut call: Call| async move { command.query_async(&mut call.connection).await };
        self.observed_on(route, operation, asked).await.map_err(without_effect)
    }

    async fn observed<T, F>(
        &self,
        operation: &'static str,
        command: impl Fn(Call) -> F + Send + Sync,
    ) -> Result<T, LinkError>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        self.observed_on(Route::Commit, operation, command).await
    }

    /// Runs a command and counts it, by operation.
    async fn observed_on<T, F>(
        &self,
        route: Route,
        operation: &'static str,
        command: impl Fn(Call) -> F + Send + Sync,
    ) -> Result<T, LinkError>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        let began = Instant::now();
        let outcome = self.link.call(route, command).await;
        metrics::histogram!("depot_redis_seconds", "operation" => operation).record(began.elapsed());
        if let Err(error) = &outcome {
            metrics::counter!("depot_redis_errors_total", "operation" => operation, "class" => error.class())
                .increment(1);
        }
        outcome
    }

    /// The stored value of a session.
    async fn value(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.session(key));
        let get = &get;
        let asked = |mut call: Call| async move { get.query_async(&mut call.connection).await };
        self.observed("load", asked).await.map_err(|error| match error {
            LinkError::WrongType => wrong_type(key),
            other => without_effect(other),
        })
    }

    /// The documents of these sessions, without those that are gone meanwhile.
    async fn found(&self, keys: &[SessionKey]) -> Result<Vec<FoundSession>, StoreError> {
        let mut gets = pipe();
        // One document of another type must not hide the others.
        gets.ignore_errors();
        for key in keys {
            gets.get(self.keys.session(*key));
        }
        let gets = &gets;
        let asked = |mut call: Call| async move { gets.query_async(&mut call.connection).await };
        let values: Vec<RedisResult<Option<Vec<u8>>>> =
            self.observed_on(Route::Bulk, "page", asked).await.map_err(without_effect)?;
        let mut found = Vec::with_capacity(keys.len());
        for (&key, value) in keys.iter().zip(values) {
            let session = match value.map_err(|error| LinkError::after_sending(&error)) {
                Ok(None) => continue,
                Ok(Some(value)) => Self::read(key, &value),
                Err(LinkError::WrongType) => Err(wrong_type(key)),
                Err(error) => return Err(without_effect(error)),
            };
            found.push(FoundSession { key, session });
        }
        Ok(found)
    }

    /// Takes the head off a stored value and reads the document behind it.
    fn read(key: SessionKey, value: &[u8]) -> Result<Session, StoreError> {
        let corrupt = || StoreError::Corrupt { key, reason: "its head is missing".to_owned() };
        let document = value.splitn(4, |byte| *byte == b':').nth(3).ok_or_else(corrupt)?;
        document::decode(key, document)
    }
}

/// A Redis that is asked alone has no replica.
impl Replicated for RedisStore {}

#[async_trait]
impl SessionStore for RedisStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.value(key).await?.map(|value| Self::read(key, &value)).transpose()
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let session = commit.session;
        let key = session.key;
        let keys = [
            self.keys.session(key),
            self.keys.due().to_owned(),
            self.keys.dirty().to_owned(),
            self.keys.epoch().to_owned(),
        ];
        let arguments = [
            commit.expected.to_string(),
            session.epoch.to_string(),
            session.version.to_string(),
            session.commit.to_string(),
            document::encode(session)?,
            Keys::member(key),
            commit.due_at.map_or_else(String::new, |at| at.0.to_string()),
            commit.kept_for.map_or_else(String::new, |kept| kept.as_millis().max(1).to_string()),
        ];
        let (keys, arguments) = (&keys, &arguments);
        let run = |mut call: Call| async move {
            let mut invocation = self.scripts.commit.key(keys);
            let sent = Instant::now();
            let reply: Reply =
                invocation.arg(arguments).arg(call.deadline).invoke_async(&mut call.connection).await?;
            self.link.offset.learn(reply.1, sent, Instant::now());
            Ok(reply)
        };
        let (verdict, _, value) = self.observed("commit", run).await.map_err(|error| match error {
            LinkError::Unknown | LinkError::Broken => StoreError::Unknown { store: NAME },
            other => without_effect(other),
        })?;
        match verdict.as_str() {
            "applied" => Ok(Committed::Applied),
            "conflict" => {
                let current = value.map(|value| Self::read(key, &value)).transpose()?;
                Ok(Committed::Conflict(current.map(Box::new)))
            }
            "epoch" => Err(StoreError::Superseded { store: NAME }),
            "foreign" => Err(wrong_type(key)),
            _ => Err(unavailable("it was too late when Redis came to it")),
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let mut invocation = self.scripts.due.key(self.keys.due());
        invocation.arg(now.0).arg(limit).arg(self.keys.sessions());
        let invocation = &invocation;
        let run = |mut call: Call| async move { invocation.invoke_async(&mut call.connection).await };
        let members: Vec<String> = self.observed("due", run).await.map_err(without_effect)?;
        Ok(members.iter().filter_map(|member| self.keys.session_of(member)).collect())
    }
}

#[async_trait]
impl SessionInspection for RedisStore {
    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let value = match self.value(key).await {
            // Of another type: as Redis itself would write it down.
            Err(StoreError::Corrupt { .. }) => {
                let mut dump = redis::cmd("DUMP");
                dump.arg(self.keys.session(key));
                return self.query("unreadable", dump).await;
            }
            value => value?,
        };
        Ok(value.and_then(|value| document::if_corrupt(&Self::read(key, &value), value)))
    }

    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        let mut invocation = self.scripts.discard.key(self.keys.session(key));
        invocation.key(self.keys.due()).key(self.keys.dirty()).arg(document).arg(Keys::member(key));
        let invocation = &invocation;
        let run = |mut call: Call| async move { invocation.invoke_async(&mut call.connection).await };
        self.observed("discard", run).await.map_err(|error| match error {
            LinkError::Unknown | LinkError::Broken => StoreError::Unknown { store: NAME },
            LinkError::WrongType => wrong_type(key),
            other => without_effect(other),
        })
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        let mut counts = pipe();
        counts.zcard(self.keys.due()).zcount(self.keys.due(), "-inf", now.0).cmd("INFO").arg("memory");
        let counts = &counts;
        let asked = |mut call: Call| async move { counts.query_async(&mut call.connection).await };
        let (active, overdue, memory): (u64, u64, String) =
            self.observed_on(Route::Bulk, "statistics", asked).await.map_err(without_effect)?;
        let memory_bytes = field(&memory, "used_memory").and_then(|bytes| bytes.parse().ok());
        Ok(Statistics { active, overdue, memory_bytes })
    }

    /// Redis expires documents by itself.
    async fn purge(&self, _now: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// One `SCAN`, whose cursor is that of the page, and one round trip for the documents that it found.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError> {
        let cursor: u64 = after.map_or(Ok(0), str::parse).map_err(|_| no_such_cursor(NAME))?;
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.keys.pattern()).arg("COUNT").arg(limit.max(1));
        let (cursor, names): (u64, Vec<String>) = self.query_on(Route::Bulk, "page", scan).await?;
        let keys: Vec<SessionKey> = names
            .iter()
            .filter_map(|name| self.keys.session_of(name.strip_prefix(self.keys.sessions())?))
            .collect();
        Ok(SessionPage { found: self.found(&keys).await?, next: (cursor != 0).then(|| cursor.to_string()) })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.query("ping", redis::cmd("PING")).await
    }

    fn name(&self) -> &'static str {
        NAME
    }
}

const NAME: &str = "redis";

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { store: NAME, reason: reason.to_owned() }
}

fn wrong_type(key: SessionKey) -> StoreError {
    StoreError::Corrupt { key, reason: "its key holds another type".to_owned() }
}

/// The meaning of an error for a command that would not have changed anything.
fn without_effect(error: LinkError) -> StoreError {
    match error {
        LinkError::Unavailable(reason) => StoreError::Unavailable { store: NAME, reason },
        LinkError::Unknown => unavailable("no answer in time"),
        LinkError::Broken => unavailable("the connection broke"),
        LinkError::ReadOnly => StoreError::Refused { store: NAME, reason: "READONLY".to_owned() },
        LinkError::Refused(reason) => StoreError::Refused { store: NAME, reason },
        LinkError::WrongType => StoreError::Refused { store: NAME, reason: "WRONGTYPE".to_owned() },
        LinkError::OtherServer => unavailable("another server answers"),
    }
}

/// One line of `INFO`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_info_is_found_by_its_whole_name() {
        let text = "# Memory\r\nused_memory_human:1M\r\nused_memory:1048576\r\n";
        assert_eq!(field(text, "used_memory"), Some("1048576"));
        assert_eq!(field(text, "run_id"), None);
    }
}
