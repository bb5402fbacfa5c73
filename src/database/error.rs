//! Failures in SQL, told apart as far as the caller has to decide something.

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// Why the database could not do it; the texts carry no address, no secret and no bound value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Certainly not executed; may be tried again.
    #[error("the database is not available: {reason}")]
    Unavailable {
        /// The engine's message.
        reason: String,
    },
    /// No answer came in time: it may have been executed or may still be.
    #[error("the database did not answer in time: the outcome is unknown")]
    Unknown,
    /// Nothing can be written: the disk is full, failing, corrupt or read-only.
    ///
    /// After a failed fsync the state of the disk is unknown, so the write may be there after a restart; every write of ours
    /// can be repeated.
    #[error("the database cannot be written: {reason}")]
    Full {
        /// The engine's message.
        reason: String,
    },
    /// Executed and refused; trying it again does not help.
    #[error("the database refused a statement: {reason}")]
    Failed {
        /// The engine's message.
        reason: String,
        /// The constraint that was violated, where that was the reason and its name is known (PostgreSQL).
        constraint: Option<String>,
    },
}

impl DatabaseError {
    /// The label of `depot_sql_errors_total`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Unknown => "unknown",
            Self::Full { .. } => "full",
            Self::Failed { .. } => "failed",
        }
    }

    pub(super) fn unavailable(reason: &str) -> Self {
        Self::Unavailable { reason: reason.to_owned() }
    }
}

/// The meaning of an error for the connection and for the transaction on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// The connection is gone; before a commit nothing was executed.
    Lost,
    /// Locked, serialised or cut off by a timeout of the server: not executed, may be tried again.
    Busy,
    /// The disk is full, failing, corrupt or read-only.
    Full,
    /// The statement is refused.
    Failed,
}

pub(super) fn classify(error: &sqlx::Error) -> ErrorClass {
    match error {
        sqlx::Error::Database(answer) => {
            if let Some(answer) = answer.try_downcast_ref::<PgDatabaseError>() {
                classify_postgres(answer.code())
            } else if answer.try_downcast_ref::<SqliteError>().is_some() {
                classify_sqlite(answer.code().as_deref())
            } else {
                ErrorClass::Failed
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut => ErrorClass::Lost,
        _ => ErrorClass::Failed,
    }
}

/// `SQLSTATE`s, from appendix A of PostgreSQL's manual.
fn classify_postgres(code: &str) -> ErrorClass {
    match code {
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" => ErrorClass::Lost,
        code if code.starts_with("08") => ErrorClass::Lost,
        // serialization_failure, deadlock_detected, lock_not_available, query_canceled, too_many_connections
        "40001" | "40P01" | "55P03" | "57014" | "53300" | "53400" => ErrorClass::Busy,
        // disk_full, out_of_memory, read_only_sql_transaction, io_error, data_corrupted, index_corrupted
        "53100" | "53200" | "25006" | "58030" | "XX001" | "XX002" => ErrorClass::Full,
        _ => ErrorClass::Failed,
    }
}

/// Extended result codes, whose low byte is the primary one: <https://www.sqlite.org/rescode.html>.
fn classify_sqlite(code: Option<&str>) -> ErrorClass {
    match code.and_then(|code| code.parse::<u32>().ok()).unwrap_or_default() & 0xff {
        // BUSY, LOCKED
        5 | 6 => ErrorClass::Busy,
        // READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB
        8 | 10 | 11 | 13 | 14 | 26 => ErrorClass::Full,
        _ => ErrorClass::Failed,
    }
}

impl From<&sqlx::Error> for DatabaseError {
    fn from(error: &sqlx::Error) -> Self {
        let reason = reason(error);
        match classify(error) {
            ErrorClass::Lost | ErrorClass::Busy => Self::Unavailable { reason },
            ErrorClass::Full => Self::Full { reason },
            ErrorClass::Failed => Self::Failed { reason, constraint: constraint(error) },
        }
    }
}

fn constraint(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.constraint().map(str::to_owned)
}

/// The server's own message (never its detail line, which quotes values), or the kind of the failure.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(answer) => match answer.code() {
            Some(code) => format!("{} ({code})", answer.message()),
            None => answer.message().to_owned(),
        },
        sqlx::Error::Io(error) => error.kind().to_string(),
        sqlx::Error::Configuration(_) => "DATABASE_URL cannot be understood".to_owned(),
        sqlx::Error::Tls(_) => "the TLS handshake failed".to_owned(),
        sqlx::Error::Protocol(_) => "the connection broke".to_owned(),
        sqlx::Error::RowNotFound => "a row is missing".to_owned(),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
        sqlx::Error::WorkerCrashed => "the SQLite thread ended".to_owned(),
        other => {
            let text = format!("{other:?}");
            text.split(['(', ' ', '{']).next().unwrap_or("unexpected").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_engines_are_told_apart() {
        assert_eq!(classify_postgres("57P01"), ErrorClass::Lost);
        assert_eq!(classify_postgres("08006"), ErrorClass::Lost);
        assert_eq!(classify_postgres("40P01"), ErrorClass::Busy);
        assert_eq!(classify_postgres("53100"), ErrorClass::Full);
        assert_eq!(classify_postgres("23505"), ErrorClass::Failed);
        assert_eq!(classify_sqlite(Some("5")), ErrorClass::Busy);
        assert_eq!(classify_sqlite(Some("13")), ErrorClass::Full);
        // SQLITE_IOERR_FSYNC, SQLITE_CONSTRAINT_UNIQUE
        assert_eq!(classify_sqlite(Some("1034")), ErrorClass::Full);
        assert_eq!(classify_sqlite(Some("2067")), ErrorClass::Failed);
    }

    #[test]
    fn no_error_text_carries_what_was_configured() {
        let error = sqlx::Error::Configuration("postgres://depot:hunter2@db/depot".into());
        assert!(!DatabaseError::from(&error).to_string().contains("hunter2"));
        let error = sqlx::Error::InvalidArgument("hunter2".into());
        assert!(!DatabaseError::from(&error).to_string().contains("hunter2"));
    }
}
