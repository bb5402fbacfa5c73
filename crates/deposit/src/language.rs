//! The languages that the bot speaks.

use serde::{Deserialize, Serialize};

/// The languages that the bot speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// French, the default.
    #[default]
    Fr,
    /// English.
    En,
}

impl Language {
    /// The language for Telegram's `language_code`, an IETF tag such as `en-GB`; French if it is neither.
    #[must_use]
    pub fn from_code(code: Option<&str>) -> Self {
        match code {
            Some(code) if code.to_ascii_lowercase().starts_with("en") => Self::En,
            _ => Self::Fr,
        }
    }

    /// The two-letter code, as in `locales/` and `setMyCommands`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }
}
