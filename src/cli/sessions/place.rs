//! Where an operator looks: the store in charge, or the one that is named. Looking changes nothing, tables neither.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};

use crate::app;
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, Engine};
use crate::database::{Database, DatabaseError};
use crate::ledger::{Ledger, LedgerError};
use crate::session::SessionKey;
use crate::store::sql::SqlStore;
use crate::store::{Found, SessionStore, StoreError};

/// How many documents are read at a time.
const PAGE: usize = 200;

/// Which store is to be read.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Source {
    /// Which store to read; if it is not said, the one in charge.
    #[arg(long, value_enum)]
    store: Option<Which>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Redis; the database may be away.
    Redis,
    /// The database; Redis may be away.
    Sql,
}

/// What an operator looks into.
pub(super) struct Place {
    pub(super) store: Arc<dyn SessionStore>,
    /// What is in the database only; `None` where that is not asked at all.
    pub(super) ledger: Option<Ledger>,
    pub(super) now: Timestamp,
}

impl Place {
    /// Opens the store that is to be read, and nothing that this does not need.
    pub(super) async fn open(config: &Config, source: Source) -> anyhow::Result<Self> {
        let (clock, bot) = (Clock::system(), config.telegram.bot);
        let now = clock.now();
        let of = |store, ledger| Self { store, ledger, now };
        if source.store == Some(Which::Redis) {
            let Some(redis) = &config.redis else {
                bail!("REDIS_URL is not set: all conversations are in the database")
            };
            return Ok(of(Arc::new(app::redis_store(redis, bot)?), None));
        }
        let database = database(config).await?;
        let ledger = Ledger::new(database.clone(), bot, clock.clone());
        let store: Arc<dyn SessionStore> = match source.store {
            Some(_) => Arc::new(SqlStore::new(database, bot)),
            None => app::session_store(config, &database, &clock).await?,
        };
        Ok(of(store, Some(ledger)))
    }

    /// Brings every conversation to `look` once, page by page, until it has had enough.
    pub(super) async fn each(
        &self,
        mut look: impl FnMut(Found) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut place: Option<String> = None;
        let mut seen: HashSet<SessionKey> = HashSet::new();
        loop {
            let page = self.store.page(place.as_deref(), PAGE).await?;
            for found in page.found {
                if seen.insert(found.key) && !look(found)? {
                    return Ok(());
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            place = Some(next);
        }
    }
}

/// The database as it is: neither made nor brought to this release's schema.
pub(super) async fn database(config: &Config) -> anyhow::Result<Database> {
    if let Engine::Sqlite { path } = &config.database.engine
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
    let ledgers = error.downcast_ref::<LedgerError>().and_then(|error| match error {
        LedgerError::Database(error) => Some(error),
        LedgerError::Corrupt { .. } => None,
    });
    match ledgers.or_else(|| error.downcast_ref())? {
        DatabaseError::Failed { .. } => Some(OTHER_TABLES),
        DatabaseError::Unavailable { .. } | DatabaseError::Unknown => read_redis,
        DatabaseError::Full { .. } => None,
    }
}

const OTHER_TABLES: &str = "if its tables are not those of this release, `depot-bot migrate` mends that";
