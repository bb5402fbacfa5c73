//! The messages that can be delivered to other chats, as they are stored; their words are in `locales/`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use deposit::UserId;

/// The content of a message to another chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeliveryKind {
    /// To an admin: a user asks for access. With Accepter and Refuser.
    AccessRequested {
        /// The request that the buttons name.
        request: AccessRequestRef,
        /// The user who asks.
        user: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
    },
    /// To an admin, in place of that card: the request is decided. Without buttons.
    AccessDecided {
        /// The user who asked.
        user: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
        /// Whether they have access now.
        accepted: bool,
        /// The admin who decided; `None` for an invitation or the configuration.
        by: Option<UserId>,
        /// That admin's name, cleaned, perhaps empty; not escaped.
        by_name: String,
    },
    /// To the user who asked: you have access.
    AccessGranted,
    /// To the user who asked: you have no access.
    AccessRefused,
}

/// The 64-bit random name of an access request on its buttons, written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AccessRequestRef(pub u64);

impl fmt::Display for AccessRequestRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for AccessRequestRef {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl From<AccessRequestRef> for String {
    fn from(reference: AccessRequestRef) -> Self {
        reference.to_string()
    }
}

impl TryFrom<String> for AccessRequestRef {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
