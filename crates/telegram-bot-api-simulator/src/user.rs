//! The actions of users: say, send, edit, tap, block. The chat that they see is in [`super::watch`].

use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::answer;
use super::chat::{Chat, Draft, Standing};
use super::journal::Happened;
use super::message::{Body, ChatHead, Message, UserProfile};
use super::queue::Lane;
use super::text::Entity;
use super::world::Shared;

/// A user in a chat with the bot: the private one, or a group ([`User::in_group`]). Cheap to clone.
#[derive(Clone)]
pub struct User {
    pub(super) shared: Arc<Shared>,
    pub(super) person: Arc<UserProfile>,
    pub(super) chat: i64,
}

/// The outcome of a user's action in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message, in the chat's own numbering.
    pub message_id: i64,
    /// The update; `None` if the bot does not get one (blocked, not in the group, kind not allowed).
    pub update_id: Option<i64>,
}

/// The outcome of a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The updates: one, or two if a fault doubled the tap; none if the bot does not ask for taps.
    pub update_ids: Vec<i64>,
    /// The callback queries, of which the bot can answer each once.
    pub callback_ids: Vec<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.person.id).field("chat", &self.chat).finish_non_exhaustive()
    }
}

impl User {
    pub(super) fn new(shared: Arc<Shared>, profile: UserProfile) -> Self {
        shared.world().chat(ChatHead::private(&profile));
        Self { shared, chat: profile.id, person: Arc::new(profile) }
    }

    /// The same user in a group, which is created if it is new; `id` is negative, from -10¹² on a
    /// supergroup. The bot sees what is said there once a user added it ([`User::adds_bot`]), as if its
    /// privacy mode were off.
    #[must_use]
    pub fn in_group(&self, id: i64, title: &str) -> Self {
        self.shared.world().chat(ChatHead::group(id, title));
        Self { chat: id, ..self.clone() }
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.person.id
    }

    /// Sends a text; a leading `/command` gets its entity. A real client would split a text over 4,096
    /// characters.
    pub fn says(&self, text: &str) -> Sent {
        self.send(body_of(text))
    }

    /// Presses *Start*, with the payload of a deep link if it is not empty.
    pub fn starts(&self, payload: &str) -> Sent {
        self.says(format!("/start {payload}").trim_end())
    }

    /// Answers a message with a text.
    pub fn replies(&self, to_message_id: i64, text: &str) -> Sent {
        let mut body = body_of(text);
        if let Some(answered) = self.look(|chat| chat.message(to_message_id).cloned()) {
            body.media.insert("reply_to_message".to_owned(), json!(answered));
        }
        self.send(body)
    }

    /// Edits the text of an own message; `None` if there is no such message or the bot does not ask for
    /// edits.
    pub fn edits(&self, message_id: i64, text: &str) -> Option<i64> {
        let mut world = self.shared.world();
        let chat = world.chats.get_mut(&self.chat)?;
        chat.message(message_id).filter(|message| message.from.id == self.person.id)?;
        let edited = chat.edit(message_id, |message| {
            let media = std::mem::take(&mut message.body.media);
            message.body = Body { media, ..body_of(text) };
        })?;
        chat.person_acted();
        let reaches_bot = chat.standing == Standing::Member;
        let payload = reaches_bot.then(|| answer::json(&edited))?;
        world.enqueue("edited_message", Lane::Messages(self.chat), &payload)
    }

    /// Taps the newest live button whose label contains `label`; the error lists the buttons there are.
    pub fn taps(&self, label: &str) -> anyhow::Result<Tap> {
        let found = self.look(|chat| {
            let target = |message: &Message| Some((message.id, message.button(label)?.data.clone()?));
            chat.from_bot().find_map(target)
        });
        let (message_id, data) = found.with_context(|| self.no_button(label))?;
        Ok(self.taps_data(message_id, &data))
    }

    /// Taps the button of this message whose label contains `label`.
    pub fn taps_on(&self, message_id: i64, label: &str) -> anyhow::Result<Tap> {
        let data = self.look(|chat| chat.message(message_id)?.button(label)?.data.clone());
        let data = data.with_context(|| self.no_button(label))?;
        Ok(self.taps_data(message_id, &data))
    }

