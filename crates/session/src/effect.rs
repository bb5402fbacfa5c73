//! What a conversation asks of the outside world.

use serde::{Deserialize, Serialize};

use crate::event::Note;
use deposit::Leaving;
use deposit::Timestamp;

/// The two queues of a conversation: what is said and recorded, and what is worked out beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Talks to the chat and the ledger, in order.
    Chat,
    /// Listens and understands, so that a command is answered meanwhile.
    Compute,
}

/// Which effect an outcome belongs to.
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
    /// Who holds it; an outcome counts only under the token it ran with.
    pub token: u64,
    /// When another instance may take it.
    pub until: Timestamp,
}

/// Only the outside world; writing the document is the commit's own work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Makes the card look as the state wants it; derived from the document, never stored in its queue.
    ShowCard,
    /// Says one sentence.
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

/// An effect that waits for its turn or for its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Its number within the document.
    pub id: u32,
    /// What is to be done.
    pub effect: Effect,
    /// When it was asked for.
    pub since: Timestamp,
    /// How often it failed; a crash does not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Not to be tried before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A plain answer; its words are in `locales/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentence {
    /// `/start`: who the bot is and what to do first.
    Welcome,
    /// `/aide`: what can be done.
    Help,
    /// `/mesdepots`: the last ten, read from the ledger when it is said.
    MyDeposits,
    /// `/qualite`: what became of proposals, read from the ledger when it is said.
    Quality,
    /// `/lexique`: what was learned, read from the ledger when it is said.
    Lexicon,
    /// `/oublier` with a name: what was learned for it is taken back.
    Forgotten,
    /// `/oublier` without a name.
    ForgetWhat,
    /// A command for managers, from somebody else.
    ForManagers,
    /// `/aide` to a manager.
    HelpForManagers,
    /// `/statut` with nothing open.
    NothingOpen,
    /// `/statut` while the first note is being worked on.
    StillListening,
    /// `/annuler` with nothing open.
    NothingToCancel,
    /// A command nobody knows.
    UnknownCommand,
    /// A sticker, a location, a contact: nothing a deposit is made of.
    Unsupported,
    /// A document or a film where a voice note or a photo was meant.
    UnsupportedFile,
    /// An edited message: the deposit is not changed by it.
    EditIgnored,
    /// Too much is waiting; the note could not be taken.
    Busy,
    /// A sentence could not be delivered or a deposit not be recorded; an operator was told.
    Trouble,
    /// What was noted last could not be kept: the deposit is as long as it can be.
    TooLong,
}
