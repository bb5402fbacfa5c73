//! What a note is read as, and what it is read against.

use crate::{Line, Part, Weight};

/// What was made of a note.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understanding {
    /// The lines, in the order they were said.
    pub lines: Vec<Line>,
    /// One weight for all of them, where it was said so.
    pub total_weight: Option<Weight>,
}

/// What the author of a note had before them: an open card with lines.
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
