//! Where sessions live: in the database alone, or in Redis and the database.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::database::Database;
use crate::rng::Rng;
use crate::store::SessionStore;
use crate::store::redis::{self, PoolOptions, RedisOptions, RedisStore};
use crate::store::replication::{DurableStore, Primary, VolatileStore};
use crate::store::replication::{ReplicatedStore, ReplicationStatus};
use crate::store::sql::SqlStore;
use deposit::BotId;

/// The stores of a running bot.
#[derive(Debug)]
pub(super) enum Stores {
    /// `REDIS_URL` is not set: the embedded default.
    Sql(Arc<SqlStore>),
    /// Redis as the primary while it can be, and the database behind it.
    Both(ReplicatedStore<SqlStore, RedisStore>),
}

/// Opens the stores that the configuration names.
///
/// # Errors
/// An address that cannot be understood, or a database that does not name the primary. Redis may be away.
pub(super) async fn open(
    config: &Config,
    database: &Database,
    redis: Option<Arc<RedisStore>>,
    clock: &Clock,
) -> anyhow::Result<Stores> {
    let sql = Arc::new(SqlStore::new(database.clone(), config.telegram.bot));
    let Some(redis) = redis else {
        sql.become_primary(clock.now()).await.context("DATABASE_URL")?;
        return Ok(Stores::Sql(sql));
    };
    Ok(Stores::Both(
        ReplicatedStore::start(sql, redis, clock.clone(), &Rng::system(), config.session.ttl).await,
    ))
}

impl Stores {
    /// The one store that the service sees.
    pub(super) fn sessions(&self) -> Arc<dyn SessionStore> {
        match self {
            Self::Sql(sql) => Arc::<SqlStore>::clone(sql),
            Self::Both(both) => Arc::new(both.clone()),
        }
    }

    /// The status of both stores; `None` without Redis.
    pub(super) fn status(&self) -> Option<watch::Receiver<ReplicationStatus>> {
        match self {
            Self::Sql(_) => None,
            Self::Both(both) => Some(both.status()),
        }
    }

    /// Flushes the replication queue to the database.
    pub(super) async fn stop(&self) {
        if let Self::Both(both) = self
            && !both.stop().await
        {
            tracing::warn!(
                "stopped with unreplicated commits: they are in Redis only; keep Redis until the next start, which brings them to the \
                 database"
            );
        }
    }
}

/// The store that is the primary of a bot that may be running, for commands beside it.
///
/// # Errors
/// A store that does not answer, or an address that cannot be understood.
pub async fn session_store(
    config: &Config,
    database: &Database,
    clock: &Clock,
) -> anyhow::Result<Arc<dyn SessionStore>> {
    let sql = SqlStore::new(database.clone(), config.telegram.bot);
    let leadership = sql.read_cluster(rand::random(), clock.now()).await?.leadership;
    match (&config.redis, leadership.map(|leadership| (leadership.epoch, leadership.primary))) {
        (Some(redis), Some((epoch, Primary::Redis { run_id }))) => {
            let store = redis_store(redis, config.telegram.bot)?;
            VolatileStore::serve(&store, epoch, &run_id);
            Ok(Arc::new(store))
        }
        (_, found) => {
            DurableStore::serve(&sql, found.map_or(1, |(epoch, _)| epoch));
            Ok(Arc::new(sql))
        }
    }
}

/// The way to Redis that the configuration names; connects with the first command.
///
/// # Errors
/// An address that cannot be understood; its text has no secret.
pub fn redis_store(redis: &config::RedisSettings, bot: BotId) -> anyhow::Result<RedisStore> {
    let options = RedisOptions {
        url: redis.url.clone(),
        password: None,
        db: None,
        ca: redis.ca.clone(),
        prefix: redis.key_prefix.clone(),
        bot,
        deadline: redis::DEADLINE,
        pool: PoolOptions { size: redis.pool_size, timeout: redis.timeout },
    };
    Ok(RedisStore::connect(&options)?)
}
