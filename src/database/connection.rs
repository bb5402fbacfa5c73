//! A connection to either engine, how it is opened, and the macros that run a statement on it.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _};

use crate::database::{DatabaseError, Engine};

/// A connection to either engine; statements run on it through [`on!`](crate::on) and the macros beside it.
#[derive(Debug)]
pub enum Connection {
    /// To a file.
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(PgConnection),
}

/// Runs `body` with `c` bound to the engine's own connection; `body` is compiled once for each engine.
///
/// ```text
/// on!(connection, c => sqlx::query(SQL).bind(id).execute(c).await.map(|done| done.rows_affected()))
/// ```
#[macro_export]
macro_rules! on {
    ($connection:expr, $c:ident => $body:expr) => {
        match $connection {
            $crate::database::Connection::Sqlite($c) => $body,
            $crate::database::Connection::Postgres($c) => $body,
        }
    };
}

/// Runs a statement; the number of rows that it changed.
#[macro_export]
macro_rules! execute {
    ($connection:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::on!($connection, c => sqlx::query($sql)$(.bind($value))*.execute(c).await.map(|done| done.rows_affected()))
    };
}

/// Reads the first row, if there is one, as a tuple or as anything that is `sqlx::FromRow`.
#[macro_export]
macro_rules! fetch_optional {
    ($connection:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::on!($connection, c => sqlx::query_as::<_, _>($sql)$(.bind($value))*.fetch_optional(c).await)
    };
}

/// Reads the one row that is certain to be there.
#[macro_export]
macro_rules! fetch_one {
    ($connection:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::on!($connection, c => sqlx::query_as::<_, _>($sql)$(.bind($value))*.fetch_one(c).await)
    };
}

/// Reads all rows into a `Vec`; the statement has a `limit` of its own.
#[macro_export]
macro_rules! fetch_all {
    ($connection:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::on!($connection, c => sqlx::query_as::<_, _>($sql)$(.bind($value))*.fetch_all(c).await)
    };
}

impl Connection {
    /// Waits for `work` on a connection, on a server at most [`SERVER_DEADLINE`]; then the connection must be dropped.
    ///
    /// SQLite's file has no deadline: a thread that is stuck in the disk cannot be abandoned, it would commit unseen.
    pub(super) async fn bounded<T>(
        engine: Engine,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match engine {
            Engine::Sqlite => work.await,
            Engine::Postgres => {
                tokio::time::timeout(SERVER_DEADLINE, work).await.unwrap_or_else(|_| Err(timed_out()))
            }
        }
    }

    /// Closes it cleanly; an error changes nothing any more.
    pub(super) async fn close(self) {
        let outcome = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
        if let Err(error) = outcome {
            tracing::debug!(error = %DatabaseError::from(&error), "a database connection was not closed cleanly: nothing is lost, the server ends it by itself");
        }
    }
}

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading and writing.
    Writing,
    /// Reading only.
    Reading,
    /// Changing tables, which may take long.
    Migrating,
}

/// The address of the database; holds the password, so it has no `Debug`.
#[derive(Clone)]
pub(super) enum Address {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

/// How long SQLite waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection to a server that was idle for so long is not used again: a firewall may have dropped it in silence.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(60);
/// After so long without an answer a server counts as dead; its own `statement_timeout` is shorter.
const SERVER_DEADLINE: Duration = Duration::from_secs(10);
/// How long opening a connection may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

impl Address {
    /// Reads `sqlite://path`, relative or absolute, and `postgres://…`.
    pub(super) fn parse(url: &SecretString) -> Result<Self, DatabaseError> {
        let url = url.expose_secret();
        let parsed = if url.starts_with("sqlite://") {
            SqliteConnectOptions::from_str(url).map(|options| Self::Sqlite(Box::new(sqlite(options))))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            PgConnectOptions::from_str(url).map(|options| Self::Postgres(Box::new(postgres(options))))
        } else {
            Err(sqlx::Error::Configuration("neither sqlite:// nor postgres://".into()))
        };
        parsed.map_err(|error| DatabaseError::from(&error))
    }

    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// The file, for SQLite.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(options) => Some(options.get_filename()),
            Self::Postgres(_) => None,
        }
    }

    /// Opens a connection; a server that does not answer within 2 s counts as lost.
    pub(super) async fn open(&self, purpose: Purpose) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(options) => {
                let options = options.as_ref().clone();
                let options = match purpose {
                    Purpose::Writing | Purpose::Migrating => options
                        .create_if_missing(true)
                        .journal_mode(SqliteJournalMode::Wal)
                        .synchronous(SqliteSynchronous::Full),
                    Purpose::Reading => options.read_only(true).pragma("cache_size", "-512"),
                };
                options.connect().await.map(Connection::Sqlite)
            }
            Self::Postgres(options) => {
                let options = options.as_ref().clone();
                let limits = [
                    ("statement_timeout", "5s"),
                    ("lock_timeout", "2s"),
                    ("idle_in_transaction_session_timeout", "10s"),
                ];
                let options = match purpose {
                    Purpose::Writing => options.options(limits),
                    Purpose::Reading => {
                        options.options(limits).options([("default_transaction_read_only", "on")])
                    }
                    Purpose::Migrating => options.options([("lock_timeout", "30s")]),
                };
                match tokio::time::timeout(OPEN_TIMEOUT, options.connect()).await {
                    Ok(opened) => opened.map(Connection::Postgres),
                    Err(_) => Err(timed_out()),
                }
            }
        }
    }
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Creates the file of a database, and its parent folders, unless they are there.
///
/// Only its owner may read it, because it holds users' words; SQLite's files beside it get the same mode. A file that exists
/// keeps its mode: the operator may have chosen it.
pub(super) async fn create(path: &Path) -> Result<(), DatabaseError> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(|error| DatabaseError::Full {
            reason: format!("the folder of the database cannot be created: {}", error.kind()),
        })?;
    }
    let created = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await;
    if let Err(error) = created {
        // It exists, or SQLite is about to report why it cannot be created.
        tracing::trace!(error = %error.kind(), "the database file was not created: it exists, or opening it reports why");
    }
    Ok(())
}

/// Statements are not logged: that costs time on every one, and the slow ones are in `depot_sql_seconds`.
fn sqlite(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("journal_size_limit", "16777216")
        .thread_name(|number| format!("sqlite-{number}"))
        .disable_statement_logging()
}

fn postgres(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("depot-bot").disable_statement_logging()
}
