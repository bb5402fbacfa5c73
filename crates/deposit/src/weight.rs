//! Weights, and where they come from.

use serde::{Deserialize, Serialize};

/// The greatest weight, in grams: more than ten tonnes is not a deposit but a slip.
pub const GRAMS_MAX: u32 = 10_000_000;

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
