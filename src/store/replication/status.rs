//! The status of the two stores, for readiness and metrics.

use std::time::Duration;

/// How the stores are, as the monitor observed them last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationStatus {
    /// `redis` or `sql`.
    pub primary: &'static str,
    /// The epoch of the leadership row.
    pub epoch: u64,
    /// Whether the primary takes commits; not during a drain or a copy.
    pub is_open: bool,
    /// Why Redis does not answer, if it does not.
    pub redis: Option<String>,
    /// Whether SQL answers and takes writes.
    pub sql_answers: bool,
    /// How many sessions have a commit that is in Redis only.
    pub backlog: u64,
    /// The replication lag: the age of the oldest such commit.
    pub lag: Duration,
}
