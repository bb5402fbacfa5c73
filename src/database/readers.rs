//! The connections for reading: opened when needed, reused last-in first-out, closed when idle.
//!
//! Not sqlx's pool: that pings each connection when it comes back (a hop to SQLite's thread, or a round trip), and loses
//! a permit for ever when a silently dead connection is dropped (transact-rs/sqlx#4349). Here a read is a task of its own
//! that owns its connection and its permit, so it is never cancelled half-way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::database::connection::{Address, Connection, IDLE_MAX, Purpose};
use crate::database::error::{DatabaseError, ErrorClass, classify};
use crate::database::{Engine, Job};

type Idle = Mutex<Vec<(Connection, Instant)>>;

pub(super) struct Readers {
    address: Address,
    permits: Arc<Semaphore>,
    idle: Arc<Idle>,
}

impl Readers {
    pub(super) fn new(address: Address) -> Self {
        let connections = match address.engine() {
            Engine::Sqlite => 4,
            // The tenth is the writer's.
            Engine::Postgres => 9,
        };
        Self { address, permits: Arc::new(Semaphore::new(connections)), idle: Arc::default() }
    }

    pub(super) async fn read<J: Job>(&self, job: J, deadline: Duration) -> Result<J::Output, DatabaseError> {
        let deadline = Instant::now() + deadline;
        let late = || DatabaseError::unavailable("no answer in time");
        let permit = tokio::time::timeout_at(deadline, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| late())?
            .map_err(|_| DatabaseError::unavailable("closed"))?;
        let (address, idle) = (self.address.clone(), Arc::clone(&self.idle));
        let reading = tokio::spawn(async move {
            let outcome = read_on_any(&address, &idle, &job).await;
            drop(permit);
            outcome
        });
        match tokio::time::timeout_at(deadline, reading).await {
            Ok(Ok(outcome)) => outcome.map_err(|error| DatabaseError::from(&error)),
            Ok(Err(_)) => Err(DatabaseError::unavailable("the read was aborted")),
            Err(_) => Err(late()),
        }
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for (connection, _) in idle {
            connection.close().await;
        }
    }
}

/// An idle connection may have died with its server, and so may all others: then one fresh connection is tried.
async fn read_on_any<J: Job>(address: &Address, idle: &Idle, job: &J) -> Result<J::Output, sqlx::Error> {
    let engine = address.engine();
    if let Some(connection) = take(idle) {
        match read_on(engine, connection, idle, job).await {
            Err(error) if classify(&error) == ErrorClass::Lost => {
                idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            outcome => return outcome,
        }
    }
    read_on(engine, address.open(Purpose::Reading).await?, idle, job).await
}

async fn read_on<J: Job>(
    engine: Engine,
    mut connection: Connection,
    idle: &Idle,
    job: &J,
) -> Result<J::Output, sqlx::Error> {
    let outcome = Connection::bounded(engine, job.run(&mut connection)).await;
    if !matches!(&outcome, Err(error) if classify(error) == ErrorClass::Lost) {
        idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }
    outcome
}

fn take(idle: &Idle) -> Option<Connection> {
    let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
    idle.retain(|(_, since)| since.elapsed() < IDLE_MAX);
    idle.pop().map(|(connection, _)| connection)
}
