//! Chromium, driven over the W3C `WebDriver` protocol: JSON over HTTP, so the client is a few calls of
//! `reqwest`.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::servers::find;

/// How long anything may take that a page does: the machine may be busy with the other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How `WebDriver` names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// One browser at a time: a second one makes both slow, and none of these tests is quicker for it.
static TURN: Mutex<()> = Mutex::const_new(());

/// Starts the driver in a process group of its own, with the browser that it starts; the pipe's end ends them all.
const GUARD: &str = r#"
trap '' INT TERM HUP
folder=$1; shift
HOME=$folder TMPDIR=$folder setsid "$@" 2>"$folder/log" &
read -r _
kill -s KILL -- -$!
wait $! 2>/dev/null
rm -rf "$folder"
"#;

/// The result of a call to the driver: its value, or the name of the error.
type Answer = Result<Value, String>;

/// A browser with one window; it ends with this.
pub(super) struct Browser {
    http: Client,
    session: String,
    pipe: Option<ChildStdin>,
    guard: Child,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Waits for its turn and starts Chromium, in French and with a microphone that hums.
    pub(super) async fn start() -> Self {
        let turn = TURN.lock().await;
        let folder = tempfile::tempdir().unwrap().keep();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .arg(find("chromedriver", &[]))
            .arg("--port=0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = guard.stdin.take();
        let stdout = tokio::process::ChildStdout::from_std(guard.stdout.take().unwrap()).unwrap();
        let port = port(stdout).await;
        let http = Client::builder().no_proxy().timeout(PATIENCE * 2).build().unwrap();
        let mut browser = Self { http, session: String::new(), pipe, guard, _turn: turn };
        let root = format!("http://127.0.0.1:{port}/session");
        let options = json!({"binary": find("chromium", &[]), "args": [
            "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio", "--lang=fr",
            "--window-size=1440,900", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required",
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        ]});
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"script": PATIENCE.as_millis() as u64, "pageLoad": PATIENCE.as_millis() as u64},
        }}});
        let begun = browser.call(Method::POST, &root, &wanted).await.expect("Chromium starts");
        browser.session = format!("{root}/{}", begun["sessionId"].as_str().unwrap());
        browser
    }

    async fn call(&self, method: Method, url: &str, body: &Value) -> Answer {
        let request = self.http.request(method.clone(), url);
        let request = if method == Method::POST { request.json(body) } else { request };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, &format!("{}/{path}", self.session), &body).await
    }

    /// Opens an address.
    pub(super) async fn open(&self, url: &str) {
        self.post("url", json!({"url": url})).await.unwrap();
    }

    /// The result of a function with this body in the page.
    pub(super) async fn run(&self, body: &str, arguments: &[Value]) -> Value {
        let run = self.post("execute/sync", json!({"script": body, "args": arguments})).await;
        run.unwrap_or_else(|error| panic!("{body}\n{error}"))
    }

    /// The value of an asynchronous body, which calls its last argument.
    pub(super) async fn run_async(&self, body: &str) -> Value {
        let run = self.post("execute/async", json!({"script": body, "args": []})).await;
        run.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits in the page until the expression is true, and gives its value.
    pub(super) async fn until(&self, expression: &str, arguments: &[Value]) -> Value {
        const WAIT: &str = "const done = arguments[arguments.length - 1];
            const look = () => { const found = WANTED; if (found) done(found); else setTimeout(look, 20); };
            look();";
        let script = WAIT.replace("WANTED", expression);
        match self.post("execute/async", json!({"script": script, "args": arguments})).await {
            Ok(value) => value,
            Err(error) => {
                self.picture("failed").await;
                let page = self.run("return document.body.innerText", &[]).await;
                panic!(
                    "{expression} {arguments:?} never holds ({error}); see target/browser/failed.png\n{}",
                    page.as_str().unwrap_or_default()
                )
            }
        }
    }

    /// Waits for an element and clicks it as a user would: waits while it is covered or being replaced.
    pub(super) async fn click(&self, expression: &str, arguments: &[Value]) {
        let clicked = timeout(PATIENCE, async {
            loop {
                let element = self.until(expression, arguments).await;
                let id = element[ELEMENT].as_str().unwrap().to_owned();
                match self.post(&format!("element/{id}/click"), json!({})).await {
                    Ok(_) => return,
                    Err(error) if is_passing(&error) => {}
                    Err(error) => panic!("{expression} {arguments:?}: {error}"),
                }
            }
        });
        clicked.await.unwrap_or_else(|_| panic!("{expression} {arguments:?} cannot be clicked"));
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(super) async fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| [("keyDown", key), ("keyUp", key)]);
        self.strokes(strokes.collect()).await;
    }

    /// Presses a key while others are held.
    pub(super) async fn chord(&self, held: &str, key: &str) {
        let down = held.chars().chain(key.chars()).map(|key| ("keyDown", key));
        let up = key.chars().chain(held.chars()).map(|key| ("keyUp", key));
        self.strokes(down.chain(up).collect()).await;
    }

    async fn strokes(&self, strokes: Vec<(&str, char)>) {
        let strokes: Vec<Value> =
            strokes.iter().map(|(kind, key)| json!({"type": kind, "value": key.to_string()})).collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.post("actions", actions).await.unwrap();
    }

    /// A command of Chromium's own protocol.
    pub(super) async fn chromium(&self, command: &str, parameters: Value) {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await.unwrap();
    }

    /// The log of the browser since the last call: `browser` is the console, `performance` the network.
    pub(super) async fn log(&self, kind: &str) -> Vec<Value> {
        self.post("se/log", json!({"type": kind})).await.unwrap().as_array().unwrap().clone()
    }

    /// Writes a screenshot to `target/browser/<name>.png`.
    pub(super) async fn picture(&self, name: &str) {
        let path = format!("{}/screenshot", self.session);
        let Ok(picture) = self.call(Method::GET, &path, &Value::Null).await else { return };
        let folder = super::folder();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join(format!("{name}.png")),
            BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap(),
        )
        .unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ended = self.guard.wait();
    }
}

/// Errors of a page that is just being changed.
fn is_passing(error: &str) -> bool {
    ["stale element", "element click intercepted", "element not interactable"]
        .iter()
        .any(|name| error.starts_with(name))
}

/// The port that the driver says it has taken; it is read on to its end, so that it can go on talking.
async fn port(stdout: tokio::process::ChildStdout) -> u16 {
    let mut lines = BufReader::new(stdout).lines();
    let said = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                return port.trim_end_matches('.').parse().unwrap();
            }
        }
        panic!("chromedriver ended at once")
    });
    let port = said.await.expect("chromedriver starts");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    port
}
