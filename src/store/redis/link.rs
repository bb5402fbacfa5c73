//! The link to Redis: the two kinds of connection, and the discipline that every call over them keeps.
//!
//! Commits, loads and whatever else is one short round trip go over one shared connection; copies, pages, statistics and
//! the cache of answers go through a pool, so that none of them is ever in front of a commit. In both cases one deadline
//! covers the whole call (a connection, sending and the answer), a script learns the deadline in Redis time, and a
//! command for the primary is sent to no other run of the server than the primary's.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::Connection;
use redis::aio::MultiplexedConnection;
use redis::{ConnectionInfo, RedisResult};
use tokio::time::{Instant, timeout_at};

use crate::store::redis::error::LinkError;
use crate::store::redis::offset::Offset;
use crate::store::redis::options::PoolOptions;
use crate::store::redis::pool::ConnectionPool;
use crate::store::redis::server::ServerRun;
use crate::store::redis::shared::SharedConnection;

/// One command on its way: where to send it, and by when it must be done.
pub(super) struct Call {
    pub(super) connection: MultiplexedConnection,
    /// Which run of the server is at its other end.
    pub(super) run_id: Arc<str>,
    /// The caller's deadline in Redis time, in ms.
    pub(super) deadline: i64,
}

/// The purpose of a call: it decides which connection carries the call, and which servers the call may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A commit, or another short round trip: over the shared connection, to the primary alone.
    Commit,
    /// A question about the server itself: over the shared connection, whichever server is there.
    Inspection,
    /// A read or a write of many documents: through the pool, to the primary alone.
    Bulk,
    /// A command that touches no document: through the pool, whichever server is there.
    Cache,
}

impl Route {
    fn is_pooled(self) -> bool {
        matches!(self, Self::Bulk | Self::Cache)
    }

    fn is_for_the_primary(self) -> bool {
        matches!(self, Self::Commit | Self::Bulk)
    }
}

#[derive(Debug)]
pub(super) struct Link {
    shared: SharedConnection,
    pool: ConnectionPool,
    pub(super) offset: Offset,
    /// How long a call over the shared connection may take.
    deadline: Duration,
    /// The run of the server that is the primary; `None` before one was named.
    primary: Mutex<Option<Arc<str>>>,
    /// When the last command that was sent over the shared connection will not be executed any more.
    busy_until: Mutex<Instant>,
}

/// A connection for one call, and the place it came from.
struct Leased {
    connection: MultiplexedConnection,
    run_id: Arc<str>,
    origin: Origin,
}

enum Origin {
    Shared { number: u64 },
    Pool(Connection),
}

impl Link {
    /// Makes no connection yet.
    pub(super) fn new(
        address: ConnectionInfo,
        deadline: Duration,
        pool: PoolOptions,
    ) -> Result<Self, String> {
        Ok(Self {
            shared: SharedConnection::new(address.clone(), deadline)?,
            pool: ConnectionPool::new(address, pool)?,
            offset: Offset::new(),
            deadline,
            primary: Mutex::default(),
            busy_until: Mutex::new(Instant::now()),
        })
    }

    /// Commands for the primary are for this run of the server from now on.
    pub(super) fn set_primary(&self, run_id: &str) {
        *lock(&self.primary) = Some(run_id.into());
    }

    /// Waits until no commit that was sent can be executed any more.
    ///
    /// Calls through the pool need no wait: the one that writes documents, a copy, is awaited by the task that waits here.
    pub(super) async fn drain(&self) {
        let until = *lock(&self.busy_until);
        tokio::time::sleep_until(until).await;
    }

    /// Runs a command under one deadline: getting a connection, sending and waiting together.
    ///
    /// A connection that breaks is replaced and the command repeated once, so it must be harmless twice.
    pub(super) async fn call<T, F>(
        &self,
        route: Route,
        command: impl Fn(Call) -> F + Send + Sync,
    ) -> Result<T, LinkError>
    where
        T: Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        let deadline = Instant::now() + if route.is_pooled() { self.pool.timeout } else { self.deadline };
        match self.once(route, deadline, &command).await {
            Err(LinkError::Broken) => match self.once(route, deadline, &command).await {
                // The first one may have been executed before the connection broke.
                Err(_) => Err(LinkError::Broken),
                done => done,
            },
            outcome => outcome,
        }
    }

    async fn once<T, F>(
        &self,
        route: Route,
        deadline: Instant,
        command: &(impl Fn(Call) -> F + Sync),
    ) -> Result<T, LinkError>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let leased =
            timeout_at(deadline, self.lease(route)).await.map_err(|_| LinkError::no_connection())??;
        let is_primary = |run_id| lock(&self.primary).as_ref().is_none_or(|primary| primary == run_id);
        if route.is_for_the_primary() && !is_primary(&leased.run_id) {
            return Err(LinkError::OtherServer);
        }
        if !route.is_pooled() {
            let mut busy_until = lock(&self.busy_until);
            *busy_until = deadline.max(*busy_until);
        }
        let Leased { connection, run_id, origin } = leased;
        let call = Call { connection, run_id, deadline: self.offset.in_redis_time(deadline) };
        // Dropping the command of a multiplexed connection is harmless: its driver owns the queue of replies.
        let error = match timeout_at(deadline, command(call)).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => LinkError::after_sending(&error),
            Err(_) => LinkError::Unknown,
        };
        if error == LinkError::ReadOnly {
            self.pool.clear();
        }
        if error.spoils_connection() {
            self.discard(origin);
        }
        Err(error)
    }

    async fn lease(&self, route: Route) -> Result<Leased, LinkError> {
        if !route.is_pooled() {
            let (number, connection, run_id) = self.shared.get(&self.offset).await?;
            return Ok(Leased { connection, run_id, origin: Origin::Shared { number } });
        }
        let mut pooled = self.pool.take().await?;
        let run_id = ServerRun::of(&mut pooled, &self.offset).await?.run_id;
        let connection = MultiplexedConnection::clone(&pooled);
        Ok(Leased { connection, run_id, origin: Origin::Pool(pooled) })
    }

    fn discard(&self, origin: Origin) {
        match origin {
            Origin::Shared { number } => self.shared.drop_connection(number),
            Origin::Pool(connection) => drop(Connection::take(connection)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
