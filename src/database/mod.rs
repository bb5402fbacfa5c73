//! SQL, written once for SQLite and PostgreSQL: a group-committing writer, a few readers, and one deadline per call.
//!
//! What is to be done is a [`Job`]: a value that holds the parameters, and a `run` that may be repeated. Statements have
//! `$n` placeholders, integers are `bigint` and `i64`, and the macros [`execute!`](crate::execute),
//! [`fetch_optional!`](crate::fetch_optional), [`fetch_one!`](crate::fetch_one) and [`fetch_all!`](crate::fetch_all)
//! run them on whichever engine it is ([`on!`](crate::on) is what they are made of).
//!
//! ```
//! use depot_bot::database::{Connection, Database, DatabaseError, Job};
//! use depot_bot::{execute, fetch_optional};
//!
//! struct Rename {
//!     member: i64,
//!     name: String,
//! }
//!
//! impl Job for Rename {
//!     type Output = Option<String>;
//!
//!     async fn run(&self, connection: &mut Connection) -> Result<Option<String>, sqlx::Error> {
//!         let sql = "select name from members where id = $1";
//!         let before: Option<(String,)> = fetch_optional!(connection, sql, self.member)?;
//!         execute!(connection, "update members set name = $2 where id = $1", self.member, &self.name)?;
//!         Ok(before.map(|(name,)| name))
//!     }
//! }
//!
//! async fn rename(database: &Database) -> Result<Option<String>, DatabaseError> {
//!     database.write(Rename { member: 7, name: "Zoé".to_owned() }).await
//! }
//! ```
//!
//! Writes go through one task with one connection, which commits what has gathered in one transaction: with
//! `synchronous=full` that is ten times as many acknowledged rows per second as a transaction each. No future that
//! talks to a database is ever dropped half-way (a cancelled `begin` leaves a connection inside a transaction,
//! transact-rs/sqlx#4385): who waits may leave, the work goes on.

mod connection;
mod error;
mod readers;
mod writer;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;

pub use crate::database::connection::Connection;
pub use crate::database::error::DatabaseError;

use crate::database::connection::{Address, Purpose};
use crate::database::readers::Readers;
use crate::database::writer::Writer;

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

/// Something to do in SQL, with all it needs.
///
/// It may run several times before it counts: when a neighbour in its transaction fails, or the connection is lost, the
/// transaction is rolled back and the job runs again. So `run` changes nothing but the database.
pub trait Job: Sized + Send + Sync + 'static {
    /// What it yields.
    type Output: Send + 'static;

    /// Does it. A write is inside a transaction; an error rolls back all that the job did.
    ///
    /// The error of a statement is returned, never swallowed: on PostgreSQL the transaction is void after it. Where a
    /// conflict is expected, `on conflict do nothing` and the number of rows say so without an error.
    fn run(
        &self,
        connection: &mut Connection,
    ) -> impl Future<Output = Result<Self::Output, sqlx::Error>> + Send;

    /// Does several that came at the same time, with one output for each: what they have in common may be done once.
    fn run_all(
        jobs: &[&Self],
        connection: &mut Connection,
    ) -> impl Future<Output = Result<Vec<Self::Output>, sqlx::Error>> + Send {
        one_by_one(jobs, connection)
    }
}

/// Runs jobs in their order, each by itself.
pub(crate) async fn one_by_one<J: Job>(
    jobs: &[&J],
    connection: &mut Connection,
) -> Result<Vec<J::Output>, sqlx::Error> {
    let mut outputs = Vec::with_capacity(jobs.len());
    for job in jobs {
        outputs.push(job.run(connection).await?);
    }
    Ok(outputs)
}

/// Runs one job of a kind that says how several run together.
pub(crate) async fn alone<J: Job>(job: &J, connection: &mut Connection) -> Result<J::Output, sqlx::Error> {
    J::run_all(&[job], connection).await?.pop().ok_or(sqlx::Error::RowNotFound)
}

/// The database; clones are cheap and share the connections.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
    deadline: Duration,
}

struct Shared {
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
        Ok(Self { shared: Arc::new(Shared { address, writer, readers }), deadline: DEADLINE })
    }

    /// The same database for callers who wait for `deadline` instead of 2 s.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), deadline }
    }

    /// Brings the tables up to what this release needs; does nothing if they are.
    ///
    /// # Errors
    /// [`DatabaseError::Failed`] also when the tables belong to a newer release.
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        let mut connection = self
            .shared
            .address
            .open(Purpose::Migrating)
            .await
            .map_err(|error| DatabaseError::from(&error))?;
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
        self.shared.address.engine()
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
        let outcome = self.shared.writer.write(job, self.deadline).await;
        observe("write", began, &outcome);
        outcome
    }

    /// Runs `job` on a read-only connection; each statement sees what is committed when it begins.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] also when the deadline passed.
    pub async fn read<J: Job>(&self, job: J) -> Result<J::Output, DatabaseError> {
        let began = Instant::now();
        let outcome = self.shared.readers.read(job, self.deadline).await;
        observe("read", began, &outcome);
        outcome
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.read(Ping).await
    }

    /// What time it is at the server, in ms since 1970; `None` where the database is a file of this machine.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn server_time(&self) -> Result<Option<i64>, DatabaseError> {
        match self.engine() {
            Engine::Sqlite => Ok(None),
            Engine::Postgres => self.read(ServerTime).await.map(Some),
        }
    }

    /// Finishes the writes that wait, and closes all connections; what comes later is
    /// [`DatabaseError::Unavailable`].
    pub async fn close(&self) {
        self.shared.readers.close().await;
        self.shared.writer.close().await;
    }
}

fn observe<T>(operation: &'static str, began: Instant, outcome: &Result<T, DatabaseError>) {
    metrics::histogram!("depot_sql_seconds", "operation" => operation).record(began.elapsed());
    if let Err(error) = outcome {
        metrics::counter!("depot_sql_errors_total", "operation" => operation, "class" => error.class())
            .increment(1);
    }
}

struct Ping;

impl Job for Ping {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        crate::execute!(connection, "select 1").map(|_| ())
    }
}

struct ServerTime;

impl Job for ServerTime {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let sql = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
        let (millis,): (i64,) = crate::fetch_one!(connection, sql)?;
        Ok(millis)
    }
}
