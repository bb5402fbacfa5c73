//! The chat as its users see it, and waiting for it: on a bell that rings when the chat changes, never by polling.

use std::pin::pin;

use anyhow::bail;
use tokio::time::{Instant, timeout_at};

use super::chat::{Chat, Toast};
use super::message::Message;
use super::user::User;

impl User {
    /// Every kept message of the chat in order, also the deleted ones.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.look(|chat| Some(chat.messages().cloned().collect())).unwrap_or_default()
    }

    /// The newest message of the bot that has, or had, an inline keyboard.
    #[must_use]
    pub fn card(&self) -> Option<Message> {
        self.look(|chat| chat.card().cloned())
    }

    /// The newest message of the bot.
    #[must_use]
    pub fn last(&self) -> Option<Message> {
        self.look(|chat| chat.last().cloned())
    }

    /// Answers to taps, oldest first; the last 64.
    #[must_use]
    pub fn toasts(&self) -> Vec<Toast> {
        self.look(|chat| Some(chat.toasts().cloned().collect())).unwrap_or_default()
    }

    /// True if the chat shows "typing…" now.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.look(|chat| Some(chat.is_typing())).unwrap_or_default()
    }

    /// Ids of messages whose inline keyboard can still be tapped, oldest first.
    #[must_use]
    pub fn live_keyboards(&self) -> Vec<i64> {
        self.look(|chat| Some(chat.live_keyboards())).unwrap_or_default()
    }

    /// The chat as plain text.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.look(|chat| Some(chat.transcript())).unwrap_or_default()
    }

    /// The chat's change number now; see [`User::wait_message_after`].
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.look(|chat| Some(chat.changes())).unwrap_or_default()
    }

    /// The result of `look` on the chat at this moment, by the rule of [`User::wait_for`].
    pub fn look_at<T>(&self, look: impl FnOnce(&Chat) -> Option<T>) -> Option<T> {
        self.look(look)
    }

    /// Waits until the chat is as `condition` wants it; the error tells `what` was awaited and prints the
    /// chat. `condition` runs under the simulator's lock: it reads the chat it is given and calls nothing
    /// else.
    pub async fn wait_for(&self, what: &str, condition: impl Fn(&Chat) -> bool) -> anyhow::Result<()> {
        self.wait(what, |chat| condition(chat).then_some(())).await
    }

    /// Waits until some message of the bot shows `fragment`, in its text or on a button, and returns it.
    pub async fn sees(&self, fragment: &str) -> anyhow::Result<Message> {
        self.wait(&format!("a message with «{fragment}»"), |chat| chat.showing(fragment).cloned()).await
    }

    /// Like [`User::sees`], in a message that was sent or edited after the user last said or tapped
    /// something.
    pub async fn sees_new(&self, fragment: &str) -> anyhow::Result<Message> {
        let what = format!("a new message or edit with «{fragment}»");
        let look = |chat: &Chat| {
            let since = chat.last_action();
            chat.from_bot().find(|message| message.changed > since && message.shows(fragment)).cloned()
        };
        self.wait(&what, look).await
    }

    /// Waits for the answer of the last tap (of either, if it was doubled).
    pub async fn toast(&self) -> anyhow::Result<Toast> {
        self.wait("the answer to the last tap", |chat| chat.toast_of_last_tap().cloned()).await
    }

    /// Waits for the first message of the bot that was sent or edited after change number `changes`: the
    /// cheap way for a benchmark, which reads [`Message::changed`] for the next call.
    pub async fn wait_message_after(&self, changes: u64) -> anyhow::Result<Message> {
        self.wait("the next message or edit of the bot", |chat| chat.message_after(changes).cloned()).await
    }

    /// Waits until `look` finds what it looks for, by the rule of [`User::wait_for`]; real time, at most the
    /// simulator's patience.
    pub async fn wait<T>(&self, what: &str, look: impl Fn(&Chat) -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + self.shared.patience;
        let Some(wake) = self.look(|chat| Some(chat.wake.clone())) else {
            bail!("there is no chat {}", self.chat)
        };
        loop {
            let mut woken = pin!(wake.notified());
            woken.as_mut().enable();
            if let Some(found) = self.look(&look) {
                return Ok(found);
            }
            if timeout_at(deadline, woken).await.is_err() {
                let (name, patience) = (&self.person.first_name, self.shared.patience);
                bail!("{name} waited {patience:?} in vain for {what}; the chat is:\n{}", self.transcript());
            }
        }
    }
}
