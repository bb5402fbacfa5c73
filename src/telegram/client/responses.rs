//! The parts of Telegram's responses that this bot uses.

use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::telegram::lenient::{Object, items};
use deposit::BotId;

/// The bot itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Its id.
    pub id: BotId,
    /// Its name after the `@`; empty if the server does not send it.
    pub username: String,
    /// The time of the server, to the second, to compare clocks.
    pub server_time: Option<Timestamp>,
}

impl Me {
    pub(super) fn read(answer: &Object<'_>) -> Option<Self> {
        let me = answer.object("result")?;
        let username = me.text("username").unwrap_or_default();
        Some(Self { id: BotId(me.integer("id")?), username, server_time: None })
    }
}

/// A file at Telegram, which can be downloaded for an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path below `/file/bot<token>/`.
    pub path: String,
    /// Its length in bytes, if known.
    pub bytes: Option<u64>,
}

impl StoredFile {
    pub(super) fn read(answer: &Object<'_>) -> Option<Self> {
        let file = answer.object("result")?;
        let bytes = file.integer("file_size").and_then(|bytes| u64::try_from(bytes).ok());
        Some(Self { path: file.text("file_path")?, bytes })
    }
}

/// The state of the webhook at Telegram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookState {
    /// The address; empty if there is no webhook.
    pub url: String,
    /// The kinds of update it gets; empty for Telegram's default.
    pub allowed_updates: Vec<String>,
    /// The most simultaneous connections.
    pub max_connections: Option<u32>,
    /// The number of updates that wait for delivery.
    pub pending: u64,
    /// The time of the last failed delivery.
    pub last_error_at: Option<Timestamp>,
    /// Its error.
    pub last_error: Option<String>,
}

impl WebhookState {
    pub(super) fn read(answer: &Object<'_>) -> Option<Self> {
        let state = answer.object("result")?;
        let kinds = state.items("allowed_updates");
        Some(Self {
            url: state.text("url").unwrap_or_default(),
            allowed_updates: kinds.iter().filter_map(|kind| serde_json::from_str(kind.get()).ok()).collect(),
            max_connections: state.small("max_connections"),
            pending: u64::from(state.small("pending_update_count").unwrap_or(0)),
            last_error_at: state.integer("last_error_date").map(Timestamp::from_seconds),
            last_error: state.text("last_error_message"),
        })
    }
}

/// The updates of one getUpdates, each as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The updates, in order.
    pub updates: Vec<String>,
    /// The rest of the response that is no JSON, if it could not be read to its end.
    pub broken: Option<String>,
}

impl Batch {
    /// Reads a whole response; `None` if it holds no list.
    pub(super) fn read(body: &str) -> Option<Self> {
        let list = match Object::read(body) {
            Some(answer) => answer.raw("result")?.get(),
            // `{"ok":true,"result":[`: the first bracket opens the list, though the rest is no JSON.
            None => body.get(body.find('[')?..)?,
        };
        let (found, whole) = items(list);
        let end = found.last().map_or(1, |last| end_within(list, last));
        let broken = (!whole).then(|| list.get(end..).unwrap_or_default().to_owned());
        Some(Self { updates: found.iter().map(|raw| raw.get().to_owned()).collect(), broken })
    }
}

fn end_within(list: &str, last: &RawValue) -> usize {
    let start = last.get().as_ptr() as usize - list.as_ptr() as usize;
    start + last.get().len()
}
