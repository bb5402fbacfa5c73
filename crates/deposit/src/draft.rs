//! A deposit while it is being made, with its attachments.

use serde::{Deserialize, Serialize};

use crate::{DepositId, DepositRef, Line, Timestamp, Weight};

/// The most lines one deposit holds.
pub const LINES_MAX: usize = 20;
/// The most characters said that one deposit keeps.
pub const SAID_CHARS_MAX: usize = 4096;
/// The most attachments (voice notes, photos) one deposit keeps.
pub const ATTACHMENTS_MAX: usize = 20;

/// The kind of file that came with a note.
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
    /// Its kind.
    pub media: Media,
    /// Telegram's id for fetching it with this bot.
    pub file: String,
    /// Its length, for a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// The content of a deposit while it is being made, and of its entry in the ledger.
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
    /// The lines understood so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// The notes, in the volunteer's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Which of the notes was last heard in a voice note, from 0: the card quotes it.
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
