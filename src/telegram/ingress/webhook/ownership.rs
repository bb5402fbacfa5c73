//! The webhook that Telegram has, and the one instance that sets it, only if it differs. It is never deleted here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::telegram::client::{CallError, Client, WebhookSetting, WebhookState};
use crate::telegram::incoming::ALLOWED_UPDATES;
use crate::telegram::ingress::pipeline::HandleUpdate;
use crate::telegram::ingress::webhook::WebhookReceiver;

/// Telegram's own default.
const CONNECTIONS_MAX: u8 = 40;
/// How often it is checked: while updates wait at Telegram or the check fails, and else.
const CHECK_AGAIN: Duration = Duration::from_secs(5);
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// The webhook as it should be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The public address.
    pub url: String,
    /// The secret that Telegram is to show with each delivery.
    pub secret: SecretString,
}

impl Wanted {
    /// The SHA-256 of the secret as 64 hexadecimal digits: Telegram returns the address that it has, not the secret.
    #[must_use]
    pub fn secret_sha256(&self) -> String {
        let digest = Sha256::digest(self.secret.expose_secret().as_bytes());
        digest.iter().fold(String::with_capacity(64), |mut digits, byte| {
            let _infallible = write!(digits, "{byte:02x}");
            digits
        })
    }

    /// The kinds of update that are asked for, with commas between.
    #[must_use]
    pub fn allowed_updates(&self) -> String {
        ALLOWED_UPDATES.join(",")
    }

    /// Whether Telegram has it; a server that does not return the kinds is believed once it was `told` them.
    fn is_what(&self, state: &WebhookState, told: bool) -> bool {
        let kinds: BTreeSet<&str> = state.allowed_updates.iter().map(String::as_str).collect();
        let same_kinds = kinds == BTreeSet::from(ALLOWED_UPDATES) || (told && kinds.is_empty());
        same_kinds && is_same_address(&state.url, &self.url)
    }
}

