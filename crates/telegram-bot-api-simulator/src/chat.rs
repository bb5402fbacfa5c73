//! Chats as their users see them: the messages, the answers to their taps, and whether the bot is typing.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::keyboard::Keyboard;
use super::message::{Body, ChatHead, Message, UserProfile};
use crate::clock::{Clock, Timestamp};

/// How long a client shows "typing…" after one `sendChatAction` (Bot API: 5 seconds or less).
const TYPING_LASTS: Duration = Duration::from_secs(5);
/// Callback answers remembered per chat.
const TOASTS_KEPT: usize = 64;

/// The answer to a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// The callback query that was answered.
    pub callback_id: String,
    /// The text shown; empty if the answer only stopped the button's spinner.
    pub text: String,
    /// True if it must be dismissed.
    pub show_alert: bool,
    /// When it was answered.
    pub at: Timestamp,
}

/// How the bot stands in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The user never wrote to it, or it was not added.
    Stranger,
    Member,
    /// The user blocked it.
    Blocked,
    /// It left the group, or was removed.
    Left,
}

/// One chat as its users see it.
#[derive(Debug)]
pub struct Chat {
    pub(super) head: Arc<ChatHead>,
    pub(super) standing: Standing,
    pub(super) wake: Arc<Notify>,
    /// Counts the changes in any chat.
    all: Arc<watch::Sender<u64>>,
    messages: VecDeque<Message>,
    messages_kept: usize,
    last_message_id: i64,
    changes: u64,
    last_action: u64,
    last_tap: Vec<String>,
    toasts: VecDeque<Toast>,
    typing_since: Option<Timestamp>,
    clock: Arc<dyn Clock>,
}

impl Chat {
    pub(super) fn new(
        head: ChatHead,
        messages_kept: usize,
        clock: Arc<dyn Clock>,
        all: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self {
            head: Arc::new(head),
            standing: Standing::Stranger,
            wake: Arc::default(),
            all,
            messages: VecDeque::new(),
            messages_kept: messages_kept.max(1),
            last_message_id: 0,
            changes: 0,
            last_action: 0,
            last_tap: Vec::new(),
            toasts: VecDeque::new(),
            typing_since: None,
            clock,
        }
    }

