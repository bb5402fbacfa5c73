//! The common part of the store tests: each store on a private engine, a way past it, and documents to put in.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::memory::MemoryStore;
use deposit::{BotId, ChatId, UserId};
use depot_bot::clock::Timestamp;
use depot_bot::database::{Connection, Database, Job};
use depot_bot::execute;
use depot_bot::store::keys::{Keys, PREFIX};
use depot_bot::store::redis::{PoolOptions, RedisOptions, RedisStore};
use depot_bot::store::replication::VolatileStore as _;
use depot_bot::store::sql::SqlStore;
use depot_bot::store::{Commit, SessionStore};
use secrecy::SecretString;
use session::{Session, SessionKey};

use crate::servers::{RedisServer, postgres_database};
use crate::simulation::calm_model;

pub(crate) const BOT: BotId = BotId(42);
pub(crate) const OTHER_BOT: BotId = BotId(43);
pub(crate) const NOW: Timestamp = Timestamp(1_764_763_200_000);

/// A store, the same engine as another bot sees it, and a way past it.
pub(crate) struct Subject {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) other: Arc<dyn SessionStore>,
    pub(crate) engine: Engine,
}

pub(crate) enum Engine {
    Memory(MemoryStore),
    Sql(Database, #[expect(dead_code, reason = "goes with the test")] Option<tempfile::TempDir>),
    Redis(RedisServer),
}

impl Subject {
    pub(crate) async fn memory() -> Self {
        let store = MemoryStore::new(BOT);
        let other = Arc::new(store.of_bot(OTHER_BOT));
        Self { store: Arc::new(store.clone()), other, engine: Engine::Memory(store) }
    }

    /// The engine of the simulations, without faults.
    pub(crate) async fn model() -> Self {
        let store = MemoryStore::new(BOT);
        let other = calm_model(&store.of_bot(OTHER_BOT));
        Self { store: calm_model(&store), other, engine: Engine::Memory(store) }
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/depot.db", folder.path().display());
        Self::sql(&url, Some(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::sql(&postgres_database(), None).await
    }

    async fn sql(url: &str, folder: Option<tempfile::TempDir>) -> Self {
        let database = Database::connect(&SecretString::from(url)).await.unwrap();
        // On a loaded machine a commit may wait long for the disk; deadlines have tests of their own.
        let database = database.with_deadline(Duration::from_secs(30));
        database.migrate().await.unwrap();
        let store = Arc::new(SqlStore::new(database.clone(), BOT));
        let other = Arc::new(SqlStore::new(database.clone(), OTHER_BOT));
        for store in [&store, &other] {
            store.become_primary(NOW).await.unwrap();
        }
        Self { store, other, engine: Engine::Sql(database, folder) }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start();
        let store = redis_store(&server, BOT, Duration::from_secs(30));
        let other = redis_store(&server, OTHER_BOT, Duration::from_secs(30));
        for store in [&store, &other] {
            store.open(1).await.unwrap();
        }
        Self { store: Arc::new(store), other: Arc::new(other), engine: Engine::Redis(server) }
    }

    /// Replaces the text of a stored document, past the store.
    pub(crate) async fn spoil(&self, key: SessionKey, document: &str) {
        self.engine.spoil(key, document).await;
    }
}

impl Engine {
    /// Replaces the text of a stored document, past the store.
    pub(crate) async fn spoil(&self, key: SessionKey, document: &str) {
        match self {
            Self::Memory(store) => store.spoil(key, document),
            Self::Sql(database, _) => database.write(Spoil(key, document.to_owned())).await.unwrap(),
            Self::Redis(server) => {
                let value = format!("1:1:1:{document}");
                server.command(&["SET", &Keys::new(PREFIX, key.bot).session(key), &value])
            }
        }
    }
}

struct Spoil(SessionKey, String);

impl Job for Spoil {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "update sessions set document = $4 where bot = $1 and chat = $2 and owner = $3";
        execute!(connection, sql, self.0.bot.0, self.0.chat.0, self.0.user.0, &self.1).map(|_| ())
    }
}

pub(crate) fn redis_store(server: &RedisServer, bot: BotId, deadline: Duration) -> RedisStore {
    redis_store_at(&server.url(), bot, deadline)
}

pub(crate) fn redis_store_at(url: &str, bot: BotId, deadline: Duration) -> RedisStore {
    redis_store_with(url, bot, deadline, PoolOptions { size: NonZeroUsize::MIN, timeout: deadline })
}

pub(crate) fn redis_store_with(url: &str, bot: BotId, deadline: Duration, pool: PoolOptions) -> RedisStore {
    let options = RedisOptions {
        url: SecretString::from(url),
        password: None,
        db: None,
        ca: None,
        prefix: PREFIX.to_owned(),
        bot,
        deadline,
        pool,
    };
    RedisStore::connect(&options).unwrap()
}

pub(crate) fn key(chat: i64) -> SessionKey {
    SessionKey { bot: BOT, chat: ChatId(chat), user: UserId(chat) }
}

/// The document of `key` at `version`, marked by it.
pub(crate) fn session(key: SessionKey, version: u64) -> Session {
    let mut session = Session::new(key, NOW);
    session.version = version;
    // All 64 bits are used.
    session.commit = u64::MAX - version;
    session
}

/// The commit that makes `session` out of the version before it.
pub(crate) fn after(expected: u64, session: &Session) -> Commit<'_> {
    Commit { expected, session, due_at: None, kept_for: None, now: NOW }
}
