//! Effects: the actions of a session outside of the machine.

use serde::{Deserialize, Serialize};

use crate::event::Note;
use deposit::Leaving;
use deposit::Timestamp;

/// The two queues of a session: messages and records in order, and computation beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Talks to the chat and the ledger, in order.
    Chat,
    /// Transcribes and understands, so that a command is answered meanwhile.
    Compute,
}

/// The effect of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectId {
    /// The card, which is a desired state and not in the queue.
    Card,
    /// The pending effect of this number.
    Pending(u32),
}

/// The right of one instance to run a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The token of its holder; an outcome counts only under the token it ran with.
    pub token: u64,
    /// When another instance may take it.
    pub until: Timestamp,
}

/// Only the outside world; writing the document is the commit's own work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Shows the current view of the card; derived from the document, never stored in its queue.
    ShowCard,
    /// Sends one sentence.
    Say(Sentence),
    /// Turns a voice note into text.
    Transcribe(Note),
    /// Turns a note into lines.
    Understand(Note),
    /// Writes the deposit to the ledger; idempotent by id and revision.
    RecordDeposit(Box<Leaving>),
}

impl Effect {
    /// The lane it runs in.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::ShowCard | Self::Say(_) | Self::RecordDeposit(_) => Lane::Chat,
            Self::Transcribe(_) | Self::Understand(_) => Lane::Compute,
        }
    }

    /// The name for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ShowCard => "show_card",
            Self::Say(_) => "say",
            Self::Transcribe(_) => "transcribe",
            Self::Understand(_) => "understand",
            Self::RecordDeposit(_) => "record_deposit",
        }
    }
}

/// An effect that is not due yet or waits for its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Its number within the document.
    pub id: u32,
    /// The effect.
    pub effect: Effect,
    /// When it was added.
    pub since: Timestamp,
    /// How often it failed; a crash does not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Not to be retried before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A plain answer; its text is in `locales/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentence {
    /// `/start`: the welcome.
    Welcome,
    /// `/aide`: the help.
    Help,
    /// `/mesdepots`: the last ten, read from the ledger when it is sent.
    MyDeposits,
    /// `/qualite`: how often proposals were right, read from the ledger when it is sent.
    Quality,
    /// `/lexique`: the learned names, read from the ledger when it is sent.
    Lexicon,
    /// `/oublier` with a name: it is forgotten.
    Forgotten,
    /// `/oublier` without a name.
    ForgetWhat,
    /// A command for managers, from a volunteer.
    ForManagers,
    /// `/aide` to a manager.
    HelpForManagers,
    /// `/statut` with nothing open.
    NothingOpen,
    /// `/statut` while the first note is being worked on.
    StillListening,
    /// `/annuler` with nothing open.
    NothingToCancel,
    /// An unknown command.
    UnknownCommand,
    /// A sticker, a location, a contact: content that cannot describe a deposit.
    Unsupported,
    /// A document or a film instead of a voice note or a photo.
    UnsupportedFile,
    /// An edited message: the deposit is not changed by it.
    EditIgnored,
    /// Too much is waiting; the note could not be taken.
    Busy,
    /// A sentence could not be sent or a deposit not be recorded; the log says so.
    Trouble,
    /// The last note was not taken: the deposit has no room for it.
    TooLong,
}
