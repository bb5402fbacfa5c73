//! Locks that serialise transactions of one bot.

use crate::database::Connection;
use crate::execute;

/// A step that only one transaction at a time may take for one bot.
#[derive(Clone, Copy, Debug)]
pub(super) enum TransactionLock {
    /// Taking the next human number of a deposit.
    DepositNumbers,
    /// Deciding about roles and access.
    Members,
}

impl TransactionLock {
    /// Waits for the lock, which ends with the transaction. Later statements see all that its earlier holders committed.
    ///
    /// `SQLite` has one writer anyway.
    pub(super) async fn acquire(self, connection: &mut Connection, bot: i64) -> Result<(), sqlx::Error> {
        if let Connection::Postgres(_) = connection {
            let key = match self {
                Self::DepositNumbers => "depot numbers",
                Self::Members => "depot members",
            };
            execute!(connection, "select pg_advisory_xact_lock(hashtextextended($1, $2))", key, bot)?;
        }
        Ok(())
    }
}
