//! Telegram's deliveries and their answers, and the instance that sets the webhook.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::*;
use crate::clock::Timestamp;
use crate::telegram::incoming::Incoming;
use crate::telegram::ingress::pipeline::{DeadLetterReason, HandleUpdate};
use crate::telegram::stub::{Reply, Stub};

const SECRET: &str = "s3cret-s3cret-s3cret";

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<i64, Vec<Disposition>>>,
    hanging: Mutex<Vec<i64>>,
    panicking: Mutex<Vec<i64>>,
    seen: Mutex<Vec<String>>,
    began: Notify,
    gate: Notify,
}

impl HandleUpdate for Script {
    async fn handle(&self, incoming: &Incoming, _raw: &str) -> Disposition {
        let id = incoming.update_id;
        self.note(format!("begin {id}"));
        self.began.notify_one();
        if self.hanging.lock().unwrap().contains(&id) {
            self.gate.notified().await;
        }
        let panics = self.panicking.lock().unwrap().contains(&id);
        assert!(!panics, "on purpose");
        let scripted = self.answers.lock().unwrap().get_mut(&id).and_then(Vec::pop);
        self.note(format!("end {id}"));
        scripted.unwrap_or(Disposition::Committed)
    }

    async fn dead_letter(&self, update_id: Option<i64>, raw: &str, reason: DeadLetterReason) -> Disposition {
        self.note(format!("dead letter {update_id:?} {} {}", reason.as_str(), raw.len()));
        Disposition::Committed
    }
}

