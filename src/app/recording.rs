//! A deposit and the decision about it go into SQL together.

use std::sync::Arc;

use async_trait::async_trait;

use crate::app::stores::Stores;
use crate::clock::Clock;
use crate::database::{Connection, Job, alone};
use crate::deposit::{Leaving, Recorded};
use crate::effects::execute::{Record, RecordError};
use crate::ledger::{Ledger, Owner};
use crate::session::Session;
use crate::store::replication::MirrorOutcome;
use crate::store::sql::SqlStore;
use crate::store::{SessionStore, StoreError};

/// Records deposits, and brings to SQL what Redis alone knows of the decision: one transaction, which is one wait less
/// than first the one and then the other.
pub(super) struct Recording {
    ledger: Ledger,
    sql: SqlStore,
    /// Where the conversation is.
    sessions: Arc<dyn SessionStore>,
    clock: Clock,
}

impl Recording {
    pub(super) fn new(ledger: &Ledger, sql: SqlStore, stores: &Stores, clock: &Clock) -> Self {
        Self { ledger: ledger.clone(), sql, sessions: stores.sessions(), clock: clock.clone() }
    }
}

#[async_trait]
impl Record for Recording {
    async fn record(
        &self,
        session: &Session,
        leaving: &Leaving,
        taxonomy: &str,
    ) -> Result<Recorded, RecordError> {
        let owner = Owner { chat: session.key.chat, user: session.key.user };
        let Some(decision) = self.sessions.unreplicated(session) else {
            return Ok(self.ledger.record(leaving, &owner, taxonomy).await?);
        };
        let mirroring = self.sql.mirroring(&[decision], session.epoch, self.clock.now())?;
        let recorded = self.ledger.record_after(IsKept(mirroring), leaving, &owner, taxonomy).await?;
        let lost = || StoreError::Superseded { store: self.sessions.name() };
        recorded.ok_or_else(|| RecordError::Decision(lost()))
    }
}

/// Whether documents entered, all of them.
struct IsKept<J>(J);

impl<J: Job<Output = Vec<MirrorOutcome>>> Job for IsKept<J> {
    type Output = bool;

    async fn run(&self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        alone(self, connection).await
    }

    async fn run_all(jobs: &[&Self], connection: &mut Connection) -> Result<Vec<bool>, sqlx::Error> {
        let mirrorings: Vec<&J> = jobs.iter().map(|job| &job.0).collect();
        let outcomes = J::run_all(&mirrorings, connection).await?;
        let is_kept = |it: &Vec<MirrorOutcome>| it.iter().all(|outcome| *outcome == MirrorOutcome::Written);
        Ok(outcomes.iter().map(is_kept).collect())
    }
}
