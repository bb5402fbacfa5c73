//! What a deposit is: values only, no I/O.

mod change;
mod language;
pub mod taxonomy;
mod timestamp;
mod understanding;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::change::{
    Change, Corrected, Correction, Done, Part, QUANTITIES, TOLD_MAX, Unclear, WEIGHTS, is_unweighed, make,
};
pub use crate::language::Language;
pub use crate::timestamp::Timestamp;
pub use crate::understanding::{OnCard, Understanding};

/// The most lines one deposit holds.
pub const LINES_MAX: usize = 20;
/// The most characters said that one deposit keeps.
pub const SAID_CHARS_MAX: usize = 4096;
/// The most attachments (voice notes, photos) one deposit keeps.
pub const ATTACHMENTS_MAX: usize = 20;
/// The most of one thing: more is not a deposit but a slip.
pub const QUANTITY_MAX: u32 = 9_999;
/// The greatest weight, in grams: more than ten tonnes is not a deposit but a slip.
pub const GRAMS_MAX: u32 = 10_000_000;
/// Below this confidence a line is doubtful and its best alternatives are offered as buttons.
pub const SURE: f32 = 0.70;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

identifier!(
    /// The bot's own Telegram id: several bots share the engines.
    BotId
);
identifier!(
    /// A Telegram chat; in a private chat it equals the user's id.
    ChatId
);
identifier!(
    /// A Telegram user.
    UserId
);
identifier!(
    /// A message within one chat; grows within a private chat.
    MessageId
);

/// A deposit for ever: a UUID of version 7, the key of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DepositId(pub Uuid);

impl fmt::Display for DepositId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The 64-bit random name of a deposit on its buttons, written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DepositRef(pub u64);

impl fmt::Display for DepositRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for DepositRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for DepositRef {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for DepositRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DepositRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The stable key of a category of the taxonomy, as `furniture`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CategoryKey(pub String);

impl fmt::Display for CategoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for CategoryKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

/// Where a weight comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightSource {
    /// Put on the scale by the volunteer.
    Weighed,
    /// Said in the note.
    Stated,
    /// Taken from a table of typical weights; never to be counted as weighed.
    Estimated,
}

/// A weight in grams, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Grams, 1 to [`GRAMS_MAX`].
    pub grams: u32,
    /// Where it comes from.
    pub source: WeightSource,
}

/// Where a line goes from the desk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The shop.
    #[default]
    Magasin,
    /// Recycling.
    Recyclage,
    /// The tip.
    Dechetterie,
}

impl Destination {
    /// The word that the ledger and the exports carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Magasin => "magasin",
            Self::Recyclage => "recyclage",
            Self::Dechetterie => "dechetterie",
        }
    }
}

/// How sure a proposal is, from least to most: what the card says, and what quality is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The card says that it does not know.
    Unknown,
    /// The card asks to check.
    ToCheck,
    /// The card says that it is sure.
    Sure,
    /// As sure, and counted apart.
    VerySure,
}

impl Confidence {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::ToCheck, Self::Sure, Self::VerySure];

    /// The band of a figure, 0 to 1.
    #[must_use]
    pub fn of(figure: f32) -> Self {
        Self::ALL.into_iter().rev().find(|band| figure >= band.from()).unwrap_or(Self::Unknown)
    }

    /// The least figure of the band.
    #[must_use]
    pub fn from(self) -> f32 {
        match self {
            Self::Unknown => 0.0,
            Self::ToCheck => 0.40,
            Self::Sure => SURE,
            Self::VerySure => 0.90,
        }
    }

    /// The label of metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::ToCheck => "to_check",
            Self::Sure => "sure",
            Self::VerySure => "very_sure",
        }
    }
}

/// What a model suggested for a line; kept beside the validation, never overwritten by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The suggested category.
    pub category: CategoryKey,
    /// How likely the suggestion is right, 0 to 1.
    pub confidence: f32,
    /// The next best categories, best first, without the suggestion itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<CategoryKey>,
    /// Which model and version suggested it.
    pub model: String,
}

