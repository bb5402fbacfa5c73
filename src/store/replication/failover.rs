//! The changes of leadership: leaving Redis, and going to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::session::Session;
use crate::store::StoreError;
use crate::store::replication::monitor::Monitor;
use crate::store::replication::{LEASE, LeaderView, ReplicationStatus, Shared};
use crate::store::replication::{Leadership, Primary, Probe, StoredSession};

/// How long a command that was sent to Redis may still be executed: its deadline in Redis time.
const COMMAND: Duration = Duration::from_millis(500);
/// How many documents one round trip copies, and what becomes of that number when Redis is too slow for so many.
const PAGE: usize = 256;
const SMALLER: usize = 8;
/// How long one wait is for what was committed to Redis to reach SQL before the store in charge changes.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a copy to Redis may fail before SQL goes on.
const COPY_FAILS: Duration = Duration::from_secs(10);

impl Monitor {
    /// Redis is away: SQL takes charge, if it can.
    pub(super) async fn leave(&mut self, from: &Leadership, error: &StoreError, alone: bool) {
        self.is_away(error);
        self.good_since = None;
        let to = Leadership::sql(from.epoch + 1);
        let Some(leadership) = self.shared.elect(Some(from), to.clone()).await else { return };
        if leadership == to {
            self.note_flap();
            tracing::warn!(epoch = to.epoch, "conversations go on from the database");
            metrics::counter!("depot_failovers_total", "to" => "sql").increment(1);
        }
        if leadership.primary == Primary::Sql {
            self.cannot_copy_since = None;
            self.shared.settle_on_sql(&leadership, alone).await;
        }
    }

    /// Redis is to take charge: back, empty, restarted or rolled back, it is one procedure.
    pub(super) async fn go_to_redis(&mut self, from: &Leadership, probe: &Probe) {
        if let Err(error) = self.shared.redis.check_eligibility().await {
            self.good_since = None;
            self.is_away(&error);
            if from.primary != Primary::Sql {
                self.leave(from, &error, false).await;
            }
            return;
        }
        if from.primary != Primary::Sql {
            self.shared.publish_view(from.clone(), false);
        }
        // What this instance has seen committed, and perhaps acknowledged, enters SQL before it is copied back: behind the
        // change it would have lost.
        if !self.shared.mirror.flush(LAST_WORDS).await {
            return;
        }
        let epoch = from.epoch.max(probe.epoch.unwrap_or_default()) + 1;
        let to = Leadership::redis(epoch, &probe.run_id);
        match self.shared.elect(Some(from), to.clone()).await {
            Some(leadership) if leadership == to => self.copy(&to).await,
            // Another instance was quicker, or the database does not answer.
            Some(_) | None => {}
        }
    }

    /// Copies to Redis what SQL has, and opens it.
    pub(super) async fn copy(&mut self, leadership: &Leadership) {
        let Primary::Redis { run_id } = &leadership.primary else { return };
        self.shared.redis.serve(leadership.epoch, run_id);
        self.shared.publish_view(leadership.clone(), false);
        match self.shared.copy_all(leadership).await {
            Ok((opened, copied)) => {
                tracing::info!(epoch = opened.epoch, copied, "conversations were copied to Redis");
                metrics::counter!("depot_failovers_total", "to" => "redis").increment(1);
                self.returned_at = (!self.is_first).then(Instant::now);
                self.cannot_copy_since = None;
                self.shared.publish_view(opened, true);
                self.recovered();
            }
            Err(error) => self.cannot_copy(leadership, &error).await,
        }
    }

    /// Updates wait while Redis is being filled; where it fails to be for too long, SQL goes on.
    async fn cannot_copy(&mut self, leadership: &Leadership, error: &StoreError) {
        match self.cannot_copy_since {
            None => {
                self.cannot_copy_since = Some(Instant::now());
                tracing::warn!(%error, "conversations could not be copied to Redis yet: updates wait");
            }
            Some(since) if since.elapsed() >= COPY_FAILS && self.shared.is_of_redis(error) => {
                // As good as a return that did not last: the next one waits for longer.
                self.returned_at = Some(Instant::now());
                self.leave(leadership, error, false).await;
            }
            Some(_) => {}
        }
    }
}

impl Shared {
    /// Changes the row if it still is `from`; returns it as it is then, `None` if SQL does not answer.
    pub(super) async fn elect(&self, from: Option<&Leadership>, to: Leadership) -> Option<Leadership> {
        match self.sql.change_leadership(from, &to, self.clock.now()).await {
            Ok(leadership) => leadership,
            Err(error) => {
                tracing::debug!(%error, "the store in charge could not be changed");
                None
            }
        }
    }

