//! Private servers for tests: a `redis-server` per test, one PostgreSQL per test process and a database in it per test,
//! or a PostgreSQL of a test's own where it is to be ended.
//!
//! A shell stands between us and each server. It waits on a pipe that only we hold open, so the server ends and its
//! folder goes when this process ends, however it ends.

mod guard;
mod postgres;
mod redis;

pub(crate) use guard::find;
pub(crate) use postgres::{PostgresServer, postgres_database};
pub(crate) use redis::{AofCopy, RedisServer};
