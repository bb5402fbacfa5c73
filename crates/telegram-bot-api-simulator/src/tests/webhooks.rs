//! Webhooks: secret, order, retries, expiry.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::Bench;

/// A webhook that answers with the statuses it was given, then 200, and remembers what it got.
#[derive(Clone)]
struct Hook {
    url: String,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    statuses: Arc<Mutex<Vec<(u16, &'static str)>>>,
    /// One permit per delivery that may be answered.
    gate: Arc<Semaphore>,
}

impl Hook {
    async fn start(statuses: &[(u16, &'static str)], open: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let statuses = statuses.iter().rev().copied().collect();
        let gate = Arc::new(Semaphore::new(if open { 10_000 } else { 0 }));
        let hook = Self { url, seen: Arc::default(), statuses: Arc::new(Mutex::new(statuses)), gate };
        let router = Router::new()
            .route("/hook", post(receive))
            .route("/elsewhere", get(|| async { "never called" }))
            .with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        hook
    }

    fn texts(&self) -> Vec<String> {
        let text = |(_, update): &(String, Value)| {
            let said = update["message"]["text"].as_str().or(update["callback_query"]["data"].as_str());
            said.unwrap().to_owned()
        };
        self.seen.lock().unwrap().iter().map(text).collect()
    }
}

async fn receive(
    State(hook): State<Hook>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, [(&'static str, &'static str); 2]) {
    let secret =
        headers.get("x-telegram-bot-api-secret-token").map(|secret| secret.to_str().unwrap().to_owned());
    hook.seen.lock().unwrap().push((secret.unwrap_or_default(), serde_json::from_str(&body).unwrap()));
    hook.gate.acquire().await.unwrap().forget();
    let (status, retry_after) = hook.statuses.lock().unwrap().pop().unwrap_or((200, "0"));
    (StatusCode::from_u16(status).unwrap(), [("retry-after", retry_after), ("location", "/elsewhere")])
}

async fn drained(bench: &Bench) {
    bench.simulator.wait_for("the webhook", |simulator| simulator.pending_updates() == 0).await.unwrap();
}

#[tokio::test]
async fn an_update_is_repeated_with_the_secret_until_2xx() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let hook = Hook::start(&[(500, "0"), (302, "0"), (503, "1"), (204, "0")], true).await;
    bench.call("setWebhook", json!({"url": hook.url, "secret_token": "s-3_cret"})).await.result();
    marie.says("un");
    marie.says("deux");
    drained(&bench).await;
    assert_eq!(hook.texts(), ["un", "un", "un", "un", "deux"], "in order, the head first");
    assert!(hook.seen.lock().unwrap().iter().all(|(secret, _)| secret == "s-3_cret"));
    let info = bench.call("getWebhookInfo", json!({})).await;
    assert_eq!(
        info.result()["last_error_message"],
        "Wrong response from the webhook: 503 Service Unavailable"
    );
    assert_eq!(
        (&info.result()["pending_update_count"], &info.result()["max_connections"]),
        (&json!(0), &json!(40))
    );
}

#[tokio::test]
async fn lanes_run_in_parallel_up_to_max_connections() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let paul = bench.simulator.user(super::UserProfile::new(8, "Paul", "fr"));
    bench.send_card("Oui", "tap").await;
    let hook = Hook::start(&[], false).await;
    bench.call("setWebhook", json!({"url": hook.url, "max_connections": 2})).await.result();
    marie.says("un");
    marie.says("deux");
    marie.taps("Oui").unwrap();
    paul.says("paul");
    // The hook's arrivals ring no bell of the simulator, so calls of our own pass the time.
    while hook.seen.lock().unwrap().len() < 2 {
        bench.call("getMe", json!({})).await.result();
    }
    for _ in 0..20 {
        bench.call("getMe", json!({})).await.result();
    }
    let mut first = hook.texts();
    first.sort();
    assert_eq!(first, ["tap", "un"], "two lanes at once, not two of one lane");
    hook.gate.add_permits(10);
    drained(&bench).await;
    let texts = hook.texts();
    let place = |text: &str| texts.iter().position(|seen| seen == text).unwrap();
    assert!(place("un") < place("deux"));
    assert_eq!(texts.len(), 4);
}

#[tokio::test]
async fn what_nobody_takes_expires_and_frees_its_lane() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.send_card("Oui", "tap").await;
    let hook = Hook::start(&[(500, "3600")], true).await;
    bench.call("setWebhook", json!({"url": hook.url})).await.result();
    marie.taps("Oui").unwrap();
    let failed = |simulator: &super::Simulator| {
        simulator.shared.world().webhook.as_ref().is_some_and(|webhook| webhook.last_error.is_some())
    };
    bench.simulator.wait_for("the failure", failed).await.unwrap();
    bench.clock.advance(Duration::from_secs(150));
    marie.says("plus tard");
    drained(&bench).await;
    assert_eq!(hook.texts(), ["tap", "plus tard"]);
}

#[tokio::test]
async fn held_updates_wait_and_every_nth_comes_twice() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let hook = Hook::start(&[], true).await;
    bench.call("setWebhook", json!({"url": hook.url})).await.result();
    bench.simulator.faults(|faults| {
        faults.clear();
        faults.repeat_every = 2;
        faults.hold_updates = true;
    });
    for text in ["a", "b", "c"] {
        marie.says(text);
    }
    for _ in 0..20 {
        bench.call("getMe", json!({})).await.result();
    }
    assert!(hook.texts().is_empty());
    bench.simulator.faults(|faults| faults.hold_updates = false);
    drained(&bench).await;
    assert_eq!(hook.texts(), ["a", "b", "b", "c"]);
}

#[tokio::test]
async fn what_was_pending_goes_to_a_new_webhook_unless_dropped() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    marie.says("avant");
    let hook = Hook::start(&[], true).await;
    let set = bench.call("setWebhook", json!({"url": hook.url, "drop_pending_updates": true})).await;
    assert_eq!(set.envelope["description"], "Webhook was set");
    assert_eq!(bench.simulator.pending_updates(), 0);
    bench.call("deleteWebhook", json!({})).await.result();
    marie.says("entre");
    bench.call("setWebhook", json!({"url": hook.url})).await.result();
    drained(&bench).await;
    assert_eq!(hook.texts(), ["entre"]);
    assert_eq!(bench.simulator.webhook_url(), Some(hook.url));
}

#[tokio::test]
async fn a_bad_webhook_is_refused() {
    let bench = Bench::start().await;
    let set = |url: &str, secret: String| {
        let parameters = json!({"url": url, "secret_token": secret});
        let bench = &bench;
        async move { bench.call("setWebhook", parameters).await }
    };
    let url = "https://example.invalid/hook";
    set(url, "x".repeat(256)).await.result();
    assert_eq!(set(url, "x".repeat(257)).await.refused(400), "Bad Request: secret token is too long");
    assert!(set(url, "a b".to_owned()).await.refused(400).contains("illegal characters"));
    assert!(set("http://example.invalid/", String::new()).await.refused(400).contains("HTTPS URL"));
    assert_eq!(
        set("nonsense", String::new()).await.refused(400),
        "Bad Request: invalid webhook URL specified"
    );
}
