//! Parts of what was counted together that go to different places: "quatre chaises, trois au magasin et une à jeter".

use super::{Reader, Share};
use crate::destinations::destination;
use crate::numbers::number;
use crate::vocabulary::{ADJECTIVES, STATES};
use crate::weights::weight;
use deposit::Destination;

/// Words that may stand between a part and where it goes.
const BETWEEN: &[&str] = &[
    "au",
    "a",
    "la",
    "le",
    "l",
    "les",
    "en",
    "pour",
    "dans",
    "the",
    "to",
    "for",
    "in",
    "qui",
    "va",
    "vont",
    "est",
    "sont",
    "direct",
    "directement",
    "of",
    "them",
    "part",
    "partent",
    "aux",
    "go",
    "goes",
    "is",
    "are",
    "bon",
];
/// The most words between a part and where it goes.
const FAR: usize = 6;

impl Reader<'_> {
    /// The number here with a place to go, where it counts a part of the last thing; how many tokens that takes.
    pub(super) fn share(&mut self, value: u64, used: usize) -> Option<usize> {
        if !self.has_item() || !value.is_multiple_of(1000) || self.corrects {
            return None;
        }
        let item = self.found.items.get(self.current)?;
        let count = item.count?;
        let gone: u64 = item.shares.iter().map(|share| share.count).sum();
        let part = value / 1000;
        if part == 0 || part >= count || gone + part > count {
            return None;
        }
        let (to, end) = self.place_ahead(self.at + used)?;
        self.found.items.get_mut(self.current)?.shares.push(Share { count: part, destination: to });
        Some(end - self.at)
    }

    /// "L'autre au recyclage": what is left of a thing of which parts went elsewhere.
    pub(super) fn rest_goes(&mut self) -> Option<usize> {
        let item = self.found.items.get(self.current).filter(|item| !item.shares.is_empty())?;
        let gone: u64 = item.shares.iter().map(|share| share.count).sum();
        let left = item.count?.checked_sub(gone).filter(|left| *left > 0)?;
        let article = usize::from(matches!(self.word(0), "l" | "les" | "le" | "the"));
        if !matches!(self.word(article), "autre" | "autres" | "reste" | "other" | "others" | "rest") {
            return None;
        }
        let (to, end) = self.place_ahead(self.at + article + 1)?;
        self.found.items.get_mut(self.current)?.shares.push(Share { count: left, destination: to });
        Some(end - self.at)
    }

    /// The place that is said from `from` on, before anything else is, and where its words end.
    fn place_ahead(&self, from: usize) -> Option<(Destination, usize)> {
        for at in from..from + FAR {
            if self.tokens.get(at - 1).is_none_or(|token| token.stops) {
                return None;
            }
            if let Some((to, used)) = destination(self.tokens, at) {
                return Some((to, at + used));
            }
            let rest = self.tokens.get(at..)?;
            let word = self.word_at(at);
            let is_between = BETWEEN.contains(&word) || ADJECTIVES.contains(&word) || STATES.contains(&word);
            if !is_between || weight(rest, self.language).is_some() || number(rest, self.language).is_some() {
                return None;
            }
        }
        None
    }
}
