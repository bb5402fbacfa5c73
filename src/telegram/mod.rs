//! Telegram, in and out: intakes that acknowledge after the commit, what updates mean, and what is painted and sent.

pub mod access_card;
pub mod callback;
pub mod card;
pub mod chat;
pub mod client;
pub mod commands;
pub mod deliver;
pub mod incoming;
pub mod intake;
mod lenient;
pub mod picture;
pub mod polling;
mod recordings;
pub mod replay;
pub mod send_limiter;
pub mod sentences;
mod strangers;
#[cfg(test)]
mod stub;
mod taps;
mod unreadable;
pub mod updates;
pub mod webhook;
