//! How updates come in: by long polling, or by a webhook.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Timestamp};
use crate::config::{self, Config};
use crate::http::serve::{Limits, serve};
use crate::ledger::Ledger;
use crate::ledger::intake::{Webhook as Row, WebhookClaim};
use crate::telegram::client::Client;
use crate::telegram::intake::{Handle, Intake, IntakeStatus};
use crate::telegram::polling::Polling;
use crate::telegram::webhook::{Claim, Wanted, Webhook, WebhookRecord};

/// How long updates that are being handled may take to be committed when the intake stops.
const FINISH: Duration = Duration::from_secs(5);
/// How long one instance has the right to tell Telegram the webhook.
const CLAIM: Duration = Duration::from_secs(30);

/// An intake that runs.
#[derive(Debug)]
pub(super) struct RunningIntake {
    address: Option<SocketAddr>,
    status: watch::Receiver<IntakeStatus>,
    intake: Arc<Intake>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Starts the intake that the configuration names.
///
/// # Errors
/// An address that is taken.
pub(super) async fn start(
    config: &Config,
    client: &Client,
    ledger: &Ledger,
    handler: Arc<dyn Handle>,
    clock: &Clock,
) -> anyhow::Result<RunningIntake> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let intake = Arc::new(Intake::new(handler));
    let (address, status) = match &config.webhook {
        None => {
            let polling = Polling::new(Arc::new(client.clone()), Arc::clone(&intake), clock.clone());
            let (status, stop) = (polling.status(), stop.clone());
            tasks.spawn(async move { polling.run(stop).await });
            (None, status)
        }
        Some(wanted) => {
            let listener = super::listen(wanted.bind, "WEBHOOK_BIND").await?;
            let address = listener.local_addr()?;
            let webhook = receiver(wanted, &intake, clock, &stop);
            tasks.spawn(serve(listener, webhook.router(), Limits::default(), stop.clone()));
            let status = webhook.status();
            let record = Record { ledger: ledger.clone(), instance: rand::random() };
            let (client, wanted, stop) = (client.clone(), wanted_of(wanted), stop.clone());
            tasks.spawn(async move { webhook.look_after(client, record, wanted, stop).await });
            (Some(address), status)
        }
    };
    Ok(RunningIntake { address, status, intake, stop, tasks })
}

fn receiver(
    wanted: &config::Webhook,
    intake: &Arc<Intake>,
    clock: &Clock,
    stop: &CancellationToken,
) -> Webhook {
    Webhook::new(
        &wanted.path(),
        &wanted.secret,
        wanted.previous_secret.as_ref(),
        Arc::clone(intake),
        clock.clone(),
        stop.clone(),
    )
}

fn wanted_of(wanted: &config::Webhook) -> Wanted {
    Wanted { url: wanted.url.clone(), secret: wanted.secret.clone() }
}

impl RunningIntake {
    /// Where the webhook listens, if updates come that way.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What is known of the intake.
    pub(super) fn status(&self) -> watch::Receiver<IntakeStatus> {
        self.status.clone()
    }

    /// Takes no update any more, and finishes those that came in.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.intake.finish(FINISH).await;
    }
}

/// The row in SQL by which one of several instances tells Telegram the webhook.
struct Record {
    ledger: Ledger,
    /// A name for this instance, new with each start.
    instance: i64,
}

impl Record {
    fn row(wanted: &Wanted) -> Row {
        Row {
            url: wanted.url.clone(),
            secret_sha256: wanted.secret_sha256(),
            allowed_updates: wanted.allowed_updates(),
        }
    }
}

#[async_trait]
impl WebhookRecord for Record {
    async fn claim(&self, wanted: &Wanted, differs_at: Option<Timestamp>) -> anyhow::Result<Claim> {
        let row = Self::row(wanted);
        Ok(match self.ledger.claim_webhook(&row, self.instance, CLAIM, differs_at).await? {
            WebhookClaim::Mine => Claim::Mine,
            WebhookClaim::Set => Claim::Set,
            WebhookClaim::Busy { until } => Claim::Busy { until },
        })
    }

    async fn confirm(&self, wanted: &Wanted) -> anyhow::Result<()> {
        // Somebody else's claim came in between: then the next look finds out what Telegram has.
        let _still_ours = self.ledger.webhook_set(&Self::row(wanted), self.instance).await?;
        Ok(())
    }
}
