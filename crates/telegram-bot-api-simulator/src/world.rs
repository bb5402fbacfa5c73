//! Telegram's whole state, behind one mutex that is held for microseconds and never across an await.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::Options;
use super::answer::Refusal;
use super::chat::{Chat, Standing};
use super::faults::{Fault, Faults};
use super::files::Files;
use super::journal::{Happened, Journal};
use super::menu::Commands;
use super::message::{ChatHead, Message, UserProfile};
use super::method::Method;
use super::parameters::Parameters;
use super::queue::{Lane, UpdateQueue};
use super::webhook::Webhook;
use crate::clock::{Clock, Timestamp};

/// How long a tap can be answered; Telegram's own limit is unpublished and of this order.
const TAP_ANSWERABLE: Duration = Duration::from_secs(15);
/// Unanswered taps remembered; older ones count as too old.
const MOST_OPEN_TAPS: usize = 20_000;

/// The state, and whom to wake when it changes.
pub(super) struct Shared {
    world: Mutex<World>,
    pub signals: Arc<Signals>,
    pub token: String,
    pub url: String,
    pub patience: Duration,
    /// Factor on the pauses between webhook attempts.
    pub webhook_time_scale: f64,
}

/// Whom to wake. Waiters of one chat have their own bell in [`Chat`].
#[derive(Default)]
pub(super) struct Signals {
    /// An update came in, a webhook was set, or a second poller came.
    pub updates: Notify,
    /// The webhook may have something to send.
    pub webhook: Notify,
    /// A call was answered or an update confirmed.
    pub activity: Notify,
    /// Counts the changes in any chat.
    pub chats: Arc<watch::Sender<u64>>,
}

impl Shared {
    pub(super) fn new(options: Options, token: String, url: String) -> Self {
        let signals = Arc::<Signals>::default();
        let bot_id = token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(1);
        Self {
            token,
            url,
            patience: options.patience,
            webhook_time_scale: options.webhook_time_scale,
            world: Mutex::new(World::new(options, bot_id, signals.clone())),
            signals,
        }
    }

    /// The state; a panic of an earlier holder, which only a test can cause, leaves it usable.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tap that can still be answered.
struct OpenTap {
    chat: i64,
    at: Timestamp,
}

/// Everything Telegram knows.
pub(super) struct World {
    pub clock: Arc<dyn Clock>,
    pub rng: StdRng,
    pub bot: Arc<UserProfile>,
    pub chats: HashMap<i64, Chat>,
    pub queue: UpdateQueue,
    pub webhook: Option<Webhook>,
    /// How often all waiting getUpdates calls were ended.
    pub polls_ended: u64,
    /// Number of the getUpdates call that may wait; an older waiter that sees another one gives up with 409.
    pub waiting_poll: u64,
    pub files: Files,
    pub commands: Commands,
    pub faults: Faults,
    pub journal: Journal,
    pub signals: Arc<Signals>,
    taps: HashMap<String, OpenTap>,
    taps_in_order: VecDeque<(Timestamp, String)>,
    messages_kept: usize,
}

impl World {
    fn new(options: Options, bot_id: i64, signals: Arc<Signals>) -> Self {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let bot = UserProfile {
            id: bot_id,
            is_bot: true,
            first_name: "Dépôt".to_owned(),
            username: Some("simulated_bot".to_owned()),
            ..UserProfile::default()
        };
        Self {
            queue: UpdateQueue::new(&mut rng),
            rng,
            bot: Arc::new(bot),
            chats: HashMap::new(),
            webhook: None,
            polls_ended: 0,
            waiting_poll: 0,
            files: Files::new(),
            commands: Commands::default(),
            faults: options.faults,
            journal: Journal::new(options.journal),
            signals,
            taps: HashMap::new(),
            taps_in_order: VecDeque::new(),
            messages_kept: options.messages_kept,
            clock: options.clock,
        }
    }

    /// The chat with this head, created if it is new.
    pub(super) fn chat(&mut self, head: ChatHead) -> &mut Chat {
        let (kept, clock, all) = (self.messages_kept, self.clock.clone(), self.signals.chats.clone());
        self.chats.entry(head.id).or_insert_with(|| Chat::new(head, kept, clock, all))
    }

