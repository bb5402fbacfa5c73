//! Texts as Telegram takes them: parse mode, entities, length in UTF-16 code units.

use serde::{Deserialize, Serialize};

use super::answer::Refusal;
use super::html;
use super::parameters::Parameters;

/// Longest text, in UTF-16 code units after entity parsing (Bot API: 1–4096).
pub(super) const LONGEST_TEXT: usize = 4096;
/// Longest caption, in UTF-16 code units after entity parsing (Bot API: 0–1024).
pub(super) const LONGEST_CAPTION: usize = 1024;

/// A `MessageEntity`: a run of the text with a meaning; offsets count UTF-16 code units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// `bold`, `bot_command`, `text_link`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it starts.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
    /// Where a `text_link` leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A text and its entities, checked.
#[derive(Debug)]
pub(super) struct Formatted {
    pub text: String,
    pub entities: Vec<Entity>,
}

/// The text of a message.
pub(super) fn message_text(call: &Parameters) -> Result<Formatted, Refusal> {
    let formatted = read(call, "text", "entities")?;
    if formatted.text.is_empty() {
        return Err(Refusal::bad_request("Bad Request: message text is empty"));
    }
    if units(&formatted.text) > LONGEST_TEXT {
        return Err(Refusal::bad_request("Bad Request: message is too long"));
    }
    Ok(formatted)
}

/// The caption of a photo, voice note or document; it may be empty.
pub(super) fn caption(call: &Parameters) -> Result<Formatted, Refusal> {
    let formatted = read(call, "caption", "caption_entities")?;
    if units(&formatted.text) > LONGEST_CAPTION {
        return Err(Refusal::bad_request("Bad Request: message caption is too long"));
    }
    Ok(formatted)
}

/// Length in UTF-16 code units, the unit of every length in the Bot API.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn read(call: &Parameters, text: &str, entities: &str) -> Result<Formatted, Refusal> {
    let raw = call.text(text).unwrap_or_default();
    let mode = call.text("parse_mode").unwrap_or_default().to_ascii_lowercase();
    let formatted = match mode.as_str() {
        "" => Formatted { text: raw.into_owned(), entities: given(call, entities)? },
        "html" => {
            let (text, entities) = html::parse(&raw)
                .map_err(|why| Refusal::bad_request(format!("Bad Request: can't parse entities: {why}")))?;
            Formatted { text, entities }
        }
        "markdown" | "markdownv2" => {
            return Err(Refusal::bad_request("Bad Request: the simulator knows no Markdown, only HTML"));
        }
        _ => return Err(Refusal::bad_request("Bad Request: unsupported parse_mode")),
    };
    check(&formatted)?;
    Ok(trimmed(formatted))
}

fn given(call: &Parameters, name: &str) -> Result<Vec<Entity>, Refusal> {
    let Some(value) = call.json(name)? else { return Ok(Vec::new()) };
    Vec::<Entity>::deserialize(value.as_ref())
        .map_err(|why| Refusal::bad_request(format!("Bad Request: can't parse MessageEntity: {why}")))
}

/// An entity must lie inside the text and may not cut a surrogate pair in two.
fn check(formatted: &Formatted) -> Result<(), Refusal> {
    if formatted.entities.is_empty() {
        return Ok(());
    }
    let mut edges: Vec<usize> = vec![0];
    let mut position = 0;
    for letter in formatted.text.chars() {
        position += letter.len_utf16();
        edges.push(position);
    }
    for entity in &formatted.entities {
        let end = entity.offset.saturating_add(entity.length);
        if end > position {
            return Err(Refusal::bad_request(format!(
                "Bad Request: entity beginning at UTF-16 offset {} ends after the end of the text at byte \
                 offset {}",
                entity.offset,
                formatted.text.len()
            )));
        }
        if edges.binary_search(&entity.offset).is_err() || edges.binary_search(&end).is_err() {
            return Err(Refusal::bad_request(format!(
                "Bad Request: entity beginning at UTF-16 offset {} cuts a UTF-16 symbol in the middle",
                entity.offset
            )));
        }
    }
    Ok(())
}

/// Telegram strips white space at both ends and moves the entities along.
fn trimmed(formatted: Formatted) -> Formatted {
    let text = formatted.text.trim();
    if text.len() == formatted.text.len() {
        return formatted;
    }
    let before = units(&formatted.text) - units(formatted.text.trim_start());
    let length = units(text);
    let mut entities = formatted.entities;
    for entity in &mut entities {
        let end = (entity.offset + entity.length).saturating_sub(before).min(length);
        entity.offset = entity.offset.saturating_sub(before).min(length);
        entity.length = end - entity.offset;
    }
    entities.retain(|entity| entity.length > 0);
    Formatted { text: text.to_owned(), entities }
}
