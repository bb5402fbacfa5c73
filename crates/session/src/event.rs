//! The events of a session, and their causes.

use serde::{Deserialize, Serialize};

use crate::Language;
use crate::effect::{EffectId, Lane, Sentence};
use deposit::Timestamp;
use deposit::{
    Attachment, CategoryKey, DepositRef, Destination, Draft, Media, MessageId, Recorded, Understanding,
};
use deposit::{Correction, Part};

/// Why an event exists; duplicates are recognised by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A Telegram update.
    Update {
        /// Its id.
        id: i64,
        /// The id of the message it brought; `None` for a tap or an edit.
        message: Option<MessageId>,
        /// When the user sent it, where Telegram says so.
        sent_at: Option<Timestamp>,
        /// The language its sender reads.
        language: Language,
    },
    /// An effect came to an end.
    Outcome {
        /// Which effect.
        effect: EffectId,
        /// The lane it ran in.
        lane: Lane,
        /// The lease under which it ran.
        token: u64,
    },
    /// The document was due to be looked at.
    Deadline,
}

/// A note of the user: text, a file, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The words; empty for a voice note before it was listened to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The file, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Attachment>,
    /// The album a photo belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// The message it answers; once a deposit has taken it: the card, if it answers that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Whether a model reads photos: then a photo without text is understood like a text.
    #[serde(default, skip_serializing_if = "is_false")]
    pub look: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Note {
    /// The photo that is all there is of this note.
    #[must_use]
    pub fn photo_alone(&self) -> Option<&Attachment> {
        self.attachment.as_ref().filter(|file| self.text.is_empty() && file.media == Media::Photo)
    }
}

/// A button that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The deposit it names.
    pub reference: DepositRef,
    /// The step of the draft at which its view was rendered.
    pub step: u32,
    /// Its action.
    pub verb: Verb,
    /// The message that carried it.
    pub message: MessageId,
}

/// The action of a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// ✅ Record the deposit.
    Validate,
    /// ✏️ Correct something.
    Correct,
    /// ❌ Give the deposit up.
    Cancel,
    /// Take this category for the line in question.
    Choose(CategoryKey),
    /// None of the alternatives: show all groups for the doubtful line.
    Other,
    /// Correct this line, from 0.
    PickLine(usize),
    /// Open this group of categories.
    OpenGroup(String),
    /// Turn to this page, from 0.
    TurnTo(u8),
    /// Correct this part of the line in question.
    OpenPart(Part),
    /// There are so many; `None` for a lot.
    Count(Option<u32>),
    /// It weighs so many grams; `None` for a weight that is not known.
    Weigh(Option<u32>),
    /// Another weight, to be written.
    WriteWeight,
    /// It goes there.
    Send(Destination),
    /// 🗑️ Take the line in question away.
    Remove,
    /// ↩ One menu back.
    Back,
    /// Undo a recorded deposit; answered from the ledger.
    Undo,
    /// ▶️ Take an expired draft up again; answered from the ledger.
    Resume,
}

/// An event of a session; named by past participles.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `/depot`.
    OpeningRequested,
    /// A description, or a file.
    NoteReceived(Note),
    /// `/annuler`.
    CancelRequested,
    /// `/statut`.
    StatusRequested,
    /// Something that has one plain answer, whatever the state.
    Asked(Sentence),
    /// A button of a deposit was pressed.
    Tapped(Tap),
    /// The ledger gave an expired draft back; the message is the card that was tapped.
    Resumed(Box<Draft>, MessageId),
    /// A voice note was transcribed; empty if no speech was found.
    Transcribed(String),
    /// Nothing could listen to a voice note.
    TranscriptionFailed,
    /// A note became lines.
    Understood(Understanding),
    /// A note spoke of the lines that are there.
    Corrected(Correction),
    /// A note could not be made lines of.
    UnderstandingFailed,
    /// A view of the card was shown in the chat.
    CardShown {
        /// The number of the view.
        view: u32,
        /// The message that carries it now.
        message: MessageId,
        /// Messages that lost their keyboard on the way.
        stripped: Vec<MessageId>,
    },
    /// The card's message cannot be edited any more.
    CardLost,
    /// A sentence reached the chat.
    Said,
    /// The ledger holds the deposit; after an update: it holds it otherwise than before, since it was undone.
    Recorded(Box<Recorded>),
    /// An effect did not succeed and is to be tried again.
    Deferred {
        /// Not before this instant.
        until: Timestamp,
        /// Whether it counts as a failed attempt; waiting because Telegram asked for it does not.
        counted: bool,
    },
    /// An effect is still being worked on: its lease begins anew.
    Prolonged,
    /// An effect will not succeed; it was kept for an operator.
    GivenUp,
    /// The user blocked the bot: nothing more reaches that chat.
    ChatClosed,
    /// The document was looked at because it was due.
    DeadlinePassed,
    /// Updates come in again after a gap in which Telegram may have dropped taps.
    IntakeResumed,
}

impl Event {
    /// The name of the event, for the log: no word of the user's.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OpeningRequested => "opening_requested",
            Self::NoteReceived(_) => "note_received",
            Self::CancelRequested => "cancel_requested",
            Self::StatusRequested => "status_requested",
            Self::Asked(_) => "asked",
            Self::Tapped(_) => "tapped",
            Self::Resumed(..) => "resumed",
            Self::Transcribed(_) => "transcribed",
            Self::TranscriptionFailed => "transcription_failed",
            Self::Understood(_) => "understood",
            Self::Corrected(_) => "corrected",
            Self::UnderstandingFailed => "understanding_failed",
            Self::CardShown { .. } => "card_shown",
            Self::CardLost => "card_lost",
            Self::Said => "said",
            Self::Recorded(_) => "recorded",
            Self::Deferred { .. } => "deferred",
            Self::Prolonged => "prolonged",
            Self::GivenUp => "given_up",
            Self::ChatClosed => "chat_closed",
            Self::DeadlinePassed => "deadline_passed",
            Self::IntakeResumed => "intake_resumed",
        }
    }
}