    /// The chat that a call names, if the bot may write there.
    pub(super) fn writable_chat(&mut self, call: &Parameters) -> Result<&mut Chat, Refusal> {
        let chat = self.known_chat(call)?;
        match (chat.standing, chat.head.kind) {
            (Standing::Member, _) => Ok(chat),
            (Standing::Blocked, _) => Err(Refusal::new(403, "Forbidden: bot was blocked by the user")),
            (_, "supergroup") => {
                Err(Refusal::new(403, "Forbidden: bot is not a member of the supergroup chat"))
            }
            _ => Err(Refusal::new(403, "Forbidden: bot is not a member of the group chat")),
        }
    }

    /// The chat that a call names, if the bot ever met it.
    pub(super) fn known_chat(&mut self, call: &Parameters) -> Result<&mut Chat, Refusal> {
        if call.text("chat_id").unwrap_or_default().is_empty() {
            return Err(Refusal::bad_request("Bad Request: chat_id is empty"));
        }
        let chat = call.integer("chat_id").and_then(|id| self.chats.get_mut(&id));
        chat.filter(|chat| chat.standing != Standing::Stranger)
            .ok_or_else(|| Refusal::bad_request("Bad Request: chat not found"))
    }

    /// The fault that strikes a call, by the faults set at that time.
    pub(super) fn strike(&mut self, method: Method, chat: Option<i64>) -> (Duration, Option<Fault>) {
        self.faults.strike(method, chat, &mut self.rng)
    }

    /// Puts an update into the queue; `None` if the bot did not ask for its kind.
    pub(super) fn enqueue(&mut self, kind: &'static str, lane: Lane, payload: &str) -> Option<i64> {
        if !self.queue.allows(kind) {
            return None;
        }
        Some(self.enqueue_with(kind, lane, |id| format!(r#"{{"update_id":{id},"{kind}":{payload}}}"#)))
    }

    /// Puts the JSON that `write` makes of the update's id into the queue, whatever it is.
    pub(super) fn enqueue_with(
        &mut self,
        kind: &'static str,
        lane: Lane,
        write: impl FnOnce(i64) -> String,
    ) -> i64 {
        let now = self.clock.now();
        let repeat = self.faults.repeats_this_update();
        let update_id = self.queue.push(lane, now, repeat, write);
        if let Some(webhook) = &mut self.webhook {
            webhook.add(lane, update_id);
            self.signals.webhook.notify_one();
        }
        self.signals.updates.notify_waiters();
        self.journal.write(now, || Happened::Enqueued { update_id, kind, chat: lane.chat() });
        update_id
    }

    /// Opens a tap for an answer and returns its callback id.
    pub(super) fn open_tap(&mut self, chat: i64) -> String {
        let at = self.clock.now();
        while let Some((opened, _)) = self.taps_in_order.front() {
            let live = at.since(*opened) <= TAP_ANSWERABLE && self.taps_in_order.len() < MOST_OPEN_TAPS;
            if live {
                break;
            }
            if let Some((_, id)) = self.taps_in_order.pop_front() {
                self.taps.remove(&id);
            }
        }
        let id = self.rng.random_range(1_u64 << 60..1 << 62).to_string();
        self.taps.insert(id.clone(), OpenTap { chat, at });
        self.taps_in_order.push_back((at, id.clone()));
        id
    }

    /// Takes a tap for its one answer; returns its chat unless it is unknown, answered or too old.
    pub(super) fn take_tap(&mut self, callback_id: &str) -> Option<i64> {
        let tap = self.taps.remove(callback_id)?;
        (self.clock.now().since(tap.at) <= TAP_ANSWERABLE).then_some(tap.chat)
    }

    /// Writes into the journal the current content of a message of the bot.
    pub(super) fn note_shown(&mut self, message: &Message) {
        self.journal.write(self.clock.now(), || Happened::Shown {
            chat: message.chat.id,
            message_id: message.id,
            text: if message.deleted { "".into() } else { message.text().into() },
            keyboard: message.is_live(),
        });
    }

    /// Updates that wait for the bot.
    pub(super) fn pending_updates(&mut self) -> usize {
        self.queue.purge(self.clock.now());
        self.queue.len()
    }

    /// The `allowed_updates` of a call become the bot's, if it names any.
    pub(super) fn set_allowed_updates(&mut self, call: &Parameters) -> Result<(), Refusal> {
        let Some(kinds) = call.json("allowed_updates")? else { return Ok(()) };
        let Value::Array(kinds) = kinds.as_ref() else {
            return Err(Refusal::bad_request("Bad Request: can't parse allowed updates JSON object"));
        };
        let names = kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        self.queue.allow(names);
        Ok(())
    }
}
