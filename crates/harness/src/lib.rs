//! The harness of the bot's demo and tests; it knows the Bot API simulator, and no bot.
//!
//! - [`personas`]: users with names;
//! - [`proxy`]: a line to a server that can be slow, silent, refused, cut;
//! - [`rest`]: waiting until nothing is left to do;
//! - `servers` (feature `servers`): a private Redis and PostgreSQL that end with the process that started them.

pub mod personas;
pub mod proxy;
pub mod rest;
#[cfg(feature = "servers")]
pub mod servers;
