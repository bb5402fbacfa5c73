//! The page over HTTP: its files, actions, and views as server-sent events.
//!
//! Any visitor of the page can do everything here; so a request must be for this address by name (a foreign name that
//! leads here is a rebound one) and, where a browser sends its origin, come from this very page.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::demo::action::{self, ActionError};
use crate::demo::harness::Harness;
use crate::demo::page;
use crate::demo::view::Watcher;

/// The headers of every answer: nothing comes from elsewhere, nothing is kept, nothing is guessed.
const HEADERS: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
/// The largest request with a text in it, in bytes.
const ACTION_BYTES_MAX: usize = 64 * 1024;
/// The largest recording, in bytes.
const VOICE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The largest photo, in bytes.
const PHOTO_BYTES_MAX: usize = 5 * 1024 * 1024;
/// The longest recording, in seconds.
const VOICE_SECONDS_MAX: u32 = 600;

#[derive(Clone, Debug)]
struct Door {
    harness: Arc<Harness>,
    address: SocketAddr,
    stop: CancellationToken,
}

/// The routes of a page that listens on `address`; its streams end with `stop`.
pub(super) fn router(harness: Arc<Harness>, address: SocketAddr, stop: CancellationToken) -> Router {
    let door = Door { harness, address, stop };
    Router::new()
        .route("/events", get(events))
        .route("/action", post(perform).layer(DefaultBodyLimit::max(ACTION_BYTES_MAX)))
        .route("/voice", post(voice).layer(DefaultBodyLimit::max(VOICE_BYTES_MAX)))
        .route("/photo", post(photo).layer(DefaultBodyLimit::max(PHOTO_BYTES_MAX)))
        .route("/file/{file_id}", get(file))
        .fallback(get(shipped))
        .layer(middleware::from_fn_with_state(door.clone(), guard))
        .with_state(door)
}

/// Lets in whom the page is for, and puts the headers on every answer.
async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    let refusal = refusal(door.address.ip(), request.method(), request.headers(), request.uri().path());
    let mut response = match refusal {
        Some((status, why)) => error(status, why),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request is not for this page, if it is not.
fn refusal(
    bound: IpAddr,
    method: &Method,
    headers: &HeaderMap,
    path: &str,
) -> Option<(StatusCode, &'static str)> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !is_ours(host, bound) {
        return Some((StatusCode::MISDIRECTED_REQUEST, "cette page ne répond qu'à sa propre adresse"));
    }
    if method != Method::POST {
        return None;
    }
    if headers.contains_key(header::ORIGIN)
        && text(header::ORIGIN).and_then(|origin| origin.strip_prefix("http://")) != Some(host)
    {
        return Some((StatusCode::FORBIDDEN, "cette demande vient d'une autre page"));
    }
    let wanted = match path {
        "/voice" => "audio/",
        "/photo" => "image/",
        _ => "application/json",
    };
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let is_wanted = kind.starts_with(wanted);
    (!is_wanted).then_some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "ce type de contenu n'est pas attendu ici"))
}

/// Whether a `Host` names this page: by the address it listens on, or as this machine.
fn is_ours(host: &str, bound: IpAddr) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match literal {
        // Where it listens on all addresses any of them is right: only a name can be foreign.
        Ok(address) => address == bound || address.is_loopback() || bound.is_unspecified(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

async fn shipped(uri: Uri) -> Response {
    match page::file(uri.path()) {
        Some(file) => ([(header::CONTENT_TYPE, file.mime_type)], file.bytes).into_response(),
        None => error(StatusCode::NOT_FOUND, "il n'y a rien à cette adresse"),
    }
}

async fn file(State(door): State<Door>, Path(file_id): Path<String>) -> Response {
    match door.harness.telegram.file(&file_id) {
        Some((mime_type, bytes)) => ([(header::CONTENT_TYPE, mime_type)], bytes).into_response(),
        None => error(StatusCode::NOT_FOUND, "ce fichier n'est plus là"),
    }
}

async fn events(State(door): State<Door>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watcher = Watcher::new(door.harness);
    let views = stream::unfold((watcher, door.stop), |(mut watcher, stop)| async move {
        let view = stop.run_until_cancelled(watcher.next()).await?;
        Some((Ok(Event::default().data(view)), (watcher, stop)))
    });
    Sse::new(views).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn perform(State(door): State<Door>, body: Bytes) -> Response {
    done(action::perform(&door.harness, &body).await)
}

#[derive(Debug, Deserialize)]
struct Recorded {
    who: i64,
    seconds: u32,
}

async fn voice(State(door): State<Door>, Query(recorded): Query<Recorded>, body: Bytes) -> Response {
    let seconds = recorded.seconds.clamp(1, VOICE_SECONDS_MAX);
    done(action::sends(recorded.who, &body).map(|persona| {
        door.harness.user(persona).sends_voice(seconds, body.clone());
    }))
}

#[derive(Debug, Deserialize)]
struct Taken {
    who: i64,
}

async fn photo(
    State(door): State<Door>,
    Query(taken): Query<Taken>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !matches!(kind, "image/jpeg" | "image/png") {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "une photo est une image JPEG ou PNG");
    }
    done(action::sends(taken.who, &body).map(|persona| {
        door.harness.user(persona).sends_picture(kind, body.clone());
    }))
}

fn done(outcome: Result<(), ActionError>) -> Response {
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(ActionError::Refused(why)) => error(StatusCode::BAD_REQUEST, &why),
        Err(ActionError::Failed(why)) => error(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

fn error(status: StatusCode, why: &str) -> Response {
    (status, axum::Json(json!({"error": why}))).into_response()
}
