//! Two rows that intake shares among instances: which webhook Telegram was told, and when updates were last taken in.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::ledger::{Ledger, LedgerError};
use crate::{execute, fetch_optional};

/// What Telegram is to be told; two are the same if all three are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where updates go.
    pub url: String,
    /// SHA-256 of the secret, as 64 hexadecimal digits ([`sha256_hex`](crate::ledger::sha256_hex)).
    pub secret_sha256: String,
    /// The kinds of updates asked for, as they are sent to Telegram.
    pub allowed_updates: String,
}

/// The webhook as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSet {
    /// What Telegram was told, or is about to be told.
    pub webhook: Webhook,
    /// When Telegram agreed; `None` while an instance is about to tell it.
    pub set_at: Option<Timestamp>,
    /// Which instance did, or is about to.
    pub set_by: i64,
}

/// Whether this instance is to call `setWebhook`.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookClaim {
    /// Yes; afterwards [`Ledger::webhook_set`].
    Mine,
    /// No: Telegram was told just this.
    Set,
    /// No: another instance is about to; ask again at this instant.
    Busy {
        /// When its claim ends.
        until: Timestamp,
    },
}

impl Ledger {
    /// The webhook as it was last set or claimed.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn webhook(&self) -> Result<Option<WebhookSet>, LedgerError> {
        let row = self.read(ReadWebhook { bot: self.bot.0 }).await?;
        Ok(row.map(|row| row.webhook))
    }

    /// Claims the right to tell Telegram `wanted`, for as long as `lease`; of several instances one gets it.
    ///
    /// `differs_at` is when `getWebhookInfo` was asked, if Telegram was seen to have another webhook than `wanted`: what
    /// was set before that instant is then set again.
    ///
    /// # Crash
    /// After a claim, before Telegram was told: another instance may claim it when the lease is over.
    ///
    /// # Errors
    /// After `Unknown` ask again: a claim is renewed by whoever holds it.
    pub async fn claim_webhook(
        &self,
        wanted: &Webhook,
        instance: i64,
        lease: Duration,
        differs_at: Option<Timestamp>,
    ) -> Result<WebhookClaim, LedgerError> {
        let now = self.now();
        let until = now.after(lease);
        self.write(Claim { bot: self.bot.0, wanted: wanted.clone(), instance, now, until, differs_at }).await
    }

    /// Telegram agreed. False if the claim was lost meanwhile: somebody else tells Telegram something.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn webhook_set(&self, wanted: &Webhook, instance: i64) -> Result<bool, LedgerError> {
        let now = self.now();
        self.write(Confirm { bot: self.bot.0, wanted: wanted.clone(), instance, now: now.0 }).await
    }

    /// Forgets the webhook, after it was deleted at Telegram.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn webhook_deleted(&self) -> Result<(), LedgerError> {
        self.write(Forget { bot: self.bot.0 }).await
    }

    /// When a turn of intake was last completed by any instance; `None` before the first one.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn intake_seen_at(&self) -> Result<Option<Timestamp>, LedgerError> {
        Ok(self.read(ReadIntake { bot: self.bot.0 }).await?.map(Timestamp))
    }

    /// Notes that a turn of intake was completed at `at`; an earlier instant than the noted one changes nothing.
    ///
    /// # Crash
    /// Before: the gap seems longer than it was, and open questions may be asked once more than needed.
    ///
    /// # Errors
    /// [`LedgerError`]; may be left to the next turn.
    pub async fn intake_seen(&self, at: Timestamp) -> Result<(), LedgerError> {
        self.write(SeeIntake { bot: self.bot.0, at: at.0 }).await
    }
}

struct ReadWebhook {
    bot: i64,
}

struct WebhookRow {
    webhook: WebhookSet,
    claimed_until: Timestamp,
}

