//! Messages to other users' chats, as desired states: a row says what a message is to show, not what to do.
//!
//! A row is written in the transaction of the fact it follows from, and named by its subject and destination. When a later
//! fact changes what the message is to show, the row gets the next view number and is due again. The instance that leases it
//! then edits the message if one is known, and sends one if not. So an edit never has to wait for its original:
//!
//! - the decision comes before the card was sent: only the decided view is ever sent;
//! - while it is being sent: the sender keeps its lease, the message id is stored, and the row is due again for the edit;
//! - the sender dies, or the network's answer is lost: after the lease the row is sent again as it is then. The first
//!   message may stand there with live buttons: a tap on it meets `AlreadyDecided`, and its card is edited.
//!
//! An outcome counts under the token of its lease, until another instance has leased the row.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::database::{Connection, Database, DatabaseError, job};
use crate::operations::delivery_kind::DeliveryKind;
use crate::operations::delivery_leases::{DeliveryOutcome, EndLease, LeaseDue};
use crate::{execute, fetch_one, fetch_optional};
use deposit::{BotId, ChatId, MessageId};
use session::Language;

/// A leased message: to be edited if `message` is known, else to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The row.
    pub id: i64,
    /// The token of the lease.
    pub token: i64,
    /// The number of the view to be shown.
    pub view_number: i64,
    /// The chat it goes to.
    pub destination: ChatId,
    /// The message that carries an earlier view.
    pub message: Option<MessageId>,
    /// The language its reader reads.
    pub language: Language,
    /// The content of its message.
    pub kind: DeliveryKind,
    /// How often it was deferred since it last got through.
    pub attempts: u32,
}

/// The table `deliveries` of one bot; clones are cheap, and share the connections and the notification of new rows.
#[derive(Clone, Debug)]
pub struct Deliveries {
    database: Database,
    bot: BotId,
    clock: Clock,
    added: Arc<Notify>,
}

