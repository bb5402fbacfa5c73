//! The contracts of the two stores behind failover: of SQL over SQLite, PostgreSQL and memory, of
//! Redis over a real one and memory, each on a private engine.

mod durable;
mod in_flight;
mod random;
mod volatile;

use std::sync::Arc;
use std::time::Duration;

use crate::memory::MemoryStore;
use depot_bot::clock::Timestamp;
use depot_bot::database::{Connection, Database, Job};
use depot_bot::fetch_one;
use depot_bot::store::StoredSession;
use depot_bot::store::replication::{DurableStore, VolatileStore};
use depot_bot::store::sql::SqlStore;
use secrecy::SecretString;
use session::{Session, SessionKey};

use crate::servers::{RedisServer, postgres_database};
use crate::simulation::calm_model;
use crate::stores::{BOT, Engine, redis_store};

/// On a loaded machine a commit may wait long for the disk; deadlines have tests of their own.
const PATIENT: Duration = Duration::from_secs(30);

/// A store as SQL sees itself, and the same engine as another instance sees it; no store is the primary yet.
pub(crate) struct Durable {
    store: Arc<dyn DurableStore>,
    beside: Arc<dyn DurableStore>,
    engine: Engine,
}

impl Durable {
    /// The engine of the simulations, without faults.
    async fn model() -> Self {
        let store = MemoryStore::new(BOT);
        store.empty();
        let beside = calm_model(&store.beside());
        Self { store: calm_model(&store), beside, engine: Engine::Memory(store) }
    }

    async fn memory() -> Self {
        let store = MemoryStore::new(BOT);
        store.empty();
        Self {
            store: Arc::new(store.clone()),
            beside: Arc::new(store.beside()),
            engine: Engine::Memory(store),
        }
    }

    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/depot.db", folder.path().display());
        Self::sql(&url, Some(folder)).await
    }

    async fn postgres() -> Self {
        Self::sql(&postgres_database(), None).await
    }

    async fn sql(url: &str, folder: Option<tempfile::TempDir>) -> Self {
        let database = connected(url).await;
        database.migrate().await.unwrap();
        // An instance has connections of its own: its writes are in flight beside those of the other.
        let beside = connected(url).await;
        Self {
            store: Arc::new(SqlStore::new(database.clone(), BOT)),
            beside: Arc::new(SqlStore::new(beside, BOT)),
            engine: Engine::Sql(database, folder),
        }
    }

    /// How many documents were kept because they lost.
    async fn conflicts(&self) -> usize {
        match &self.engine {
            Engine::Memory(store) => store.conflicts().len(),
            Engine::Sql(database, _) => {
                usize::try_from(database.read(CountConflicts).await.unwrap()).unwrap()
            }
            Engine::Redis(_) => unreachable!("Redis keeps no conflicts"),
        }
    }
}

async fn connected(url: &str) -> Database {
    Database::connect(&SecretString::from(url)).await.unwrap().with_deadline(PATIENT)
}

struct CountConflicts;

impl Job for CountConflicts {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let (count,): (i64,) = fetch_one!(connection, "select count(*) from conflicts")?;
        Ok(count)
    }
}

/// A store as Redis sees itself, and the same server as another instance sees it; it serves no epoch yet.
pub(crate) struct Volatile {
    store: Arc<dyn VolatileStore>,
    beside: Arc<dyn VolatileStore>,
    engine: Engine,
}

impl Volatile {
    /// The engine of the simulations, without faults.
    async fn model() -> Self {
        let store = MemoryStore::new(BOT);
        store.empty();
        let beside = calm_model(&store.beside());
        Self { store: calm_model(&store), beside, engine: Engine::Memory(store) }
    }

    async fn memory() -> Self {
        let store = MemoryStore::new(BOT);
        store.empty();
        Self {
            store: Arc::new(store.clone()),
            beside: Arc::new(store.beside()),
            engine: Engine::Memory(store),
        }
    }

    async fn redis() -> Self {
        let server = RedisServer::durable();
        let store = Arc::new(redis_store(&server, BOT, PATIENT));
        let beside = Arc::new(redis_store(&server, BOT, PATIENT));
        Self { store, beside, engine: Engine::Redis(server) }
    }

    /// Everything goes.
    fn empty(&self) {
        match &self.engine {
            Engine::Memory(store) => store.empty(),
            Engine::Redis(server) => server.command(&["FLUSHALL"]),
            Engine::Sql(..) => unreachable!("SQL is not emptied"),
        }
    }

    /// Starts the server anew, with everything it had.
    fn restart(&mut self) {
        match &mut self.engine {
            Engine::Memory(store) => store.restart("second"),
            Engine::Redis(server) => server.restart(),
            Engine::Sql(..) => unreachable!("SQL does not mind"),
        }
    }

    /// Makes the run that answers now the primary under `epoch`, here and beside.
    async fn open(&self, epoch: u64) {
        let run_id = self.store.probe().await.unwrap().run_id;
        self.store.serve(epoch, &run_id);
        self.beside.serve(epoch, &run_id);
        self.store.open(epoch).await.unwrap();
    }
}

/// The document of `key` at `epoch` and `version`, marked by both.
fn document(key: SessionKey, epoch: u64, version: u64) -> Session {
    let mut session = crate::stores::session(key, version);
    session.epoch = epoch;
    session.commit = u64::MAX - epoch * 1_000 - version;
    session
}

/// The same, with the values beside it.
fn stored(key: SessionKey, epoch: u64, version: u64) -> StoredSession {
    StoredSession {
        session: Arc::new(document(key, epoch, version)),
        due_at: None,
        kept_until: None,
        replicated: (epoch, version),
    }
}

fn due(stored: StoredSession, at: Timestamp) -> StoredSession {
    StoredSession { due_at: Some(at), ..stored }
}
