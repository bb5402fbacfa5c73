//! Inline keyboards, and the forms that Telegram accepts.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::Refusal;

/// Most buttons of one keyboard (Telegram: `REPLY_MARKUP_TOO_LONG` beyond).
const MOST_BUTTONS: usize = 100;
/// Most buttons of one row.
const MOST_IN_A_ROW: usize = 8;
/// Most bytes, not characters, of `callback_data` (Bot API: 1–64).
const MOST_DATA_BYTES: usize = 64;
/// The members of an `InlineKeyboardButton` that make it do something, apart from `callback_data` and `url`.
const OTHER_ACTIONS: [&str; 7] = [
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "pay",
];

/// An inline keyboard; cheap to clone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Keyboard {
    /// Its rows from top to bottom, none of them empty.
    #[serde(rename = "inline_keyboard")]
    pub rows: Arc<[Vec<Button>]>,
}

/// One button of an inline keyboard.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Button {
    /// Its label.
    pub text: String,
    /// The data that a tap sends to the bot: 1–64 bytes.
    #[serde(rename = "callback_data", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The address that a tap opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// The keyboard that a `reply_markup` asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Markup {
    None,
    Inline(Keyboard),
    /// A reply keyboard, its removal, or a forced reply.
    Reply,
}

impl Markup {
    /// Reads and checks the `reply_markup` of a call.
    pub(super) fn parse(value: Option<&Value>) -> Result<Self, Refusal> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Self::None) };
        let Value::Object(markup) = value else {
            return Err(Refusal::bad_request("Bad Request: object expected as reply markup"));
        };
        let Some(rows) = markup.get("inline_keyboard") else {
            let reply =
                ["keyboard", "remove_keyboard", "force_reply"].iter().any(|name| markup.contains_key(*name));
            return Ok(if reply { Self::Reply } else { Self::None });
        };
        inline(rows)
    }

    /// The inline keyboard, for methods that take no other kind.
    pub(super) fn inline_only(self) -> Result<Option<Keyboard>, Refusal> {
        match self {
            Self::None => Ok(None),
            Self::Inline(keyboard) => Ok(Some(keyboard)),
            Self::Reply => Err(Refusal::bad_request("Bad Request: inline keyboard expected")),
        }
    }
}

fn inline(rows: &Value) -> Result<Markup, Refusal> {
    const SHAPE: &str =
        "Bad Request: field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays";
    let rows = rows.as_array().ok_or_else(|| Refusal::bad_request(SHAPE))?;
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let row = row.as_array().ok_or_else(|| Refusal::bad_request(SHAPE))?;
        let row = row.iter().map(button).collect::<Result<Vec<Button>, Refusal>>()?;
        if !row.is_empty() {
            kept.push(row);
        }
    }
    let total: usize = kept.iter().map(Vec::len).sum();
    if total > MOST_BUTTONS || kept.iter().any(|row| row.len() > MOST_IN_A_ROW) {
        return Err(Refusal::bad_request("Bad Request: REPLY_MARKUP_TOO_LONG"));
    }
    Ok(if kept.is_empty() { Markup::None } else { Markup::Inline(Keyboard { rows: kept.into() }) })
}

fn button(value: &Value) -> Result<Button, Refusal> {
    let cannot =
        |why: &str| Refusal::bad_request(format!("Bad Request: can't parse inline keyboard button: {why}"));
    let Value::Object(members) = value else { return Err(cannot("InlineKeyboardButton must be an Object")) };
    let text = match members.get("text") {
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(cannot("Field \"text\" must be of type String")),
        None => return Err(cannot("Can't find field \"text\"")),
    };
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("Bad Request: BUTTON_TEXT_INVALID"));
    }
    let word = |name: &str| members.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
    let (data, url) = (word("callback_data").map(str::to_owned), word("url").map(str::to_owned));
    let other: Map<String, Value> = OTHER_ACTIONS
        .iter()
        .filter_map(|name| members.get(*name).map(|value| ((*name).to_owned(), value.clone())))
        .collect();
    if data.is_none() && url.is_none() && other.is_empty() {
        return Err(cannot("Text buttons are unallowed in the inline keyboard"));
    }
    if data.as_ref().is_some_and(|data| data.len() > MOST_DATA_BYTES) {
        return Err(Refusal::bad_request("Bad Request: BUTTON_DATA_INVALID"));
    }
    if url.as_ref().is_some_and(|url| reqwest::Url::parse(url).is_err()) {
        return Err(Refusal::bad_request("Bad Request: BUTTON_URL_INVALID"));
    }
    Ok(Button { text, data, url, other })
}
