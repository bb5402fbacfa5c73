//! The parameters of a call, however the client wrote them: query, form, JSON or multipart.

use std::borrow::Cow;

use axum::body::Bytes;
use serde_json::{Map, Value};

use super::answer::Refusal;

/// A file that came with a call.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub field: String,
    pub name: String,
    pub mime_type: String,
    pub bytes: Bytes,
}

/// Parameters by name. Forms bring text only, so every accessor also reads its type out of text, as Telegram
/// does.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    values: Map<String, Value>,
    uploads: Vec<Upload>,
}

impl Parameters {
    /// Reads the query and the body; the body wins where both name a parameter.
    pub(super) fn read(query: Option<&str>, content_type: &str, body: &Bytes) -> Result<Self, Refusal> {
        let mut parameters = Self::default();
        parameters.read_form(query.unwrap_or_default());
        if body.is_empty() {
            return Ok(parameters);
        }
        let (kind, attributes) = content_type.split_once(';').unwrap_or((content_type, ""));
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(members)) if parameters.values.is_empty() => parameters.values = members,
                Ok(Value::Object(members)) => parameters.values.extend(members),
                _ => return Err(Refusal::bad_request("Bad Request: can't parse JSON object")),
            },
            "multipart/form-data" => parameters
                .read_multipart(attributes, body)
                .ok_or_else(|| Refusal::bad_request("Bad Request: can't parse multipart form data"))?,
            _ => parameters.read_form(&String::from_utf8_lossy(body)),
        }
        Ok(parameters)
    }

    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.values.get(name)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            _ => None,
        }
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1"),
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// An object or array, given as such or as JSON in text.
    pub(super) fn json(&self, name: &str) -> Result<Option<Cow<'_, Value>>, Refusal> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(value) => Ok(Some(Cow::Owned(value))),
                Err(_) => Err(Refusal::bad_request(format!("Bad Request: can't parse {name} JSON object"))),
            },
            Some(value) => Ok(Some(Cow::Borrowed(value))),
        }
    }

    /// The upload in this field, or the one that the field names as `attach://<field>`.
    pub(super) fn upload(&self, name: &str) -> Option<&Upload> {
        let attached =
            self.values.get(name).and_then(Value::as_str).and_then(|text| text.strip_prefix("attach://"));
        let field = attached.unwrap_or(name);
        self.uploads.iter().find(|upload| upload.field == field)
    }

    fn read_form(&mut self, form: &str) {
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |escaped: &str| unescaped(&escaped.replace('+', " ")).into_owned();
            self.values.insert(text(name), Value::String(text(value)));
        }
    }

    /// `None` if the body is not what RFC 7578 asks for.
    fn read_multipart(&mut self, attributes: &str, body: &Bytes) -> Option<()> {
        let delimiter = format!("--{}", attribute(attributes, "boundary")?);
        let mut rest: &[u8] = body;
        rest = rest.get(find(rest, delimiter.as_bytes())? + delimiter.len()..)?;
        let next = format!("\r\n{delimiter}");
        while !rest.starts_with(b"--") {
            let heads_end = find(rest, b"\r\n\r\n")?;
            let heads = String::from_utf8_lossy(rest.get(..heads_end)?).into_owned();
            let content = rest.get(heads_end + 4..)?;
            let length = find(content, next.as_bytes())?;
            self.read_part(&heads, content.get(..length)?)?;
            rest = content.get(length + next.len()..)?;
        }
        Some(())
    }

    fn read_part(&mut self, heads: &str, content: &[u8]) -> Option<()> {
        let head = |name: &str| {
            let mut heads = heads.lines().filter_map(|line| line.split_once(':'));
            heads.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let disposition = head("content-disposition")?;
        let field = attribute(disposition, "name")?.to_owned();
        match attribute(disposition, "filename") {
            Some(name) => self.uploads.push(Upload {
                field,
                name: name.to_owned(),
                mime_type: head("content-type").unwrap_or("application/octet-stream").to_owned(),
                bytes: Bytes::copy_from_slice(content),
            }),
            None => {
                self.values.insert(field, Value::String(String::from_utf8_lossy(content).into_owned()));
            }
        }
        Some(())
    }
}

/// The value of `name="value"` or `name=value` among `;`-separated attributes.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = attributes.split(';').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?.1.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// `text` with its percent escapes undone; what is no valid escape stays as it is.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, after) = (first == b'%').then(|| escaped(tail)).flatten().unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The byte that two hexadecimal digits at the start of `text` stand for, and what follows them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_at_checked(2)?;
    let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((byte, after))
}
