//! From the words of a note to the lines of a deposit, by rules and a small classifier: no I/O, no clock, nothing async.
//!
//! [`Classifier::understand`] makes lines of a note; [`correction::read`] reads what a note says about lines that are on a
//! card. The words they know are in the files beside the code. `docs/UNDERSTANDING.md` has the rules in words.

mod chat;
mod classify;
pub mod correction;
mod destinations;
mod lexicon;
mod linear;
mod lines;
pub mod names;
mod numbers;
mod reader;
pub mod score;
pub mod site;
mod tokens;
pub mod typical;
mod vocabulary;
mod weights;

pub use crate::classify::{Classifier, MODEL};
pub use crate::lines::OBJECT_CHARS_MAX;
