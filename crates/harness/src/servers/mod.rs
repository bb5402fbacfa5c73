//! Private servers for tests: a `redis-server` per test, one PostgreSQL per test process and a database in it per test,
//! or a PostgreSQL of a test's own where it is to be ended.
//!
//! A shell stands between us and each server. It waits on a pipe that only we hold open, so the server ends and its
//! folder goes when this process ends, however it ends.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test without its server fails by panicking"
)]

mod guard;
mod ports;
mod postgres;
mod redis;

pub use guard::find;
pub use ports::free_address;
pub use postgres::{PostgresServer, postgres_database};
pub use redis::{AofCopy, RedisServer};
