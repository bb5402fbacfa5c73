//! Telegram's side of the Bot API with its real limits, and users who talk to a bot: for tests and demos.
//!
//! `README.md` shows how to use it, and `examples/counter.rs` a whole bot that is tested with it. It listens on the
//! loopback only.
//!
//! ```text
//! bot ──HTTP──▶ server ─▶ parameters ─▶ faults ─▶ methods/* ─▶ world ◀── user (says, taps)   users
//!  ▲              └─ getUpdates ─▶ polling ─▶ queue ◀──────────┤   └──▶ watch (sees, waits)
//!  └──POST── webhook ◀── lanes of the queue                   journal
//! ```
//!
//! In reading order: [`Options`] and [`Simulator`] here; `user`, `media` and `watch` (the driver); `chat`,
//! `message` and `keyboard` (the things shown); `world` (all state, one mutex); `queue`, `polling` and `webhook`
//! (updates); `methods` with `text` and `html` (calls and their limits); `server`, `parameters` and `answer`
//! (HTTP); `faults`, `journal`, `files`.
//!
//! Where the facts come from: limits and shapes from the Bot API's documentation
//! (core.telegram.org/bots/api); queues, expiry, retries and the texts of errors from the sources of
//! `tdlib/telegram-bot-api` (`Client.cpp`, `WebhookActor.cpp`) and tdlib. Telegram's rate limits are unpublished
//! and are not simulated: a 429 comes by [`Rule`].
//!
//! Left out on purpose: Markdown, media groups of the bot, inline mode, payments, a method call in the answer
//! to a webhook, the re-poll rules within 3 s of the same offset, one setWebhook per second.

/// The code of `README.md` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
struct Readme;

mod answer;
mod chat;
mod clock;
mod faults;
mod files;
mod html;
mod journal;
mod keyboard;
mod media;
mod menu;
mod message;
mod method;
mod methods;
mod parameters;
mod polling;
mod queue;
mod server;
#[cfg(test)]
mod tests;

mod text;
mod user;
mod watch;
mod webhook;
mod world;

use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub use chat::{Chat, Toast};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use faults::{Fault, Faults, Rule};
pub use journal::{Entry, Happened};
pub use keyboard::{Button, Keyboard};
pub use menu::BotCommand;
pub use message::{ChatHead, Message, UserProfile};
pub use text::Entity;
pub use user::{Sent, Tap, User};

use method::Method;
use queue::Lane;
use world::Shared;

/// The token of a simulated bot unless [`Options::token`] says otherwise: of valid shape, and public.
pub const TOKEN: &str = "700000001:AAtelegramBotApiSimulatorToken_pub1";

/// How a simulator starts; the default suits tests.
#[derive(Debug)]
pub struct Options {
    /// The time that Telegram sees: dates, expiry of updates, taps and "typing…". Long polls, patience and
    /// webhook pauses run on real time.
    pub clock: Arc<dyn Clock>,
    /// The bot's token; [`TOKEN`] if there is none.
    pub token: Option<String>,
    /// Seed of everything random: update ids, callback ids, faults.
    pub seed: u64,
    /// The faults from the start; see [`Simulator::faults`].
    pub faults: Faults,
    /// Whether to keep a journal; a benchmark goes without.
    pub journal: bool,
    /// How long a user waits for the bot, in real time.
    pub patience: Duration,
    /// Factor on the pauses between webhook attempts (0, 1, 2, 4 … 60 s); 0.001 makes tests quick.
    pub webhook_time_scale: f64,
    /// Messages kept per chat; the oldest go first and can then no longer be edited.
    pub messages_kept: usize,
    /// Port on 127.0.0.1; 0: any free one.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            token: None,
            seed: 1,
            faults: Faults::default(),
            journal: true,
            patience: Duration::from_secs(20),
            webhook_time_scale: 1.0,
            messages_kept: 512,
            port: 0,
        }
    }
}

