//! A correction of an open deposit: said in words, or chosen by buttons.

use serde::{Deserialize, Serialize};

use crate::{CategoryKey, Destination, Line, Proposal, Weight};

/// The quantities that buttons offer, beside the lot.
pub const QUANTITIES: [u32; 12] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 50];
/// The weights that buttons offer, in grams.
pub const WEIGHTS: [u32; 12] =
    [500, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 8_000, 10_000, 15_000, 20_000, 30_000];
/// How many effects of one correction are listed one by one.
pub const TOLD_MAX: usize = 3;
/// The part of a line that a menu of its own corrects; its category has the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How many.
    Quantity,
    /// How heavy.
    Weight,
    /// Where it goes.
    Destination,
}

/// One change of an open deposit; lines are named by their place, from 0, before any change of the same correction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Change {
    /// It is another thing; where the model is sure of the new thing's category, that is the human's choice.
    Renamed {
        /// Which line.
        line: usize,
        /// The object, in the volunteer's words.
        object: String,
        /// The model's suggestion for it.
        proposal: Proposal,
    },
    /// A human chose its category.
    Sorted {
        /// Which line.
        line: usize,
        /// The category.
        category: CategoryKey,
    },
    /// How many there are; `None` for a lot.
    Counted {
        /// Which line.
        line: usize,
        /// How many.
        quantity: Option<u32>,
    },
    /// The weight of the whole line; `None` for a weight that is not known.
    Weighed {
        /// Which line.
        line: usize,
        /// How heavy.
        weight: Option<Weight>,
    },
    /// Where it goes.
    Sent {
        /// Which line.
        line: usize,
        /// Where to.
        destination: Destination,
    },
    /// The line is no part of the deposit.
    Removed {
        /// Which line.
        line: usize,
    },
    /// Another line.
    Added(Line),
    /// The weight of all lines together.
    TotalWeighed(Weight),
}

/// A note about the lines that its author had before them.
#[derive(Clone, Debug, PartialEq)]
pub enum Correction {
    /// Something else is so.
    Changes {
        /// The lines as they were when the note was read: a line that has changed since is left alone.
        seen: Vec<Line>,
        /// The changes, in the order in which they were said.
        changes: Vec<Change>,
    },
    /// A correction, but not clear of which line: nothing is changed, and its author is asked.
    Unclear(Unclear),
}

/// Why a correction changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unclear {
    /// Several lines could be meant. The change waits for the number of one; empty if it is too long for that.
    Which(String),
    /// No line is called so.
    NoSuchLine,
    /// It states that something is wrong, but not which thing.
    What,
    /// A wish to take away all lines: that is what ❌ is for.
    Everything,
    /// A total that does not go with the weights of the lines.
    Total,
}

/// One effect of a correction, as the card shows it; lines by their place after it, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "snake_case")]
pub enum Done {
    /// It is another thing.
    Renamed {
        /// Which line.
        line: usize,
        /// Its name before.
        was: String,
        /// Its name now.
        object: String,
    },
    /// It is of another category.
    Sorted {
        /// Which line.
        line: usize,
        /// The object.
        object: String,
        /// Its category.
        category: CategoryKey,
    },
    /// There are so many.
    Counted {
        /// Which line.
        line: usize,
        /// The object.
        object: String,
        /// How many there were.
        was: Option<u32>,
        /// How many there are.
        quantity: Option<u32>,
    },
    /// It is so heavy.
    Weighed {
        /// Which line.
        line: usize,
        /// The object.
        object: String,
        /// Its weight before, in grams, if a human had stated it.
        was: Option<u32>,
        /// Its weight now, in grams.
        grams: Option<u32>,
    },
    /// It goes somewhere else.
    Sent {
        /// Which line.
        line: usize,
        /// The object.
        object: String,
        /// Where to.
        destination: Destination,
    },
    /// It is gone.
    Removed {
        /// The object before.
        object: String,
    },
    /// It is new.
    Added {
        /// Which line.
        line: usize,
        /// The object.
        object: String,
    },
    /// All of it is so heavy.
    TotalWeighed {
        /// How heavy, in grams.
        grams: u32,
    },
}

/// The outcome of a correction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// The first things it did, at most [`TOLD_MAX`]; none if all was so before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Done>,
    /// How many more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Whether something was left alone because its line had changed meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}
