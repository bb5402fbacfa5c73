//! Replication and failover: Redis and SQL as one store. Redis is the primary while it can be, SQL otherwise, and the
//! return is automatic. `docs/FAILOVER.md` draws the machine and walks through an outage.
//!
//! In reading order:
//!
//! - `leadership`: the row that names the primary and its epoch, and the writes that follow from it;
//! - `contract`: what SQL and Redis must be able to do;
//! - `view`: what this instance believes of the row, and its lease on that belief;
//! - `machine`: from a view and an observation to an action; pure;
//! - `monitor`: the loop that observes and executes, with `health` and `membership`;
//! - `failover`: leaving Redis; `catch_up`: filling it again;
//! - `mirror` and `queue`: SQL gets what Redis commits;
//! - `store`: the session store over both, and `status` for readiness and metrics.

mod catch_up;
mod contract;
mod failover;
mod health;
mod leadership;
mod machine;
mod membership;
mod mirror;
mod monitor;
mod queue;
mod status;
mod store;
mod view;

pub use contract::{Branch, ClusterState, CopyPage, DurableStore, Probe, VolatileStore};
pub use leadership::{Leadership, MirrorOutcome, Primary, SqlCopy};
pub use machine::{Action, Observation, State, decide};
pub use status::ReplicationStatus;
pub use store::ReplicatedStore;
pub use view::LeaderView;
