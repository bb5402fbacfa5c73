//! One kind of thing within a deposit, with its proposal and its choice.

use serde::{Deserialize, Serialize};

use crate::{CategoryKey, SURE, Timestamp, Weight};

/// The most of one thing: more is not a deposit but a slip.
pub const QUANTITY_MAX: u32 = 9_999;

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

/// A model's suggestion for a line; kept beside the validation, never overwritten by it.
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
    /// The object, in the volunteer's words.
    pub object: String,
    /// How many; `None` for a lot or a mass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// The weight of the whole line, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// Where it goes.
    #[serde(default)]
    pub destination: Destination,
    /// The model's suggestion.
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
