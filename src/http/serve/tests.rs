//! Slow and rude peers.

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

struct Server {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
    /// Lets the answer to `/slow` go.
    release: Arc<Notify>,
    /// Told when `/slow` is asked for.
    asked: Arc<Notify>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (release, asked, stop) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
        let (slow_release, slow_asked) = (release.clone(), asked.clone());
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route(
                "/panic",
                get(|| async {
                    if true {
                        panic!("on purpose")
                    }
                }),
            )
            .route(
                "/slow",
                get(move || async move {
                    slow_asked.notify_one();
                    slow_release.notified().await;
                    "done"
                }),
            );
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self { address, stop, running, release, asked }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn send(socket: &mut TcpStream, path: &str) {
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
}

async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _reset = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

fn quick() -> Limits {
    Limits { connections: 2, header: Duration::from_millis(100), drain: Duration::from_millis(300) }
}

#[tokio::test]
async fn a_header_that_does_not_arrive_costs_its_sender_the_connection() {
    let server = Server::start(quick()).await;
    let mut loris = server.connect().await;
    loris.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let answer = read_to_end(&mut loris).await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn who_comes_when_all_connections_are_taken_waits_and_is_served() {
    let server = Server::start(quick()).await;
    let mut lorises = [server.connect().await, server.connect().await];
    for loris in &mut lorises {
        loris.write_all(b"GET / HT").await.unwrap();
    }
    let mut honest = server.connect().await;
    send(&mut honest, "/").await;
    assert!(read_to_end(&mut honest).await.ends_with("here"));
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_stop() {
    let server =
        Server::start(Limits { drain: Duration::from_secs(60), header: Duration::from_secs(60), ..quick() })
            .await;
    let mut loris = server.connect().await;
    loris.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut idle = server.connect().await;
    send(&mut idle, "/").await;
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    let began = Instant::now();
    server.stop.cancel();
    timeout(PATIENCE, server.running).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_being_answered_when_the_server_stops_is_answered() {
    let server = Server::start(Limits { drain: Duration::from_secs(60), ..quick() }).await;
    let mut socket = server.connect().await;
    send(&mut socket, "/slow").await;
    server.asked.notified().await;
    server.stop.cancel();
    let settle = || async {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    };
    settle().await;
    tokio::time::pause();
    tokio::time::advance(LINGER * 5).await;
    tokio::time::resume();
    settle().await;
    assert!(!server.running.is_finished());
    server.release.notify_one();
    assert!(read_to_end(&mut socket).await.ends_with("done"));
    timeout(PATIENCE, server.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up_when_the_time_is_over() {
    let server = Server::start(quick()).await;
    let mut socket = server.connect().await;
    send(&mut socket, "/slow").await;
    server.asked.notified().await;
    server.stop.cancel();
    timeout(PATIENCE, server.running).await.unwrap().unwrap();
    assert_eq!(read_to_end(&mut socket).await, "");
}

#[tokio::test]
async fn a_panic_is_a_500_and_nothing_else() {
    let server = Server::start(quick()).await;
    let mut socket = server.connect().await;
    send(&mut socket, "/panic").await;
    assert!(read_to_end(&mut socket).await.starts_with("HTTP/1.1 500"));
    let mut socket = server.connect().await;
    send(&mut socket, "/").await;
    assert!(read_to_end(&mut socket).await.ends_with("here"));
}