    /// SQL takes charge once nobody can commit to Redis any more.
    pub(super) async fn settle_on_sql(&self, leadership: &Leadership, alone: bool) {
        self.publish_view(leadership.clone(), false);
        self.sql.serve(leadership.epoch);
        let others_end_at = Instant::now() + LEASE + COMMAND;
        self.redis.drain().await;
        if !alone {
            sleep_until(others_end_at).await;
        }
        // SQL has taken the change, so it takes these too; what comes behind the first commit under the new epoch loses.
        if !self.mirror.flush(5 * LAST_WORDS).await {
            tracing::warn!("conversations go on before all that Redis had committed is in the database");
        }
        self.publish_view(leadership.clone(), true);
    }

    /// Whether it was Redis that made the trouble.
    fn is_of_redis(&self, error: &StoreError) -> bool {
        match error {
            StoreError::Unavailable { store, .. }
            | StoreError::Unknown { store }
            | StoreError::Refused { store, .. }
            | StoreError::Superseded { store } => *store == self.redis.name(),
            StoreError::Corrupt { .. } | StoreError::Newer { .. } | StoreError::TooLarge { .. } => false,
        }
    }

    pub(super) fn publish_view(&self, leadership: Leadership, is_open: bool) {
        let view = LeaderView { leadership, is_open };
        self.view.send_if_modified(|current| {
            let changes = *current != view;
            *current = view;
            changes
        });
        self.turned.notify_waiters();
    }

    /// Copies all documents, and opens the epoch; returns the row as it is then, and how many were copied.
    async fn copy_all(&self, leadership: &Leadership) -> Result<(Leadership, usize), StoreError> {
        let copied = self.copy_documents().await?;
        // Noted first: whoever finds Redis without its epoch after this knows that it was emptied.
        let opened = Leadership { opened: true, ..leadership.clone() };
        if !leadership.opened {
            let now = self.sql.change_leadership(Some(leadership), &opened, self.clock.now()).await?;
            if now.as_ref() != Some(&opened) {
                return Err(StoreError::Superseded { store: self.redis.name() });
            }
        }
        self.redis.open(leadership.epoch).await?;
        Ok((opened, copied))
    }

    /// Copies all documents; returns how many.
    async fn copy_documents(&self) -> Result<usize, StoreError> {
        let (mut after, mut copied, mut limit) = (None, 0, PAGE);
        self.redis.begin_copy().await?;
        loop {
            let page = self.sql.sessions_after(after, limit).await?;
            let lost = match self.redis.restore(&page.documents, self.clock.now()).await {
                Err(StoreError::Unavailable { .. }) if limit > SMALLER => {
                    limit /= SMALLER;
                    continue;
                }
                restored => restored?,
            };
            crate::failpoint!("copying");
            if !lost.is_empty() {
                metrics::counter!("depot_branches_lost_total").increment(lost.len() as u64);
                tracing::warn!(
                    sessions = lost.len(),
                    "steps that only Redis knew have lost: they are kept in `conflicts`"
                );
                self.sql.record_conflicts(&lost, self.clock.now()).await?;
            }
            copied += page.documents.len();
            match page.last {
                Some(last) => after = Some(last),
                None => return Ok(copied),
            }
        }
    }

    /// Brings to the mirror what it owes for longer than `age`.
    pub(super) async fn pay(&self, age: Duration, limit: usize, epoch: u64) -> Result<(), StoreError> {
        let stored = |session| StoredSession::new(Arc::new(session), self.ttl);
        for key in self.redis.backlog(age, limit).await? {
            match self.redis.load(key).await {
                Ok(Some(session)) => self.mirror.take(stored(session), epoch),
                // Its time is over; the note would be the oldest for ever.
                Ok(None) => {
                    self.redis.mark_replicated(&[stored(Session::new(key, self.clock.now()))]).await?
                }
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Newer { .. })) => {
                    tracing::debug!(%error, "a session that cannot be read is not mirrored");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn report(
        &self,
        view: &LeaderView,
        probe: &Result<Probe, StoreError>,
        sql_answers: bool,
        backlog: u64,
        lag: Duration,
    ) {
        let status = ReplicationStatus {
            primary: view.leadership.primary.name(),
            epoch: view.leadership.epoch,
            is_open: view.is_open,
            redis: probe.as_ref().err().map(ToString::to_string),
            sql_answers,
            backlog,
            lag,
        };
        self.status.send_if_modified(|current| {
            let changes = *current != status;
            *current = status;
            changes
        });
    }
}
