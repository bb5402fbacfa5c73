//! The webhook that Telegram was told, and the lease under which one of several instances tells it.

use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::database::{Connection, Database, DatabaseError, Job, job};
use crate::{execute, fetch_optional};
use deposit::BotId;

/// The settings that Telegram is told; two webhooks are the same if all three are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The address that updates are posted to.
    pub url: String,
    /// SHA-256 of the secret, as 64 hexadecimal digits ([`sha256_hex`](crate::digest::sha256_hex)).
    pub secret_sha256: String,
    /// The kinds of updates asked for, as they are sent to Telegram.
    pub allowed_updates: String,
}

/// The webhook as it was last set, or as an instance is about to set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredWebhook {
    /// The settings that Telegram was told, or is about to be told.
    pub settings: WebhookTarget,
    /// When Telegram agreed; `None` while an instance is about to tell it.
    pub set_at: Option<Timestamp>,
    /// The instance that told it, or is about to.
    pub set_by: i64,
}

/// Whether this instance is to call `setWebhook`.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookLease {
    /// Yes; afterwards [`WebhookRegistration::confirm`].
    Acquired,
    /// No: Telegram was told just this.
    AlreadySet,
    /// No: another instance is about to; ask again at this instant.
    HeldByAnother {
        /// When its lease ends.
        until: Timestamp,
    },
}

/// The row of one bot in the table `webhook`; a clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct WebhookRegistration {
    database: Database,
    bot: BotId,
    clock: Clock,
}

impl WebhookRegistration {
    /// The row of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone() }
    }

    /// The webhook as it was last set or leased.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn current(&self) -> Result<Option<RegisteredWebhook>, DatabaseError> {
        let current =
            job(self.bot.0, |bot, connection| Box::pin(async move { read_row(connection, *bot).await }));
        Ok(self.database.read(current).await?.map(|row| row.webhook))
    }

    /// Leases the right to tell Telegram `wanted`, for as long as `lease`; of several instances one gets it.
    ///
    /// `differs_at` is when `getWebhookInfo` was called, if Telegram was seen to have another webhook than `wanted`: a webhook
    /// set before that instant is then set again.
    ///
    /// # Crash
    /// With the lease, before Telegram was told: another instance may lease it when this lease is over.
    ///
    /// # Errors
    /// After `Unknown` ask again: a lease is renewed by the instance that holds it.
    pub async fn lease(
        &self,
        wanted: &WebhookTarget,
        instance: i64,
        lease: Duration,
        differs_at: Option<Timestamp>,
    ) -> Result<WebhookLease, DatabaseError> {
        let now = self.clock.now();
        let (bot, wanted, until) = (self.bot.0, wanted.clone(), now.after(lease));
        self.database.write(Lease { bot, wanted, instance, now, until, differs_at }).await
    }

    /// Notes that Telegram agreed. False if the lease was lost meanwhile: another instance tells Telegram something.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn confirm(&self, wanted: &WebhookTarget, instance: i64) -> Result<bool, DatabaseError> {
        let parameters = (self.bot.0, wanted.clone(), instance, self.clock.now().0);
        let confirm = job(parameters, |(bot, wanted, instance, now), connection| {
            Box::pin(async move {
                let sql = "
                    update webhook set set_at = $6
                    where bot = $1 and url = $2 and secret_sha256 = $3 and allowed_updates = $4 and set_by = $5";
                let WebhookTarget { url, secret_sha256, allowed_updates } = wanted;
                execute!(connection, sql, *bot, url, secret_sha256, allowed_updates, *instance, *now)
            })
        });
        Ok(self.database.write(confirm).await? == 1)
    }
}

struct WebhookRow {
    webhook: RegisteredWebhook,
    leased_until: Timestamp,
}

async fn read_row(connection: &mut Connection, bot: i64) -> Result<Option<WebhookRow>, sqlx::Error> {
    type Columns = (String, String, String, Option<i64>, i64, i64);
    let sql = "
        select url, secret_sha256, allowed_updates, set_at, set_by, leased_until from webhook where bot = $1";
    let row: Option<Columns> = fetch_optional!(connection, sql, bot)?;
    Ok(row.map(|(url, secret_sha256, allowed_updates, set_at, set_by, leased_until)| WebhookRow {
        webhook: RegisteredWebhook {
            settings: WebhookTarget { url, secret_sha256, allowed_updates },
            set_at: set_at.map(Timestamp),
            set_by,
        },
        leased_until: Timestamp(leased_until),
    }))
}

struct Lease {
    bot: i64,
    wanted: WebhookTarget,
    instance: i64,
    now: Timestamp,
    until: Timestamp,
    differs_at: Option<Timestamp>,
}

/// Leases a row without a lease that differs from the wanted settings, or from those that Telegram was seen to have.
const LEASE: &str = "
    insert into webhook (bot, url, secret_sha256, allowed_updates, set_at, set_by, leased_until)
    values ($1, $2, $3, $4, null, $5, $6)
    on conflict (bot) do update set url = excluded.url, secret_sha256 = excluded.secret_sha256,
        allowed_updates = excluded.allowed_updates, set_at = null, set_by = excluded.set_by,
        leased_until = excluded.leased_until
    where case
        when webhook.set_at is null then webhook.set_by = excluded.set_by or webhook.leased_until <= $7
        else webhook.set_at < $8 or webhook.url <> excluded.url or webhook.secret_sha256 <> excluded.secret_sha256
            or webhook.allowed_updates <> excluded.allowed_updates
        end";

impl Job for Lease {
    type Output = WebhookLease;

    async fn run(&self, connection: &mut Connection) -> Result<WebhookLease, sqlx::Error> {
        let Self { bot, wanted, instance, now, until, differs_at } = self;
        let WebhookTarget { url, secret_sha256, allowed_updates } = wanted;
        let leased = execute!(
            &mut *connection,
            LEASE,
            *bot,
            url,
            secret_sha256,
            allowed_updates,
            *instance,
            until.0,
            now.0,
            differs_at.map_or(i64::MIN, |at| at.0),
        )?;
        if leased == 1 {
            return Ok(WebhookLease::Acquired);
        }
        Ok(match read_row(connection, *bot).await? {
            Some(row) if row.webhook.set_at.is_none() => {
                WebhookLease::HeldByAnother { until: row.leased_until }
            }
            _ => WebhookLease::AlreadySet,
        })
    }
}
