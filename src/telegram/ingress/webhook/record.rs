//! The row in SQL by which one of several instances tells Telegram the webhook.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ledger::Ledger;
use crate::ledger::intake::{Webhook as Row, WebhookClaim};
use crate::telegram::ingress::webhook::{Claim, Wanted, WebhookRecord};

/// How long one instance has the right to tell Telegram the webhook.
const LEASE: Duration = Duration::from_secs(30);

/// The row, as one instance sees it.
#[derive(Debug)]
pub struct SqlRecord {
    ledger: Ledger,
    /// A name for this instance, new with each start.
    instance: i64,
}

impl SqlRecord {
    /// The row of the bot that `ledger` belongs to.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, instance: rand::random() }
    }

    fn row(wanted: &Wanted) -> Row {
        Row {
            url: wanted.url.clone(),
            secret_sha256: wanted.secret_sha256(),
            allowed_updates: wanted.allowed_updates(),
        }
    }
}

impl WebhookRecord for SqlRecord {
    async fn claim(&self, wanted: &Wanted, differs_at: Option<Timestamp>) -> anyhow::Result<Claim> {
        let row = Self::row(wanted);
        Ok(match self.ledger.claim_webhook(&row, self.instance, LEASE, differs_at).await? {
            WebhookClaim::Mine => Claim::Mine,
            WebhookClaim::Set => Claim::Set,
            WebhookClaim::Busy { until } => Claim::Busy { until },
        })
    }

    async fn confirm(&self, wanted: &Wanted) -> anyhow::Result<()> {
        // Another instance's lease came in between: then the next check finds out which webhook Telegram has.
        let _still_ours = self.ledger.webhook_set(&Self::row(wanted), self.instance).await?;
        Ok(())
    }
}
