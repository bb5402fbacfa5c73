//! SQL, written once for SQLite and PostgreSQL: a group-committing writer, a few readers, and one deadline per call.
//!
//! A unit of work is a [`Job`], usually made by [`job`]: its parameters, and statements that may run several times.
//! Statements have `$n` placeholders, integers are `bigint` and `i64`, and the macros [`execute!`](crate::execute),
//! [`fetch_optional!`](crate::fetch_optional), [`fetch_one!`](crate::fetch_one) and [`fetch_all!`](crate::fetch_all)
//! run them on either engine ([`on!`](crate::on) is their base).
//!
//! Writes go through one task with one connection, which commits all waiting jobs in one transaction: with
//! `synchronous=full` that is ten times as many acknowledged rows per second as a transaction each. No future that
//! talks to a database is ever dropped half-way (a cancelled `begin` leaves a connection inside a transaction,
//! transact-rs/sqlx#4385): a caller may stop waiting, the work goes on.

mod connection;
mod error;
mod job;
mod readers;
mod text;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;

pub use crate::database::connection::Connection;
pub use crate::database::error::DatabaseError;
pub use crate::database::job::{Job, Statements, job};
pub(crate) use crate::database::job::{alone, one_by_one};
pub(crate) use crate::database::text::storable_text;

use crate::database::connection::{Address, Purpose};
use crate::database::readers::Readers;
use crate::database::writer::Writer;
use crate::{execute, fetch_one};

/// How long a caller waits for the outcome, if nothing else is said.
const DEADLINE: Duration = Duration::from_secs(2);

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// Which engine is behind a [`Database`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of this machine.
    Sqlite,
    /// A server that several instances can share.
    Postgres,
}

impl Engine {
    /// `sqlite` or `postgres`, for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The database; clones are cheap and share the connections.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
    deadline: Duration,
}

struct Inner {
    address: Address,
    writer: Writer,
    readers: Readers,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens `sqlite://path` (creating the file, for its owner's eyes only, and its parent folders) or `postgres://…`, and starts the writer.
    ///
    /// # Errors
    /// [`DatabaseError::Failed`] for an address that cannot be understood, otherwise why it could not be opened.
    pub async fn connect(url: &SecretString) -> Result<Self, DatabaseError> {
        let address = Address::parse(url)?;
        if let Some(path) = address.path() {
            connection::create(path).await?;
        }
        let writer = Writer::start(address.clone()).await.map_err(|error| DatabaseError::from(&error))?;
        let readers = Readers::new(address.clone());
        Ok(Self { inner: Arc::new(Inner { address, writer, readers }), deadline: DEADLINE })
    }

    /// The same database for callers who wait for `deadline` instead of 2 s.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { inner: Arc::clone(&self.inner), deadline }
    }

    /// Brings the tables up to what this release needs; does nothing if they are.
    ///
    /// # Errors
    /// [`DatabaseError::Failed`] also when the tables belong to a newer release.
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        let mut connection =
            self.inner.address.open(Purpose::Migrating).await.map_err(|error| DatabaseError::from(&error))?;
        let migrating = Box::pin(async {
            match &mut connection {
                Connection::Sqlite(connection) => SQLITE_MIGRATIONS.run(connection).await,
                Connection::Postgres(connection) => POSTGRES_MIGRATIONS.run(connection).await,
            }
        });
        #[cfg(feature = "failpoints")]
        let migrating = crate::failpoint::during("migrating", migrating);
        let outcome = migrating.await;
        connection.close().await;
        outcome.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => DatabaseError::from(&error),
            other => DatabaseError::Failed { reason: other.to_string(), constraint: None },
        })
    }

    /// Which engine it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.address.engine()
    }

    /// Runs `job` in a transaction, grouped with others, and waits for its commit.
    ///
    /// # Crash
    /// Before: nothing of it is there. After: all of it is, on the disk (`synchronous=full`, `synchronous_commit=on`).
    ///
    /// # Errors
    /// [`DatabaseError::Unknown`] when the deadline passed; the job still runs to its end.
    pub async fn write<J: Job>(&self, job: J) -> Result<J::Output, DatabaseError> {
        let began = Instant::now();
        let outcome = self.inner.writer.write(job, self.deadline).await;
        observe("write", began, &outcome);
        outcome
    }

    /// Runs `job` on a read-only connection; each statement sees what is committed when it begins.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] also when the deadline passed.
    pub async fn read<J: Job>(&self, job: J) -> Result<J::Output, DatabaseError> {
        let began = Instant::now();
        let outcome = self.inner.readers.read(job, self.deadline).await;
        observe("read", began, &outcome);
        outcome
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.read(job((), |(), connection| {
            Box::pin(async move { execute!(connection, "select 1").map(drop) })
        }))
        .await
    }

    /// What time it is at the server, in ms since 1970; `None` where the database is a file of this machine.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn server_time(&self) -> Result<Option<i64>, DatabaseError> {
        let server_time = job((), |(), connection| {
            Box::pin(async move {
                let sql = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
                let (millis,): (i64,) = fetch_one!(connection, sql)?;
                Ok(millis)
            })
        });
        match self.engine() {
            Engine::Sqlite => Ok(None),
            Engine::Postgres => self.read(server_time).await.map(Some),
        }
    }

    /// Finishes the writes that wait, and closes all connections; what comes later is
    /// [`DatabaseError::Unavailable`].
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }
}

fn observe<T>(operation: &'static str, began: Instant, outcome: &Result<T, DatabaseError>) {
    metrics::histogram!("depot_sql_seconds", "operation" => operation).record(began.elapsed());
    if let Err(error) = outcome {
        metrics::counter!("depot_sql_errors_total", "operation" => operation, "class" => error.class())
            .increment(1);
    }
}
