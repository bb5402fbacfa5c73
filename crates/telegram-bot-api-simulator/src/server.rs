//! The HTTP side. On hyper itself rather than an axum router, because a fault must be able to close a
//! connection without an answer, and only a hyper service can refuse to give one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures_util::stream::{self, StreamExt};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::fmt::rfc2822;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::{Answer, Refusal};
use super::faults::Fault;
use super::journal::Happened;
use super::method::Method;
use super::methods;
use super::parameters::{Parameters, unescaped};
use super::polling;
use super::world::Shared;

/// Connections served at once; more wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 8192;
/// Largest body of a call (Bot API: files of up to 50 MB are uploaded).
const LARGEST_BODY: usize = 51 << 20;

/// Closes the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
struct Dropped;

/// Accepts and serves, for ever; ends with all its connections when its task is aborted.
pub(super) async fn serve_for_ever(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, shared.clone()));
                }
                // Out of file descriptors, for instance: do not spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| dated(&shared, request));
    // A client that goes away, and a connection dropped on purpose, are no errors of ours.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An answer carries the time at Telegram, by the simulator's clock.
async fn dated(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let mut response = answer(shared, request).await?;
    let now = jiff::Timestamp::from_millisecond(shared.world().clock.now().0).unwrap_or_default();
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok();
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let (head, body) = request.into_parts();
    // teloxide escapes the slash in a file's path, other clients the colon in the token.
    let path = unescaped(head.uri.path());
    if let Some(rest) = path.strip_prefix("/file/bot") {
        return Ok(download(shared, rest));
    }
    let Some((token, name)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return Ok(refused(&Refusal::new(404, "Not Found")));
    };
    if token != shared.token {
        return Ok(refused(&Refusal::new(401, "Unauthorized")));
    }
    let method = Method::parse(name).unwrap_or(Method::Unknown);
    let Ok(body) = to_bytes(Body::new(body), LARGEST_BODY).await else {
        return Ok(refused(&Refusal::new(413, "Request Entity Too Large")));
    };
    let content_type =
        head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match Parameters::read(head.uri.query(), content_type, &body) {
        Ok(parameters) => call(shared, method, &parameters).await,
        Err(refusal) => Ok(refused(&refusal)),
    }
}

/// One call under the faults of the hour.
async fn call(shared: &Shared, method: Method, parameters: &Parameters) -> Result<Response<Body>, Dropped> {
    let chat = parameters.integer("chat_id");
    let (delay, fault) = shared.world().strike(method, chat);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let applied = fault.is_none_or(Fault::lets_the_call_through);
    let outcome = match (applied, method) {
        (false, _) => None,
        (true, Method::GetUpdates) => Some(polling::get_updates(shared, parameters).await),
        (true, method) => Some(methods::call(&mut shared.world(), method, parameters)),
    };
    let (response, code) = under(fault, outcome.as_ref());
    let message_id = outcome.and_then(Result::ok).and_then(|reply| reply.message_id);
    {
        let mut world = shared.world();
        let now = world.clock.now();
        world.journal.count(method, code);
        let called = || Happened::Call { method: method.name(), chat, message_id, code, applied };
        world.journal.write(now, called);
    }
    shared.signals.activity.notify_waiters();
    response
}

/// The response to a call with this outcome (none if the fault kept it from happening), and its code; 0: no
/// response.
fn under(fault: Option<Fault>, outcome: Option<&Answer>) -> (Result<Response<Body>, Dropped>, u16) {
    let refusal = match fault {
        Some(Fault::DropBefore | Fault::DropAfter) => return (Err(Dropped), 0),
        Some(Fault::BadGateway) => return (Ok(page(StatusCode::BAD_GATEWAY)), 502),
        Some(Fault::Unavailable) => return (Ok(page(StatusCode::SERVICE_UNAVAILABLE)), 503),
        Some(Fault::GatewayTimeout) => return (Ok(page(StatusCode::GATEWAY_TIMEOUT)), 504),
        Some(Fault::EmptyBody) => return (Ok(Response::new(Body::empty())), 200),
        Some(Fault::TooManyRequests { retry_after }) => Refusal::too_many_requests(retry_after),
        Some(Fault::BadRequest(description)) => Refusal::bad_request(description),
        Some(Fault::ServerError) => Refusal::new(500, "Internal Server Error"),
        Some(Fault::TruncatedBody | Fault::Delay(_)) | None => match outcome {
            Some(Ok(reply)) if fault == Some(Fault::TruncatedBody) => {
                return (Ok(truncated(reply.envelope())), 200);
            }
            Some(Ok(reply)) => return (Ok(response(StatusCode::OK, reply.envelope())), 200),
            Some(Err(refusal)) => refusal.clone(),
            None => Refusal::new(500, "Internal Server Error"),
        },
    };
    (Ok(refused(&refusal)), refusal.code)
}

fn download(shared: &Shared, rest: &str) -> Response<Body> {
    let Some((token, path)) = rest.split_once('/') else { return refused(&Refusal::new(404, "Not Found")) };
    if token != shared.token {
        return refused(&Refusal::new(401, "Unauthorized"));
    }
    match shared.world().files.at_path(path) {
        Some(file) => {
            let mut response = Response::new(Body::from(file.bytes));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            response
        }
        None => refused(&Refusal::new(404, "Not Found")),
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, refusal.envelope())
}

fn response(status: StatusCode, json: String) -> Response<Body> {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The page that a proxy in front of Telegram answers with.
fn page(status: StatusCode) -> Response<Body> {
    let page =
        format!("<html><head><title>{status}</title></head><body><center>nginx</center></body></html>");
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Announces the whole body, sends half of it, closes.
fn truncated(json: String) -> Response<Body> {
    let length = json.len();
    let half = Bytes::from(json).slice(..length / 2);
    let sent = stream::iter([Ok::<_, io::Error>(half)]);
    // The yield lets hyper flush the half before it learns that there is no more.
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    let mut response = Response::new(Body::from_stream(sent.chain(broken)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
