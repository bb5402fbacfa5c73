//! A deposit and the decision about it go to SQL together.

use std::sync::Arc;

use crate::clock::Clock;
use crate::database::{Connection, Job, alone};
use crate::ledger::{Ledger, LedgerError, Owner};
use crate::store::replication::MirrorOutcome;
use crate::store::sql::SqlStore;
use crate::store::{SessionStore, StoreError};
use deposit::{Leaving, Recorded};
use session::Session;

/// The recording of deposits, as the effects need it: by the [`Recorder`], or by a model in a simulation.
pub trait Record: Send + Sync + 'static {
    /// Records a deposit once for each (deposit id, revision), with the decision, which is in `session`; the answer is
    /// what was recorded first.
    ///
    /// # Crash
    /// Before: neither deposit nor decision is in SQL, and the effect runs again. After: both are, and the effect that
    /// runs again finds the deposit.
    ///
    /// # Errors
    /// The deposit is not recorded. [`RecordError::Decision`]: the session has gone on without this decision.
    fn record(
        &self,
        session: &Session,
        leaving: &Leaving,
        taxonomy: &str,
    ) -> impl Future<Output = Result<Recorded, RecordError>> + Send;
}

/// Records deposits. A decision that only Redis has is brought to SQL in the transaction of the deposit: were the
/// decision lost after that, the session would go on about a deposit that is recorded already.
#[derive(Debug)]
pub struct Recorder {
    ledger: Ledger,
    sql: SqlStore,
    /// Where the sessions are: it knows which decisions are not in SQL.
    sessions: Arc<dyn SessionStore>,
    clock: Clock,
}

/// Why a deposit is not recorded; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The ledger could not do it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The decision lost against another branch of its session.
    #[error(transparent)]
    Decision(#[from] StoreError),
}

impl Recorder {
    /// Records into `ledger`, for the sessions in `sessions`, whose copy in SQL is `sql`.
    #[must_use]
    pub fn new(ledger: &Ledger, sql: SqlStore, sessions: Arc<dyn SessionStore>, clock: &Clock) -> Self {
        Self { ledger: ledger.clone(), sql, sessions, clock: clock.clone() }
    }
}

impl Record for Recorder {
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
        let decision = IsWritten(self.sql.mirror_job(&[decision], session.epoch, self.clock.now())?);
        let recorded = self.ledger.record_after(decision, leaving, &owner, taxonomy).await?;
        recorded.ok_or_else(|| StoreError::Superseded { store: self.sessions.name() }.into())
    }
}

/// Whether the mirror wrote all documents of a job.
struct IsWritten<J>(J);

impl<J: Job<Output = Vec<MirrorOutcome>>> Job for IsWritten<J> {
    type Output = bool;

    async fn run(&self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        alone(self, connection).await
    }

    async fn run_all(jobs: &[&Self], connection: &mut Connection) -> Result<Vec<bool>, sqlx::Error> {
        let mirrors: Vec<&J> = jobs.iter().map(|job| &job.0).collect();
        let outcomes = J::run_all(&mirrors, connection).await?;
        let is_written =
            |it: &Vec<MirrorOutcome>| it.iter().all(|outcome| *outcome == MirrorOutcome::Written);
        Ok(outcomes.iter().map(is_written).collect())
    }
}
