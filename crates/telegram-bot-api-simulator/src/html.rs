//! Telegram's small HTML (`parse_mode=HTML`): a few tags, four named entities, errors in tdlib's words.

use super::text::Entity;

/// An opened tag that waits for its end.
struct Open {
    tag: String,
    kind: &'static str,
    offset: usize,
    url: Option<String>,
}

/// The plain text and its entities, or the mistake in it.
pub(super) fn parse(html: &str) -> Result<(String, Vec<Entity>), String> {
    let mut page =
        Page { text: String::with_capacity(html.len()), units: 0, open: Vec::new(), entities: Vec::new() };
    let mut rest = html;
    while let Some(letter) = rest.chars().next() {
        let at = html.len() - rest.len();
        rest = match letter {
            '<' => {
                let (tag, after) =
                    inside_tag(rest).ok_or_else(|| format!("Unclosed start tag at byte offset {at}"))?;
                match tag.strip_prefix('/') {
                    Some(name) => page.close(name.trim(), at)?,
                    None => page.open(tag, at)?,
                }
                after
            }
            '&' => {
                let (meant, after) = reference(rest).unwrap_or(('&', rest.get(1..).unwrap_or_default()));
                page.push(meant);
                after
            }
            letter => {
                page.push(letter);
                rest.get(letter.len_utf8()..).unwrap_or_default()
            }
        };
    }
    if let Some(open) = page.open.pop() {
        return Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.tag));
    }
    page.entities.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
    Ok((page.text, page.entities))
}

/// The text so far.
struct Page {
    text: String,
    units: usize,
    open: Vec<Open>,
    entities: Vec<Entity>,
}

impl Page {
    fn push(&mut self, letter: char) {
        self.text.push(letter);
        self.units += letter.len_utf16();
    }

    fn open(&mut self, tag: &str, at: usize) -> Result<(), String> {
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let name = name.to_ascii_lowercase();
        let kind = match name.as_str() {
            "b" | "strong" => "bold",
            "i" | "em" => "italic",
            "u" | "ins" => "underline",
            "s" | "strike" | "del" => "strikethrough",
            "tg-spoiler" => "spoiler",
            "span" if attributes.contains("tg-spoiler") => "spoiler",
            "span" => return Err(format!("Tag \"span\" must have class \"tg-spoiler\" at byte offset {at}")),
            "a" => "text_link",
            "code" => "code",
            "pre" => "pre",
            "blockquote" if attributes.contains("expandable") => "expandable_blockquote",
            "blockquote" => "blockquote",
            "tg-emoji" => "custom_emoji",
            _ => return Err(format!("Unsupported start tag \"{name}\" at byte offset {at}")),
        };
        let url = (kind == "text_link").then(|| link(attributes)).flatten();
        self.open.push(Open { tag: name, kind, offset: self.units, url });
        Ok(())
    }

    fn close(&mut self, name: &str, at: usize) -> Result<(), String> {
        let Some(open) = self.open.pop() else {
            return Err(format!("Unexpected end tag at byte offset {at}"));
        };
        if !name.is_empty() && !name.eq_ignore_ascii_case(&open.tag) {
            let expected = &open.tag;
            return Err(format!(
                "Unmatched end tag at byte offset {at}, expected \"</{expected}>\", found \"</{name}>\""
            ));
        }
        let length = self.units - open.offset;
        let is_entity = length > 0 && (open.kind != "text_link" || open.url.is_some());
        if is_entity {
            self.entities.push(Entity {
                kind: open.kind.to_owned(),
                offset: open.offset,
                length,
                url: open.url,
            });
        }
        Ok(())
    }
}

/// The text between `<` and the next `>`, and the text after it. A `>` inside an attribute ends the tag too.
fn inside_tag(rest: &str) -> Option<(&str, &str)> {
    rest.strip_prefix('<')?.split_once('>')
}

/// A character reference at the start of `rest` and what follows; `None` if it is none, and `&` stands for
/// itself.
fn reference(rest: &str) -> Option<(char, &str)> {
    let (name, after) = rest.strip_prefix('&')?.split_once(';')?;
    let letter = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((letter, after))
}

fn link(attributes: &str) -> Option<String> {
    let value = attributes.split_once("href=")?.1.trim_start();
    let quote = value.chars().next().filter(|mark| matches!(mark, '"' | '\''));
    let url = match quote {
        Some(mark) => value.get(1..)?.split(mark).next()?,
        None => value.split_whitespace().next()?,
    };
    Some(url.replace("&amp;", "&"))
}
