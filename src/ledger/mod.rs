//! The ledger: the truth about deposits and members.
//!
//! [`Ledger`] is append-only: every change of a deposit is a new revision, and its tables refuse anything else.
//! [`Feedback`] is what those deposits teach the model. [`Members`] decides about roles, access requests and invitations,
//! one transaction at a time per bot, and writes what follows for other chats as
//! [`deliveries`](crate::operations::deliveries) in the same transaction.
//!
//! Every write can be repeated, so that an unknown outcome is resolved by asking again.

mod access_requests;
mod csv;
mod deposits;
pub mod display_name;
pub mod entry;
pub mod export;
pub mod feedback;
pub mod invites;
pub mod members;
pub mod quality;
mod queries;
mod recording;
mod request_cards;
pub mod reversal;
pub mod role;
mod rows;
mod transaction_lock;

pub use crate::ledger::access_requests::{AccessRequest, Decision};
pub use crate::ledger::entry::{LedgerEntry, Owner};
pub use crate::ledger::feedback::Feedback;
pub use crate::ledger::members::Members;
pub use crate::ledger::recording::{Record, RecordError, Recorder};
pub use crate::ledger::reversal::{Reversal, UndoRight};
pub use crate::ledger::role::Role;

use crate::clock::Clock;
use crate::database::{Database, DatabaseError};
use deposit::BotId;

/// The deposits of one bot; clones are cheap and share the connections.
#[derive(Clone, Debug)]
pub struct Ledger {
    database: Database,
    bot: BotId,
    clock: Clock,
    /// Learns of each deposit with a category that a member chose.
    feedback: Feedback,
}

impl Ledger {
    /// The ledger of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock, feedback: &Feedback) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone(), feedback: feedback.clone() }
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
        /// The row: an id, never its content.
        row: String,
        /// The column.
        field: &'static str,
    },
}
