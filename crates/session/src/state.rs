//! The states of a session.

use serde::{Deserialize, Serialize};

use deposit::{Corrected, Unclear};
use deposit::{Draft, Leaving, Recorded, Status};

/// The state of a session; each variant holds only its own data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Nothing is open.
    Idle,
    /// A deposit is open and the bot has asked for a description.
    AwaitingDescription {
        /// The deposit.
        draft: Draft,
        /// The question.
        asked: Asked,
    },
    /// The first note of a deposit is being worked on.
    Understanding {
        /// The deposit.
        draft: Draft,
    },
    /// The card shows lines and waits for a decision.
    AwaitingValidation {
        /// The deposit, with at least one line.
        draft: Draft,
        /// The view of the card.
        view: CardView,
        /// The notice on the card.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<Notice>,
    },
    /// Decided; the ledger is being written.
    Recording {
        /// The decided deposit.
        leaving: Leaving,
    },
    /// In the ledger, as the card shows it.
    Closed {
        /// The deposit as the ledger holds it.
        recorded: Recorded,
    },
}

/// Why the bot asks for a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The deposit was opened by a command.
    Opening,
    /// A voice note is kept, and nothing can listen to it.
    VoiceKept,
    /// A voice note is stored, and no speech was found in it.
    NothingHeard,
    /// A photo is kept, and says nothing of weight or number.
    PhotoKept,
    /// Nothing could be made of the note; it is kept.
    NotUnderstood,
    /// The note brings nothing: a question, a greeting; it is kept.
    NoDeposit,
    /// The last line was taken away.
    Emptied,
}

/// The kind of view that the card of an open deposit shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "view", rename_all = "snake_case")]
pub enum CardView {
    /// The lines, and ✅ ✏️ ❌.
    #[default]
    Lines,
    /// Which line is to be corrected.
    PickLine,
    /// The menu of one line: the groups of categories, its other parts, and the way to take it away.
    Groups {
        /// The line, from 0.
        line: usize,
    },
    /// The categories of one group, for one line.
    Categories {
        /// The line, from 0.
        line: usize,
        /// The key of the group.
        group: String,
        /// The page, from 0.
        page: u8,
    },
    /// How many there are, for one line.
    Quantities {
        /// The line, from 0.
        line: usize,
    },
    /// How heavy it is, for one line.
    Weights {
        /// The line, from 0.
        line: usize,
    },
    /// The next words are the weight of one line.
    WeightAsked {
        /// The line, from 0.
        line: usize,
    },
    /// Where it goes, for one line.
    Destinations {
        /// The line, from 0.
        line: usize,
    },
}

/// The notice on the card, until the next change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The deposit is full; the last note waits for the next one.
    Full,
    /// A voice note was kept, and nothing can listen to it.
    VoiceKept,
    /// A voice note was stored, and no speech was found in it.
    NothingHeard,
    /// A photo was attached.
    PhotoKept,
    /// Nothing could be made of the last note; it is kept.
    NotUnderstood,
    /// The last note brings nothing: a question, a greeting; it is kept.
    NoDeposit,
    /// The draft was taken up again.
    Resumed,
    /// Lines were corrected.
    Corrected(Corrected),
    /// A correction changed nothing, because of this.
    Unclear(Unclear),
}

impl State {
    /// The status that the ledger's readers would give it; `None` when there is no deposit.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Idle => None,
            Self::AwaitingDescription { .. } => Some(Status::PendingAudio),
            Self::Understanding { .. } => Some(Status::PendingClassification),
            Self::AwaitingValidation { .. } => Some(Status::PendingValidation),
            Self::Recording { leaving } => Some(leaving.status),
            Self::Closed { recorded } => Some(recorded.status),
        }
    }

    /// The name of the variant, for logs, metrics and diagrams.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::AwaitingDescription { .. } => "AwaitingDescription",
            Self::Understanding { .. } => "Understanding",
            Self::AwaitingValidation { .. } => "AwaitingValidation",
            Self::Recording { .. } => "Recording",
            Self::Closed { .. } => "Closed",
        }
    }
}
