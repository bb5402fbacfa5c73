//! The views: everything the bot shows, rendered from values alone. No I/O, no clock.

pub mod access_card;
pub mod card;
pub mod messages;
pub mod view;
