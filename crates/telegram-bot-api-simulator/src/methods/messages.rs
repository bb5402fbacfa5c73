//! Texts of the bot: sent, edited, deleted.

use std::sync::Arc;
use std::time::Duration;

use super::shown;
use crate::answer::{Answer, Refusal, Reply};
use crate::chat::{Chat, Draft};
use crate::clock::Timestamp;
use crate::keyboard::{Keyboard, Markup};
use crate::message::{Body, Message};
use crate::parameters::Parameters;
use crate::text;
use crate::world::World;

/// How long a message can be deleted (Bot API, deleteMessage: "less than 48 hours ago").
const DELETABLE: Duration = Duration::from_hours(48);

pub(super) fn send(world: &mut World, call: &Parameters) -> Answer {
    let bot = world.bot.clone();
    let chat = world.writable_chat(call)?;
    let formatted = text::message_text(call)?;
    let body = Body { text: Some(formatted.text.into()), entities: formatted.entities, ..Body::default() };
    let draft = draft(chat, call, body)?;
    let message = chat.post(&bot, draft);
    Ok(shown(world, &message))
}

/// The message to be sent, with its keyboard and the message it replies to.
pub(super) fn draft(chat: &Chat, call: &Parameters, mut body: Body) -> Result<Draft, Refusal> {
    if let Some(answered) = replied_to(chat, call)? {
        let answered = serde_json::to_value(answered).unwrap_or_default();
        body.media.insert("reply_to_message".to_owned(), answered);
    }
    Ok(match Markup::parse(call.json("reply_markup")?.as_deref())? {
        Markup::None => Draft { body, ..Draft::default() },
        Markup::Inline(keyboard) => Draft { body, keyboard: Some(keyboard), frozen: false },
        Markup::Reply => Draft { body, keyboard: None, frozen: true },
    })
}

fn replied_to<'a>(chat: &'a Chat, call: &Parameters) -> Result<Option<&'a Message>, Refusal> {
    let given = call.json("reply_parameters")?;
    let member = |name: &str| given.as_ref().and_then(|given| given.get(name));
    let id = member("message_id").and_then(serde_json::Value::as_i64).or(call.integer("reply_to_message_id"));
    let Some(id) = id else { return Ok(None) };
    let found = chat.message(id).filter(|message| !message.deleted);
    let lenient = member("allow_sending_without_reply").is_some_and(|flag| flag == true)
        || call.flag("allow_sending_without_reply");
    if found.is_none() && !lenient {
        return Err(Refusal::bad_request("Bad Request: message to be replied not found"));
    }
    Ok(found)
}

pub(super) fn edit_text(world: &mut World, call: &Parameters) -> Answer {
    let chat = world.writable_chat(call)?;
    let message = editable(chat, call)?;
    if message.body.text.is_none() {
        return Err(Refusal::bad_request("Bad Request: there is no text in the message to edit"));
    }
    let id = message.id;
    let formatted = text::message_text(call)?;
    let keyboard = Markup::parse(call.json("reply_markup")?.as_deref())?.inline_only()?;
    let same_text = message.body.text.as_deref() == Some(formatted.text.as_str());
    if same_text && message.body.entities == formatted.entities && message.keyboard == keyboard {
        return Err(not_modified());
    }
    let new_text: Arc<str> = formatted.text.into();
    let edited = chat.edit(id, |message| {
        message.body.text = Some(new_text);
        message.body.entities = formatted.entities;
        message.keyboard = keyboard;
    });
    edited.map(|message| shown(world, &message)).ok_or_else(not_found)
}

pub(super) fn edit_markup(world: &mut World, call: &Parameters) -> Answer {
    let chat = world.writable_chat(call)?;
    let message = editable(chat, call)?;
    let keyboard: Option<Keyboard> = Markup::parse(call.json("reply_markup")?.as_deref())?.inline_only()?;
    if message.keyboard == keyboard {
        return Err(not_modified());
    }
    let id = message.id;
    let edited = chat.edit(id, |message| message.keyboard = keyboard);
    edited.map(|message| shown(world, &message)).ok_or_else(not_found)
}

pub(super) fn delete(world: &mut World, call: &Parameters) -> Answer {
    let now = world.clock.now();
    let chat = world.writable_chat(call)?;
    let message = message_id(call)
        .and_then(|id| chat.message(id))
        .filter(|message| !message.deleted)
        .ok_or_else(|| Refusal::bad_request("Bad Request: message to delete not found"))?;
    let id = message.id;
    if now.since(Timestamp::from_seconds(message.date)) >= DELETABLE {
        return Err(Refusal::bad_request("Bad Request: message can't be deleted"));
    }
    if let Some(deleted) = chat.edit(id, |message| message.deleted = true) {
        world.note_shown(&deleted);
    }
    Ok(Reply { message_id: Some(id), ..Reply::yes() })
}

fn editable<'a>(chat: &'a Chat, call: &Parameters) -> Result<&'a Message, Refusal> {
    if call.integer("message_id").is_none() {
        return Err(Refusal::bad_request("Bad Request: message identifier is not specified"));
    }
    let message = message_id(call).and_then(|id| chat.message(id)).filter(|message| !message.deleted);
    let message = message.ok_or_else(not_found)?;
    if !message.from_bot() || message.frozen {
        return Err(Refusal::bad_request("Bad Request: message can't be edited"));
    }
    Ok(message)
}

fn message_id(call: &Parameters) -> Option<i64> {
    call.integer("message_id")
}

fn not_found() -> Refusal {
    Refusal::bad_request("Bad Request: message to edit not found")
}

fn not_modified() -> Refusal {
    Refusal::bad_request(
        "Bad Request: message is not modified: specified new message content and reply markup are exactly \
         the \
         same as a current content and reply markup of the message",
    )
}
