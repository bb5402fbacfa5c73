//! The sessions in Redis: one string per session, one sorted set as the due index, one script per commit.

mod cache;
mod error;
mod inspect;
mod link;
mod offset;
mod options;
mod pool;
mod server;
mod sessions;
mod shared;
mod volatile;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use redis::{RedisResult, Script};
use tokio::time::Instant;

pub use crate::store::redis::inspect::Description;
pub use crate::store::redis::options::{AddressError, DEADLINE, PoolOptions, RedisOptions};

use crate::store::keys::Keys;
use crate::store::redis::error::LinkError;
use crate::store::redis::link::{Call, Link, Route};
use crate::store::{Replicated, StoreError};
use session::SessionKey;

/// The sessions of one bot in Redis.
pub struct RedisStore {
    link: Link,
    keys: Keys,
    /// The epoch that is served.
    epoch: AtomicU64,
    scripts: Scripts,
    /// The key that marks the copy which this instance makes.
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
}

/// A Redis that is asked alone has no replica.
impl Replicated for RedisStore {}

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