async fn read_webhook(connection: &mut Connection, bot: i64) -> Result<Option<WebhookRow>, sqlx::Error> {
    type Columns = (String, String, String, Option<i64>, i64, i64);
    let sql = "
        select url, secret_sha256, allowed_updates, set_at, set_by, claimed_until from webhook where bot = $1";
    let row: Option<Columns> = fetch_optional!(connection, sql, bot)?;
    Ok(row.map(|(url, secret_sha256, allowed_updates, set_at, set_by, claimed_until)| WebhookRow {
        webhook: WebhookSet {
            webhook: Webhook { url, secret_sha256, allowed_updates },
            set_at: set_at.map(Timestamp),
            set_by,
        },
        claimed_until: Timestamp(claimed_until),
    }))
}

impl Job for ReadWebhook {
    type Output = Option<WebhookRow>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        read_webhook(connection, self.bot).await
    }
}

struct Claim {
    bot: i64,
    wanted: Webhook,
    instance: i64,
    now: Timestamp,
    until: Timestamp,
    differs_at: Option<Timestamp>,
}

/// Claims what is unclaimed and either unlike what is wanted, or unlike what Telegram was seen to have.
const CLAIM: &str = "
    insert into webhook (bot, url, secret_sha256, allowed_updates, set_at, set_by, claimed_until)
    values ($1, $2, $3, $4, null, $5, $6)
    on conflict (bot) do update set url = excluded.url, secret_sha256 = excluded.secret_sha256,
        allowed_updates = excluded.allowed_updates, set_at = null, set_by = excluded.set_by,
        claimed_until = excluded.claimed_until
    where case
        when webhook.set_at is null then webhook.set_by = excluded.set_by or webhook.claimed_until <= $7
        else webhook.set_at < $8 or webhook.url <> excluded.url or webhook.secret_sha256 <> excluded.secret_sha256
            or webhook.allowed_updates <> excluded.allowed_updates
        end";

impl Job for Claim {
    type Output = WebhookClaim;

    async fn run(&self, connection: &mut Connection) -> Result<WebhookClaim, sqlx::Error> {
        let Webhook { url, secret_sha256, allowed_updates } = &self.wanted;
        let claimed = execute!(
            &mut *connection,
            CLAIM,
            self.bot,
            url,
            secret_sha256,
            allowed_updates,
            self.instance,
            self.until.0,
            self.now.0,
            self.differs_at.map_or(i64::MIN, |at| at.0),
        )?;
        if claimed == 1 {
            return Ok(WebhookClaim::Mine);
        }
        Ok(match read_webhook(connection, self.bot).await? {
            Some(row) if row.webhook.set_at.is_none() => WebhookClaim::Busy { until: row.claimed_until },
            _ => WebhookClaim::Set,
        })
    }
}

struct Confirm {
    bot: i64,
    wanted: Webhook,
    instance: i64,
    now: i64,
}

impl Job for Confirm {
    type Output = bool;

    async fn run(&self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        let sql = "
            update webhook set set_at = $6
            where bot = $1 and url = $2 and secret_sha256 = $3 and allowed_updates = $4 and set_by = $5";
        let Webhook { url, secret_sha256, allowed_updates } = &self.wanted;
        let rows = execute!(
            connection,
            sql,
            self.bot,
            url,
            secret_sha256,
            allowed_updates,
            self.instance,
            self.now
        )?;
        Ok(rows == 1)
    }
}

struct Forget {
    bot: i64,
}

impl Job for Forget {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, "delete from webhook where bot = $1", self.bot).map(|_| ())
    }
}

struct ReadIntake {
    bot: i64,
}

impl Job for ReadIntake {
    type Output = Option<i64>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<i64>, sqlx::Error> {
        let row: Option<(i64,)> =
            fetch_optional!(connection, "select seen_at from intake where bot = $1", self.bot)?;
        Ok(row.map(|(seen_at,)| seen_at))
    }
}

struct SeeIntake {
    bot: i64,
    at: i64,
}

impl Job for SeeIntake {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            insert into intake (bot, seen_at) values ($1, $2)
            on conflict (bot) do update set seen_at = excluded.seen_at where excluded.seen_at > intake.seen_at";
        execute!(connection, sql, self.bot, self.at).map(|_| ())
    }
}
