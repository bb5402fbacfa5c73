//! A view: the content of one message, which is a text, its styles as Telegram entities (never a parse mode), and a
//! keyboard.
//!
//! Telegram counts in UTF-16 code units: 4096 for a text, and the offsets of entities likewise.

use crate::ledger::display_name::is_direction_mark;
use deposit::DepositRef;
use session::Verb;

/// The longest text of a message, in UTF-16 code units (Bot API, `sendMessage`).
pub const TEXT_UNITS_MAX: usize = 4096;
/// The longest label of a button that a phone shows in one column, in UTF-16 code units.
pub const LABEL_UNITS_MAX: usize = 40;
/// The most buttons of one keyboard (Bot API, `reply_markup`).
pub const BUTTONS_MAX: usize = 100;

/// The content of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The text, at most [`TEXT_UNITS_MAX`] units; never empty.
    pub text: String,
    /// Its styles, in order, within the text.
    pub entities: Vec<Entity>,
    /// Its buttons, row by row; empty for none.
    pub keyboard: Vec<Vec<Button>>,
}

/// A style of a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// The style.
    pub style: Style,
    /// Where it begins, in UTF-16 code units.
    pub offset: usize,
    /// How long it is, in UTF-16 code units.
    pub length: usize,
}

/// The styles in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bold: a title.
    Bold,
    /// Fixed width: a number, which a tap copies.
    Code,
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// Its label, at most [`LABEL_UNITS_MAX`] units.
    pub label: String,
    /// The action that a tap on it requests.
    pub action: ButtonAction,
}

/// The action of a button; [`callback`](crate::telegram::callback) encodes it in Telegram's 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ButtonAction {
    /// An action on a deposit.
    Deposit {
        /// The deposit.
        reference: DepositRef,
        /// The step of the draft for which the button was rendered; on a recorded deposit, its revision.
        step: u32,
        /// The action.
        verb: Verb,
    },
    /// A stranger requests access.
    AskAccess,
    /// An admin accepts this access request.
    Accept(u64),
    /// An admin refuses this access request.
    Refuse(u64),
}

impl View {
    /// A text without styles or buttons.
    #[must_use]
    pub fn plain(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// Appends a row of buttons.
    #[must_use]
    pub fn with_row(mut self, row: Vec<Button>) -> Self {
        self.keyboard.push(row);
        self
    }

    /// Appends `text` in one style.
    pub(super) fn styled(&mut self, style: Style, text: &str) {
        let entity = Entity { style, offset: units(&self.text), length: units(text) };
        self.entities.push(entity);
        self.text.push_str(text);
    }

    /// Appends `text` as a new line.
    pub(super) fn line(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    /// Appends `text` as a new paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(text);
    }

    /// Whether the text is short enough for one message.
    pub(super) fn fits(&self) -> bool {
        units(&self.text) <= TEXT_UNITS_MAX
    }
}

impl Button {
    /// A button whose label is shortened to the width of a phone.
    #[must_use]
    pub fn new(label: &str, action: ButtonAction) -> Self {
        Self { label: shortened(label, LABEL_UNITS_MAX), action }
    }
}

/// The length of `text` as Telegram counts it.
#[must_use]
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `text` in at most `max` UTF-16 units: as it is, or cut between two visible characters and ended with "…".
#[must_use]
pub fn shortened(text: &str, max: usize) -> String {
    if units(text) <= max {
        return text.to_owned();
    }
    let (mut used, mut end, mut flags) = (0, 0, 0);
    let mut before = None;
    for (index, char) in text.char_indices() {
        let splits_flag = is_flag_half(char) && flags % 2 == 1;
        if !splits_flag && !belongs_to_previous(char, before) {
            end = index;
        }
        flags = if is_flag_half(char) { flags + 1 } else { 0 };
        used += char.len_utf16();
        before = Some(char);
        // One unit is for the ellipsis.
        if used >= max {
            break;
        }
    }
    let mut cut = text.get(..end).unwrap_or_default().trim_end().to_owned();
    cut.push('…');
    cut
}

/// A user's text as one line that cannot disturb the text around it: no line breaks, no control characters, no direction
/// marks, single spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let visible = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let kept: String = visible.filter(|char| !is_direction_mark(*char)).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Half of a flag: two of them make one visible character.
fn is_flag_half(char: char) -> bool {
    matches!(char, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Whether `char` changes the visible character before it: an accent, a skin tone, a joined emoji.
fn belongs_to_previous(char: char, before: Option<char>) -> bool {
    const JOINER: char = '\u{200d}';
    before == Some(JOINER)
        || char == JOINER
        || matches!(char, '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
        // The standard library knows the combining characters (Grapheme_Extend) only through its debug escapes.
        || (!char.is_ascii() && char.escape_debug().nth(1) == Some('u'))
}

#[cfg(test)]
impl View {
    /// The view as text: bold between stars, fixed width between backticks, one row of buttons per line with the action of
    /// each.
    pub(super) fn sketch(&self) -> String {
        let mut text: Vec<u16> = self.text.encode_utf16().collect();
        for entity in self.entities.iter().rev() {
            let mark = match entity.style {
                Style::Bold => b'*',
                Style::Code => b'`',
            };
            text.insert(entity.offset + entity.length, mark.into());
            text.insert(entity.offset, mark.into());
        }
        let mut sketch = String::from_utf16(&text).unwrap().replace(['\u{a0}', '\u{202f}'], " ");
        for row in &self.keyboard {
            let buttons = row.iter().map(|Button { label, action }| match action {
                ButtonAction::Deposit { verb, .. } => format!("[{label}]{{{verb:?}}}"),
                ButtonAction::AskAccess | ButtonAction::Accept(_) | ButtonAction::Refuse(_) => {
                    format!("[{label}]{{{action:?}}}")
                }
            });
            sketch.push_str(&format!("\n{}", buttons.collect::<Vec<_>>().join(" ")));
        }
        sketch
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_between_visible_characters() {
        assert_eq!(shortened("bouilloire", 10), "bouilloire");
        assert_eq!(shortened("bouilloires", 10), "bouilloir…");
        assert_eq!(shortened("une bouilloire", 5), "une…");
        assert_eq!(shortened("ab👨‍👩‍👧cd", 8), "ab…");
        assert_eq!(shortened("ab👨‍👩‍👧cde", 11), "ab👨‍👩‍👧…");
        assert_eq!(shortened("abe\u{301}cd", 4), "ab…");
        assert_eq!(shortened("🇫🇷🇬🇧🇩🇪", 8), "🇫🇷…");
        assert_eq!(shortened("👍🏽👍🏽", 6), "👍🏽…");
        assert_eq!(shortened("❤️❤️❤️", 5), "❤️❤️…");
    }

    #[test]
    fn the_text_of_a_user_becomes_one_inert_line() {
        assert_eq!(one_line(" \u{202e}Jean\n\u{200f}  <b>Paul</b>\u{0} "), "Jean <b>Paul</b>");
        assert_eq!(one_line("\u{200e}\n"), "");
    }

    proptest! {
        #[test]
        fn a_shortened_text_is_short_and_begins_the_same(text in any::<String>(), max in 1..50usize) {
            let short = shortened(&text, max);
            prop_assert!(units(&short) <= max);
            prop_assert!(short == text || text.starts_with(short.trim_end_matches('…')));
        }
    }
}
