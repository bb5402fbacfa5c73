//! The store that an operator reads: the primary, or the one that is named. Reading changes nothing, tables neither.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};

use crate::app;
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, DatabaseEngine};
use crate::database::{Database, DatabaseError};
use crate::operations::DeadLetters;
use crate::store::sql::SqlStore;
use crate::store::{FoundSession, SessionStore, StoreError};
use session::SessionKey;

/// How many documents are read at a time.
const PAGE_SIZE: usize = 200;

/// The store that is to be read.
#[derive(Clone, Copy, Debug, Args)]
pub struct Source {
    /// The store to read; by default, the primary.
    #[arg(long, value_enum)]
    store: Option<StoreName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StoreName {
    /// Redis; the database may be away.
    Redis,
    /// The database; Redis may be away.
    Sql,
}

/// A store that is open for an operator.
pub(super) struct OpenStore {
    pub(super) store: Arc<dyn SessionStore>,
    /// They are in the database only; `None` where that is not opened at all.
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) now: Timestamp,
}

impl OpenStore {
    /// Opens the store that is to be read, and nothing that this does not need.
    pub(super) async fn open(config: &Config, source: Source) -> anyhow::Result<Self> {
        let (clock, bot) = (Clock::system(), config.telegram.bot);
        let now = clock.now();
        let of = |store, dead_letters| Self { store, dead_letters, now };
        if source.store == Some(StoreName::Redis) {
            let Some(redis) = &config.redis else {
                bail!("REDIS_URL is not set: all sessions are in the database")
            };
            return Ok(of(Arc::new(app::redis_store(redis, bot)?), None));
        }
        let database = database(config).await?;
        let dead_letters = DeadLetters::new(&database, bot, &clock);
        let store: Arc<dyn SessionStore> = match source.store {
            Some(_) => Arc::new(SqlStore::new(database, bot)),
            None => app::session_store(config, &database, &clock).await?,
        };
        Ok(of(store, Some(dead_letters)))
    }

    /// Calls `visit` with every session once, page by page, until it returns false.
    pub(super) async fn each(
        &self,
        mut visit: impl FnMut(FoundSession) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut cursor: Option<String> = None;
        let mut seen: HashSet<SessionKey> = HashSet::new();
        loop {
            let page = self.store.page(cursor.as_deref(), PAGE_SIZE).await?;
            for found in page.found {
                if seen.insert(found.key) && !visit(found)? {
                    return Ok(());
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            cursor = Some(next);
        }
    }
}

/// The database as it is: neither made nor brought to this release's schema.
pub(super) async fn database(config: &Config) -> anyhow::Result<Database> {
    if let DatabaseEngine::Sqlite { path } = &config.database.engine
        && !tokio::fs::try_exists(path).await.unwrap_or(true)
    {
        bail!(
            "there is no database at {} yet: `depot-bot migrate` makes it, or the first start",
            path.display()
        );
    }
    Database::connect(&config.database.url).await.context("DATABASE_URL")
}

/// Adds to an error what can be done about it, if that is known.
pub(super) fn advised(error: anyhow::Error, config: &Config) -> anyhow::Error {
    match advice(&error, config.redis.is_some()) {
        Some(advice) => anyhow!("{error:#}; {advice}"),
        None => error,
    }
}

fn advice(error: &anyhow::Error, has_redis: bool) -> Option<&'static str> {
    let read_redis = has_redis.then_some("`--store redis` of `list`, `show` and `stats` reads Redis alone");
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return match error {
            StoreError::Unavailable { store: "redis", .. } | StoreError::Refused { store: "redis", .. } => {
                Some("`--store sql` reads the copy in the database")
            }
            StoreError::Refused { .. } => Some(OTHER_TABLES),
            StoreError::Unavailable { .. } | StoreError::Unknown { .. } => read_redis,
            StoreError::Superseded { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Newer { .. }
            | StoreError::TooLarge { .. } => None,
        };
    }
    match error.downcast_ref::<DatabaseError>()? {
        DatabaseError::Failed { .. } => Some(OTHER_TABLES),
        DatabaseError::Unavailable { .. } | DatabaseError::Unknown => read_redis,
        DatabaseError::Full { .. } => None,
    }
}

const OTHER_TABLES: &str =
    "if its tables are not those of this release, `depot-bot migrate` brings them there";
