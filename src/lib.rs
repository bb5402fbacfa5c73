//! depot-bot: a Telegram bot that records the deposits of a reuse centre. One card, two taps, nothing lost.

pub mod access;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
#[cfg(feature = "demo")]
pub mod demo;
pub mod deposit;
pub mod diagnostic;
pub mod effects;
pub mod failpoint;
pub mod http;
pub mod i18n;
pub mod ledger;
pub mod rng;
pub mod service;
pub mod session;
pub mod shutdown;
#[cfg(feature = "demo")]
pub mod simulator;
pub mod store;
pub mod taxonomy;
pub mod telegram;
pub mod telemetry;
pub mod understand;
