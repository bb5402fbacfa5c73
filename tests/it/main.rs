//! All integration tests, in one binary.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod boot;
mod bot;
mod browser;
mod commands;
mod config;
mod corrections;
mod crash;
mod database;
mod demo;
mod deposits;
mod failover;
mod faults;
mod intake;
mod kills;
mod leadership_contract;
mod learning;
mod ledger;
mod load;
mod log;
mod machine;
mod malformed;
mod memory;
mod ops_server;
mod oracle;
mod packaging;
mod process;
mod remote;
mod retention;
mod service;
mod sessions;
mod simulation;
mod stop;
mod store_contract;
mod store_redis;
mod stores;
mod tidy;
mod trouble;
mod understand;
mod unreadable;

use harness::{proxy, servers};
