//! The row in SQL by which one of several instances gets the right to set the webhook.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::operations::WebhookRegistration;
use crate::operations::webhook_registration::{WebhookLease, WebhookTarget};
use crate::telegram::ingress::webhook::{Claim, Wanted, WebhookRecord};

/// How long one instance has the right to set the webhook.
const LEASE: Duration = Duration::from_secs(30);

/// The row, as one instance sees it.
#[derive(Debug)]
pub struct SqlRecord {
    registration: WebhookRegistration,
    /// A name for this instance, new with each start.
    instance: i64,
}

impl SqlRecord {
    /// The row behind `registration`.
    #[must_use]
    pub fn new(registration: WebhookRegistration) -> Self {
        Self { registration, instance: rand::random() }
    }

    fn settings(wanted: &Wanted) -> WebhookTarget {
        WebhookTarget {
            url: wanted.url.clone(),
            secret_sha256: wanted.secret_sha256(),
            allowed_updates: wanted.allowed_updates(),
        }
    }
}

impl WebhookRecord for SqlRecord {
    async fn claim(&self, wanted: &Wanted, differs_at: Option<Timestamp>) -> anyhow::Result<Claim> {
        let settings = Self::settings(wanted);
        Ok(match self.registration.lease(&settings, self.instance, LEASE, differs_at).await? {
            WebhookLease::Acquired => Claim::Mine,
            WebhookLease::AlreadySet => Claim::Set,
            WebhookLease::HeldByAnother { until } => Claim::Busy { until },
        })
    }

    async fn confirm(&self, wanted: &Wanted) -> anyhow::Result<()> {
        // Another instance's lease came in between: then the next check finds out which webhook Telegram has.
        let _still_ours = self.registration.confirm(&Self::settings(wanted), self.instance).await?;
        Ok(())
    }
}
