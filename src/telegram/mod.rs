//! Telegram's side of the bot.

pub mod client;
pub mod incoming;
mod lenient;
#[cfg(test)]
mod stub;
