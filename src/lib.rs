//! depot-bot: a Telegram bot that records the deposits of a reuse centre. One card, two taps, nothing lost.

pub mod access;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
#[cfg(feature = "demo")]
pub mod demo;
pub mod diagnostic;
pub mod digest;
pub mod effects;
pub mod failpoint;
pub mod http;
pub mod i18n;
pub mod ledger;
pub mod model;
pub mod operations;
pub mod remote;
pub mod rng;
pub mod service;
pub mod shutdown;
pub mod speech;
pub mod store;
pub mod telegram;
pub mod telemetry;

#[cfg(feature = "demo")]
pub use ::bot_api_simulator as simulator;
pub use ::deposit;
pub use ::session;
pub use deposit::taxonomy;