impl Script {
    fn note(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

struct Rig {
    webhook: WebhookReceiver<Arc<Script>>,
    script: Arc<Script>,
    draining: CancellationToken,
}

fn rig() -> Rig {
    let (script, draining) = (Arc::new(Script::default()), CancellationToken::new());
    let intake = Arc::new(Pipeline::new(script.clone()));
    let (secret, previous) = (SecretString::from(SECRET), SecretString::from("previous"));
    let clock = Clock::manual(Timestamp(1_000));
    let webhook =
        WebhookReceiver::new("/{hook}/*x", &secret, Some(&previous), intake, clock, draining.clone());
    Rig { webhook, script, draining }
}

fn update(id: i64, chat: i64) -> String {
    format!(r#"{{"update_id":{id},"message":{{"message_id":{id},"text":"x","chat":{{"id":{chat}}}}}}}"#)
}

fn post(body: impl Into<Body>) -> Request {
    let request = axum::http::Request::post("/{hook}/*x").header(SECRET_HEADER, SECRET);
    request.body(body.into()).unwrap()
}

impl Rig {
    async fn answers(&self, request: Request) -> (u16, Option<String>) {
        let response = self.webhook.router().oneshot(request).await.unwrap();
        let retry_after = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry_after)
    }
}

/// A body that must not be read.
fn untouchable() -> Body {
    Body::from_stream(futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<String, String>>> {
        panic!("the body was read")
    }))
}

/// A body that never ends and never brings a byte.
fn endless() -> Body {
    Body::from_stream(futures_util::stream::pending::<Result<String, String>>())
}

#[tokio::test]
async fn only_telegram_is_let_in_and_the_body_of_others_is_not_read() {
    let rig = rig();
    let with = |secret: Option<&str>| {
        let mut request = post(untouchable());
        request.headers_mut().remove(SECRET_HEADER);
        if let Some(secret) = secret {
            request.headers_mut().insert(SECRET_HEADER, secret.parse().unwrap());
        }
        request
    };
    for secret in
        [None, Some(""), Some("s3cret"), Some("S3CRET-s3cret-s3cret"), Some("s3cret-s3cret-s3cret ")]
    {
        assert_eq!(rig.answers(with(secret)).await.0, 401, "{secret:?}");
    }
    let mut doubled = post(untouchable());
    doubled.headers_mut().append(SECRET_HEADER, "other".parse().unwrap());
    assert_eq!(rig.answers(doubled).await.0, 401);
    let mut elsewhere = post(untouchable());
    *elsewhere.uri_mut() = "/x/y".parse().unwrap();
    assert_eq!(rig.answers(elsewhere).await.0, 404);
    let mut got = post(untouchable());
    *got.method_mut() = Method::GET;
    assert_eq!(rig.answers(got).await.0, 405);
    assert!(rig.script.seen().is_empty());
}

#[tokio::test]
async fn both_secrets_are_good_while_they_are_being_changed() {
    let rig = rig();
    assert_eq!(rig.answers(post(update(1, 7))).await.0, 200);
    let mut former = post(update(2, 7));
    former.headers_mut().insert(SECRET_HEADER, "previous".parse().unwrap());
    assert_eq!(rig.answers(former).await.0, 200);
    assert_eq!(rig.script.seen(), ["begin 1", "end 1", "begin 2", "end 2"]);
}

#[tokio::test]
async fn the_200_comes_after_the_commit_and_is_empty() {
    let rig = rig();
    rig.script.hanging.lock().unwrap().push(1);
    let router = rig.webhook.router();
    let delivery = tokio::spawn(router.oneshot(post(update(1, 7))));
    rig.script.began.notified().await;
    assert!(!delivery.is_finished());
    rig.script.gate.notify_one();
    let response = delivery.await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert!(to_bytes(response.into_body(), 99).await.unwrap().is_empty());
    assert_eq!(rig.webhook.status().borrow().completed_at, Some(Timestamp(1_000)));
}

#[tokio::test]
async fn too_large_a_body_is_refused_announced_or_not() {
    let rig = rig();
    let mut announced = post(untouchable());
    announced.headers_mut().insert(CONTENT_LENGTH, (BODY_BYTES_MAX + 1).into());
    assert_eq!(rig.answers(announced).await.0, 413);
    assert_eq!(rig.answers(post("x".repeat(BODY_BYTES_MAX + 1))).await.0, 413);
    assert!(rig.script.seen().is_empty());
}

#[tokio::test]
async fn what_cannot_be_digested_is_a_dead_letter_and_acknowledged() {
    let rig = rig();
    rig.script.panicking.lock().unwrap().push(3);
    assert_eq!(rig.answers(post("not json")).await.0, 200);
    assert_eq!(rig.answers(post(vec![0xff, 0xfe])).await.0, 200);
    assert_eq!(rig.answers(post(r#"{"update_id":2,"message":{}}"#)).await.0, 200);
    assert_eq!(rig.answers(post(update(3, 7))).await.0, 200);
    let dead_letters: Vec<_> =
        rig.script.seen().into_iter().filter(|what| what.starts_with("dead letter")).collect();
    let length = update(3, 7).len();
    let expected = [
        "dead letter None unreadable 8",
        "dead letter None unreadable 6",
        "dead letter Some(2) unreadable 28",
    ];
    assert_eq!(dead_letters[..3], expected);
    assert_eq!(dead_letters[3], format!("dead letter Some(3) panicked {length}"));
}

#[tokio::test]
async fn without_stores_telegram_is_asked_to_come_later_and_while_draining_soon() {
    let rig = rig();
    rig.script.answers.lock().unwrap().insert(1, vec![Disposition::Retry]);
    assert_eq!(rig.answers(post(update(1, 7))).await, (503, Some("5".into())));
    assert_eq!(rig.webhook.status().borrow().failure, Some(IntakeFailure::Stalled));
    assert_eq!(rig.answers(post(update(1, 7))).await, (200, None));
    assert_eq!(rig.webhook.status().borrow().failure, None);
    rig.draining.cancel();
    assert_eq!(rig.answers(post(untouchable())).await, (503, Some("1".into())));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_ends_at_the_deadline() {
    let rig = rig();
    let began = Instant::now();
    assert_eq!(rig.answers(post(endless())).await, (503, Some("1".into())));
    assert_eq!(began.elapsed(), DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_does_not_come_is_asked_for_again_and_runs_on_once() {
    let rig = rig();
    rig.script.hanging.lock().unwrap().push(1);
    assert_eq!(rig.answers(post(update(1, 7))).await, (503, Some("5".into())));
    let router = rig.webhook.router();
    let again = tokio::spawn(router.oneshot(post(update(1, 7))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.script.gate.notify_one();
    assert_eq!(again.await.unwrap().unwrap().status(), 200);
    assert_eq!(rig.script.seen(), ["begin 1", "end 1"]);
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_is_a_dead_letter_at_the_third_delivery() {
    let rig = rig();
    rig.script.hanging.lock().unwrap().push(1);
    assert_eq!(rig.answers(post(update(1, 7))).await.0, 503);
    assert_eq!(rig.answers(post(update(1, 7))).await.0, 503);
    assert_eq!(rig.answers(post(update(1, 7))).await.0, 200);
    assert!(rig.script.seen().contains(&format!("dead letter Some(1) timed_out {}", update(1, 7).len())));
}

#[tokio::test]
async fn one_chat_keeps_its_order_and_others_pass() {
    let rig = rig();
    rig.script.hanging.lock().unwrap().push(1);
    let router = rig.webhook.router();
    let first = tokio::spawn(router.clone().oneshot(post(update(1, 7))));
    rig.script.began.notified().await;
    let second = tokio::spawn(router.oneshot(post(update(2, 7))));
    assert_eq!(rig.answers(post(update(3, 8))).await.0, 200);
    rig.script.gate.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert_eq!(rig.script.seen(), ["begin 1", "begin 3", "end 3", "end 1", "begin 2", "end 2"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_places_are_taken_telegram_is_asked_to_come_soon() {
    let rig = rig();
    let waiting: Vec<_> =
        (0..AT_ONCE).map(|_| tokio::spawn(rig.webhook.router().oneshot(post(endless())))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.answers(post(untouchable())).await, (503, Some("1".into())));
    for delivery in waiting {
        assert_eq!(delivery.await.unwrap().unwrap().status(), 503);
    }
    assert_eq!(rig.answers(post(update(1, 7))).await.0, 200);
}

struct Record {
    claims: Mutex<Vec<Claim>>,
    seen: Mutex<Vec<String>>,
}

impl WebhookRecord for Arc<Record> {
    async fn claim(&self, _: &Wanted, differs_at: Option<Timestamp>) -> anyhow::Result<Claim> {
        self.seen.lock().unwrap().push(format!("claim {differs_at:?}"));
        self.claims.lock().unwrap().pop().ok_or_else(|| anyhow::anyhow!("away"))
    }

    async fn confirm(&self, wanted: &Wanted) -> anyhow::Result<()> {
        let digest = wanted.secret_sha256();
        self.seen.lock().unwrap().push(format!("confirm {} {}", &digest[..8], digest.len()));
        Ok(())
    }
}

fn record(claims: &[Claim]) -> Arc<Record> {
    Arc::new(Record { claims: Mutex::new(claims.iter().rev().copied().collect()), seen: Mutex::default() })
}

fn told(url: &str, kinds: &str) -> Reply {
    Reply::ok(&format!(r#"{{"url":"{url}","allowed_updates":{kinds},"pending_update_count":2}}"#))
}

const URL: &str = "https://depot.example/hook";
const KINDS: &str = r#"["my_chat_member","message","callback_query","edited_message"]"#;

async fn ensures(replies: &[Reply], claims: &[Claim]) -> (Result<u64, String>, Vec<String>, Vec<String>) {
    let (stub, record) = (Stub::start(replies.to_vec()).await, record(claims));
    let wanted = Wanted { url: URL.into(), secret: SecretString::from(SECRET) };
    let clock = Clock::manual(Timestamp(1_000));
    let ensured = ensure_webhook(&stub.client(), &record, &wanted, &clock).await;
    let calls = stub.calls().into_iter().map(|(method, _)| method).collect();
    let seen = record.seen.lock().unwrap().clone();
    (ensured.map(|state| state.pending).map_err(|error| error.to_string()), calls, seen)
}

#[tokio::test]
async fn telegram_is_told_only_if_something_differs_and_the_claim_is_ours() {
    let (pending, calls, seen) = ensures(&[told(URL, KINDS)], &[Claim::Set]).await;
    assert_eq!((pending, calls, seen), (Ok(2), vec!["getWebhookInfo".into()], vec!["claim None".into()]));

    for odd in [told("", "[]"), told("https://other.example", KINDS), told(URL, r#"["message"]"#)] {
        let (_, calls, seen) = ensures(&[odd, Reply::ok("true")], &[Claim::Mine]).await;
        assert_eq!(calls, ["getWebhookInfo", "setWebhook"]);
        assert_eq!(seen, ["claim Some(1000ms)", "confirm 4a3057fd 64"]);
    }
}

#[tokio::test]
async fn an_address_written_in_another_way_is_the_same() {
    for written in ["https://DEPOT.example:443/hook", "https://depot.example/./hook"] {
        let (_, _, seen) = ensures(&[told(written, KINDS)], &[Claim::Set]).await;
        assert_eq!(seen, ["claim None"], "{written}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_tell_the_kinds_is_told_them_once() {
    let rig = rig();
    let silent = |pending| Reply::ok(&format!(r#"{{"url":"{URL}","pending_update_count":{pending}}}"#));
    let stub = Stub::start([silent(1), Reply::ok("true"), silent(0)]).await;
    let record = record(&[Claim::Mine, Claim::Set]);
    let wanted = Wanted { url: URL.into(), secret: SecretString::from(SECRET) };
    let shutdown = CancellationToken::new();
    let (webhook, client, token) = (rig.webhook.clone(), stub.client(), shutdown.clone());
    let (seen, mut status) = (record.clone(), rig.webhook.status());
    let looking = tokio::spawn(async move { webhook.supervise(client, record, wanted, token).await });
    stub.called(2).await;
    while stub.calls().len() == 2 {
        rig.webhook.0.clock.advance(Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    status.wait_for(|status| status.caught_up).await.unwrap();
    shutdown.cancel();
    looking.await.unwrap();
    let seen = seen.seen.lock().unwrap().clone();
    assert_eq!((seen[0].as_str(), seen[2].as_str()), ("claim Some(1000ms)", "claim None"));
}

#[tokio::test]
async fn a_server_that_cannot_say_what_it_has_is_told_once() {
    for odd in [Reply::error(404, "Not Found"), Reply::Http(500, "", r#"{"message":"not supported"}"#.into())]
    {
        let (ensured, calls, seen) = ensures(&[odd, Reply::ok("true")], &[Claim::Mine]).await;
        assert_eq!((ensured, calls), (Ok(0), vec!["getWebhookInfo".into(), "setWebhook".into()]));
        assert_eq!(seen, ["claim Some(1000ms)", "confirm 4a3057fd 64"]);
    }
    let (ensured, calls, _) = ensures(&[Reply::error(502, "")], &[Claim::Mine]).await;
    assert_eq!((ensured.is_err(), calls.len()), (true, 1), "Telegram is away, which is something else");
}

#[tokio::test]
async fn two_chats_may_share_an_update_id_and_neither_is_lost() {
    let rig = rig();
    rig.script.hanging.lock().unwrap().push(1);
    let (first, second) = (update(1, 7), update(1, 8));
    let first = tokio::spawn(rig.webhook.router().oneshot(post(first)));
    rig.script.began.notified().await;
    let second = tokio::spawn(rig.webhook.router().oneshot(post(second)));
    rig.script.began.notified().await;
    rig.script.gate.notify_waiters();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert_eq!(rig.script.seen(), ["begin 1", "begin 1", "end 1", "end 1"]);
}

#[tokio::test]
async fn while_another_instance_tells_telegram_this_one_waits_and_looks_again() {
    let busy = Claim::Busy { until: Timestamp(900) };
    let (_, calls, _) = ensures(&[told("", "[]"), told(URL, KINDS)], &[busy, Claim::Set]).await;
    assert_eq!(calls, ["getWebhookInfo", "getWebhookInfo"]);
}

#[tokio::test]
async fn a_refusal_is_not_confirmed() {
    let refused = Reply::error(400, "Bad Request: bad webhook: HTTPS url must be provided for webhook");
    let (ensured, _, seen) = ensures(&[told("", "[]"), refused], &[Claim::Mine]).await;
    assert_eq!(ensured, Err("Telegram refuses: 400 Bad Request: bad webhook".into()));
    assert_eq!(seen, ["claim Some(1000ms)"]);
}

#[tokio::test]
async fn looking_after_the_webhook_tells_when_nothing_waits_and_never_deletes_it() {
    let rig = rig();
    let idle = Reply::ok(&format!(r#"{{"url":"{URL}","allowed_updates":{KINDS},"pending_update_count":0}}"#));
    let stub = Stub::start([Reply::error(502, ""), told(URL, KINDS), idle]).await;
    let record = record(&[Claim::Set, Claim::Set]);
    let wanted = Wanted { url: URL.into(), secret: SecretString::from(SECRET) };
    let shutdown = CancellationToken::new();
    let (webhook, client, token) = (rig.webhook.clone(), stub.client(), shutdown.clone());
    let looking = tokio::spawn(async move { webhook.supervise(client, record, wanted, token).await });
    let mut status = rig.webhook.status();
    for looks in 1..3 {
        stub.called(looks).await;
        assert!(!status.borrow().caught_up);
        while stub.calls().len() == looks {
            rig.webhook.0.clock.advance(Duration::from_secs(5));
            tokio::task::yield_now().await;
        }
    }
    status.wait_for(|status| status.caught_up).await.unwrap();
    shutdown.cancel();
    looking.await.unwrap();
    assert!(stub.calls().iter().all(|(method, _)| method == "getWebhookInfo"));
}