/// One kind of thing within a deposit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is, in the volunteer's words.
    pub object: String,
    /// How many; `None` for a lot or a mass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// What the whole line weighs, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// Where it goes.
    #[serde(default)]
    pub destination: Destination,
    /// What the model suggested.
    pub proposal: Proposal,
    /// The category a human chose, if one did: the same as the proposal or a correction of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<CategoryKey>,
}

impl Line {
    /// The category as it stands: the human's if there is one, else the model's.
    #[must_use]
    pub fn category(&self) -> &CategoryKey {
        self.chosen.as_ref().unwrap_or(&self.proposal.category)
    }

    /// Whether a human should look at the category before anyone relies on it.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.chosen.is_none() && self.proposal.confidence < SURE
    }

    /// Whether the human's choice differs from the proposal.
    #[must_use]
    pub fn is_corrected(&self) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| *chosen != self.proposal.category)
    }
}

/// A category that a human chose for an object, of a deposit that was validated and not undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The object, as it was said.
    pub object: String,
    /// The category that was chosen.
    pub category: CategoryKey,
    /// When the deposit was validated.
    pub at: Timestamp,
}

/// What kind of file came with a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A voice note (OGG/Opus).
    Voice,
    /// An audio file.
    Audio,
    /// A round video message.
    VideoNote,
    /// A photo.
    Photo,
}

/// A file kept by Telegram and named by its id; the bytes stay there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is.
    pub media: Media,
    /// Telegram's id for fetching it with this bot.
    pub file: String,
    /// Its length, for what can be listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

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

/// What a deposit consists of while it is being made, and what the ledger keeps of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The deposit's id for ever.
    pub id: DepositId,
    /// Its name on buttons.
    pub reference: DepositRef,
    /// The revision as which the ledger will write it: 0 at first, 1 after it expired once and was resumed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u32,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The view of the card that the buttons belong to; grows with every change that a tap could refer to.
    pub step: u32,
    /// What was understood so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// What was said, in the volunteer's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Which of what was said was last heard in a voice note, from 0: the card quotes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<usize>,
    /// One weight for the whole deposit, where it was said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_weight: Option<Weight>,
    /// Voice notes and photos.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The album that the last photo belonged to: its other photos join in silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Draft {
    /// An empty deposit.
    #[must_use]
    pub fn new(id: DepositId, reference: DepositRef, opened_at: Timestamp) -> Self {
        Self {
            id,
            reference,
            revision: 0,
            opened_at,
            step: 1,
            lines: Vec::new(),
            said: Vec::new(),
            heard: None,
            total_weight: None,
            attachments: Vec::new(),
            album: None,
        }
    }

    /// How many characters were said so far.
    #[must_use]
    pub fn said_chars(&self) -> usize {
        self.said.iter().map(|text| text.chars().count()).sum()
    }

    /// The words of the last voice note that was turned into text.
    #[must_use]
    pub fn heard(&self) -> Option<&str> {
        self.said.get(self.heard?).map(String::as_str)
    }

    /// Whether there is something to listen to, and nothing came of it.
    #[must_use]
    pub fn is_unread_recording(&self) -> bool {
        self.lines.is_empty() && self.attachments.iter().any(|file| file.media != Media::Photo)
    }

    /// The first line whose category a human should settle, if there is one.
    #[must_use]
    pub fn first_doubtful(&self) -> Option<(usize, &Line)> {
        self.lines.iter().enumerate().find(|(_, line)| line.is_doubtful())
    }
}

/// A deposit on its way into the ledger: what leaves a conversation, whatever its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaving {
    /// What it consists of.
    pub draft: Draft,
    /// How it ended: completed, cancelled, expired or failed.
    pub status: Status,
    /// When its owner (or the clock) decided so.
    pub decided_at: Timestamp,
}

/// A deposit as the ledger holds it: what the confirmation shows.
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
