//! The values of a deposit: lines, weights, drafts, their edits, and the taxonomy that lines are sorted by. No I/O.

mod confidence;
mod correction;
mod draft;
mod edits;
mod ids;
mod language;
mod line;
mod status;
pub mod taxonomy;
mod timestamp;
mod understanding;
mod weight;

pub use crate::confidence::{Confidence, SURE};
pub use crate::correction::{
    Change, Corrected, Correction, Done, Part, QUANTITIES, TOLD_MAX, Unclear, WEIGHTS,
};
pub use crate::draft::{ATTACHMENTS_MAX, Attachment, Draft, LINES_MAX, Media, SAID_CHARS_MAX};
pub use crate::edits::{edit, is_unweighed};
pub use crate::ids::{BotId, CategoryKey, ChatId, DepositId, DepositRef, MessageId, UserId};
pub use crate::language::Language;
pub use crate::line::{Choice, Destination, Line, Proposal, QUANTITY_MAX};
pub use crate::status::{Leaving, Recorded, Status};
pub use crate::timestamp::Timestamp;
pub use crate::understanding::{OnCard, Understanding};
pub use crate::weight::{GRAMS_MAX, Weight, WeightSource};
