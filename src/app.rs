//! The composition root: the only place that knows all concrete types.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::database::Database;
use crate::effects::execute::Executor;
use crate::effects::{Effects, deadlines};
use crate::ledger::Ledger;
use crate::service::ValidationSessionService;
use crate::store::SessionStore;
use crate::store::redis::{RedisOptions, RedisStore};
use crate::store::sql::SqlStore;
use crate::taxonomy::Taxonomy;
use crate::words::Words;

/// How long commits and effects in flight may take to end when the bot stops.
const DRAIN: Duration = Duration::from_secs(20);
