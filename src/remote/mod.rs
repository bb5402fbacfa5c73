//! One call to a server of the operator's: one deadline, no redirects, an answer of bounded length, and errors that name
//! no address, no key and no word of a user's.

pub mod cache;
pub mod recordings;

use std::fmt;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::Clock;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Where a server is, and how to be let in.
#[derive(Clone, Debug)]
pub struct Server {
    /// The whole address that is posted to.
    pub url: String,
    /// The key that identifies this bot, sent as a bearer token.
    pub key: Option<SecretString>,
    /// Which of its models is to answer.
    pub model: String,
}

impl Server {
    /// Whether it answers, for `depot-bot check`; nothing is sent that has to be paid for.
    ///
    /// # Errors
    /// The reason, without the address and the key.
    pub async fn look(&self, clock: Clock) -> Result<(), String> {
        let remote = Remote::new(self, CONNECT, clock).map_err(|error| error.to_string())?;
        remote.look().await.map_err(|error| error.to_string())
    }
}

/// The way to one server; opens no connection before the first call.
pub(crate) struct Remote {
    http: reqwest::Client,
    url: Url,
    key: Option<SecretString>,
    deadline: Duration,
    clock: Clock,
}

/// Why there is no way to a server at all.
#[derive(Debug, thiserror::Error)]
pub enum RemoteSetupError {
    /// The address is none.
    #[error("the address is not a URL that starts with http:// or https://")]
    Address,
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// The reason why a call brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RemoteError {
    /// No connection, a connection that broke, or a server in trouble of its own: another try may help.
    #[error("the server cannot be reached or is in trouble")]
    Unavailable,
    /// The deadline passed.
    #[error("the server did not answer in time")]
    Slow,
    /// It sends us elsewhere, which is not followed: the key would go there too.
    #[error("the server answers with a redirect, which is not followed: correct the address")]
    Redirected,
    /// It does not let us in, or knows no such address.
    #[error("the server answers with status {0}: check the address and the key")]
    Misdirected(u16),
    /// It takes the call, but not its content.
    #[error("the server refuses what it was sent with status {0}")]
    Refused(u16),
    /// The answer is longer than any that is expected.
    #[error("the answer of the server is too long")]
    TooLong,
}

/// The answer of a server.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    /// Whether the server declares it as plain text.
    pub(crate) is_text: bool,
}

impl Remote {
    pub(crate) fn new(server: &Server, deadline: Duration, clock: Clock) -> Result<Self, RemoteSetupError> {
        let url = Url::parse(&server.url).map_err(|_| RemoteSetupError::Address)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(RemoteSetupError::Address);
        }
        // The first one to install a provider wins; any later one finds the same.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        // A server of one's own stands in one's own network: no proxy between.
        if url.scheme() == "http" {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| RemoteSetupError::Client(error.without_url()))?;
        Ok(Self { http, url, key: server.key.clone(), deadline, clock })
    }

    /// Asks for the address without posting anything, which costs nothing; whether the server answers and lets us in.
    pub(crate) async fn look(&self) -> Result<(), RemoteError> {
        let mut request = self.http.get(self.url.clone());
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let looked = async {
            let response = request.send().await.map_err(|_| RemoteError::Unavailable)?;
            match class_of(response.status()) {
                _ if response.status().is_success() => Ok(()),
                // It is there, and wants to be posted to.
                RemoteError::Misdirected(404 | 405) | RemoteError::Refused(_) => Ok(()),
                error => Err(error),
            }
        };
        tokio::select! {
            biased;
            outcome = looked => outcome,
            () = self.clock.sleep(CONNECT) => Err(RemoteError::Slow),
        }
    }

    /// Posts what `fill` puts into the request, within the deadline, which covers connecting, sending and reading.
    pub(crate) async fn post(
        &self,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder + Send,
    ) -> Result<Answer, RemoteError> {
        let mut request = self.http.post(self.url.clone());
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let request = fill(request);
        tokio::select! {
            biased;
            answer = exchange(request) => answer,
            () = self.clock.sleep(self.deadline) => Err(RemoteError::Slow),
        }
    }
}

async fn exchange(request: RequestBuilder) -> Result<Answer, RemoteError> {
    let mut response = request.send().await.map_err(|_| RemoteError::Unavailable)?;
    let status = response.status();
    if !status.is_success() {
        return Err(class_of(status));
    }
    let is_text = is_text(&response);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| RemoteError::Unavailable)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(RemoteError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { body, is_text })
}

fn is_text(response: &Response) -> bool {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/plain"))
}

fn class_of(status: StatusCode) -> RemoteError {
    match status.as_u16() {
        300..=399 => RemoteError::Redirected,
        408 | 425 | 429 | 500.. => RemoteError::Unavailable,
        code @ (401 | 403 | 404 | 405 | 407) => RemoteError::Misdirected(code),
        code => RemoteError::Refused(code),
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_means_decides_whether_another_try_may_help() {
        let class = |code| class_of(StatusCode::from_u16(code).unwrap());
        assert_eq!(class(302), RemoteError::Redirected);
        for code in [408, 429, 500, 502, 503, 504] {
            assert_eq!(class(code), RemoteError::Unavailable, "{code}");
        }
        assert_eq!(class(401), RemoteError::Misdirected(401));
        assert_eq!(class(404), RemoteError::Misdirected(404));
        assert_eq!(class(400), RemoteError::Refused(400));
        assert_eq!(class(422), RemoteError::Refused(422));
    }
}
