//! A chat as its user sees it, on a phone.

use serde::Serialize;
use serde_json::{Value, json};

use bot_api_simulator::{Entity, User};

/// How many messages of a chat are shown, the newest.
const MESSAGES_MAX: usize = 100;
/// How many answers to taps are shown, the newest.
const TOASTS_MAX: usize = 5;

/// A message as it is shown now.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Shown {
    id: i64,
    mine: bool,
    text: String,
    entities: Vec<Entity>,
    at: i64,
    edited: bool,
    reply_to: Option<i64>,
    photo: Option<Value>,
    voice: Option<Value>,
    buttons: Vec<Vec<Button>>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Button {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// The answer to a tap.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Toast {
    number: usize,
    text: String,
    alert: bool,
}

/// The messages that are there, the newest of them.
pub(super) fn messages(user: &User) -> Vec<Shown> {
    let messages = user.messages();
    let there: Vec<_> = messages.iter().filter(|message| !message.deleted).collect();
    let old = there.len().saturating_sub(MESSAGES_MAX);
    there.into_iter().skip(old).map(shown).collect()
}

fn shown(message: &bot_api_simulator::Message) -> Shown {
    let file = |media: &Value| media.get("file_id").cloned();
    let buttons = message.rows().iter().map(|row| {
        let button = |button: &bot_api_simulator::Button| Button {
            text: button.text.clone(),
            data: button.data.clone(),
            url: button.url.clone(),
        };
        row.iter().map(button).collect()
    });
    Shown {
        id: message.id,
        mine: !message.from_bot(),
        text: message.text().to_owned(),
        entities: message.entities().to_vec(),
        at: message.date.saturating_mul(1000),
        edited: message.edits > 0,
        reply_to: message.media("reply_to_message").and_then(|answered| answered.get("message_id")?.as_i64()),
        photo: message
            .media("photo")
            .and_then(|sizes| file(sizes.as_array()?.last()?))
            .map(|file| json!({"file": file})),
        voice: message
            .media("voice")
            .map(|voice| json!({"file": file(voice), "seconds": voice.get("duration")})),
        buttons: buttons.collect(),
    }
}

/// The newest answers to taps that have a text.
pub(super) fn toasts(user: &User) -> Vec<Toast> {
    let answers = user.toasts();
    let numbered = answers.iter().enumerate().filter(|(_, toast)| !toast.text.is_empty());
    let all: Vec<Toast> = numbered
        .map(|(index, toast)| Toast { number: index + 1, text: toast.text.clone(), alert: toast.show_alert })
        .collect();
    let old = all.len().saturating_sub(TOASTS_MAX);
    all.into_iter().skip(old).collect()
}
