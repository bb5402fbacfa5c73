//! Reads one raw update as [`Incoming`].

use serde_json::value::RawValue;

use super::{
    ChatKind, Content, Incoming, IncomingChat, IncomingKind, IncomingTap, Membership, Message, Sender,
    Unreadable, Unsupported,
};
use crate::clock::Timestamp;
use crate::telegram::lenient::Object;
use deposit::{Attachment, ChatId, Media, MessageId, UserId};

/// Telegram's own accounts that act for others: anonymous admins, channel forwards, channels as authors.
const STAND_INS: [i64; 3] = [1_087_968_824, 777_000, 136_817_688];

impl Incoming {
    /// Reads one update.
    ///
    /// # Errors
    /// [`Unreadable`] if it is no JSON, has no readable id, or is of a kind that this bot handles and lacks the ids that
    /// an answer needs.
    pub fn read(json: &str) -> Result<Self, Unreadable> {
        let update = Object::read(json).ok_or(Unreadable { update_id: None })?;
        let update_id = update.integer("update_id").ok_or(Unreadable { update_id: None })?;
        let unreadable = Unreadable { update_id: Some(update_id) };
        let part = |name| Object::read(update.raw(name).map_or("", RawValue::get)).ok_or(unreadable);
        let kind = if update.has("message") {
            Message::read(&part("message")?).map(IncomingKind::Message)
        } else if update.has("edited_message") {
            Message::read(&part("edited_message")?).map(IncomingKind::Edited)
        } else if update.has("callback_query") {
            IncomingTap::read(&part("callback_query")?).map(IncomingKind::Tap)
        } else if update.has("my_chat_member") {
            Membership::read(&part("my_chat_member")?).map(IncomingKind::Membership)
        } else {
            let name = update.names().find(|name| *name != "update_id").unwrap_or("nothing");
            Some(IncomingKind::Unknown(name.chars().take(32).collect()))
        };
        Ok(Self { update_id, kind: kind.ok_or(unreadable)? })
    }
}

impl Message {
    fn read(message: &Object<'_>) -> Option<Self> {
        let speaks_for_a_chat = message.has("sender_chat");
        Some(Self {
            chat: IncomingChat::read(&message.object("chat")?)?,
            sender: message.object("from").and_then(|from| Sender::read(&from, speaks_for_a_chat)),
            id: MessageId(message.integer("message_id")?),
            sent_at: message.integer("date").filter(|date| *date > 0).map(Timestamp::from_seconds),
            reply_to: message
                .object("reply_to_message")
                .and_then(|replied| replied.integer("message_id"))
                .map(MessageId),
            content: Content::read(message),
        })
    }
}

impl Content {
    fn read(message: &Object<'_>) -> Self {
        if let Some(text) = message.text("text") {
            return Self::Text(text);
        }
        let caption = message.text("caption");
        let listened = [("voice", Media::Voice), ("audio", Media::Audio), ("video_note", Media::VideoNote)];
        let file = listened
            .iter()
            .find_map(|(name, media)| attachment(&message.object(name)?, *media))
            .or_else(|| attachment(&largest(message.items("photo"))?, Media::Photo));
        if let Some(attachment) = file {
            return Self::File { attachment, caption, album: message.text("media_group_id") };
        }
        if let Some(name) = SERVICE.into_iter().find(|name| message.has(name)) {
            return Self::Service(name);
        }
        let is_file = ["document", "video", "animation"].iter().any(|name| message.has(name));
        Self::Unsupported { what: if is_file { Unsupported::File } else { Unsupported::Other }, caption }
    }
}

/// The fields of service messages.
const SERVICE: [&str; 17] = [
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "chat_background_set",
    "write_access_allowed",
    "connected_website",
    "users_shared",
    "chat_shared",
];

fn attachment(file: &Object<'_>, media: Media) -> Option<Attachment> {
    let id = file.text("file_id").filter(|id| !id.is_empty())?;
    Some(Attachment { media, file: id, seconds: file.small("duration") })
}

/// The size of a photo with the most pixels, among those that can be fetched.
fn largest(sizes: Vec<&RawValue>) -> Option<Object<'_>> {
    let pixels = |size: &Object<'_>| {
        u64::from(size.small("width").unwrap_or(0)) * u64::from(size.small("height").unwrap_or(0))
    };
    let readable = sizes.into_iter().filter_map(|size| Object::read(size.get()));
    readable.filter(|size| size.text("file_id").is_some()).max_by_key(pixels)
}

impl IncomingChat {
    fn read(chat: &Object<'_>) -> Option<Self> {
        let id = chat.integer("id")?;
        let kind = match chat.text("type").as_deref() {
            Some("private") => ChatKind::Private,
            Some("group" | "supergroup") => ChatKind::Group,
            Some("channel") => ChatKind::Channel,
            // The ids of users are positive, those of all other chats negative.
            _unknown if id > 0 => ChatKind::Private,
            _unknown => ChatKind::Group,
        };
        Some(Self { id: ChatId(id), kind })
    }
}

impl Sender {
    fn read(user: &Object<'_>, speaks_for_a_chat: bool) -> Option<Self> {
        let id = user.integer("id")?;
        Some(Self {
            id: UserId(id),
            is_person: !speaks_for_a_chat && !user.flag("is_bot") && !STAND_INS.contains(&id),
            first_name: user.text("first_name").unwrap_or_default(),
            last_name: user.text("last_name"),
            username: user.text("username"),
            language_code: user.text("language_code"),
        })
    }
}

impl IncomingTap {
    fn read(query: &Object<'_>) -> Option<Self> {
        let message = query.object("message");
        Some(Self {
            id: query.text("id")?,
            sender: Sender::read(&query.object("from")?, false)?,
            chat: message.as_ref().and_then(|message| IncomingChat::read(&message.object("chat")?)),
            message: message.and_then(|message| message.integer("message_id")).map(MessageId),
            data: query.text("data"),
        })
    }
}

impl Membership {
    fn read(change: &Object<'_>) -> Option<Self> {
        let now = change.object("new_chat_member");
        let status = now.as_ref().and_then(|now| now.text("status"));
        let present = match status.as_deref() {
            Some("left" | "kicked") => false,
            Some("restricted") => now.is_some_and(|now| now.flag("is_member")),
            _member => true,
        };
        let by = change.object("from").and_then(|from| from.integer("id")).map(UserId);
        Some(Self { chat: IncomingChat::read(&change.object("chat")?)?, by, present })
    }
}
