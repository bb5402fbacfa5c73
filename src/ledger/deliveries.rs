//! What is told to other people's chats, as desired states: a row says what a message is to show, not what to do.
//!
//! A row is written in the transaction of the fact it follows from, and named by what it is about and where it goes.
//! When a later fact changes what the message is to show, the row gets a new picture and is due again. Whoever claims
//! it then edits the message if one is known, and sends one if not. So an edit never has to wait for its original:
//!
//! - the decision comes before the card was sent: only the decided picture is ever sent;
//! - while it is being sent: the sender learns by [`Ledger::delivered`] nothing new, the message id is kept, and the row
//!   is due again for the edit;
//! - the sender dies, or the network's answer is lost: after the lease the row is sent again as it is then. The first
//!   message may stand there with live buttons: a tap on it meets `AlreadyDecided`, and the card it is on is settled.
//!
//! An outcome counts under the token it was claimed with, until somebody else has claimed the row.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::{ChatId, MessageId, UserId};
use crate::ledger::claims::{Claim, Outcome, Settle};
use crate::ledger::requests::AccessRequestRef;
use crate::ledger::{Ledger, LedgerError};
use crate::session::Language;
use crate::{execute, fetch_optional};

/// What a message to another chat is to show; its words are in `locales/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeliveryKind {
    /// To an admin: somebody asks for access. With Accepter and Refuser.
    AccessRequested {
        /// What the buttons name.
        request: AccessRequestRef,
        /// Who asks.
        person: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
    },
    /// To an admin, in place of that card: it is decided. Without buttons.
    AccessDecided {
        /// Who asked.
        person: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
        /// Whether they have access now.
        accepted: bool,
        /// The admin who decided; `None` for an invitation or the configuration.
        by: Option<UserId>,
        /// That admin's name, cleaned, perhaps empty; not escaped.
        by_name: String,
    },
    /// To the person: you have access.
    AccessGranted,
    /// To the person: you have no access.
    AccessRefused,
}

/// A claimed message: to be edited if `message` is known, else to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The row.
    pub id: i64,
    /// The right to settle it.
    pub token: i64,
    /// Which of its pictures this is.
    pub picture: i64,
    /// Where it goes.
    pub destination: ChatId,
    /// The message that carries an earlier picture.
    pub message: Option<MessageId>,
    /// The language its reader reads.
    pub language: Language,
    /// What it is to show.
    pub kind: DeliveryKind,
    /// How often it was deferred since it last got through.
    pub attempts: u32,
}