    /// Every kept message in order, also the deleted ones.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.iter()
    }

    /// The message with this id, if it is still kept.
    #[must_use]
    pub fn message(&self, id: i64) -> Option<&Message> {
        let index = self.messages.binary_search_by_key(&id, |message| message.id).ok()?;
        self.messages.get(index)
    }

    /// The bot's messages that are still there, newest first.
    pub fn from_bot(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().rev().filter(|message| message.from_bot() && !message.deleted)
    }

    /// The newest message of the bot that has, or had, an inline keyboard.
    #[must_use]
    pub fn card(&self) -> Option<&Message> {
        self.from_bot().find(|message| message.had_keyboard)
    }

    /// The newest message of the bot.
    #[must_use]
    pub fn last(&self) -> Option<&Message> {
        self.from_bot().next()
    }

    /// The newest message of the bot that shows `fragment` now.
    #[must_use]
    pub fn showing(&self, fragment: &str) -> Option<&Message> {
        self.from_bot().find(|message| message.shows(fragment))
    }

    /// The bot's oldest message that was sent or edited after change number `changes`.
    #[must_use]
    pub fn message_after(&self, changes: u64) -> Option<&Message> {
        self.from_bot().filter(|message| message.changed > changes).min_by_key(|message| message.changed)
    }

    /// Counts everything that appeared or changed here; what comes later has a higher number.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The change number at which a user last said or tapped something.
    #[must_use]
    pub fn last_action(&self) -> u64 {
        self.last_action
    }

    /// Callback answers, oldest first; the last 64.
    pub fn toasts(&self) -> impl DoubleEndedIterator<Item = &Toast> {
        self.toasts.iter()
    }

    /// The answer to the last tap (or to either of its doubles), if it came.
    #[must_use]
    pub fn toast_of_last_tap(&self) -> Option<&Toast> {
        self.toasts.iter().rev().find(|toast| self.last_tap.contains(&toast.callback_id))
    }

    /// Ids of messages whose inline keyboard can still be tapped, oldest first.
    #[must_use]
    pub fn live_keyboards(&self) -> Vec<i64> {
        self.messages.iter().filter(|message| message.is_live()).map(|message| message.id).collect()
    }

    /// True for 5 s after `sendChatAction`, unless the bot wrote since.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.typing_since.is_some_and(|since| self.clock.now().since(since) < TYPING_LASTS)
    }

    /// True if the bot left this group by itself, or was removed.
    #[must_use]
    pub fn bot_has_left(&self) -> bool {
        self.standing == Standing::Left
    }

    /// The chat as plain text, one line or more per message.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut page = String::new();
        for message in &self.messages {
            print(&mut page, message);
        }
        for toast in self.toasts.iter().filter(|toast| !toast.text.is_empty()) {
            let _ = writeln!(page, "   ({})", toast.text);
        }
        page
    }

    /// Adds a message at the bottom and returns it.
    pub(super) fn post(&mut self, from: &Arc<UserProfile>, draft: Draft) -> Message {
        self.last_message_id += 1;
        if from.is_bot {
            self.typing_since = None;
        }
        if self.messages.len() >= self.messages_kept {
            self.messages.pop_front();
        }
        let message = Message {
            id: self.last_message_id,
            from: from.clone(),
            chat: self.head.clone(),
            date: self.clock.now().0 / 1000,
            edit_date: None,
            had_keyboard: draft.keyboard.is_some(),
            body: draft.body,
            keyboard: draft.keyboard,
            edits: 0,
            deleted: false,
            frozen: draft.frozen,
            changed: self.change(),
        };
        self.messages.push_back(message.clone());
        message
    }

    /// Edits the message in place, counts the edit and returns what it became.
    pub(super) fn edit(&mut self, id: i64, edit: impl FnOnce(&mut Message)) -> Option<Message> {
        let index = self.messages.binary_search_by_key(&id, |message| message.id).ok()?;
        let (now, changed) = (self.clock.now(), self.change());
        let message = self.messages.get_mut(index)?;
        edit(message);
        message.changed = changed;
        message.had_keyboard |= message.keyboard.is_some();
        if !message.deleted {
            message.edits += 1;
            message.edit_date = Some(now.0 / 1000);
        }
        Some(message.clone())
    }

    pub(super) fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.change();
    }

    pub(super) fn person_acted(&mut self) {
        self.last_action = self.changes;
    }

    pub(super) fn tapped(&mut self, callback_ids: &[String]) {
        self.last_tap = callback_ids.to_vec();
        self.person_acted();
    }

    pub(super) fn answer(&mut self, toast: Toast) {
        if self.toasts.len() >= TOASTS_KEPT {
            self.toasts.pop_front();
        }
        self.toasts.push_back(toast);
        self.change();
    }

    pub(super) fn bot_types(&mut self) {
        self.typing_since = Some(self.clock.now());
        self.change();
    }

    fn change(&mut self) -> u64 {
        self.changes += 1;
        self.wake.notify_waiters();
        self.all.send_modify(|changes| *changes += 1);
        self.changes
    }
}

/// A message before it has a place in a chat.
#[derive(Default)]
pub(super) struct Draft {
    pub body: Body,
    pub keyboard: Option<Keyboard>,
    pub frozen: bool,
}

fn print(page: &mut String, message: &Message) {
    let who = if message.from_bot() { "bot" } else { message.from.first_name.as_str() };
    let mark = match (message.deleted, message.edits) {
        (true, _) => " (deleted)".to_owned(),
        (false, 0) => String::new(),
        (false, edits) => format!(" (edited {edits}×)"),
    };
    let media: Vec<&str> = message.body.media.keys().map(String::as_str).collect();
    let media = if media.is_empty() { String::new() } else { format!("<{}> ", media.join(" ")) };
    let text = message.text().replace('\n', "\n      ");
    let _ = writeln!(page, "{who} #{}{mark}: {media}{text}", message.id);
    for row in message.rows() {
        let labels: Vec<String> = row.iter().map(|button| format!("[{}]", button.text)).collect();
        let _ = writeln!(page, "      {}", labels.join(" "));
    }
}
