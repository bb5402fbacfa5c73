//! The values of the Bot API that a chat is made of: `User`, `Chat`, `Message`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::keyboard::{Button, Keyboard};
use super::text::Entity;

/// A Telegram account, serialised as the `User` of the Bot API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserProfile {
    /// The account's id; also the id of its private chat.
    pub id: i64,
    /// True for the bot's own account only.
    pub is_bot: bool,
    /// Chosen by the account's owner: anything, also markup and control characters.
    pub first_name: String,
    /// Likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Without `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// IETF tag of the client's language; Telegram omits it now and then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
}

impl UserProfile {
    /// A user with a first name and a client language.
    #[must_use]
    pub fn new(id: i64, first_name: &str, language_code: &str) -> Self {
        let (first_name, language_code) = (first_name.to_owned(), Some(language_code.to_owned()));
        Self { id, first_name, language_code, ..Self::default() }
    }
}

/// The head of a chat, serialised as the `Chat` of the Bot API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatHead {
    /// Positive for private chats, negative for groups.
    pub id: i64,
    /// `private`, `group` or `supergroup`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Groups only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Private chats only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Private chats only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Private chats only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl ChatHead {
    pub(super) fn private(person: &UserProfile) -> Self {
        Self {
            id: person.id,
            kind: "private",
            title: None,
            first_name: Some(person.first_name.clone()),
            last_name: person.last_name.clone(),
            username: person.username.clone(),
        }
    }

    pub(super) fn group(id: i64, title: &str) -> Self {
        let kind = if id <= -1_000_000_000_000 { "supergroup" } else { "group" };
        Self { id, kind, title: Some(title.to_owned()), first_name: None, last_name: None, username: None }
    }
}

/// One message as it is shown now, serialised as the `Message` of the Bot API; cheap to clone.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Grows within a chat; one counter for both directions.
    #[serde(rename = "message_id")]
    pub id: i64,
    /// Its author.
    pub from: Arc<UserProfile>,
    /// Where it stands.
    pub chat: Arc<ChatHead>,
    /// When it was sent, Unix seconds.
    pub date: i64,
    /// When it was last edited, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit_date: Option<i64>,
    #[serde(flatten)]
    pub(super) body: Body,
    /// The inline keyboard it has now.
    #[serde(rename = "reply_markup", skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<Keyboard>,
    /// How often it was edited.
    #[serde(skip)]
    pub edits: u32,
    /// True once `deleteMessage` took it away.
    #[serde(skip)]
    pub deleted: bool,
    /// True if it has or ever had an inline keyboard.
    #[serde(skip)]
    pub had_keyboard: bool,
    /// True if it carries a reply keyboard, which Telegram never lets a bot edit.
    #[serde(skip)]
    pub(super) frozen: bool,
    /// The chat's change number ([`Chat::changes`](super::Chat::changes)) when it was sent or last edited.
    #[serde(skip)]
    pub changed: u64,
}

/// The content of a message; everything that is no text stands in `media` under its Bot API name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caption_entities: Vec<Entity>,
    #[serde(flatten)]
    pub media: Map<String, Value>,
}

impl Message {
    /// The text or caption; empty if it has neither.
    #[must_use]
    pub fn text(&self) -> &str {
        self.body.text.as_deref().or(self.body.caption.as_deref()).unwrap_or_default()
    }

    /// The entities of the text or caption.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        if self.body.text.is_some() { &self.body.entities } else { &self.body.caption_entities }
    }

    /// True if the bot wrote it.
    #[must_use]
    pub fn from_bot(&self) -> bool {
        self.from.is_bot
    }

    /// The Bot API member that holds its media (`voice`, `photo`, …) or origin, if it has that.
    #[must_use]
    pub fn media(&self, member: &str) -> Option<&Value> {
        self.body.media.get(member)
    }

    /// The rows of its live inline keyboard; empty if it has none or the message is gone.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Button>] {
        match &self.keyboard {
            Some(keyboard) if !self.deleted => &keyboard.rows,
            _ => &[],
        }
    }

    /// The first live button that can be tapped and whose text contains `label`.
    #[must_use]
    pub fn button(&self, label: &str) -> Option<&Button> {
        self.rows().iter().flatten().find(|button| button.data.is_some() && button.text.contains(label))
    }

    /// True if its live keyboard has a button that can be tapped.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.rows().iter().flatten().any(|button| button.data.is_some())
    }

    /// True if it is there and shows `fragment`, in its text or on a button.
    #[must_use]
    pub fn shows(&self, fragment: &str) -> bool {
        let on_button = |button: &Button| button.text.contains(fragment);
        !self.deleted && (self.text().contains(fragment) || self.rows().iter().flatten().any(on_button))
    }
}
