//! The sessions in Redis: one string per conversation, one sorted set of what is due, one script per commit.

mod cache;
mod inspect;
mod leadership;
mod link;
mod offset;
mod options;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use redis::{RedisResult, Script, pipe};
use tokio::time::Instant;

pub use crate::store::redis::inspect::Description;
pub use crate::store::redis::options::{AddressError, DEADLINE, RedisOptions};

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};
use crate::store::keys::Keys;
use crate::store::redis::link::{Call, Link, Trouble};
use crate::store::{
    Commit, Committed, Found, Page, SessionStore, Statistics, StoreError, document, no_such_place,
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
    /// Prepares the way to Redis; the first call connects, so Redis may be down.
    ///
    /// # Errors
    /// [`AddressError`] if the URL cannot be understood.
    pub fn connect(options: &RedisOptions) -> Result<Self, AddressError> {
        let link = Link::new(options::address(options)?, options.deadline).map_err(AddressError)?;
        let keys = Keys::new(&options.prefix, options.bot);
        Ok(Self { link, keys, epoch: AtomicU64::new(1), scripts: Scripts::new(), copying: Mutex::default() })
    }

    /// Runs a command that only reads: where a write would be unknown, it simply has no answer.
    async fn query<T>(&self, operation: &'static str, command: redis::Cmd) -> Result<T, StoreError>
    where
        T: redis::FromRedisValue + Send,
    {
        let command = &command;
        let asked = |mut call: Call| async move { command.query_async(&mut call.connection).await };
        Self::observe(operation, self.link.ask(asked)).await.map_err(without_effect)
    }

    async fn observed<T, F>(
        &self,
        operation: &'static str,
        command: impl Fn(Call) -> F + Send + Sync,
    ) -> Result<T, Trouble>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        Self::observe(operation, self.link.call(command)).await
    }

    async fn observe<T>(
        operation: &'static str,
        call: impl Future<Output = Result<T, Trouble>> + Send,
    ) -> Result<T, Trouble> {
        let began = Instant::now();
        let outcome = call.await;
        metrics::histogram!("depot_redis_seconds", "operation" => operation).record(began.elapsed());
        if let Err(trouble) = &outcome {
            metrics::counter!("depot_redis_errors_total", "operation" => operation, "class" => trouble.class())
                .increment(1);
        }
        outcome
    }

    /// What is stored of a conversation, as it is.
    async fn value(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.session(key));
        let get = &get;
        let asked = |mut call: Call| async move { get.query_async(&mut call.connection).await };
        self.observed("load", asked).await.map_err(|trouble| match trouble {
            Trouble::WrongType => wrong_type(key),
            other => without_effect(other),
        })
    }

    /// Takes the head off a stored value and reads the document behind it.
    fn read(key: SessionKey, value: &[u8]) -> Result<Session, StoreError> {
        let corrupt = || StoreError::Corrupt { key, reason: "its head is missing".to_owned() };
        let document = value.splitn(4, |byte| *byte == b':').nth(3).ok_or_else(corrupt)?;
        document::decode(key, document)
    }
}

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
        let (verdict, _, value) = self.observed("commit", run).await.map_err(|trouble| match trouble {
            Trouble::Unknown | Trouble::Broken => StoreError::Unknown { store: NAME },
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
        Ok(members.iter().filter_map(|member| self.keys.conversation(member)).collect())
    }

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
        self.observed("discard", run).await.map_err(|trouble| match trouble {
            Trouble::Unknown | Trouble::Broken => StoreError::Unknown { store: NAME },
            Trouble::WrongType => wrong_type(key),
            other => without_effect(other),
        })
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        let mut counts = pipe();
        counts.zcard(self.keys.due()).zcount(self.keys.due(), "-inf", now.0).cmd("INFO").arg("memory");
        let counts = &counts;
        let asked = |mut call: Call| async move { counts.query_async(&mut call.connection).await };
        let (active, overdue, memory): (u64, u64, String) =
            self.observed("statistics", asked).await.map_err(without_effect)?;
        let memory_bytes = field(&memory, "used_memory").and_then(|bytes| bytes.parse().ok());
        Ok(Statistics { active, overdue, memory_bytes })
    }

    /// Redis expires documents by itself.
    async fn purge(&self, _now: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// One `SCAN`, whose cursor is the place, and a read of each document that it found.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let cursor: u64 = after.map_or(Ok(0), str::parse).map_err(|_| no_such_place(NAME))?;
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.keys.pattern()).arg("COUNT").arg(limit.max(1));
        let (cursor, names): (u64, Vec<String>) = self.query("page", scan).await?;
        let mut found = Vec::with_capacity(names.len());
        for key in
            names.iter().filter_map(|name| self.keys.conversation(name.strip_prefix(self.keys.sessions())?))
        {
            match self.load(key).await {
                Ok(None) => {}
                Ok(Some(session)) => found.push(Found { key, session: Ok(session) }),
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Newer { .. })) => {
                    found.push(Found { key, session: Err(error) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Page { found, next: (cursor != 0).then(|| cursor.to_string()) })
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

/// What trouble means for a command that would not have changed anything.
fn without_effect(trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Unavailable(reason) => StoreError::Unavailable { store: NAME, reason },
        Trouble::Unknown => unavailable("no answer in time"),
        Trouble::Broken => unavailable("the connection broke"),
        Trouble::ReadOnly => StoreError::Refused { store: NAME, reason: "READONLY".to_owned() },
        Trouble::Refused(reason) => StoreError::Refused { store: NAME, reason },
        Trouble::WrongType => StoreError::Refused { store: NAME, reason: "WRONGTYPE".to_owned() },
        Trouble::OtherServer => unavailable("another server answers"),
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
