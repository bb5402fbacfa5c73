//! A minimal Bot API server for unit tests: it sends the replies of the test, byte by byte if need be.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::telegram::client::Client;

/// A token that must never turn up in an error or a log.
pub(crate) const TOKEN: &str = "12345:canary-token";

/// The reply to one call.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, further header lines and a body.
    Http(u16, &'static str, String),
    /// These bytes, then the end of the connection.
    Bytes(String),
    /// No reply at all.
    Silence,
}

impl Reply {
    pub(crate) fn ok(result: &str) -> Self {
        Self::Http(200, "", format!("{{\"ok\":true,\"result\":{result}}}"))
    }

    pub(crate) fn error(code: u16, description: &str) -> Self {
        let body = serde_json::json!({"ok": false, "error_code": code, "description": description});
        Self::Http(code, "", body.to_string())
    }
}

/// The server, with the calls that it received as `(method, body)` in order.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) url: String,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    calls: watch::Sender<Vec<(String, String)>>,
}

impl Stub {
    /// Sends the replies in order, then none.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
            calls: watch::Sender::default(),
        };
        let server = stub.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(socket));
            }
        });
        stub
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &SecretString::from(TOKEN)).unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<(String, String)> {
        self.calls.borrow().clone()
    }

    /// Waits until so many calls came.
    pub(crate) async fn called(&self, times: usize) {
        self.calls.subscribe().wait_for(|calls| calls.len() >= times).await.unwrap();
    }

    async fn serve(self, mut socket: TcpStream) {
        let mut buffer = Vec::new();
        while let Some((method, body)) = next_request(&mut socket, &mut buffer).await {
            let reply = self.replies.lock().unwrap().pop_front().unwrap_or(Reply::Silence);
            self.calls.send_modify(|calls| calls.push((method, body)));
            match reply {
                Reply::Http(code, headers, body) => {
                    let length = body.len();
                    let head = format!("HTTP/1.1 {code} X\r\ncontent-length: {length}\r\n{headers}\r\n");
                    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                }
                Reply::Bytes(bytes) => {
                    socket.write_all(bytes.as_bytes()).await.unwrap();
                    return;
                }
                Reply::Silence => std::future::pending().await,
            }
        }
    }
}

async fn next_request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end].to_lowercase();
            let length =
                head.split("content-length: ").nth(1).map_or("0", |rest| rest.lines().next().unwrap());
            let total = end + 4 + length.parse::<usize>().unwrap();
            if buffer.len() >= total {
                let path = text.split(' ').nth(1).unwrap();
                let method = path.strip_prefix(&format!("/bot{TOKEN}/")).unwrap_or(path).to_owned();
                let body = String::from_utf8_lossy(&buffer[end + 4..total]).into_owned();
                buffer.drain(..total);
                return Some((method, body));
            }
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
