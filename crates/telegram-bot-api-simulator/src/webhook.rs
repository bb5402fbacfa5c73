//! Webhook delivery: in order within a lane, lanes in parallel, retried until success or expiry.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use tokio::task::JoinSet;

use super::journal::Happened;
use super::queue::Lane;
use super::world::{Shared, World};

/// How long the bot may take to answer (telegram-bot-api `WebhookActor`: 60 s).
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest pause between two attempts.
const LONGEST_PAUSE: u64 = 60;
/// Longest `Retry-After` that is honoured, in seconds (telegram-bot-api `WebhookActor`).
const LONGEST_RETRY_AFTER: u64 = 3600;

/// Where updates go. Its address also distinguishes one webhook from the next.
pub(super) struct Target {
    pub url: String,
    secret: String,
}

/// A set webhook and its lanes.
pub(super) struct Webhook {
    pub target: Arc<Target>,
    pub max_connections: usize,
    /// Unix seconds and text of the last failure.
    pub last_error: Option<(i64, String)>,
    lanes: HashMap<Lane, Waiting>,
    /// Lanes whose head may be sent now.
    ready: VecDeque<Lane>,
    connections: usize,
}

/// The updates of one lane, and how often its head has failed.
#[derive(Default)]
struct Waiting {
    updates: VecDeque<i64>,
    failures: u32,
}

/// One attempt to deliver the head of a lane.
struct Attempt {
    target: Arc<Target>,
    lane: Lane,
    update_id: i64,
    json: Arc<str>,
}

impl Webhook {
    pub(super) fn new(url: String, secret: String, max_connections: usize) -> Self {
        Self {
            target: Arc::new(Target { url, secret }),
            max_connections,
            last_error: None,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            connections: 0,
        }
    }

    /// Appends an update to its lane.
    pub(super) fn add(&mut self, lane: Lane, update_id: i64) {
        let waiting = self.lanes.entry(lane).or_insert_with(|| {
            self.ready.push_back(lane);
            Waiting::default()
        });
        waiting.updates.push_back(update_id);
    }
}

/// The client that calls the bot: no redirects, no proxy, Telegram's patience.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    // A client needs a provider for `https` even if it only ever speaks `http`; another one may be there
    // already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.timeout(PATIENCE).no_proxy().build()
}

/// Sends the updates that are due, for ever; ends when its task is aborted.
pub(super) async fn deliver_for_ever(client: reqwest::Client, shared: Arc<Shared>) {
    let mut attempts = JoinSet::new();
    loop {
        while let Some(attempt) = next_attempt(&mut shared.world()) {
            attempts.spawn(deliver(shared.clone(), client.clone(), attempt));
        }
        tokio::select! {
            () = shared.signals.webhook.notified() => {}
            Some(_) = attempts.join_next() => {}
        }
    }
}

/// The next update that may be sent now, counted as a connection.
fn next_attempt(world: &mut World) -> Option<Attempt> {
    world.queue.purge(world.clock.now());
    if world.faults.hold_updates {
        return None;
    }
    let webhook = world.webhook.as_mut()?;
    while webhook.connections < webhook.max_connections {
        let lane = webhook.ready.pop_front()?;
        let Some(waiting) = webhook.lanes.get_mut(&lane) else { continue };
        while let Some(&update_id) = waiting.updates.front() {
            if let Some(pending) = world.queue.get(update_id) {
                webhook.connections += 1;
                let json = pending.json.clone();
                world.journal.write(world.clock.now(), || Happened::Delivered { update_id });
                return Some(Attempt { target: webhook.target.clone(), lane, update_id, json });
            }
            waiting.updates.pop_front();
            waiting.failures = 0;
        }
        webhook.lanes.remove(&lane);
    }
    None
}

/// One attempt, and after a failure the pause; then the lane is ready again.
async fn deliver(shared: Arc<Shared>, client: reqwest::Client, attempt: Attempt) {
    let outcome = post(&client, &attempt).await;
    let pause = settle(&mut shared.world(), &attempt, outcome);
    shared.signals.activity.notify_waiters();
    if let Some(pause) = pause {
        // The connection is free during the pause, others may send.
        shared.signals.webhook.notify_one();
        let scaled = Duration::try_from_secs_f64(pause.as_secs_f64() * shared.webhook_time_scale);
        tokio::time::sleep(scaled.unwrap_or_default()).await;
    }
    if let Some(webhook) = current(&mut shared.world(), &attempt) {
        webhook.ready.push_back(attempt.lane);
    }
    shared.signals.webhook.notify_one();
}

/// `Ok` for any 2xx; otherwise the failure, and for how long the bot asked to be left alone.
async fn post(client: &reqwest::Client, attempt: &Attempt) -> Result<(), (String, u64)> {
    let mut request = client.post(&attempt.target.url).header(CONTENT_TYPE, "application/json");
    if !attempt.target.secret.is_empty() {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", &attempt.target.secret);
    }
    let answer = request.body(attempt.json.to_string()).send().await;
    let answer = answer.map_err(|error| (format!("Connection failed: {}", error.without_url()), 0))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let asked: u64 = asked.unwrap_or(0).min(LONGEST_RETRY_AFTER);
    Err((format!("Wrong response from the webhook: {status}"), asked))
}

/// Writes the outcome down and frees the connection; after a failure returns the pause before the next
/// attempt.
fn settle(world: &mut World, attempt: &Attempt, outcome: Result<(), (String, u64)>) -> Option<Duration> {
    let now = world.clock.now();
    let update_id = attempt.update_id;
    let webhook = world.webhook.as_mut().filter(|webhook| Arc::ptr_eq(&webhook.target, &attempt.target));
    let mut no_lane = Waiting::default();
    let mut nobody = None;
    let (waiting, last_error) = match webhook {
        Some(webhook) => {
            webhook.connections = webhook.connections.saturating_sub(1);
            (webhook.lanes.entry(attempt.lane).or_default(), &mut webhook.last_error)
        }
        None => (&mut no_lane, &mut nobody),
    };
    match outcome {
        Ok(()) => {
            if world.queue.accept(update_id) {
                waiting.updates.pop_front();
            }
            waiting.failures = 0;
            world.journal.write(now, || Happened::Accepted { update_id });
            None
        }
        Err((why, asked)) => {
            *last_error = Some((now.0 / 1000, why));
            let doubled = 1_u64.checked_shl(waiting.failures.saturating_sub(1)).unwrap_or(LONGEST_PAUSE);
            let pause = if waiting.failures == 0 { 0 } else { doubled.min(LONGEST_PAUSE) };
            waiting.failures = waiting.failures.saturating_add(1);
            Some(Duration::from_secs(pause.max(asked)))
        }
    }
}

/// The webhook that this attempt belongs to, unless another one was set meanwhile.
fn current<'a>(world: &'a mut World, attempt: &Attempt) -> Option<&'a mut Webhook> {
    world.webhook.as_mut().filter(|webhook| Arc::ptr_eq(&webhook.target, &attempt.target))
}
