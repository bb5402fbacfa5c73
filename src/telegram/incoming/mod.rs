//! One update as Telegram sent it, read so leniently that an unknown field, kind or origin never loses a text.
//!
//! Facts: the Bot API's `Update`, `Message`, `CallbackQuery` and `ChatMemberUpdated`
//! (core.telegram.org/bots/api#available-types).

mod read;
#[cfg(test)]
mod tests;

use crate::clock::Timestamp;
use deposit::{Attachment, ChatId, MessageId, UserId};

/// The kinds of update that this bot requests; every getUpdates and setWebhook names them, because Telegram keeps the
/// setting and any other caller can change it.
pub const ALLOWED_UPDATES: [&str; 4] = ["message", "edited_message", "callback_query", "my_chat_member"];

/// One update that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its id; restarts at random after a week without updates.
    pub update_id: i64,
    /// Its content.
    pub kind: IncomingKind,
}

/// The kinds of update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingKind {
    /// A new message.
    Message(Message),
    /// An edited message.
    Edited(Message),
    /// A button was pressed.
    Tap(IncomingTap),
    /// The bot was added to a chat or removed, blocked or unblocked.
    Membership(Membership),
    /// Another kind, by its name.
    Unknown(String),
}

/// An update that cannot be read: it becomes a dead letter, which is its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, if that can be read.
    pub update_id: Option<i64>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its chat.
    pub chat: IncomingChat,
    /// Its sender; `None` in channels.
    pub sender: Option<Sender>,
    /// Its id, unique within the chat.
    pub id: MessageId,
    /// When it was sent, if Telegram sends that.
    pub sent_at: Option<Timestamp>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Its content.
    pub content: Content,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text, which may be a command.
    Text(String),
    /// A file that can describe a deposit.
    File {
        /// The file.
        attachment: Attachment,
        /// Its caption.
        caption: Option<String>,
        /// The album it belongs to.
        album: Option<String>,
    },
    /// Content that cannot describe a deposit.
    Unsupported {
        /// Its kind.
        what: Unsupported,
        /// Its caption.
        caption: Option<String>,
    },
    /// A service message, by the name of its field, as `new_chat_members`.
    Service(&'static str),
}

/// The kinds of unsupported content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A document, a film, an animation: a file, but not a voice note or a photo.
    File,
    /// A sticker, a location, a contact, a poll, a game, or a kind that is yet unknown.
    Other,
}

/// A chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingChat {
    /// Its id.
    pub id: ChatId,
    /// Its kind.
    pub kind: ChatKind,
}

/// The kinds of chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// One user and the bot.
    Private,
    /// A group or a supergroup.
    Group,
    /// A channel.
    Channel,
}

/// The user who sent an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Their id.
    pub id: UserId,
    /// Whether this is one person: no bot, no channel, no account that acts for others.
    pub is_person: bool,
    /// The first name, as its owner chose it: clean and shorten it before it is shown.
    pub first_name: String,
    /// The last name; likewise.
    pub last_name: Option<String>,
    /// The name after the `@`; it changes and is reused, so it identifies no user.
    pub username: Option<String>,
    /// The language of their client, an IETF tag.
    pub language_code: Option<String>,
}

/// A button that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingTap {
    /// The id by which it is answered, once and within seconds.
    pub id: String,
    /// The user who pressed it.
    pub sender: Sender,
    /// The chat; `None` for a message that was sent inline.
    pub chat: Option<IncomingChat>,
    /// The message that carried the button; known also when its content is no longer accessible.
    pub message: Option<MessageId>,
    /// The callback data; the client chooses it, so it may be anything.
    pub data: Option<String>,
}

/// A change of the bot's own membership in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The chat.
    pub chat: IncomingChat,
    /// The user who changed it.
    pub by: Option<UserId>,
    /// Whether the bot is a member now; in a private chat: whether it is not blocked.
    pub present: bool,
}

impl Sender {
    /// First and last name as chosen: clean it before it is shown.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.last_name {
            Some(last_name) => format!("{} {last_name}", self.first_name),
            None => self.first_name.clone(),
        }
    }
}

impl Incoming {
    /// The id by which updates are ordered: that of the chat, or of the user who pressed an inline button.
    #[must_use]
    pub fn lane(&self) -> i64 {
        match &self.kind {
            IncomingKind::Message(message) | IncomingKind::Edited(message) => message.chat.id.0,
            IncomingKind::Tap(tap) => tap.chat.map_or(tap.sender.id.0, |chat| chat.id.0),
            IncomingKind::Membership(membership) => membership.chat.id.0,
            IncomingKind::Unknown(_) => 0,
        }
    }

    /// The name of the kind, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            IncomingKind::Message(_) => "message",
            IncomingKind::Edited(_) => "edited_message",
            IncomingKind::Tap(_) => "callback_query",
            IncomingKind::Membership(_) => "my_chat_member",
            IncomingKind::Unknown(_) => "unknown",
        }
    }
}

impl IncomingChat {
    /// Whether it is a chat of one user and the bot.
    #[must_use]
    pub fn is_private(self) -> bool {
        self.kind == ChatKind::Private
    }
}
