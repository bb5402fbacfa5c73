//! The result of reading a note, and the card that it is read against.

use crate::{Line, Part, Weight};

/// The result of reading a note.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understanding {
    /// The lines, in the order they were said.
    pub lines: Vec<Line>,
    /// One weight for all of them, where it was said so.
    pub total_weight: Option<Weight>,
}

/// The open card with lines that the author of a note had before them.
#[derive(Clone, Copy, Debug)]
pub struct OnCard<'a> {
    /// The lines, at least one.
    pub lines: &'a [Line],
    /// One weight for those of them that have none.
    pub total_weight: Option<Weight>,
    /// The line whose menu is open, from 0.
    pub line: Option<usize>,
    /// The part of it that the menu is about.
    pub part: Option<Part>,
    /// Whether the words for that part are waited for.
    pub is_asked: bool,
    /// Whether the note is a reply to the card.
    pub is_reply: bool,
    /// The correction that only lacks its line, if the card asks for it.
    pub unclear: Option<&'a str>,
}
