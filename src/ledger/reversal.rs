//! Undoing a recorded deposit: a new revision, never a change of the old one.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::execute;
use crate::ledger::members::read_role;
use crate::ledger::queries::read_by_reference;
use crate::ledger::rows::RevisionRows;
use crate::ledger::{Ledger, LedgerError, Role};
use deposit::{DepositRef, Recorded, Status, UserId};

/// The right by which a member undoes a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoRight {
    /// It is their own, and they validated it at most this long ago.
    Owner {
        /// How long, from the validation.
        window: Duration,
    },
    /// They are a manager or an admin at this moment; no window.
    Manager,
}

/// What became of an undo; a deposit that was not undone is shown as it stands.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub enum Reversal {
    /// It is undone; this is the new revision.
    Reversed(Recorded),
    /// It had been undone before, by an earlier tap or by this one when it came the first time.
    AlreadyReversed(Recorded),
    /// The owner's window is over.
    TooLate(Recorded),
    /// It never was validated.
    NotCompleted(Recorded),
    /// They have no such right.
    NotAllowed,
    /// No deposit has this name.
    NotFound,
}

impl Ledger {
    /// Undoes the deposit that a button names.
    ///
    /// Idempotent, and of two taps at once one wins: both write the same revision, and it can be there only once.
    ///
    /// # Crash
    /// Before: it stands. After: it is undone, and a repetition answers [`Reversal::AlreadyReversed`].
    ///
    /// # Errors
    /// After [`DatabaseError::Unknown`](crate::database::DatabaseError::Unknown) it may be undone: repeat it.
    pub async fn reverse(
        &self,
        reference: DepositRef,
        by: UserId,
        right: UndoRight,
    ) -> Result<Reversal, LedgerError> {
        let undo =
            Undo { bot: self.bot.0, reference: reference.to_string(), by, right, now: self.clock.now() };
        let (refusal, rows) = match self.database.write(undo).await? {
            Undone::NotFound => return Ok(Reversal::NotFound),
            Undone::NotAllowed => return Ok(Reversal::NotAllowed),
            Undone::Reversed(rows) => (None, rows),
            Undone::Refused(refusal, rows) => (Some(refusal), rows),
        };
        let recorded = rows.into_entry()?.recorded();
        Ok(match refusal {
            None => {
                metrics::counter!("depot_deposits_total", "status" => Status::Reversed.as_str()).increment(1);
                self.feedback.notify_changed();
                Reversal::Reversed(recorded)
            }
            Some(UndoRefusal::AlreadyReversed) => Reversal::AlreadyReversed(recorded),
            Some(UndoRefusal::TooLate) => Reversal::TooLate(recorded),
            Some(UndoRefusal::NotCompleted) => Reversal::NotCompleted(recorded),
        })
    }
}

struct Undo {
    bot: i64,
    reference: String,
    by: UserId,
    right: UndoRight,
    now: Timestamp,
}

enum Undone {
    NotFound,
    NotAllowed,
    Reversed(Box<RevisionRows>),
    Refused(UndoRefusal, Box<RevisionRows>),
}

enum UndoRefusal {
    AlreadyReversed,
    TooLate,
    NotCompleted,
}

/// Of two at once the second waits for the first, on whichever unique index it meets first: so no index is named.
const INSERT_REVERSAL: &str = "
    insert into deposits (id, revision, bot, chat, owner, reference, number, status, was, opened_at, decided_at,
        decided_by, recorded_at, weight_grams, weight_source, taxonomy, draft)
    select id, revision + 1, bot, chat, owner, reference, number, 'reversed', status, opened_at, $3, $4, $3,
        weight_grams, weight_source, taxonomy, draft
    from deposits where id = $1 and revision = $2
    on conflict do nothing";

const COPY_LINES: &str = "
    insert into lines (deposit_id, revision, position, object, quantity, weight_grams, weight_source, destination,
        proposed, confidence, alternatives, model, chosen)
    select deposit_id, revision + 1, position, object, quantity, weight_grams, weight_source, destination, proposed,
        confidence, alternatives, model, chosen
    from lines where deposit_id = $1 and revision = $2";

impl Job for Undo {
    type Output = Undone;

    async fn run(&self, connection: &mut Connection) -> Result<Undone, sqlx::Error> {
        let Some(rows) = read_by_reference(connection, self.bot, &self.reference).await? else {
            return Ok(Undone::NotFound);
        };
        let allowed = match self.right {
            UndoRight::Owner { .. } => rows.deposit.owner == self.by.0,
            UndoRight::Manager => read_role(connection, self.bot, self.by.0).await? >= Role::Manager,
        };
        if !allowed {
            return Ok(Undone::NotAllowed);
        }
        if let Some(refusal) = self.refusal(&rows) {
            return Ok(Undone::Refused(refusal, Box::new(rows)));
        }
        let (id, revision) = (&rows.deposit.id, rows.deposit.revision);
        let inserted = execute!(&mut *connection, INSERT_REVERSAL, id, revision, self.now.0, self.by.0)? == 1;
        if inserted {
            execute!(&mut *connection, COPY_LINES, id, revision)?;
        }
        // Another instance wrote this revision meanwhile if it was not inserted: read it.
        let Some(rows) = read_by_reference(connection, self.bot, &self.reference).await? else {
            return Ok(Undone::NotFound);
        };
        let rows = Box::new(rows);
        Ok(match inserted {
            true => Undone::Reversed(rows),
            false => Undone::Refused(self.refusal(&rows).unwrap_or(UndoRefusal::NotCompleted), rows),
        })
    }
}

impl Undo {
    /// Why the latest revision cannot be undone now.
    fn refusal(&self, rows: &RevisionRows) -> Option<UndoRefusal> {
        match (Status::parse(&rows.deposit.status), self.right) {
            (Some(Status::Reversed), _) => Some(UndoRefusal::AlreadyReversed),
            (Some(Status::Completed), UndoRight::Owner { window })
                if self.now > Timestamp(rows.deposit.decided_at).after(window) =>
            {
                Some(UndoRefusal::TooLate)
            }
            (Some(Status::Completed), _) => None,
            _ => Some(UndoRefusal::NotCompleted),
        }
    }
}