    /// Sends a tap with any data on any message, as a forged client can.
    pub fn taps_data(&self, message_id: i64, data: &str) -> Tap {
        let mut guard = self.shared.world();
        let world = &mut *guard;
        let times = if world.faults.doubles_this_tap(&mut world.rng) { 2 } else { 1 };
        let mut tap = Tap { update_ids: Vec::new(), callback_ids: Vec::new() };
        for _ in 0..times {
            let callback_id = world.open_tap(self.chat);
            let payload =
                world.chats.get(&self.chat).map(|chat| self.callback(chat, message_id, &callback_id, data));
            let lane = Lane::Taps(self.person.id);
            let update = payload.and_then(|payload| world.enqueue("callback_query", lane, &payload));
            if let Some(update_id) = update {
                let tapped = || Happened::Tapped { update_id, callback_id: callback_id.clone() };
                world.journal.write(world.clock.now(), tapped);
            }
            tap.update_ids.extend(update);
            tap.callback_ids.push(callback_id);
        }
        if let Some(chat) = world.chats.get_mut(&self.chat) {
            chat.tapped(&tap.callback_ids);
        }
        tap
    }

    /// Blocks the bot; returns the update.
    pub fn blocks(&self) -> Option<i64> {
        self.changes_bot_membership(Standing::Blocked)
    }

    /// Takes the bot back; returns the update.
    pub fn unblocks(&self) -> Option<i64> {
        self.changes_bot_membership(Standing::Member)
    }

    /// Adds the bot to this group; returns the update.
    pub fn adds_bot(&self) -> Option<i64> {
        self.changes_bot_membership(Standing::Member)
    }

    /// Removes the bot from this group; returns the update.
    pub fn removes_bot(&self) -> Option<i64> {
        self.changes_bot_membership(Standing::Left)
    }

    pub(super) fn send(&self, body: Body) -> Sent {
        let mut world = self.shared.world();
        let Some(chat) = world.chats.get_mut(&self.chat) else {
            return Sent { message_id: 0, update_id: None };
        };
        if chat.standing == Standing::Stranger && chat.head.kind == "private" {
            chat.standing = Standing::Member;
        }
        let message = chat.post(&self.person, Draft { body, ..Draft::default() });
        chat.person_acted();
        let reaches_bot = chat.standing == Standing::Member;
        let update_id = reaches_bot
            .then(|| answer::json(&message))
            .and_then(|payload| world.enqueue("message", Lane::Messages(self.chat), &payload));
        Sent { message_id: message.id, update_id }
    }

    fn callback(&self, chat: &Chat, message_id: i64, callback_id: &str, data: &str) -> String {
        let message = match chat.message(message_id).filter(|message| !message.deleted) {
            Some(message) => Tapped::Accessible(message),
            None => Tapped::Inaccessible { chat: &chat.head, message_id, date: 0 },
        };
        let chat_instance = format!("-{}", self.chat.unsigned_abs().wrapping_mul(7_777_777_777));
        answer::json(&CallbackQuery { id: callback_id, from: &self.person, message, chat_instance, data })
    }

    fn changes_bot_membership(&self, to: Standing) -> Option<i64> {
        let mut world = self.shared.world();
        let (bot, date) = (world.bot.clone(), world.clock.now().0 / 1000);
        let chat = world.chats.get_mut(&self.chat)?;
        let member = |standing: Standing| {
            let status = match standing {
                Standing::Member => "member",
                Standing::Blocked => "kicked",
                Standing::Stranger | Standing::Left => "left",
            };
            json!({"user": bot.as_ref(), "status": status})
        };
        let update = json!({
            "chat": chat.head.as_ref(),
            "from": self.person.as_ref(),
            "date": date,
            "old_chat_member": member(chat.standing),
            "new_chat_member": member(to),
        });
        chat.stand(to);
        world.enqueue("my_chat_member", Lane::Membership(self.chat), &update.to_string())
    }

    fn no_button(&self, label: &str) -> String {
        let page = self.look(|chat| Some(chat.transcript())).unwrap_or_default();
        format!("no live button contains «{label}»; the chat is:\n{page}")
    }

    /// The result of `look` on this chat.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Chat) -> Option<T>) -> Option<T> {
        self.shared.world().chats.get(&self.chat).and_then(look)
    }
}

/// `CallbackQuery` of the Bot API.
#[derive(Serialize)]
struct CallbackQuery<'a> {
    id: &'a str,
    from: &'a UserProfile,
    message: Tapped<'a>,
    chat_instance: String,
    data: &'a str,
}

/// `MaybeInaccessibleMessage` of the Bot API: without its content the date is 0.
#[derive(Serialize)]
#[serde(untagged)]
enum Tapped<'a> {
    Accessible(&'a Message),
    Inaccessible { chat: &'a ChatHead, message_id: i64, date: i64 },
}

pub(super) fn body_of(text: &str) -> Body {
    let command = text.split_whitespace().next().filter(|word| text.starts_with('/') && word.len() > 1);
    let entities = command.map(|command| Entity {
        kind: "bot_command".to_owned(),
        offset: 0,
        length: super::text::units(command),
        url: None,
    });
    Body { text: Some(text.into()), entities: entities.into_iter().collect(), ..Body::default() }
}
