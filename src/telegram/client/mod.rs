//! The client of the Bot API: each call has a deadline and ends in a response or in a [`CallError`].
//!
//! The payloads are teloxide's, the transport is our own: teloxide's client sleeps 10 s inside a call on every 5xx, and its
//! strict types reject the responses of other Bot API servers.

mod download;
mod error;
mod methods;
mod responses;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method as Verb, Request, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

pub use crate::telegram::client::error::{CallError, Conflict};
pub use crate::telegram::client::methods::WebhookSetting;
pub use crate::telegram::client::responses::{Batch, Me, StoredFile, WebhookState};

use crate::clock::Timestamp;
use crate::telegram::client::methods::Method;
use crate::telegram::lenient::Object;

/// The deadline of a call unless the caller sets another: it ends before the lease of its effect.
pub const DEADLINE: Duration = Duration::from_secs(10);

const CONNECT: Duration = Duration::from_secs(3);
/// Below the usual limits of servers (nginx: 60 to 75 s), so that the client closes idle connections first.
const IDLE: Duration = Duration::from_secs(45);
const IDLE_CONNECTIONS: usize = 64;
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// The client of one bot at one Bot API server; clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Transport>);

struct Transport {
    http: reqwest::Client,
    /// `https://api.telegram.org/bot<token>/`.
    base: SecretString,
    /// The address of each method that was called, parsed once.
    addresses: RwLock<HashMap<&'static str, Url>>,
}

/// Why no client could be made; never with the token.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the Bot API server is invalid.
    #[error("the address of the Bot API server is not a URL that starts with http:// or https://")]
    Address,
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
}

/// A response before it is read.
struct RawResponse {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Client {
    /// A client of the Bot API server at `api_url`, usually `https://api.telegram.org`. Opens no connection yet.
    ///
    /// # Errors
    /// [`ClientError`] if the address is invalid, or the HTTP client cannot be set up.
    pub fn new(api_url: &str, token: &SecretString) -> Result<Self, ClientError> {
        let base = format!("{}/bot{}/", api_url.trim_end_matches('/'), token.expose_secret());
        let address = Url::parse(&base).map_err(|_| ClientError::Address)?;
        if !matches!(address.scheme(), "http" | "https") || address.host_str().is_none() {
            return Err(ClientError::Address);
        }
        // The first call installs the provider; later ones fail and find the same one installed.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        // A self-hosted Bot API server is in the local network: no proxy.
        if address.scheme() == "http" {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| ClientError::Setup(error.without_url()))?;
        Ok(Self(Arc::new(Transport { http, base: base.into(), addresses: RwLock::default() })))
    }

    /// Calls a method within [`DEADLINE`].
    ///
    /// # Errors
    /// [`CallError`]; each class documents whether Telegram may have applied the call. If the future is dropped, the outcome
    /// is unknown.
    pub(crate) async fn call<M: Method>(&self, method: &M) -> Result<M::Response, CallError> {
        self.call_within(DEADLINE, method).await
    }

    /// Calls a method within `deadline`, which covers connecting, sending and reading.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn call_within<M: Method>(
        &self,
        deadline: Duration,
        method: &M,
    ) -> Result<M::Response, CallError> {
        let reply = self.post(M::NAME, method, deadline, RESPONSE_BYTES_MAX).await?;
        M::read(&reply.answer()?).ok_or(CallError::Unknown)
    }

    /// Sends a call and returns the response if it is a success; counts both outcomes.
    async fn post(
        &self,
        name: &'static str,
        payload: &(impl Serialize + Sync),
        deadline: Duration,
        bytes_max: usize,
    ) -> Result<RawResponse, CallError> {
        let began = Instant::now();
        let span = tracing::debug_span!("call", method = name, code = Empty, ms = Empty);
        let exchange = self.exchange(name, payload, bytes_max).instrument(span.clone());
        let outcome = match tokio::time::timeout(deadline, exchange).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(CallError::Unknown),
        };
        let outcome = outcome.and_then(RawResponse::successful);
        let code = outcome.as_ref().map_or_else(CallError::code, |_| "200");
        metrics::counter!("depot_telegram_calls_total", "method" => name, "code" => code).increment(1);
        metrics::histogram!("depot_telegram_seconds", "method" => name).record(began.elapsed());
        span.record("code", code).record("ms", crate::telemetry::milliseconds(began.elapsed()));
        span.in_scope(|| tracing::trace!("called"));
        outcome
    }

    async fn exchange(
        &self,
        name: &'static str,
        payload: &(impl Serialize + Sync),
        bytes_max: usize,
    ) -> Result<RawResponse, CallError> {
        // Neither fails for the payloads of this crate; if one did, nothing was sent.
        let body = serde_json::to_vec(payload).map_err(|_| CallError::NotSent)?;
        let mut request = Request::new(Verb::POST, self.address(name).ok_or(CallError::NotSent)?);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        let sending = self.0.http.execute(request);
        #[cfg(feature = "failpoints")]
        let sending = crate::failpoint::during("request_written", sending);
        let mut response = sending.await.map_err(|error| class_of(&error))?;
        crate::failpoint!("response_unread");
        let mut body = Vec::with_capacity(512);
        while let Some(chunk) = response.chunk().await.map_err(|_| CallError::Unknown)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(CallError::Unknown);
            }
            body.extend_from_slice(&chunk);
        }
        crate::failpoint!("response_read");
        let body =
            String::from_utf8(body).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        let headers = std::mem::take(response.headers_mut());
        Ok(RawResponse { status: response.status().as_u16(), headers, body })
    }

    fn address(&self, name: &'static str) -> Option<Url> {
        let known = self.0.addresses.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.or_else(|| {
            let address = Url::parse(&format!("{}{name}", self.0.base.expose_secret())).ok()?;
            let mut known = self.0.addresses.write().unwrap_or_else(PoisonError::into_inner);
            Some(known.entry(name).or_insert(address).clone())
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl RawResponse {
    fn successful(self) -> Result<Self, CallError> {
        // The usual start of a success; every other body is parsed.
        if self.status == 200 && self.body.starts_with("{\"ok\":true") {
            return Ok(self);
        }
        let says_ok = || Object::read(&self.body).is_some_and(|answer| answer.flag("ok"));
        if (200..300).contains(&self.status) && says_ok() {
            return Ok(self);
        }
        let seconds =
            self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(CallError::of(self.status, seconds, &self.body))
    }

    fn answer(&self) -> Result<Object<'_>, CallError> {
        Object::read(&self.body).ok_or(CallError::Unknown)
    }

    /// The time of the server, to the second.
    fn date(&self) -> Option<Timestamp> {
        let date = self.headers.get(DATE)?.to_str().ok()?;
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
        Some(Timestamp::from_seconds(date.as_second()))
    }
}

/// Whether an error of the transport came before or after the first byte went out.
fn class_of(error: &reqwest::Error) -> CallError {
    if error.is_connect() || error.is_builder() { CallError::NotSent } else { CallError::Unknown }
}

#[cfg(test)]
mod tests;
