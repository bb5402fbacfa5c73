//! The intake against the Bot API simulator: real sockets, true offsets, real redelivery.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bot_api_simulator::{Fault, Options, Rule, Simulator, User, UserProfile};
use deposit::{ChatId, MessageId};
use depot_bot::clock::{Clock, Timestamp};
use depot_bot::http::serve::{Limits, serve};
use depot_bot::telegram::client::{CallError, Client};
use depot_bot::telegram::incoming::{Content, Incoming, IncomingKind};
use depot_bot::telegram::ingress::pipeline::{DeadLetterReason, Disposition, HandleUpdate, Pipeline};
use depot_bot::telegram::ingress::polling::Polling;
use depot_bot::telegram::ingress::status::{IntakeFailure, IntakeStatus};
use depot_bot::telegram::ingress::webhook::{Claim, Wanted, WebhookReceiver, WebhookRecord, ensure_webhook};
use depot_bot::telegram::send_limiter::{Priority, SendError, SendLimiter};
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

/// Notes each update; commits unless it is told to wait or to fail.
#[derive(Default)]
struct Notes {
    taken: Mutex<Vec<String>>,
    more: watch::Sender<usize>,
    holds: AtomicBool,
    away: AtomicBool,
    panics_at: Mutex<Option<String>>,
    release: Notify,
}

impl HandleUpdate for Notes {
    async fn handle(&self, incoming: &Incoming, _raw: &str) -> Disposition {
        let what = match &incoming.kind {
            IncomingKind::Message(message) => match &message.content {
                Content::Text(text) => text.clone(),
                other => format!("{other:?}"),
            },
            IncomingKind::Tap(tap) => format!("tap {}", tap.data.clone().unwrap_or_default()),
            other => format!("{other:?}"),
        };
        if self.holds.load(Ordering::SeqCst) {
            self.note(format!("held {what}"));
            self.release.notified().await;
        }
        let panics = self.panics_at.lock().unwrap().as_ref() == Some(&what);
        assert!(!panics, "on purpose");
        if self.away.load(Ordering::SeqCst) {
            self.note(format!("refused {what}"));
            return Disposition::Retry;
        }
        self.note(what);
        Disposition::Committed
    }

    async fn dead_letter(
        &self,
        _update_id: Option<i64>,
        _raw: &str,
        reason: DeadLetterReason,
    ) -> Disposition {
        self.note(format!("dead letter {}", reason.as_str()));
        Disposition::Committed
    }
}

