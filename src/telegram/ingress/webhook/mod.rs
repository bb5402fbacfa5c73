//! The webhook: Telegram posts an update, and gets its 200 when the update is committed or kept as a dead letter.
//!
//! Facts: any 2xx acknowledges; everything else, and silence for 60 s, brings the update again after 0, 2, 4, 8 … up to
//! 60 s or after `Retry-After`, and blocks the queue of its chat meanwhile, so an update that cannot be handled becomes a dead
//! letter and is answered 200; the body is not signed, so the secret in the header is all the proof there is (`WebhookActor` in
//! tdlib/telegram-bot-api).

mod chat_locks;
mod ownership;
mod record;
mod secrets;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub use crate::telegram::ingress::webhook::ownership::{
    Claim, Wanted, WebhookError, WebhookRecord, ensure_webhook,
};
pub use crate::telegram::ingress::webhook::record::SqlRecord;

use crate::clock::Clock;
use crate::telegram::ingress::pipeline::{Disposition, HandleUpdate, Pipeline, Update};
use crate::telegram::ingress::status::{IntakeFailure, IntakeStatus};
use crate::telegram::ingress::webhook::chat_locks::ChatLocks;
use crate::telegram::ingress::webhook::secrets::Secrets;

/// How long a delivery may take altogether; Telegram's own patience is 60 s.
const DEADLINE: Duration = Duration::from_secs(8);
/// One update is at most about 512 KiB.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How many deliveries are worked on at once; Telegram opens at most 100 connections.
const AT_ONCE: usize = 128;
/// The header in which Telegram shows the secret.
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
/// When to come again, in seconds: soon where the next instance or the next second helps, later without stores.
const SOON: u8 = 1;
const LATER: u8 = 5;

/// The receiving end of the webhook; a clone is the same.
pub struct WebhookReceiver<H>(Arc<Endpoint<H>>);

struct Endpoint<H> {
    path: String,
    secrets: Secrets,
    pipeline: Arc<Pipeline<H>>,
    clock: Clock,
    draining: CancellationToken,
    places: Semaphore,
    chats: ChatLocks,
    status: watch::Sender<IntakeStatus>,
}

impl<H: HandleUpdate> WebhookReceiver<H> {
    /// Receives the posts to `path` with one of the secrets: the current one, and the previous one while they are
    /// being changed. From `draining` on everything is sent away to come again in a second.
    #[must_use]
    pub fn new(
        path: &str,
        secret: &SecretString,
        previous: Option<&SecretString>,
        pipeline: Arc<Pipeline<H>>,
        clock: Clock,
        draining: CancellationToken,
    ) -> Self {
        Self(Arc::new(Endpoint {
            path: path.to_owned(),
            secrets: Secrets::new(secret, previous),
            pipeline,
            clock,
            draining,
            places: Semaphore::new(AT_ONCE),
            chats: ChatLocks::default(),
            status: watch::Sender::default(),
        }))
    }

    /// The one route, for [`serve`](crate::http::serve::serve). The path is compared as it is: nothing in it is a
    /// pattern.
    pub fn router(&self) -> Router {
        Router::new()
            .fallback(|State(webhook): State<Self>, request: Request| async move {
                webhook.0.receive(request).await
            })
            .with_state(self.clone())
    }

    /// The state of the intake.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<IntakeStatus> {
        self.0.status.subscribe()
    }
}

impl<H: HandleUpdate> Endpoint<H> {
    async fn receive(&self, request: Request) -> Response {
        match self.deliver(request).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(refusal) => {
                metrics::counter!("depot_webhook_refused_total", "code" => refusal.code()).increment(1);
                refusal.into_response()
            }
        }
    }

    /// Brings one delivery to its commit.
    async fn deliver(&self, request: Request) -> Result<(), Refusal> {
        self.admit(&request)?;
        if self.draining.is_cancelled() {
            return Err(Refusal::Again(SOON));
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Refusal::Again(SOON));
        };
        let deadline = Instant::now() + DEADLINE;
        let body =
            timeout_at(deadline, read(request.into_body())).await.map_err(|_| Refusal::Again(SOON))??;
        let update = Arc::new(Update::new(body));
        let submitted = timeout_at(deadline, async {
            // Telegram sends messages of a chat one after the other, but taps beside them.
            let _in_order = match update.chat() {
                Some(chat) => Some(self.chats.enter(chat).await),
                None => None,
            };
            self.pipeline.submit(&update).await
        });
        match submitted.await {
            Ok(Disposition::Committed) => {
                self.note(None);
                Ok(())
            }
            // Telegram brings it again for 24 hours, which an upgrade has long been over with.
            Ok(Disposition::Held) => Err(Refusal::Again(LATER)),
            Ok(Disposition::Retry) => {
                self.note(Some(IntakeFailure::Stalled));
                Err(Refusal::Again(LATER))
            }
            Err(_elapsed) => Err(Refusal::Again(SOON)),
        }
    }

    /// Lets only Telegram in, before a byte of the body is read.
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        if request.uri().path() != self.path {
            return Err(Refusal::Elsewhere);
        }
        if request.method() != Method::POST {
            return Err(Refusal::NotPosted);
        }
        let mut shown = request.headers().get_all(SECRET_HEADER).iter();
        let known = shown.next().is_some_and(|shown| self.secrets.contain(shown.as_bytes()));
        if !known || shown.next().is_some() {
            return Err(Refusal::Stranger);
        }
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > BODY_BYTES_MAX as u64) {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }

    fn note(&self, failure: Option<IntakeFailure>) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            if status.failure != failure {
                match failure {
                    Some(_) => tracing::warn!(
                        "updates cannot be committed: none is acknowledged, and Telegram sends them again for 24 hours; \
                         see the stores in /health/ready"
                    ),
                    None => tracing::info!("updates are committed again"),
                }
            }
            status.failure = failure;
            match failure {
                None => status.completed_at = Some(now),
                // Known again when Telegram is next asked for the number of pending updates.
                Some(_) => status.caught_up = false,
            }
        });
    }
}

async fn read(body: Body) -> Result<String, Refusal> {
    match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        // The body is over the limit; or the peer went away, and reads no answer.
        Err(_) => Err(Refusal::TooLarge),
    }
}

/// Why a delivery was not taken.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// Another path.
    Elsewhere,
    /// Another method.
    NotPosted,
    /// Without one of the secrets.
    Stranger,
    /// More than an update can be.
    TooLarge,
    /// Not now: come again in so many seconds.
    Again(u8),
}

impl Refusal {
    fn code(self) -> &'static str {
        match self {
            Self::Elsewhere => "404",
            Self::NotPosted => "405",
            Self::Stranger => "401",
            Self::TooLarge => "413",
            Self::Again(_) => "503",
        }
    }

    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere => StatusCode::NOT_FOUND.into_response(),
            Self::NotPosted => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")]).into_response(),
            Self::Stranger => StatusCode::UNAUTHORIZED.into_response(),
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::Again(seconds) => {
                let seconds = HeaderValue::from(u16::from(seconds));
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)]).into_response()
            }
        }
    }
}

impl<H> Clone for WebhookReceiver<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H> std::fmt::Debug for WebhookReceiver<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookReceiver")
    }
}
