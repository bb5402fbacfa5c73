//! Connections that hold on and say nothing: F68.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bot_api_simulator::UserProfile;
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::faults::deposits;
use crate::process::{Process, get, listed, telegram, variables};

/// On each port; there is room for 256, and the kernel keeps some more waiting.
const EACH: usize = 60;

/// Idle, half a header, and half a body.
async fn crowd(address: SocketAddr) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for beginning in [
        "",
        "POST /telegram HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "POST /telegram HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"update_id\":",
    ] {
        for _ in 0..EACH {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(beginning.as_bytes()).await.unwrap();
            crowd.push(connection);
        }
    }
    crowd
}

/// F68: slow, half-open and idle connections on both ports, with the secret or without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f68_connections_that_hold_on_disturb_neither_commits_nor_the_stop() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let webhook = crate::servers::free_address();
    let mut variables = variables(&telegram, folder.path());
    for (name, value) in [
        ("TELEGRAM_WEBHOOK_URL", format!("http://{webhook}/telegram")),
        ("TELEGRAM_WEBHOOK_SECRET", "a_secret_of_the_crowd".to_owned()),
        ("WEBHOOK_BIND", webhook.to_string()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    deposits(&user).await;
    let (on_webhook, on_ops_server) = tokio::join!(crowd(webhook), crowd(bot.http.parse().unwrap()));
    for _ in 0..5 {
        deposits(&user).await;
        assert_eq!(get(&bot.http, "/health/live").await.0, 200);
    }
    let told = Instant::now();
    bot.signal(Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.lines.join("\n"));
    assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
    assert_eq!(on_webhook.len() + on_ops_server.len(), 6 * EACH);
    assert_eq!(listed(&variables).await.get("completed"), Some(&6));
}
