//! The way to Redis: one multiplexed connection that all commands share, made and replaced through the pool.
//!
//! deadpool pings a connection each time it is taken out (10–19 k commits/s); one that is kept and shared is twice as
//! quick (34 k, tech.md §3). So the pool opens connections and vouches for them, and this keeps a clone of one. When it
//! fails it is dropped, and the next call takes another out of the pool, whose ping throws out the dead.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionInfo, ErrorKind, RedisError, RedisResult};
use tokio::time::{Instant, timeout_at};

use crate::store::redis::offset::Offset;

/// Why a command failed, as far as somebody has to decide something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Not executed; may be tried again.
    Unavailable(String),
    /// It was sent, and no answer came in time.
    Unknown,
    /// It was sent, and the connection broke.
    Broken,
    /// Not executed: this server takes no writes; another connection may lead to one that does.
    ReadOnly,
    /// Not executed, and will not be.
    Refused(String),
    /// Not executed: the key holds something else than we write.
    WrongType,
    /// Not sent: another run of the server answers than the one that is in charge.
    OtherServer,
}

impl Trouble {
    /// The label of `depot_redis_errors_total`.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
            Self::ReadOnly => "read_only",
            Self::Refused(_) => "refused",
            Self::WrongType => "wrong_type",
            Self::OtherServer => "other_server",
        }
    }

    /// What an error means that came after the command was sent.
    fn after_sending(error: &RedisError) -> Self {
        if error.is_timeout() {
            return Self::Unknown;
        }
        match (error.kind(), error.code()) {
            (ErrorKind::Io | ErrorKind::Parse, _) => Self::Broken,
            (_, Some("READONLY")) => Self::ReadOnly,
            (_, Some("WRONGTYPE")) => Self::WrongType,
            (
                _,
                Some(code @ ("LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "NOREPLICAS")),
            ) => Self::Unavailable(code.to_owned()),
            (_, Some(code)) => Self::Refused(code.to_owned()),
            (_, None) => Self::Refused(error.category().to_owned()),
        }
    }

    /// What an error means that came before anything was sent; the texts of the library may quote the configuration.
    fn before_sending(error: &PoolError) -> Self {
        Self::Unavailable(match error {
            PoolError::Timeout(_) => "no connection in time".to_owned(),
            PoolError::Backend(error) if error.is_connection_refusal() => "connection refused".to_owned(),
            PoolError::Backend(error) => error.code().unwrap_or(error.category()).to_owned(),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                "closed".to_owned()
            }
        })
    }
}

/// One command on its way: where to send it, and by when it must be done.
pub(super) struct Call {
    pub(super) connection: MultiplexedConnection,
    /// Which run of the server is at its other end.
    pub(super) run_id: Arc<str>,
    /// The caller's deadline in Redis time, in ms.
    pub(super) deadline: i64,
}

#[derive(Debug)]
pub(super) struct Link {
    pool: Pool,
    kept: Mutex<Kept>,
    /// Held by the one caller who replaces the connection.
    dialling: tokio::sync::Mutex<()>,
    pub(super) offset: Offset,
    deadline: Duration,
    /// The run of the server that commands are for; `None` before one was named.
    trusted: Mutex<Option<Arc<str>>>,
    /// When the last command that was sent will not be executed any more.
    busy_until: Mutex<Instant>,
}

/// Which commands a connection may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// Those for the run of the server that is in charge.
    Trusted,
    /// Those that ask a server who it is.
    Any,
}

#[derive(Debug, Default)]
struct Kept {
    connection: Option<(MultiplexedConnection, Arc<str>)>,
    /// Tells a connection that failed from the one that has replaced it meanwhile.
    number: u64,
}