impl Notes {
    fn note(&self, what: String) {
        self.taken.lock().unwrap().push(what);
        self.more.send_modify(|count| *count += 1);
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until this was noted so many times.
    async fn notes(&self, what: &str, times: usize) {
        let enough = || self.taken().iter().filter(|taken| *taken == what).count() >= times;
        let mut more = self.more.subscribe();
        let noted = timeout(PATIENCE, more.wait_for(|_| enough())).await;
        assert!(noted.is_ok(), "never {times} × {what}: {:?}", self.taken());
    }
}

/// A Telegram and a poller that can be killed and started again.
struct Rig {
    telegram: Simulator,
    notes: Arc<Notes>,
}

struct Poller {
    status: watch::Receiver<IntakeStatus>,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Rig {
    async fn start() -> Self {
        let options = Options { webhook_time_scale: 0.001, ..Options::default() };
        Self { telegram: Simulator::start(options).await.unwrap(), notes: Arc::default() }
    }

    fn client(&self) -> Client {
        Client::new(self.telegram.url(), &SecretString::from(self.telegram.token())).unwrap()
    }

    fn user(&self, id: i64) -> User {
        self.telegram.user(UserProfile::new(id, "Ana", "fr"))
    }

    fn polls(&self) -> Poller {
        let intake = Arc::new(Pipeline::new(self.notes.clone()));
        let polling = Polling::new(Arc::new(self.client()), intake, Clock::system());
        let (status, shutdown) = (polling.status(), CancellationToken::new());
        let token = shutdown.clone();
        let running = tokio::spawn(async move { polling.run(token).await });
        Poller { status, shutdown, running }
    }

    /// Waits until Telegram has nothing left that is not acknowledged.
    async fn is_acknowledged(&self) {
        self.telegram
            .wait_for("all updates confirmed", |telegram| telegram.pending_updates() == 0)
            .await
            .unwrap();
    }
}

impl Poller {
    async fn is(&mut self, trouble: Option<IntakeFailure>) {
        let reached = |status: &IntakeStatus| {
            status.failure == trouble && (trouble.is_some() || status.completed_at.is_some())
        };
        timeout(PATIENCE, self.status.wait_for(reached)).await.unwrap().unwrap();
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_update_that_was_not_committed_when_the_poller_was_killed_comes_again() {
    let rig = Rig::start().await;
    rig.notes.holds.store(true, Ordering::SeqCst);
    let poller = rig.polls();
    rig.user(7).says("deux bouilloires");
    rig.notes.notes("held deux bouilloires", 1).await;
    poller.running.abort();
    assert_eq!(rig.telegram.pending_updates(), 1);

    rig.notes.holds.store(false, Ordering::SeqCst);
    let poller = rig.polls();
    rig.notes.notes("deux bouilloires", 1).await;
    rig.is_acknowledged().await;
    poller.stop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_stores_are_away() {
    let rig = Rig::start().await;
    rig.notes.away.store(true, Ordering::SeqCst);
    let mut poller = rig.polls();
    rig.user(7).says("un vélo");
    poller.is(Some(IntakeFailure::Stalled)).await;
    rig.notes.notes("refused un vélo", 2).await;
    assert_eq!(rig.telegram.pending_updates(), 1);
    rig.notes.away.store(false, Ordering::SeqCst);
    rig.is_acknowledged().await;
    poller.is(None).await;
    poller.stop().await;
}

#[tokio::test]
async fn a_stop_confirms_what_was_committed_and_keeps_the_rest_at_telegram() {
    let rig = Rig::start().await;
    rig.notes.holds.store(true, Ordering::SeqCst);
    let poller = rig.polls();
    rig.user(7).says("un");
    rig.notes.notes("held un", 1).await;
    rig.user(7).says("deux");
    poller.shutdown.cancel();
    rig.notes.holds.store(false, Ordering::SeqCst);
    rig.notes.release.notify_waiters();
    poller.stop().await;
    assert_eq!(rig.telegram.pending_updates(), 1);
    let poller = rig.polls();
    rig.notes.notes("deux", 1).await;
    rig.is_acknowledged().await;
    assert_eq!(rig.notes.taken(), ["held un", "un", "deux"]);
    poller.stop().await;
}

#[tokio::test]
async fn poison_becomes_a_dead_letter_and_all_others_are_served() {
    let rig = Rig::start().await;
    *rig.notes.panics_at.lock().unwrap() = Some("poison".to_owned());
    rig.user(7).says("poison");
    rig.user(7).says("un");
    rig.telegram.inject_raw(&json!({"message": {"text": "no ids"}}));
    rig.telegram.inject_json(r#"{"message":{"text":"no number"}}"#);
    rig.user(8).says("deux");
    let poller = rig.polls();
    rig.is_acknowledged().await;
    let mut taken = rig.notes.taken();
    taken.sort();
    assert_eq!(
        taken,
        ["dead letter panicked", "dead letter unreadable", "dead letter unreadable", "deux", "un"]
    );
    poller.stop().await;
}

#[tokio::test]
async fn every_message_of_many_users_comes_once_and_in_order() {
    let rig = Rig::start().await;
    for round in 0..20 {
        for id in 1..=40 {
            rig.user(id).says(&format!("{id} {round}"));
        }
    }
    let poller = rig.polls();
    rig.is_acknowledged().await;
    poller.stop().await;
    let mut next: HashMap<String, u32> = HashMap::new();
    for text in rig.notes.taken() {
        let (id, round) = text.split_once(' ').unwrap();
        let expected = next.entry(id.to_owned()).or_default();
        assert_eq!(round.parse(), Ok(*expected), "person {id}");
        *expected += 1;
    }
    assert!(next.len() == 40 && next.values().all(|rounds| *rounds == 20));
}

#[tokio::test]
async fn answers_that_fail_or_break_off_lose_nothing() {
    let rig = Rig::start().await;
    let faults = [Fault::BadGateway, Fault::TruncatedBody, Fault::TooManyRequests { retry_after: 1 }];
    for fault in faults {
        rig.telegram.faults(|faults| faults.add(Rule::next(1, fault).on("getUpdates")));
    }
    rig.user(7).says("une table");
    let poller = rig.polls();
    rig.is_acknowledged().await;
    assert_eq!(rig.notes.taken(), ["une table"]);
    poller.stop().await;
}

#[tokio::test]
async fn two_pollers_quarrel_and_both_say_so_and_go_on() {
    let rig = Rig::start().await;
    let mut first = rig.polls();
    first.is(None).await;
    let second = rig.polls();
    first.is(Some(IntakeFailure::OtherPoller)).await;
    second.stop().await;
    rig.user(7).says("une lampe");
    rig.notes.notes("une lampe", 1).await;
    first.is(None).await;
    first.stop().await;
}

#[tokio::test]
async fn a_webhook_in_the_way_is_named_and_left_alone() {
    let rig = Rig::start().await;
    let (client, secret) = (rig.client(), SecretString::from("secret"));
    let wanted = Wanted { url: "https://example.invalid/hook".to_owned(), secret };
    ensure_webhook(&client, &Mine, &wanted, &Clock::system()).await.unwrap();
    let mut poller = rig.polls();
    poller.is(Some(IntakeFailure::WebhookSet)).await;
    assert!(rig.telegram.webhook_url().is_some());
    client.delete_webhook().await.unwrap();
    rig.user(7).says("un livre");
    rig.notes.notes("un livre", 1).await;
    poller.stop().await;
}

/// A record of a single instance.
struct Mine;

impl WebhookRecord for Mine {
    async fn claim(&self, _: &Wanted, differs_at: Option<Timestamp>) -> anyhow::Result<Claim> {
        Ok(if differs_at.is_some() { Claim::Mine } else { Claim::Set })
    }

    async fn confirm(&self, _: &Wanted) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A webhook of the bot, set at Telegram.
struct Hook {
    webhook: WebhookReceiver<Arc<Notes>>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Rig {
    async fn hooks(&self) -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let secret = SecretString::from("secret-secret-secret");
        let (intake, stop) = (Arc::new(Pipeline::new(self.notes.clone())), CancellationToken::new());
        let webhook = WebhookReceiver::new("/hook", &secret, None, intake, Clock::system(), stop.clone());
        let running = tokio::spawn(serve(listener, webhook.router(), Limits::default(), stop.clone()));
        let wanted = Wanted { url, secret };
        ensure_webhook(&self.client(), &Mine, &wanted, &Clock::system()).await.unwrap();
        Hook { webhook, stop, running }
    }
}

#[tokio::test]
async fn a_delivery_is_acknowledged_after_its_commit_and_repeated_until_then() {
    let rig = Rig::start().await;
    let hook = rig.hooks().await;
    rig.notes.away.store(true, Ordering::SeqCst);
    rig.user(7).says("une commode");
    rig.notes.notes("refused une commode", 1).await;
    assert_eq!(rig.telegram.pending_updates(), 1);
    assert_eq!(hook.webhook.status().borrow().failure, Some(IntakeFailure::Stalled));
    rig.notes.away.store(false, Ordering::SeqCst);
    rig.is_acknowledged().await;
    assert_eq!(rig.notes.taken().last().map(String::as_str), Some("une commode"));
    hook.stop.cancel();
    timeout(PATIENCE, hook.running).await.unwrap().unwrap();
    assert!(rig.telegram.webhook_url().is_some(), "a stop never deletes the webhook");
}

#[tokio::test]
async fn deliveries_of_one_chat_come_in_order_and_poison_does_not_block_it() {
    let rig = Rig::start().await;
    *rig.notes.panics_at.lock().unwrap() = Some("poison".to_owned());
    let hook = rig.hooks().await;
    for text in ["un", "poison", "deux", "trois"] {
        rig.user(7).says(text);
    }
    rig.is_acknowledged().await;
    assert_eq!(rig.notes.taken(), ["un", "dead letter panicked", "deux", "trois"]);
    hook.stop.cancel();
}

#[tokio::test]
async fn each_refusal_of_telegram_has_its_class() {
    let rig = Rig::start().await;
    let (client, user) = (rig.client(), rig.user(7));
    let chat = ChatId(7);
    let stranger = client.send_message(ChatId(8), "x", vec![], None).await;
    assert!(matches!(stranger, Err(CallError::Rejected { code: 400, .. })), "{stranger:?}");
    user.says("bonjour");
    let message = client.send_message(chat, "x", vec![], None).await.unwrap();
    let unchanged = client.edit_message_text(chat, message, "x", vec![], None).await;
    assert_eq!(unchanged, Err(CallError::NotModified));
    let gone = client.edit_message_text(chat, MessageId(message.0 + 99), "y", vec![], None).await;
    assert_eq!(gone, Err(CallError::MessageGone));
    assert_eq!(client.answer_callback("404", None, false).await, Err(CallError::QueryTooOld));
    user.blocks();
    assert_eq!(client.send_message(chat, "x", vec![], None).await, Err(CallError::Blocked));
    let wrong = Client::new(rig.telegram.url(), &SecretString::from("1:wrong")).unwrap();
    assert_eq!(wrong.get_me().await, Err(CallError::Unauthorized));
    assert!(client.get_me().await.unwrap().server_time.is_some());
    for (fault, class) in [
        (Fault::ServerError, CallError::Server { status: 500 }),
        (Fault::BadGateway, CallError::Server { status: 502 }),
        (Fault::DropBefore, CallError::Unknown),
        (Fault::DropAfter, CallError::Unknown),
        (Fault::TruncatedBody, CallError::Unknown),
    ] {
        rig.telegram.faults(|faults| faults.add(Rule::next(1, fault).on("getMe")));
        assert_eq!(client.get_me().await, Err(class), "{fault:?}");
    }
}

#[tokio::test]
async fn a_429_pauses_the_send_limiter_of_its_chat() {
    let rig = Rig::start().await;
    let clock = Clock::manual(Timestamp(1_000));
    let (client, limiter) = (rig.client(), SendLimiter::new(clock.clone()));
    for id in [7, 8] {
        rig.user(id).says("bonjour");
    }
    let rule = Rule::next(1, Fault::TooManyRequests { retry_after: 9 }).on("sendMessage").in_chat(7);
    rig.telegram.faults(|faults| faults.add(rule));
    let send = |id| {
        let call = client.send_message(ChatId(id), "x", vec![], None);
        limiter.send(ChatId(id), Priority::Reply, call)
    };
    let paused = Err(SendError::PausedUntil(Timestamp(10_000)));
    assert_eq!(send(7).await, paused);
    assert_eq!(send(7).await, paused);
    assert!(send(8).await.is_ok());
    assert_eq!(rig.telegram.calls("sendMessage"), 2, "what is paused is not even sent");
    clock.advance(Duration::from_secs(9));
    assert!(send(7).await.is_ok());
}
