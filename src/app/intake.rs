//! How updates come in: by long polling, or by a webhook.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::telegram::client::Client;
use crate::telegram::intake::{Handle, Intake, IntakeStatus};
use crate::telegram::polling::Polling;

/// How long updates that are being handled may take to be committed when the intake stops.
const FINISH: Duration = Duration::from_secs(5);

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
    _ledger: &Ledger,
    handler: Arc<dyn Handle>,
    clock: &Clock,
) -> anyhow::Result<RunningIntake> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let intake = Arc::new(Intake::new(handler));
    let (address, status) = match &config.webhook {
        None | Some(_) => {
            let polling = Polling::new(Arc::new(client.clone()), Arc::clone(&intake), clock.clone());
            let status = polling.status();
            let stop = stop.clone();
            tasks.spawn(async move { polling.run(stop).await });
            (None, status)
        }
    };
    Ok(RunningIntake { address, status, intake, stop, tasks })
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
