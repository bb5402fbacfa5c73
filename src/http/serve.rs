//! The HTTP server under the webhook, the ops endpoints and the demo: no client can hold it up, neither while it runs nor
//! when it stops.
//!
//! `axum::serve` has no time limit for reading a request's header, and a half-sent one blocks its graceful shutdown
//! (tokio-rs/axum#2741, #3478); so this drives hyper itself.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;
use tower_http::catch_panic::CatchPanicLayer;

/// The bounds on what clients can occupy.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a request's header may take to arrive, and how long a connection may be idle.
    pub header: Duration,
    /// How long requests in flight may take to end when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 256, header: Duration::from_secs(10), drain: Duration::from_secs(9) }
    }
}

/// How long the last response may take to leave a connection on which no request is being handled.
const LINGER: Duration = Duration::from_millis(200);
/// The pause after an error of `accept`, such as no file descriptor left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Serves HTTP/1.1 until `stop`; returns when the last connection is closed.
///
/// From `stop` on no connection is accepted. Idle connections are closed at once, the others after their response, and at
/// the latest after [`Limits::drain`], when their handlers are dropped.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let router = router.layer(CatchPanicLayer::new());
    let (connections, tasks, cut) =
        (Arc::new(Semaphore::new(limits.connections)), TaskTracker::new(), CancellationToken::new());
    while let Some(permit) = stop.run_until_cancelled(connections.clone().acquire_owned()).await {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let Ok((socket, _)) = accepted else {
            sleep(ACCEPT_BACKOFF).await;
            continue;
        };
        let (router, stop, cut) = (router.clone(), stop.clone(), cut.clone());
        tasks.spawn(async move {
            cut.run_until_cancelled(serve_connection(socket, router, limits.header, &stop)).await;
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    if timeout(limits.drain, tasks.wait()).await.is_err() {
        cut.cancel();
        tasks.wait().await;
    }
}

/// One connection, to its end.
async fn serve_connection(socket: TcpStream, router: Router, header: Duration, stop: &CancellationToken) {
    // A response is one small packet, which Nagle's algorithm would hold back until the one before is acknowledged.
    let _unimportant = socket.set_nodelay(true);
    let in_flight = Arc::new(AtomicUsize::new(0));
    let service = service_fn(|request: Request<Incoming>| {
        let mut router = router.clone();
        let guard = InFlight::begin(&in_flight);
        async move {
            let answer = router.call(request.map(Body::new)).await;
            drop(guard);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // A peer that hangs up or breaks the protocol needs no answer.
        _ended = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    loop {
        let ended = timeout(LINGER, connection.as_mut()).await;
        if ended.is_ok() || in_flight.load(Ordering::Acquire) == 0 {
            return;
        }
    }
}

/// Counts a request as in flight until it is dropped.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
