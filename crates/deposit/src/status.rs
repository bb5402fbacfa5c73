//! Where a deposit stands, on its way into the ledger and in it.

use serde::{Deserialize, Serialize};

use crate::{DepositId, DepositRef, Draft, Line, Timestamp, Weight};

/// Where a deposit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Open, nothing described yet.
    PendingAudio,
    /// A note is being worked on.
    PendingClassification,
    /// The card waits for a decision.
    PendingValidation,
    /// Validated.
    Completed,
    /// Given up by its owner.
    Cancelled,
    /// Left alone too long; the draft is kept and can be resumed.
    Expired,
    /// No line could be made of it; kept for review.
    ClassificationFailed,
    /// Validated, then undone.
    Reversed,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::PendingAudio,
        Self::PendingClassification,
        Self::PendingValidation,
        Self::Completed,
        Self::Cancelled,
        Self::Expired,
        Self::ClassificationFailed,
        Self::Reversed,
    ];

    /// The word that the ledger and the exports carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingAudio => "pending_audio",
            Self::PendingClassification => "pending_classification",
            Self::PendingValidation => "pending_validation",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::ClassificationFailed => "classification_failed",
            Self::Reversed => "reversed",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A deposit on its way into the ledger: the content of a session that ended, whatever its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaving {
    /// Its content.
    pub draft: Draft,
    /// How it ended: completed, cancelled, expired or failed.
    pub status: Status,
    /// When its owner (or the clock) decided so.
    pub decided_at: Timestamp,
}

/// A deposit as the ledger holds it, and as the confirmation shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its id.
    pub id: DepositId,
    /// Its name on buttons.
    pub reference: DepositRef,
    /// Which revision this is.
    pub revision: u32,
    /// The short human number; only completed deposits get one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Where it stands.
    pub status: Status,
    /// Its lines as recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// One weight for the whole deposit, where it was said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_weight: Option<Weight>,
    /// When it was decided.
    pub decided_at: Timestamp,
}
