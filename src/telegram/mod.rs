//! Telegram's side of the bot.

pub mod callback;
pub mod client;
pub mod commands;
pub mod gate;
pub mod incoming;
mod lenient;
#[cfg(test)]
mod stub;
