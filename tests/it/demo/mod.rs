//! The demo as a browser has it: the page, the actions of users, the snapshots; and the shipped scenarios.

mod breaking;
mod door;
mod people;
mod scenarios;

use std::collections::HashMap;

use depot_bot::demo::{self, Demo};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::bot::PATIENCE;

/// A demo, and a browser before it.
struct Page {
    demo: Demo,
    client: Client,
    base: String,
}

impl Page {
    async fn open() -> Self {
        Self::with(&[]).await
    }

    /// The same with these variables in its environment.
    async fn with(variables: &[(&str, &str)]) -> Self {
        let demo = demo::start(&environment(variables)).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let base = format!("http://{}", demo.address);
        Self { demo, client, base }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    async fn post(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = self.client.post(format!("{}{path}", self.base)).header("content-type", kind);
        request.body(body).send().await.unwrap()
    }

    /// Does something that must succeed.
    async fn act(&self, what: Value) {
        let answer = self.post("/action", "application/json", what.to_string()).await;
        let status = answer.status();
        assert_eq!(status, 204, "{what}: {}", answer.text().await.unwrap());
    }

    async fn say(&self, who: i64, text: &str) {
        self.act(json!({"who": who, "say": text})).await;
    }

    /// Presses the newest button with this in its label, once it is there.
    async fn tap(&self, who: i64, label: &str) {
        let view = self.until(&format!("a button {label}"), |view| button(view, who, label).is_some()).await;
        self.act(json!({"who": who, "tap": button(&view, who, label)})).await;
    }

    async fn set(&self, control: &str, on: bool) {
        self.act(json!({"control": control, "on": on})).await;
    }

    /// The current snapshot.
    async fn view(&self) -> Value {
        self.until("anything", |_| true).await
    }

    /// Follows the snapshots until one satisfies the condition.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let followed = async {
            let mut events = self.get("/events").await;
            let mut text = Vec::new();
            loop {
                text.extend(events.chunk().await.unwrap().expect("the stream goes on"));
                while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                    let event: Vec<u8> = text.drain(..end + 2).collect();
                    let Some(view) = event.strip_prefix(b"data: ") else { continue };
                    last = serde_json::from_slice(view).unwrap();
                    if is_so(&last) {
                        return;
                    }
                }
            }
        };
        let came = tokio::time::timeout(PATIENCE, followed).await;
        assert!(came.is_ok(), "{what} never comes: {last:#}");
        last
    }

    /// Waits until a persona sees a message that contains this.
    async fn sees(&self, who: i64, fragment: &str) -> Value {
        self.until(&format!("«{fragment}» for {who}"), |view| shows(view, who, fragment)).await
    }
}

fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
    let ours = [("DEMO_BIND", "127.0.0.1:0")];
    ours.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn person(view: &Value, who: i64) -> &Value {
    view["people"].as_array().unwrap().iter().find(|person| person["id"] == who).unwrap()
}

/// The messages of the bot, newest first.
fn messages(view: &Value, who: i64) -> impl Iterator<Item = &Value> {
    let all = person(view, who)["messages"].as_array().unwrap();
    all.iter().rev().filter(|message| message["mine"] == false)
}

fn shows(view: &Value, who: i64, fragment: &str) -> bool {
    messages(view, who).any(|message| plain(&message["text"]).contains(fragment))
}

fn plain(text: &Value) -> String {
    text.as_str().unwrap().replace(['\u{a0}', '\u{202f}'], " ")
}

/// The data of the newest button whose label contains this.
fn button(view: &Value, who: i64, label: &str) -> Option<Value> {
    messages(view, who).find_map(|message| {
        let rows = message["buttons"].as_array()?.iter();
        let mut buttons = rows.flat_map(|row| row.as_array().unwrap());
        let button = buttons.find(|button| button["text"].as_str().unwrap().contains(label))?;
        Some(json!({"message": message["id"], "data": button["data"]}))
    })
}

/// How many rows of the ledger stand so.
fn held(view: &Value, status: &str) -> usize {
    view["ledger"].as_array().unwrap().iter().filter(|row| row["status"] == status).count()
}
