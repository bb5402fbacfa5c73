//! Files: sent by the bot, looked up for download.

use serde_json::{Map, Value, json};

use super::messages::draft;
use super::shown;
use crate::answer::{Answer, Refusal, Reply};
use crate::files::{LARGEST_DOWNLOAD, StoredFile};
use crate::message::Body;
use crate::parameters::Parameters;
use crate::text;
use crate::world::World;

/// A kind of media that the bot can send.
pub(super) struct Kind {
    /// The parameter that brings the file, also the member of the message that holds it.
    name: &'static str,
    folder: &'static str,
    extension: &'static str,
    describe: fn(&StoredFile, &Parameters, &str) -> Value,
}

pub(super) const PHOTO: Kind = Kind {
    name: "photo",
    folder: "photos",
    extension: "jpg",
    describe: |file, _, _| json!([described(file, &json!({"width": 1280, "height": 960}))]),
};
pub(super) const DOCUMENT: Kind = Kind {
    name: "document",
    folder: "documents",
    extension: "bin",
    describe: |file, _, name| described(file, &json!({"file_name": name, "mime_type": file.mime_type})),
};
pub(super) const VOICE: Kind = Kind {
    name: "voice",
    folder: "voice",
    extension: "oga",
    describe: |file, call, _| {
        let duration = call.integer("duration").unwrap_or(0);
        described(file, &json!({"duration": duration, "mime_type": file.mime_type}))
    },
};

/// A file's members together with those of its kind.
fn described(file: &StoredFile, more: &Value) -> Value {
    let mut members = file.members();
    members.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(members)
}

pub(super) fn send(world: &mut World, call: &Parameters, kind: &Kind) -> Answer {
    world.writable_chat(call)?;
    let caption = text::caption(call)?;
    let (file, name) = file_of(world, call, kind)?;
    let mut media = Map::new();
    media.insert(kind.name.to_owned(), (kind.describe)(&file, call, &name));
    let body = Body {
        caption: Some(caption.text.into()).filter(|text: &std::sync::Arc<str>| !text.is_empty()),
        caption_entities: caption.entities,
        media,
        ..Body::default()
    };
    let bot = world.bot.clone();
    let chat = world.writable_chat(call)?;
    let draft = draft(chat, call, body)?;
    let message = chat.post(&bot, draft);
    Ok(shown(world, &message))
}

/// The uploaded file, or the one that Telegram has under the `file_id` given instead.
fn file_of(world: &mut World, call: &Parameters, kind: &Kind) -> Result<(StoredFile, String), Refusal> {
    if let Some(upload) = call.upload(kind.name) {
        if upload.bytes.is_empty() {
            return Err(Refusal::bad_request("Bad Request: file must be non-empty"));
        }
        let (mime_type, bytes) = (&upload.mime_type, upload.bytes.clone());
        let file = world.files.keep(kind.folder, kind.extension, mime_type, bytes, &mut world.rng);
        return Ok((file, upload.name.clone()));
    }
    let Some(id) = call.text(kind.name) else {
        return Err(Refusal::bad_request(format!("Bad Request: there is no {} in the request", kind.name)));
    };
    let file = world.files.get(&id).ok_or_else(wrong_file)?;
    Ok((file, kind.name.to_owned()))
}

pub(super) fn get_file(world: &mut World, call: &Parameters) -> Answer {
    let file = call.text("file_id").and_then(|id| world.files.get(&id)).ok_or_else(wrong_file)?;
    if file.bytes.len() > LARGEST_DOWNLOAD {
        return Err(Refusal::bad_request("Bad Request: file is too big"));
    }
    Ok(Reply::of(&described(&file, &json!({"file_path": file.path}))))
}

fn wrong_file() -> Refusal {
    Refusal::bad_request("Bad Request: wrong file_id or the file is temporarily unavailable")
}
