//! The things read of a note.

use deposit::Destination;

/// A thing as it is being read.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// Its tokens, in order.
    pub(crate) words: Vec<usize>,
    /// How many were counted.
    pub(crate) count: Option<u64>,
    /// Whether their number is not known: a container, a mass, an article of plenty.
    pub(crate) uncountable: bool,
    /// The weighings, in grams.
    pub(crate) weighings: Vec<u64>,
    pub(crate) destination: Option<Destination>,
    /// Whether it only says what the next things have in common.
    pub(crate) is_heading: bool,
    /// Whether a word names it.
    pub(crate) named: bool,
    /// Whether the lexicon knows it.
    pub(crate) known: bool,
    /// Its category, where its name tells.
    pub(crate) category: Option<usize>,
    /// Whether its weight was said without a unit.
    pub(crate) is_bare: bool,
    /// Where the words about a container end.
    pub(crate) contents: usize,
    /// How many containers it came in.
    pub(crate) holders: Option<u64>,
    /// The shares that go elsewhere, of those that were counted.
    pub(crate) shares: Vec<Share>,
}

impl Item {
    /// Whether it is more than some words before the first thing.
    pub(crate) fn is_sound(&self) -> bool {
        self.known || self.count.is_some() || self.uncountable || !self.weighings.is_empty()
    }
}

/// Some of the things that were counted together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) count: u64,
    pub(crate) destination: Destination,
}

/// The things read of a note.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Item>,
    /// One weight for several things, in grams.
    pub(crate) total: Option<u64>,
    /// Where all of it goes that says nothing else.
    pub(crate) destination: Option<Destination>,
    /// Weights that were said one after the other behind all things.
    pub(crate) spread: Vec<u64>,
}
