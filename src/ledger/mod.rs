//! The ledger: the truth about deposits, members, and what is to be told to other people's chats.
//!
//! Deposits are append-only: every change is a new revision, and the tables refuse anything else. Facts about people
//! ([`members`], [`access`], [`invites`]) are decided one at a time per bot, and what follows from them for other chats
//! is written as [`deliveries`] in the same transaction. Beside them lie the few rows that intake needs ([`intake`],
//! [`parked`]).
//!
//! Every write can be repeated, so that an unknown outcome is settled by asking again.

pub mod access;
mod cache;
pub mod choices;
mod claims;
mod csv;
pub mod deliveries;
pub mod deposits;
pub mod entries;
pub mod export;
pub mod intake;
pub mod invites;
pub mod members;
pub mod names;
mod owners;
pub mod parked;
pub mod quality;
mod quarantine;
mod requests;
pub mod retention;
pub mod reversal;
mod rows;

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Notify;

pub use crate::ledger::access::{AccessRequest, Decision};
pub use crate::ledger::deliveries::{Delivery, DeliveryKind};
pub use crate::ledger::entries::{Entry, Owner, Statistics};
pub use crate::ledger::members::Role;
pub use crate::ledger::requests::AccessRequestRef;
pub use crate::ledger::reversal::{Reversal, UndoRight};

use crate::clock::{Clock, Timestamp};
use crate::database::{Connection, Database, DatabaseError, Job};
use crate::deposit::BotId;
use crate::execute;

/// The ledger of one bot; clones are cheap and share the connections.
#[derive(Clone, Debug)]
pub struct Ledger {
    database: Database,
    bot: BotId,
    clock: Clock,
    added: Arc<Notify>,
    taught: Arc<Notify>,
}

impl Ledger {
    /// The ledger of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: Database, bot: BotId, clock: Clock) -> Self {
        Self { database, bot, clock, added: Arc::new(Notify::new()), taught: Arc::new(Notify::new()) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn read<J: Job>(&self, job: J) -> Result<J::Output, LedgerError> {
        Ok(self.database.read(job).await?)
    }

    async fn write<J: Job>(&self, job: J) -> Result<J::Output, LedgerError> {
        Ok(self.database.write(job).await?)
    }
}

/// Why the ledger could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The database: certainly not executed, unknown, not writable, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A row holds what this release cannot read; it is left as it is.
    #[error("the ledger's {field} of {row} cannot be read")]
    Corrupt {
        /// Which row: an id, never its content.
        row: String,
        /// Which column.
        field: &'static str,
    },
}

/// What only one transaction at a time may do for one bot.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// Taking the next human number.
    Number,
    /// Deciding who may do what.
    Members,
}

/// Waits for the turn, which ends with the transaction. What is read afterwards is what all earlier turns left.
///
/// `SQLite` has one writer anyway.
async fn wait_turn(connection: &mut Connection, turn: Turn, bot: i64) -> Result<(), sqlx::Error> {
    if let Connection::Postgres(_) = connection {
        let key = match turn {
            Turn::Number => "depot numbers",
            Turn::Members => "depot members",
        };
        execute!(connection, "select pg_advisory_xact_lock(hashtextextended($1, $2))", key, bot)?;
    }
    Ok(())
}

/// SHA-256 as 64 hexadecimal digits: what is stored where the text itself must not be, or is too long to compare.
#[must_use]
pub fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