impl Deliveries {
    /// The deliveries of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone(), added: Arc::default() }
    }

    /// Leases at most `limit` due messages for as long as `lease`, the longest due first; two instances never hold the same
    /// one. A row whose payload this release cannot read is marked as failed.
    ///
    /// Writes even when nothing is due: read [`Deliveries::next_due`] first.
    ///
    /// # Crash
    /// After: a leased row is due again when the lease ends, and no attempt is counted.
    ///
    /// # Errors
    /// After `Unknown` rows may be leased that nothing sends before their lease ends.
    pub async fn lease(&self, limit: u32, lease: Duration) -> Result<Vec<Delivery>, DatabaseError> {
        let now = self.clock.now();
        let token = i64::from_ne_bytes(rand::random::<[u8; 8]>());
        let (until, limit) = (now.after(lease).0, i64::from(limit));
        let lease = LeaseDue { bot: self.bot.0, now: now.0, until, token, limit };
        let mut rows = self.database.write(lease).await?;
        rows.sort_unstable_by_key(|row| row.id);
        let mut leased = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id;
            match row.into_delivery(token) {
                Some(delivery) => leased.push(delivery),
                None => self.fail_unreadable(id, token, now).await?,
            }
        }
        Ok(leased)
    }

    async fn fail_unreadable(&self, id: i64, token: i64, now: Timestamp) -> Result<(), DatabaseError> {
        tracing::error!(
            delivery.id = id,
            "the payload of a delivery cannot be read: its message is not sent; was it written by a newer release?"
        );
        let outcome = DeliveryOutcome::Failed { reason: "cannot be read".to_owned() };
        self.database.write(EndLease { id, token, view_number: i64::MAX, now, outcome }).await.map(drop)
    }

    /// Notes that the message shows this view now. If the row got another one meanwhile, it is due again.
    ///
    /// False if the lease was lost meanwhile: another instance has the row, and a message that was newly sent is an orphan
    /// whose keyboard is to be removed.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn mark_sent(&self, delivery: &Delivery, message: MessageId) -> Result<bool, DatabaseError> {
        self.end_lease(delivery, DeliveryOutcome::Sent { message: message.0 }).await
    }

    /// Notes that it did not get through and is due again at `until`. False if the lease was lost meanwhile.
    ///
    /// # Errors
    /// After `Unknown` repeat it, or leave it to the end of the lease.
    pub async fn defer(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, DatabaseError> {
        self.end_lease(delivery, DeliveryOutcome::Deferred { until: until.0 }).await
    }

    /// Gives back a delivery that was not tried; it is due again at once, and no attempt is counted. False if the lease was
    /// lost meanwhile.
    ///
    /// # Errors
    /// Leave it to the end of the lease.
    pub async fn release(&self, delivery: &Delivery) -> Result<bool, DatabaseError> {
        self.end_lease(delivery, DeliveryOutcome::Released).await
    }

    /// Notes that it will never get through. A newer view of the same row is tried all the same. False if the lease was lost
    /// meanwhile.
    ///
    /// # Errors
    /// After `Unknown` repeat it, or leave it to the end of the lease.
    pub async fn mark_failed(&self, delivery: &Delivery, reason: &str) -> Result<bool, DatabaseError> {
        self.end_lease(delivery, DeliveryOutcome::Failed { reason: reason.to_owned() }).await
    }

    async fn end_lease(&self, delivery: &Delivery, outcome: DeliveryOutcome) -> Result<bool, DatabaseError> {
        let Delivery { id, token, view_number, .. } = *delivery;
        self.database.write(EndLease { id, token, view_number, now: self.clock.now(), outcome }).await
    }

    /// Ends what is pending for a chat that is closed to the bot (403), and nothing else; returns the number of rows.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be repeated.
    pub async fn close_destination(&self, destination: ChatId) -> Result<u64, DatabaseError> {
        let close = job((self.bot.0, destination.0), |(bot, destination), connection| {
            Box::pin(async move {
                let sql = "
                    update deliveries set status = 'closed', token = null, reason = 'the chat is closed'
                    where bot = $1 and destination = $2 and status = 'pending'";
                execute!(connection, sql, *bot, *destination)
            })
        });
        self.database.write(close).await
    }

    /// When the next message is due, or the next lease ends; `None` if nothing is pending.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let next_due = job(self.bot.0, |bot, connection| {
            Box::pin(async move {
                let sql = "
                    select due_at from deliveries where bot = $1 and status = 'pending'
                    order by due_at limit 1";
                let row: Option<(i64,)> = fetch_optional!(connection, sql, *bot)?;
                Ok(row.map(|(due_at,)| Timestamp(due_at)))
            })
        });
        self.database.read(next_due).await
    }

    /// How many are still to be sent or edited.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn count_pending(&self) -> Result<u64, DatabaseError> {
        let count = job(self.bot.0, |bot, connection| {
            Box::pin(async move {
                let sql = "select count(*) from deliveries where bot = $1 and status = 'pending'";
                let (count,): (i64,) = fetch_one!(connection, sql, *bot)?;
                Ok(u64::try_from(count).unwrap_or_default())
            })
        });
        self.database.read(count).await
    }

    /// Waits until this instance has committed a delivery since the last call; those of other instances show in
    /// [`Deliveries::next_due`] only.
    pub async fn added(&self) {
        self.added.notified().await;
    }

    /// Wakes the call of [`Deliveries::added`], after a transaction in which rows may have been written.
    pub(crate) fn notify_added(&self) {
        self.added.notify_one();
    }
}

/// Writes a message that is to be sent; does nothing if it was written before.
pub(crate) async fn enqueue(
    connection: &mut Connection,
    bot: i64,
    subject: &str,
    (destination, language): (i64, Language),
    kind: &DeliveryKind,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "
        insert into deliveries (bot, subject, destination, language, payload, view_number, status, attempts, due_at,
            created_at)
        values ($1, $2, $3, $4, $5, 1, 'pending', 0, $6, $6)
        on conflict (bot, subject, destination) do nothing";
    let payload = serde_json::json!(kind).to_string();
    execute!(connection, sql, bot, subject, destination, language.code(), payload, now.0).map(drop)
}

/// Gives all messages about `subject` another view; those that never got through stay where they are.
pub(crate) async fn replace_view(
    connection: &mut Connection,
    bot: i64,
    subject: &str,
    kind: &DeliveryKind,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "
        update deliveries set payload = $3, view_number = view_number + 1, status = 'pending', attempts = 0,
            due_at = case when token is null then $4 else due_at end
        where bot = $1 and subject = $2 and status in ('pending', 'sent')";
    let payload = serde_json::json!(kind).to_string();
    execute!(connection, sql, bot, subject, payload, now.0).map(drop)
}
