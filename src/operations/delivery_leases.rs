//! The leases of deliveries in SQL: taking them, and storing the outcomes of leased deliveries.

use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::operations::deliveries::Delivery;
use crate::{execute, fetch_all};
use deposit::{ChatId, MessageId};
use session::Language;

/// Leases due deliveries, the longest due first; no row is leased to two instances.
pub(super) struct LeaseDue {
    pub(super) bot: i64,
    pub(super) now: i64,
    pub(super) until: i64,
    pub(super) token: i64,
    pub(super) limit: i64,
}

/// The lease is nothing but a later due instant and a token.
macro_rules! lease_sql {
    ($locking:literal) => {
        concat!(
            "with due as (
                select id from deliveries where bot = $1 and status = 'pending' and due_at <= $2
                order by due_at, id limit $3 ",
            $locking,
            ") update deliveries set token = $4, due_at = $5 from due where deliveries.id = due.id
            returning deliveries.id, view_number, destination, message_id, language, payload, attempts"
        )
    };
}

#[derive(FromRow)]
pub(super) struct DeliveryRow {
    pub(super) id: i64,
    view_number: i64,
    destination: i64,
    message_id: Option<i64>,
    language: String,
    payload: String,
    attempts: i64,
}

impl DeliveryRow {
    /// `None` where this release cannot read the payload.
    pub(super) fn into_delivery(self, token: i64) -> Option<Delivery> {
        Some(Delivery {
            id: self.id,
            token,
            view_number: self.view_number,
            destination: ChatId(self.destination),
            message: self.message_id.map(MessageId),
            language: Language::from_code(Some(&self.language)),
            kind: serde_json::from_str(&self.payload).ok()?,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
        })
    }
}

impl Job for LeaseDue {
    type Output = Vec<DeliveryRow>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<DeliveryRow>, sqlx::Error> {
        let sql = match connection {
            Connection::Sqlite(_) => lease_sql!(""),
            Connection::Postgres(_) => lease_sql!("for update skip locked"),
        };
        fetch_all!(connection, sql, self.bot, self.now, self.limit, self.token, self.until)
    }
}

/// The outcome of a leased delivery.
pub(super) enum DeliveryOutcome {
    Sent { message: i64 },
    Deferred { until: i64 },
    Released,
    Failed { reason: String },
}

/// Ends a lease with its outcome; yields whether the lease was still held.
pub(super) struct EndLease {
    pub(super) id: i64,
    pub(super) token: i64,
    pub(super) view_number: i64,
    pub(super) now: Timestamp,
    pub(super) outcome: DeliveryOutcome,
}

/// A repetition after an unknown outcome finds its own message there.
const SENT: &str = "
    update deliveries set token = null, message_id = $4, sent_at = $5, attempts = 0, due_at = $5,
        status = case when view_number > $3 then 'pending' else 'sent' end
    where id = $1 and (token = $2 or (token is null and message_id = $4))";

const DEFERRED: &str = "
    update deliveries set token = null, attempts = attempts + 1, due_at = $3 where id = $1 and token = $2";

const RELEASED: &str = "update deliveries set token = null, due_at = $3 where id = $1 and token = $2";

const FAILED: &str = "
    update deliveries set token = null, reason = $4, due_at = $5,
        status = case when view_number > $3 then 'pending' else 'failed' end
    where id = $1 and token = $2";

impl Job for EndLease {
    type Output = bool;

    async fn run(&self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        let Self { id, token, view_number, now, outcome } = self;
        let rows = match outcome {
            DeliveryOutcome::Sent { message } => {
                execute!(connection, SENT, *id, *token, *view_number, *message, now.0)?
            }
            DeliveryOutcome::Deferred { until } => execute!(connection, DEFERRED, *id, *token, *until)?,
            DeliveryOutcome::Released => execute!(connection, RELEASED, *id, *token, now.0)?,
            DeliveryOutcome::Failed { reason } => {
                execute!(connection, FAILED, *id, *token, *view_number, reason, now.0)?
            }
        };
        Ok(rows == 1)
    }
}
