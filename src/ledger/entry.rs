//! A deposit as the ledger holds it.

use crate::clock::Timestamp;
use deposit::{ChatId, Draft, Recorded, Status, UserId};

/// The member who made a deposit, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The private chat.
    pub chat: ChatId,
    /// The member.
    pub user: UserId,
}

/// One revision of a deposit as the ledger holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerEntry {
    /// Its content; `draft.revision` is this revision.
    pub draft: Draft,
    /// The member it belongs to.
    pub owner: Owner,
    /// The short human number; only validated deposits have one.
    pub number: Option<u64>,
    /// Its status.
    pub status: Status,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The member who decided; `None` for the clock.
    pub decided_by: Option<UserId>,
    /// When it was written.
    pub recorded_at: Timestamp,
    /// The taxonomy that its categories belong to.
    pub taxonomy: String,
}

impl LedgerEntry {
    /// The part of it that a card shows.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        Recorded {
            id: self.draft.id,
            reference: self.draft.reference,
            revision: self.draft.revision,
            number: self.number,
            status: self.status,
            lines: self.draft.lines.clone(),
            total_weight: self.draft.total_weight,
            decided_at: self.decided_at,
        }
    }
}
