//! Telegram, in and out: intakes that acknowledge after the commit, what updates mean, and what is rendered and sent.

pub mod callback;
pub mod chat;
pub mod client;
pub mod commands;
pub mod deliver;
pub mod incoming;
pub mod intake;
mod lenient;
pub mod polling;
mod recordings;
pub mod replay;
pub mod send_limiter;
mod strangers;
#[cfg(test)]
mod stub;
mod taps;
mod unreadable;
pub mod updates;
pub mod views;
pub mod webhook;
