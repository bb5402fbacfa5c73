//! What was read of a note.

use crate::deposit::Destination;

/// A thing as it is being read.
#[derive(Debug, Default)]
pub(in crate::understand) struct Item {
    /// Its tokens, in order.
    pub(in crate::understand) words: Vec<usize>,
    /// How many were counted.
    pub(in crate::understand) count: Option<u64>,
    /// Whether nobody knows how many: a container, a mass, an article of plenty.
    pub(in crate::understand) uncountable: bool,
    /// What was put on the scale, in grams.
    pub(in crate::understand) weighings: Vec<u64>,
    pub(in crate::understand) destination: Option<Destination>,
    /// Whether it only says what the next things have in common.
    pub(in crate::understand) is_heading: bool,
    /// Whether a word names it.
    pub(in crate::understand) named: bool,
    /// Whether the lexicon knows it.
    pub(in crate::understand) known: bool,
    /// Its category, where its name tells.
    pub(in crate::understand) category: Option<usize>,
    /// Whether its weight was said without a unit.
    pub(in crate::understand) is_bare: bool,
    /// Where the words about a container end.
    pub(in crate::understand) contents: usize,
    /// How many containers it came in.
    pub(in crate::understand) holders: Option<u64>,
    /// What was said to go elsewhere, of those that were counted.
    pub(in crate::understand) shares: Vec<Share>,
}

impl Item {
    /// Whether it is more than some words before the first thing.
    pub(in crate::understand) fn is_sound(&self) -> bool {
        self.known || self.count.is_some() || self.uncountable || !self.weighings.is_empty()
    }
}

/// Some of the things that were counted together.
#[derive(Clone, Copy, Debug)]
pub(in crate::understand) struct Share {
    pub(in crate::understand) count: u64,
    pub(in crate::understand) destination: Destination,
}

/// What was read of a note.
#[derive(Debug, Default)]
pub(in crate::understand) struct Found {
    pub(in crate::understand) items: Vec<Item>,
    /// One weight for several things, in grams.
    pub(in crate::understand) total: Option<u64>,
    /// Where all of it goes that says nothing else.
    pub(in crate::understand) destination: Option<Destination>,
    /// Weights that were said one after the other behind all things.
    pub(in crate::understand) spread: Vec<u64>,
}