/// Telegram may write an address in another way than it was given, `https://é.fr` as `https://xn--9ca.fr/`.
fn is_same_address(one: &str, other: &str) -> bool {
    one == other || matches!((Url::parse(one), Url::parse(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether this instance is to set the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Yes; then [`WebhookRecord::confirm`].
    Mine,
    /// No: just this was set before.
    Set,
    /// No: another instance is about to; ask again then.
    Busy {
        /// When its claim ends.
        until: Timestamp,
    },
}

/// The record that the instances share about the webhook: one row in SQL.
pub trait WebhookRecord: Send + Sync + 'static {
    /// Claims the right to set the webhook; of several instances one gets it, for half a minute or so.
    ///
    /// `differs_at` is when Telegram was asked, if it had another webhook than the wanted one: what was set before that
    /// instant is then to be set again.
    fn claim(
        &self,
        wanted: &Wanted,
        differs_at: Option<Timestamp>,
    ) -> impl Future<Output = anyhow::Result<Claim>> + Send;

    /// Notes that Telegram agreed.
    fn confirm(&self, wanted: &Wanted) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Why the webhook could not be set as wanted.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Telegram's part.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The record's part.
    #[error("the record of the webhook is not available")]
    Record(#[source] anyhow::Error),
}

/// Makes Telegram deliver to `wanted`; calls setWebhook only if something differs and no other instance does.
///
/// Returns the state from before. A crash after the claim leaves it to another instance when the claim ends; a crash
/// after setWebhook has it set once more, which changes nothing.
///
/// # Errors
/// [`WebhookError`]; may be tried again.
pub async fn ensure_webhook(
    client: &Client,
    record: &impl WebhookRecord,
    wanted: &Wanted,
    clock: &Clock,
) -> Result<WebhookState, WebhookError> {
    ensure(client, record, wanted, clock, &mut false).await
}

/// `told` is whether this process has set the webhook before.
async fn ensure(
    client: &Client,
    record: &impl WebhookRecord,
    wanted: &Wanted,
    clock: &Clock,
    told: &mut bool,
) -> Result<WebhookState, WebhookError> {
    loop {
        let asked_at = clock.now();
        let (state, is_ours) = match client.get_webhook_info().await {
            Ok(state) => {
                let is_ours = wanted.is_what(&state, *told);
                (state, is_ours)
            }
            Err(error) if lacks_the_method(&error) => (WebhookState::default(), *told),
            Err(error) => return Err(error.into()),
        };
        let differs_at = (!is_ours).then_some(asked_at);
        match record.claim(wanted, differs_at).await.map_err(WebhookError::Record)? {
            Claim::Set => return Ok(state),
            Claim::Busy { until } => clock.sleep_until(until).await,
            Claim::Mine => {
                let setting = WebhookSetting {
                    url: &wanted.url,
                    secret: &wanted.secret,
                    max_connections: CONNECTIONS_MAX,
                };
                client.set_webhook(setting).await?;
                record.confirm(wanted).await.map_err(WebhookError::Record)?;
                *told = true;
                tracing::info!("the webhook is set");
                return Ok(state);
            }
        }
    }
}

/// Whether the server is one of those that do not know `getWebhookInfo`; Telegram's own trouble has other numbers.
fn lacks_the_method(error: &CallError) -> bool {
    matches!(error, CallError::Rejected { .. } | CallError::Server { status: 500 | 501 })
}

impl<H: HandleUpdate> WebhookReceiver<H> {
    /// Supervises the webhook until `shutdown`: that it is ours, and whether updates wait for it. Never deletes it.
    pub async fn supervise(
        &self,
        client: Client,
        record: impl WebhookRecord,
        wanted: Wanted,
        shutdown: CancellationToken,
    ) {
        let mut seen = Seen::default();
        loop {
            let check = ensure(&client, &record, &wanted, &self.0.clock, &mut seen.was_told);
            let Some(checked) = shutdown.run_until_cancelled(check).await else { return };
            seen.log_failed_check(checked.as_ref().err());
            let caught_up = match checked {
                Ok(state) => {
                    seen.log_failed_delivery(&state);
                    self.saw(&state)
                }
                Err(_) => false,
            };
            let pause = if caught_up { CHECK_EVERY } else { CHECK_AGAIN };
            if shutdown.run_until_cancelled(self.0.clock.sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Records the state of the deliveries; returns whether no update waits.
    fn saw(&self, state: &WebhookState) -> bool {
        let now = self.0.clock.now();
        let caught_up = state.pending == 0;
        self.0.status.send_modify(|status| {
            status.caught_up = caught_up;
            if caught_up && status.failure.is_none() {
                status.completed_at = Some(now);
            }
        });
        metrics::gauge!("depot_webhook_pending")
            .set(f64::from(u32::try_from(state.pending).unwrap_or(u32::MAX)));
        caught_up
    }
}

/// The state that the supervisor has seen and logged so far.
#[derive(Default)]
struct Seen {
    /// Whether this process has set the webhook before.
    was_told: bool,
    /// Why the last check failed.
    failure: Option<String>,
    /// When Telegram last failed to deliver an update.
    failed_at: Option<Timestamp>,
}

impl Seen {
    /// Logs once per change that the webhook cannot be checked, and that it can again.
    fn log_failed_check(&mut self, error: Option<&WebhookError>) {
        let failure = error.map(ToString::to_string);
        if failure != self.failure {
            match &failure {
                Some(error) => tracing::error!(
                    "the webhook cannot be checked: should another address be set, updates go there; it is checked \
                     again every {} s: {error}",
                    CHECK_AGAIN.as_secs()
                ),
                None => tracing::info!("the webhook is checked again"),
            }
            self.failure = failure;
        }
    }

    /// Logs each failed delivery that Telegram reports while updates wait.
    fn log_failed_delivery(&mut self, state: &WebhookState) {
        if state.last_error_at > self.failed_at && state.pending > 0 {
            let error = state.last_error.as_deref().unwrap_or("no reason given");
            tracing::warn!(
                pending = state.pending,
                "Telegram could not deliver an update: it waits, and Telegram tries again; check TELEGRAM_WEBHOOK_URL \
                 from outside: {error}"
            );
        }
        self.failed_at = self.failed_at.max(state.last_error_at);
    }
}