/// A running simulator; stops when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts a simulator; it accepts connections when this returns.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, options.port);
        let listener =
            TcpListener::bind(address).await.context("the simulator cannot listen on 127.0.0.1")?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = webhook::client()?;
        let token = options.token.clone().unwrap_or_else(|| TOKEN.to_owned());
        let shared = Arc::new(Shared::new(options, token, url));
        let tasks = vec![
            tokio::spawn(server::serve_for_ever(listener, shared.clone())),
            tokio::spawn(webhook::deliver_for_ever(client, shared.clone())),
        ];
        Ok(Self { shared, tasks })
    }

    /// The value for `TELEGRAM_API_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The only token it accepts.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Stops listening and closes every connection; the chats can still be read.
    pub fn stop(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }

    /// The user with this profile, in the private chat with the bot. The bot cannot write to a user who never wrote to
    /// it: `Bad Request: chat not found`.
    #[must_use]
    pub fn user(&self, profile: UserProfile) -> User {
        User::new(self.shared.clone(), profile)
    }

    /// Changes or reads the faults; takes effect at once. `change` runs under the simulator's lock and
    /// must not call it.
    pub fn faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let answer = change(&mut self.shared.world().faults);
        self.shared.signals.updates.notify_waiters();
        self.shared.signals.webhook.notify_one();
        answer
    }

    /// The journal, oldest entry first; the last 200,000 entries.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.journal_since(0)
    }

    /// The entries of the journal after entry `number`.
    #[must_use]
    pub fn journal_since(&self, number: u64) -> Vec<Entry> {
        self.shared.world().journal.since(number)
    }

    /// Counts the changes in any chat: to be woken by whatever users see.
    #[must_use]
    pub fn changes(&self) -> Receiver<u64> {
        self.shared.signals.chats.subscribe()
    }

    /// A file that a user sent or the bot uploaded: its declared type, and its bytes.
    #[must_use]
    pub fn file(&self, file_id: &str) -> Option<(String, Bytes)> {
        self.shared.world().files.get(file_id).map(|file| (file.mime_type, file.bytes))
    }

    /// How often the bot called `method`, whatever came of it; counted also without a journal.
    #[must_use]
    pub fn calls(&self, method: &str) -> u64 {
        let method = Method::parse(method).unwrap_or(Method::Unknown);
        self.shared.world().journal.calls(method, None)
    }

    /// How often a call of `method` ended with this HTTP status; 0 stands for a dropped connection.
    #[must_use]
    pub fn calls_with(&self, method: &str, code: u16) -> u64 {
        let method = Method::parse(method).unwrap_or(Method::Unknown);
        self.shared.world().journal.calls(method, Some(code))
    }

    /// Ends the long polls that wait, empty, as their time does: for a clock that has been moved past it.
    pub fn end_polls(&self) {
        self.shared.world().polls_ended += 1;
        self.shared.signals.updates.notify_waiters();
    }

    /// Updates that are neither confirmed nor expired.
    #[must_use]
    pub fn pending_updates(&self) -> usize {
        self.shared.world().pending_updates()
    }

    /// Where the webhook points; `None` if none is set.
    #[must_use]
    pub fn webhook_url(&self) -> Option<String> {
        self.shared.world().webhook.as_ref().map(|webhook| webhook.target.url.clone())
    }

    /// The command menu of a user with this client language, in a private chat.
    #[must_use]
    pub fn commands(&self, language: &str) -> Vec<BotCommand> {
        menu::shown_to(&self.shared.world().commands, language)
    }

    /// Lets update ids go on at a lower random number, as after a week without updates; what was pending is
    /// gone.
    pub fn restart_ids(&self) {
        let mut guard = self.shared.world();
        let world = &mut *guard;
        world.queue.restart_ids(&mut world.rng);
    }

    /// Puts anything into the queue, past `allowed_updates`; an object without `update_id` gets one as its
    /// first member, everything else goes out as it is. Returns the id by which an offset confirms it.
    pub fn inject_raw(&self, update: &Value) -> i64 {
        let text = update.to_string();
        self.shared.world().enqueue_with("injected", Lane::Injected, |id| match update {
            Value::Object(members) if members.is_empty() => format!(r#"{{"update_id":{id}}}"#),
            Value::Object(members) if !members.contains_key("update_id") => {
                text.replacen('{', &format!(r#"{{"update_id":{id},"#), 1)
            }
            _ => text,
        })
    }

    /// Puts text into the queue as it stands, past `allowed_updates`, with `$UPDATE_ID` replaced by its id.
    /// It should be JSON: getUpdates sends it inside an array together with others.
    pub fn inject_json(&self, text: &str) -> i64 {
        self.shared
            .world()
            .enqueue_with("injected", Lane::Injected, |id| text.replace("$UPDATE_ID", &id.to_string()))
    }

    /// Waits until `condition` holds for calls or updates (it is looked at after each call and each
    /// confirmation); real time, at most the simulator's patience.
    pub async fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.shared.patience;
        loop {
            let mut woken = pin!(self.shared.signals.activity.notified());
            woken.as_mut().enable();
            if condition(self) {
                return Ok(());
            }
            if timeout_at(deadline, woken).await.is_err() {
                bail!(
                    "waited {:?} in vain for {what}; {} updates pending",
                    self.shared.patience,
                    self.pending_updates()
                );
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop();
    }
}
