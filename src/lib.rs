//! depot-bot: a Telegram bot that records the deposits of a reuse centre. One card, two taps, nothing lost.
//!
//! # The life of an update
//!
//! 1. [`telegram::ingress`] receives it by long polling or by the webhook, and keeps the updates of a chat in order.
//! 2. [`telegram::routing`] asks [`access`] for the role of its sender, and makes the one event of it.
//! 3. [`service`] loads the conversation, applies the event with [`session::Session::apply`], which is pure, and commits.
//! 4. [`store`] writes the document by one compare-and-set, and replicates it from Redis to SQL.
//! 5. The update is acknowledged: no store can lose it any more.
//! 6. [`effects`] does what the commit asks for outside: it shows the card, reads the note ([`model`], [`speech`]), and
//!    records the deposit in the [`ledger`]. Each outcome is an event again, and goes on at 3.
//!
//! `docs/ARCHITECTURE.md` follows an update from function to function. The modules stand here in the order of that way.

// Composition.
pub mod app;
pub mod cli;

// The way of an update, from the outside in: received, admitted, applied, stored.
pub mod telegram;

pub mod access;

pub mod service;

pub mod store;

// After a commit: effects, the ledger, and the servers that listen and read.
pub mod effects;

pub mod ledger;

pub mod operations;

pub mod model;
pub mod remote;
pub mod speech;

// Around it: settings, the ops server, sentences for users, the log.
pub mod config;
pub mod http;
pub mod i18n;
pub mod telemetry;

// Below it.
pub mod clock;
pub mod database;
pub mod diagnostic;
pub mod digest;
pub mod failpoint;
pub mod rng;
pub mod shutdown;

#[cfg(feature = "demo")]
pub mod demo;
