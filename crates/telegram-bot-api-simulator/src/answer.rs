//! The outcome of a call: a result or a refusal, in Telegram's envelope.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::json;

/// The outcome of one call.
pub(super) type Answer = Result<Reply, Refusal>;

/// A success.
#[derive(Debug)]
pub(super) struct Reply {
    /// The member `result`, as JSON.
    pub result: String,
    /// The message that was sent or edited, for the journal.
    pub message_id: Option<i64>,
    /// The description that Telegram adds, for the webhook methods.
    pub description: Option<&'static str>,
}

impl Reply {
    pub(super) fn of(result: &impl Serialize) -> Self {
        Self { result: json(result), message_id: None, description: None }
    }

    pub(super) fn yes() -> Self {
        Self { result: "true".to_owned(), message_id: None, description: None }
    }

    pub(super) fn envelope(&self) -> String {
        match self.description {
            None => format!(r#"{{"ok":true,"result":{}}}"#, self.result),
            Some(text) => format!(r#"{{"ok":true,"result":{},"description":{}}}"#, self.result, json(&text)),
        }
    }
}

/// A failure, with the code and text that Telegram uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: u16,
    pub description: Cow<'static, str>,
    /// Seconds; 429 only.
    pub retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(code: u16, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), retry_after: None }
    }

    pub(super) fn bad_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, description)
    }

    pub(super) fn too_many_requests(retry_after: u32) -> Self {
        let description = format!("Too Many Requests: retry after {retry_after}");
        Self { code: 429, description: description.into(), retry_after: Some(retry_after) }
    }

    pub(super) fn envelope(&self) -> String {
        let mut body = json!({"ok": false, "error_code": self.code, "description": self.description});
        if let (Some(seconds), Some(members)) = (self.retry_after, body.as_object_mut()) {
            members.insert("parameters".to_owned(), json!({"retry_after": seconds}));
        }
        body.to_string()
    }
}

/// `value` as JSON; `null` if it cannot be written, which none of the simulator's own types can bring about.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
