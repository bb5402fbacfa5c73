//! An OpenAI-compatible server of our own, and the bot before it: voice notes are really uploaded, notes are really asked
//! about, and the server can fail in every way.

mod hearing;
mod reading;
mod unheard;
mod unpaid;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::bot::PATIENCE;

/// The keys of the bot at the servers.
pub(crate) const KEY: &str = "canary-key-of-a-server-Hq72";

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Good,
    /// It takes the call, and answers only once it is released.
    Slow,
    Status(u16),
    /// A page in place of an answer.
    Garbage,
    /// Half an answer, and the connection ends.
    Truncated,
    /// It sends the caller to another address, of its own.
    Redirect,
    /// It knows `json` alone, as some models do.
    PlainOnly,
    /// Status 200, and an error in it.
    ErrorWithin,
}

/// One form as it was uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) fields: HashMap<String, String>,
    pub(crate) file_name: String,
    pub(crate) file_type: String,
    pub(crate) file: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) behaviour: Behaviour,
    /// The transcript of every recording.
    pub(crate) heard: Value,
    /// The answer to every note.
    pub(crate) says: Value,
    pub(crate) uploads: Vec<Upload>,
    pub(crate) questions: Vec<(Option<String>, Value)>,
    /// How many callers wait for an answer.
    pub(crate) waiting: usize,
}

/// The server; it ends with its test.
pub(crate) struct Server {
    pub(crate) url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    inside: Mutex<Inside>,
    released: Notify,
    changed: Notify,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let inside = Inside {
            behaviour: Behaviour::Good,
            heard: json!({"text": ""}),
            says: json!({"lines": [], "total_weight_kg": null}),
            uploads: Vec::new(),
            questions: Vec::new(),
            waiting: 0,
        };
        let shared =
            Arc::new(Shared { inside: Mutex::new(inside), released: Notify::new(), changed: Notify::new() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, task }
    }

    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.shared.inside.lock().unwrap()
    }

    pub(crate) fn behaves(&self, behaviour: Behaviour) {
        self.inside().behaviour = behaviour;
    }

    pub(crate) fn hears(&self, text: &str) {
        self.inside().heard = json!({"task": "transcribe", "text": text});
    }

    pub(crate) fn says(&self, lines: &Value) {
        self.inside().says = json!({"lines": lines, "total_weight_kg": null});
    }

    /// Answers all waiting callers.
    pub(crate) fn release(&self) {
        self.inside().behaviour = Behaviour::Good;
        self.shared.released.notify_waiters();
    }

    pub(crate) fn uploads(&self) -> usize {
        self.inside().uploads.len()
    }

    pub(crate) fn questions(&self) -> usize {
        self.inside().questions.len()
    }

    /// Waits until the server has come to be so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Inside) -> bool) {
        let waited = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if is_so(&self.inside()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{what} never comes"));
    }
}

/// A waiting caller, counted as long as the connection lives.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.inside.lock().unwrap().waiting += 1;
        shared.changed.notify_waiters();
        Self(Arc::clone(shared))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.inside.lock().unwrap().waiting -= 1;
        self.0.changed.notify_waiters();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == Method::GET {
        let Behaviour::Status(code) = shared.inside.lock().unwrap().behaviour else {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        };
        return StatusCode::from_u16(code).unwrap().into_response();
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = header("authorization").map(|value| value.replace("Bearer ", ""));
    let path = uri.path().to_owned();
    let is_chat = path.ends_with("/chat/completions");
    let (is_plain, behaviour) = {
        let mut inside = shared.inside.lock().unwrap();
        let is_plain = if is_chat {
            inside.questions.push((key, serde_json::from_slice(&body).unwrap()));
            true
        } else {
            let upload = upload(path, key, &header("content-type").unwrap_or_default(), &body);
            let is_plain = upload.fields.get("response_format").is_some_and(|format| format == "json");
            inside.uploads.push(upload);
            is_plain
        };
        (is_plain, inside.behaviour)
    };
    shared.changed.notify_waiters();
    match behaviour {
        Behaviour::Slow => {
            let _waiting = Waiting::new(&shared);
            shared.released.notified().await;
        }
        Behaviour::Status(code) => return StatusCode::from_u16(code).unwrap().into_response(),
        Behaviour::Garbage => return "<html><body>nginx</body></html>".into_response(),
        Behaviour::Redirect => {
            return (StatusCode::TEMPORARY_REDIRECT, [("location", "/v1/elsewhere")]).into_response();
        }
        Behaviour::PlainOnly if !is_plain => return StatusCode::BAD_REQUEST.into_response(),
        Behaviour::ErrorWithin => return json!({"error": {"message": "no"}}).to_string().into_response(),
        Behaviour::Good | Behaviour::Truncated | Behaviour::PlainOnly => {}
    }
    let text = {
        let inside = shared.inside.lock().unwrap();
        if is_chat { completion(&inside.says) } else { inside.heard.clone() }.to_string()
    };
    if behaviour == Behaviour::Truncated {
        return halved(&text);
    }
    ([("content-type", "application/json")], text).into_response()
}

/// The answer of `/chat/completions`; a text is passed on as it is, be it a deposit or not.
fn completion(says: &Value) -> Value {
    let content = says.as_str().map_or_else(|| says.to_string(), str::to_owned);
    let message = json!({"role": "assistant", "content": content});
    json!({"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
}

/// Announces the whole text, and sends half of it.
fn halved(text: &str) -> Response {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let sent = futures_util::stream::iter([Ok::<_, std::io::Error>(half)]);
    let broken = futures_util::stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    let length = text.len().to_string();
    ([("content-length", length)], Body::from_stream(sent.chain(broken))).into_response()
}

/// Reads a `multipart/form-data` body to its last boundary; anything else fails the test.
fn upload(path: String, key: Option<String>, content_type: &str, body: &[u8]) -> Upload {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("a multipart form");
    let opening = format!("--{}\r\n", boundary.trim_matches('"'));
    let closing = format!("\r\n--{}--", boundary.trim_matches('"'));
    let between = format!("\r\n{opening}");
    let find = |text: &[u8], what: &str| text.windows(what.len()).position(|part| part == what.as_bytes());
    let end = find(body, &closing).expect("the form ends");
    let mut rest = body[..end].strip_prefix(opening.as_bytes()).expect("the form begins");
    let mut upload = Upload {
        path,
        key,
        fields: HashMap::new(),
        file_name: String::new(),
        file_type: String::new(),
        file: Vec::new(),
    };
    loop {
        let (part, after) = match find(rest, &between) {
            Some(at) => (&rest[..at], Some(&rest[at + between.len()..])),
            None => (rest, None),
        };
        let head = find(part, "\r\n\r\n").expect("a part has a head");
        let (head, content) = (std::str::from_utf8(&part[..head]).unwrap(), &part[head + 4..]);
        let quoted = |name: &str| {
            let (_, rest) = head.split_once(&format!("{name}=\""))?;
            Some(rest.split('"').next().unwrap().to_owned())
        };
        let name = quoted("; name").expect("a part has a name");
        match quoted("filename") {
            Some(file_name) => {
                let kind = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-type: ").map(str::to_owned));
                (upload.file_name, upload.file_type) = (file_name, kind.unwrap_or_default());
                upload.file = content.to_vec();
            }
            None => {
                upload.fields.insert(name, String::from_utf8(content.to_vec()).unwrap());
            }
        }
        match after {
            Some(after) => rest = after,
            None => return upload,
        }
    }
}
