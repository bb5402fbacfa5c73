//! How sure a proposal is.

/// Below this confidence a line is doubtful and its best alternatives are offered as buttons.
pub const SURE: f32 = 0.70;

/// How sure a proposal is, from least to most: the word on the card, and the measure by which quality is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The card shows that it does not know.
    Unknown,
    /// The card asks to check.
    ToCheck,
    /// The card shows that it is sure.
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
