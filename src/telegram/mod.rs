//! Telegram's side of the bot.

pub mod incoming;
mod lenient;
