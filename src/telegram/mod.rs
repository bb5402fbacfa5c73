//! Telegram's side of the bot.

pub mod callback;
pub mod client;
pub mod commands;
pub mod gate;
pub mod incoming;
pub mod intake;
mod lenient;
pub mod polling;
pub mod serve;
#[cfg(test)]
mod stub;
pub mod webhook;
