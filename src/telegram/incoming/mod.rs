//! One update as Telegram sent it, read so leniently that an unknown field, kind or origin never loses a text.
//!
//! Facts: the Bot API's `Update`, `Message`, `CallbackQuery` and `ChatMemberUpdated`
//! (core.telegram.org/bots/api#available-types).

mod read;
#[cfg(test)]
mod tests;

use crate::clock::Timestamp;
use crate::deposit::{Attachment, ChatId, MessageId, UserId};

/// The kinds of update that this bot asks for; every getUpdates and setWebhook names them, because the setting is
/// sticky and any other caller can change it.
pub const ALLOWED_UPDATES: [&str; 4] = ["message", "edited_message", "callback_query", "my_chat_member"];

/// One update that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Telegram's number of it; restarts at random after a quiet week.
    pub update_id: i64,
    /// What it brings.
    pub kind: IncomingKind,
}

/// What an update brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingKind {
    /// Somebody wrote.
    Message(Message),
    /// Somebody changed what they wrote.
    Edited(Message),
    /// Somebody pressed a button.
    Tap(Tap),
    /// The bot was let in or thrown out, blocked or unblocked.
    Membership(Membership),
    /// A kind that this bot has no use for, or does not know: its name.
    Unknown(String),
}

/// An update of which nothing can be made: to be parked, which is its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Telegram's number of it, if at least that can be read.
    pub update_id: Option<i64>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub chat: Chat,
    /// By whom; `None` in channels.
    pub sender: Option<Sender>,
    /// Its number within the chat.
    pub id: MessageId,
    /// When it was sent; `None` if Telegram does not say.
    pub sent_at: Option<Timestamp>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Words, among them commands.
    Text(String),
    /// Something a deposit can be made of.
    File {
        /// The file.
        attachment: Attachment,
        /// The words with it.
        caption: Option<String>,
        /// The album it belongs to.
        album: Option<String>,
    },
    /// Something a deposit cannot be made of.
    Unsupported {
        /// What it is.
        what: Unsupported,
        /// The words with it.
        caption: Option<String>,
    },
    /// Telegram's own remark about the chat, by the name of its field, as `new_chat_members`.
    Service(&'static str),
}

/// Content that no deposit is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A document, a film, an animation: a file, but not a voice note or a photo.
    File,
    /// A sticker, a location, a contact, a poll, a game, or what Telegram invents next.
    Other,
}

/// A chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// What it is.
    pub kind: ChatKind,
}

/// What a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// One person and the bot.
    Private,
    /// A group or a supergroup.
    Group,
    /// A channel.
    Channel,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Their id.
    pub id: UserId,
    /// Whether this is one human being: no bot, no channel, no account that stands in for somebody else.
    pub is_person: bool,
    /// The first name; chosen by them, to be escaped and cut before anyone reads it.
    pub first_name: String,
    /// The last name; likewise.
    pub last_name: Option<String>,
    /// The name after the `@`; changes and is reused, so it identifies nobody.
    pub username: Option<String>,
    /// The language of their Telegram, an IETF tag.
    pub language_code: Option<String>,
}

/// A button that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The id to answer it by, once and within seconds.
    pub id: String,
    /// By whom.
    pub sender: Sender,
    /// Where; `None` for a message that was sent inline.
    pub chat: Option<Chat>,
    /// The message that carried the button; known also when its content is not accessible any more.
    pub message: Option<MessageId>,
    /// What the button carried; chosen by the client, so it may be anything.
    pub data: Option<String>,
}

/// A change of the bot's own place in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Which chat.
    pub chat: Chat,
    /// Who changed it.
    pub by: Option<UserId>,
    /// Whether the bot is in it now; in a private chat: whether it is not blocked.
    pub present: bool,
}

impl Sender {
    /// First and last name, as they chose them; to be cleaned before anyone else reads it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.last_name {
            Some(last_name) => format!("{} {last_name}", self.first_name),
            None => self.first_name.clone(),
        }
    }
}

impl Incoming {
    /// Whose turn it is: updates with the same lane keep their order. The chat, or who pressed the button.
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

impl Chat {
    /// Whether it is one person and the bot.
    #[must_use]
    pub fn is_private(self) -> bool {
        self.kind == ChatKind::Private
    }
}