impl Ledger {
    /// Takes at most `limit` due messages for as long as `lease`, the longest due first; two instances never hold the
    /// same one. A row whose payload this release cannot read is marked as failed.
    ///
    /// Writes even when nothing is due: ask [`Ledger::next_delivery_due`] first.
    ///
    /// # Crash
    /// After: what was claimed is due again when the lease ends, and no attempt is counted.
    ///
    /// # Errors
    /// After `Unknown` rows may be claimed that nobody sends before their lease ends.
    pub async fn claim_deliveries(&self, limit: u32, lease: Duration) -> Result<Vec<Delivery>, LedgerError> {
        let now = self.now();
        let token = i64::from_ne_bytes(rand::random::<[u8; 8]>());
        let claim =
            Claim { bot: self.bot.0, now: now.0, until: now.after(lease).0, token, limit: i64::from(limit) };
        let mut rows = self.write(claim).await?;
        rows.sort_unstable_by_key(|row| row.id);
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id;
            match row.into_delivery(token) {
                Some(delivery) => claimed.push(delivery),
                None => {
                    tracing::error!(delivery = id, "a delivery cannot be read and is not sent");
                    let reason = "cannot be read".to_owned();
                    self.write(Settle {
                        id,
                        token,
                        picture: i64::MAX,
                        now,
                        outcome: Outcome::Failed { reason },
                    })
                    .await?;
                }
            }
        }
        Ok(claimed)
    }

    /// The message carries this picture now. If the row got another one meanwhile, it is due again.
    ///
    /// False if the claim was lost meanwhile: the row belongs to somebody else, and a message that was newly sent is a
    /// stray whose keyboard is to be taken away.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn delivered(&self, delivery: &Delivery, message: MessageId) -> Result<bool, LedgerError> {
        self.settle(delivery, Outcome::Sent { message: message.0 }).await
    }

    /// It did not get through and is due again at `until`. False if the claim was lost meanwhile.
    ///
    /// # Errors
    /// After `Unknown` repeat it, or leave it to the end of the lease.
    pub async fn defer_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, LedgerError> {
        self.settle(delivery, Outcome::Deferred { until: until.0 }).await
    }

    /// It was not tried and is due again at once; no attempt is counted. False if the claim was lost meanwhile.
    ///
    /// # Errors
    /// Leave it to the end of the lease.
    pub async fn release_delivery(&self, delivery: &Delivery) -> Result<bool, LedgerError> {
        self.settle(delivery, Outcome::Released).await
    }

    /// It will never get through. A newer picture of the same row is tried all the same. False if the claim was lost.
    ///
    /// # Errors
    /// After `Unknown` repeat it, or leave it to the end of the lease.
    pub async fn fail_delivery(&self, delivery: &Delivery, reason: &str) -> Result<bool, LedgerError> {
        self.settle(delivery, Outcome::Failed { reason: reason.to_owned() }).await
    }

    /// Ends what is pending for a chat that is closed to the bot (403), and nothing else; returns how many it was.
    ///
    /// # Errors
    /// [`LedgerError`]; may be repeated.
    pub async fn close_destination(&self, destination: ChatId) -> Result<u64, LedgerError> {
        self.write(Close { bot: self.bot.0, destination: destination.0 }).await
    }

    /// When the next message is due, or the next lease ends; `None` if nothing is pending.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn next_delivery_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        Ok(self.read(NextDue { bot: self.bot.0 }).await?.map(Timestamp))
    }

    /// Waits until this instance has written a delivery since the last call; other instances' show in
    /// [`Ledger::next_delivery_due`] only.
    pub async fn delivery_added(&self) {
        self.added.notified().await;
    }

    async fn settle(&self, delivery: &Delivery, outcome: Outcome) -> Result<bool, LedgerError> {
        let Delivery { id, token, picture, .. } = *delivery;
        self.write(Settle { id, token, picture, now: self.now(), outcome }).await
    }
}

struct Close {
    bot: i64,
    destination: i64,
}

impl Job for Close {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let sql = "
            update deliveries set status = 'closed', token = null, reason = 'the chat is closed'
            where bot = $1 and destination = $2 and status = 'pending'";
        execute!(connection, sql, self.bot, self.destination)
    }
}

struct NextDue {
    bot: i64,
}

impl Job for NextDue {
    type Output = Option<i64>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<i64>, sqlx::Error> {
        let sql =
            "select due_at from deliveries where bot = $1 and status = 'pending' order by due_at limit 1";
        let row: Option<(i64,)> = fetch_optional!(connection, sql, self.bot)?;
        Ok(row.map(|(due_at,)| due_at))
    }
}

/// Writes a message that is to be sent; does nothing if it was written before.
pub(super) async fn add(
    connection: &mut Connection,
    bot: i64,
    subject: &str,
    (destination, language): (i64, Language),
    kind: &DeliveryKind,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "
        insert into deliveries (bot, subject, destination, language, payload, picture, status, attempts, due_at,
            created_at)
        values ($1, $2, $3, $4, $5, 1, 'pending', 0, $6, $6)
        on conflict (bot, subject, destination) do nothing";
    let payload = serde_json::json!(kind).to_string();
    execute!(connection, sql, bot, subject, destination, language.code(), payload, now.0).map(|_| ())
}

/// Gives all messages about `subject` another picture; those that never got through stay where they are.
pub(super) async fn repaint(
    connection: &mut Connection,
    bot: i64,
    subject: &str,
    kind: &DeliveryKind,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "
        update deliveries set payload = $3, picture = picture + 1, status = 'pending', attempts = 0,
            due_at = case when token is null then $4 else due_at end
        where bot = $1 and subject = $2 and status in ('pending', 'sent')";
    let payload = serde_json::json!(kind).to_string();
    execute!(connection, sql, bot, subject, payload, now.0).map(|_| ())
}