impl Link {
    /// Makes no connection yet.
    pub(super) fn new(address: ConnectionInfo, deadline: Duration) -> Result<Self, String> {
        let patience = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(deadline))
            .set_response_timeout(Some(deadline));
        let manager = Manager::new_with_config(address, patience)
            .map_err(|error| format!("cannot be used: {}", error.category()))?;
        let pool = Pool::builder(manager)
            .max_size(2)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(deadline))
            .create_timeout(Some(deadline))
            // A dead connection must leave time for a live one within the same call.
            .recycle_timeout(Some(deadline / 2))
            .build()
            .map_err(|_| "no runtime".to_owned())?;
        let (kept, dialling) = (Mutex::default(), tokio::sync::Mutex::default());
        let (trusted, busy_until) = (Mutex::default(), Mutex::new(Instant::now()));
        Ok(Self { pool, kept, dialling, offset: Offset::new(), deadline, trusted, busy_until })
    }

    /// Commands are for this run of the server from now on.
    pub(super) fn trust(&self, run_id: &str) {
        *lock(&self.trusted) = Some(run_id.into());
    }

    /// Waits until nothing that was sent can be executed any more.
    pub(super) async fn drain(&self) {
        let until = *lock(&self.busy_until);
        tokio::time::sleep_until(until).await;
    }

    /// Runs a command under one deadline: getting a connection, sending and waiting together.
    ///
    /// A connection that breaks is replaced and the command repeated once, so it must be harmless twice.
    pub(super) async fn call<T, F>(&self, command: impl Fn(Call) -> F + Send + Sync) -> Result<T, Trouble>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        self.send(To::Trusted, command).await
    }

    /// The same for a command that asks whichever server is there who it is.
    pub(super) async fn ask<T, F>(&self, command: impl Fn(Call) -> F + Send + Sync) -> Result<T, Trouble>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        self.send(To::Any, command).await
    }

    async fn send<T, F>(&self, to: To, command: impl Fn(Call) -> F + Send + Sync) -> Result<T, Trouble>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        let deadline = Instant::now() + self.deadline;
        match self.once(to, deadline, &command).await {
            Err(Trouble::Broken) => match self.once(to, deadline, &command).await {
                // The first one may have been executed before the connection broke.
                Err(_) => Err(Trouble::Broken),
                done => done,
            },
            outcome => outcome,
        }
    }

    async fn once<T, F>(
        &self,
        to: To,
        deadline: Instant,
        command: &(impl Fn(Call) -> F + Sync),
    ) -> Result<T, Trouble>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let late = || Trouble::Unavailable("no connection in time".to_owned());
        let (number, connection, run_id) =
            timeout_at(deadline, self.connection()).await.map_err(|_| late())??;
        if to == To::Trusted && lock(&self.trusted).as_ref().is_some_and(|trusted| *trusted != run_id) {
            return Err(Trouble::OtherServer);
        }
        {
            let mut busy_until = lock(&self.busy_until);
            *busy_until = deadline.max(*busy_until);
        }
        let call = Call { connection, run_id, deadline: self.offset.in_redis_time(deadline) };
        // Dropping the command of a multiplexed connection is harmless: its driver owns the queue of replies.
        let trouble = match timeout_at(deadline, command(call)).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => Trouble::after_sending(&error),
            Err(_) => Trouble::Unknown,
        };
        if trouble == Trouble::ReadOnly {
            self.pool.retain(|_, _| false);
        }
        if matches!(trouble, Trouble::ReadOnly | Trouble::Broken | Trouble::Unknown) {
            self.drop_connection(number);
        }
        Err(trouble)
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection, Arc<str>), Trouble> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let _dialling = self.dialling.lock().await;
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let pooled = self.pool.get().await.map_err(|error| Trouble::before_sending(&error))?;
        let mut connection = MultiplexedConnection::clone(&pooled);
        drop(pooled);
        let run_id = self.introduce(&mut connection).await?;
        let mut kept = lock(&self.kept);
        kept.number += 1;
        kept.connection = Some((connection.clone(), Arc::clone(&run_id)));
        Ok((kept.number, connection, run_id))
    }

    /// Asks a new connection who is at its other end, and what time it is there: the first commit on it already knows
    /// its deadline.
    async fn introduce(&self, connection: &mut MultiplexedConnection) -> Result<Arc<str>, Trouble> {
        let unavailable = |error: RedisError| match Trouble::after_sending(&error) {
            Trouble::Refused(reason) => Trouble::Refused(reason),
            _ => Trouble::Unavailable(error.code().unwrap_or(error.category()).to_owned()),
        };
        let server: String =
            redis::cmd("INFO").arg("server").query_async(connection).await.map_err(unavailable)?;
        let sent = Instant::now();
        let (seconds, micros): (i64, i64) =
            redis::cmd("TIME").query_async(connection).await.map_err(unavailable)?;
        self.offset.learn(seconds * 1000 + micros / 1000, sent, Instant::now());
        Ok(super::field(&server, "run_id").unwrap_or_default().into())
    }

    fn kept(&self) -> Option<(u64, MultiplexedConnection, Arc<str>)> {
        let kept = lock(&self.kept);
        let (connection, run_id) = kept.connection.clone()?;
        Some((kept.number, connection, run_id))
    }

    fn drop_connection(&self, number: u64) {
        let mut kept = lock(&self.kept);
        if kept.number == number {
            kept.connection = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
