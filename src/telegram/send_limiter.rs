//! The send limiter, which every call to a chat passes: it obeys the pauses that Telegram asks for (429) and spaces out
//! only notices, which no user waits for.
//!
//! A 429 names the seconds to wait, and ignoring it can end in a ban; about one message a second per chat and thirty a
//! second overall are safe; the exact limits are unpublished (core.telegram.org/bots/faq). So the reply to a user is never
//! delayed by a guess.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::clock::{Clock, Timestamp};
use crate::telegram::client::CallError;
use deposit::ChatId;

/// How many chats are remembered; the least recently used is forgotten first.
const CHATS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// The longest wait inside the limiter; a longer one is the caller's to schedule.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// So many chats paused at once mean that the bot as a whole is over its limit.
const PAUSED_CHATS_MAX: usize = 3;
const NOTICE_INTERVAL_PER_CHAT: Duration = Duration::from_secs(1);
const NOTICE_INTERVAL_OVERALL: Duration = Duration::from_millis(40);

/// Whether a user waits for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The reply to a user: sent unless Telegram has asked for a pause.
    Reply,
    /// A summary, a reminder, a delivery: at most one a second per chat and 25 a second overall.
    Notice,
}

/// Why a call failed, or was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not sent: retry at this instant.
    #[error("the chat is paused until {0}")]
    PausedUntil(Timestamp),
    /// The call was made and failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The limiter of one bot; clones share its state.
#[derive(Clone)]
pub struct SendLimiter {
    clock: Clock,
    state: Arc<Mutex<LimiterState>>,
}

struct LimiterState {
    chats: LruCache<ChatId, ChatLimit>,
    /// The running pauses, to notice when they become many.
    paused: Vec<(ChatId, Timestamp)>,
    all_paused_until: Timestamp,
    next_notice: Timestamp,
}

#[derive(Clone, Copy, Default)]
struct ChatLimit {
    paused_until: Timestamp,
    next_notice: Timestamp,
}

impl SendLimiter {
    /// A limiter without pauses.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let state = LimiterState {
            chats: LruCache::new(CHATS_MAX),
            paused: Vec::new(),
            all_paused_until: Timestamp::default(),
            next_notice: Timestamp::default(),
        };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// Runs `call` as soon as the limits allow, and remembers the pause of a 429.
    ///
    /// Waits at most a second itself, so that a lease is not spent in the limiter. `call` is not polled before its slot;
    /// dropping this future before that sends nothing.
    ///
    /// # Errors
    /// [`SendError::PausedUntil`] at once if the slot is more than a second away (nothing was sent), also after a 429;
    /// [`SendError::Call`] as the call itself.
    pub async fn send<T>(
        &self,
        chat: ChatId,
        priority: Priority,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, SendError> {
        if let Some(slot) = self.slot(chat, priority).map_err(SendError::PausedUntil)? {
            self.clock.sleep_until(slot).await;
        }
        match call.await {
            Err(CallError::RetryAfter(pause)) => Err(SendError::PausedUntil(self.pause(chat, pause))),
            outcome => outcome.map_err(SendError::Call),
        }
    }

    /// Until when nothing may be sent to this chat; `None` if it may.
    #[must_use]
    pub fn paused_until(&self, chat: ChatId) -> Option<Timestamp> {
        let now = self.clock.now();
        let state = self.state();
        let limit = state.chats.peek(&chat).copied().unwrap_or_default();
        Some(limit.paused_until.max(state.all_paused_until)).filter(|until| *until > now)
    }

    /// When to send: `None` for now, an instant within [`WAIT_MAX`], or the instant to retry at as the error.
    fn slot(&self, chat: ChatId, priority: Priority) -> Result<Option<Timestamp>, Timestamp> {
        let now = self.clock.now();
        let mut state = self.state();
        let overall = (state.all_paused_until, state.next_notice);
        let limit = state.chats.get_or_insert_mut(chat, ChatLimit::default);
        let paused_until = limit.paused_until.max(overall.0);
        let slot = match priority {
            Priority::Reply => paused_until,
            Priority::Notice => paused_until.max(limit.next_notice).max(overall.1),
        };
        if slot > now.after(WAIT_MAX) {
            return Err(slot);
        }
        let slot = slot.max(now);
        if priority == Priority::Notice {
            limit.next_notice = slot.after(NOTICE_INTERVAL_PER_CHAT);
            state.next_notice = slot.after(NOTICE_INTERVAL_OVERALL);
        }
        Ok(Some(slot).filter(|slot| *slot > now))
    }

    fn pause(&self, chat: ChatId, pause: Duration) -> Timestamp {
        let now = self.clock.now();
        let until = now.after(pause);
        let mut state = self.state();
        let limit = state.chats.get_or_insert_mut(chat, ChatLimit::default);
        limit.paused_until = limit.paused_until.max(until);
        state.paused.retain(|(other, end)| *other != chat && *end > now);
        state.paused.push((chat, until));
        let all = state.paused.len() >= PAUSED_CHATS_MAX;
        if all {
            state.all_paused_until = state.all_paused_until.max(until);
            state.paused.clear();
        }
        drop(state);
        metrics::counter!("depot_telegram_pauses_total", "whole_bot" => if all { "yes" } else { "no" })
            .increment(1);
        let seconds = pause.as_secs();
        if all {
            tracing::warn!(
                seconds,
                "Telegram limits the rate in several chats: the bot sends nothing for these seconds and then goes on by \
                 itself; if it recurs, look for a loop of messages"
            );
        } else {
            tracing::info!(chat = chat.0, seconds, "Telegram limits the rate in one chat: it is paused");
        }
        until
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SendLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendLimiter")
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn limiter() -> (SendLimiter, Clock) {
        let clock = Clock::manual(START);
        (SendLimiter::new(clock.clone()), clock)
    }

    fn at(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    async fn sends(limiter: &SendLimiter, chat: i64, priority: Priority) -> Result<(), SendError> {
        limiter.send(ChatId(chat), priority, ready(Ok(()))).await
    }

    async fn is_refused(limiter: &SendLimiter, chat: i64, seconds: u64) -> Result<(), SendError> {
        let refusal = CallError::RetryAfter(Duration::from_secs(seconds));
        limiter.send(ChatId(chat), Priority::Reply, ready(Err(refusal))).await
    }

    #[tokio::test]
    async fn a_429_pauses_every_sender_of_its_chat_and_no_other_chat() {
        let (limiter, clock) = limiter();
        assert_eq!(is_refused(&limiter, 7, 30).await, Err(SendError::PausedUntil(at(30))));
        assert_eq!(sends(&limiter, 7, Priority::Reply).await, Err(SendError::PausedUntil(at(30))));
        assert_eq!(sends(&limiter, 7, Priority::Notice).await, Err(SendError::PausedUntil(at(30))));
        assert_eq!(sends(&limiter, 8, Priority::Reply).await, Ok(()));
        assert_eq!(limiter.paused_until(ChatId(7)), Some(at(30)));
        clock.advance(Duration::from_secs(30));
        assert_eq!(sends(&limiter, 7, Priority::Reply).await, Ok(()));
        assert_eq!(limiter.paused_until(ChatId(7)), None);
    }

    #[tokio::test]
    async fn pauses_in_three_chats_at_once_pause_the_whole_bot() {
        let (limiter, clock) = limiter();
        is_refused(&limiter, 1, 10).await.unwrap_err();
        // Another call to the same chat, which was on its way already.
        limiter.pause(ChatId(1), Duration::from_secs(10));
        is_refused(&limiter, 2, 10).await.unwrap_err();
        assert_eq!(sends(&limiter, 9, Priority::Reply).await, Ok(()));
        clock.advance(Duration::from_secs(5));
        is_refused(&limiter, 3, 20).await.unwrap_err();
        assert_eq!(sends(&limiter, 9, Priority::Reply).await, Err(SendError::PausedUntil(at(25))));
        clock.advance(Duration::from_secs(20));
        assert_eq!(sends(&limiter, 9, Priority::Reply).await, Ok(()));
    }

    #[tokio::test]
    async fn pauses_that_are_over_do_not_add_up() {
        let (limiter, clock) = limiter();
        for chat in [1, 2, 3] {
            clock.advance(Duration::from_secs(3));
            is_refused(&limiter, chat, 2).await.unwrap_err();
        }
        assert_eq!(sends(&limiter, 9, Priority::Reply).await, Ok(()));
    }

    #[tokio::test]
    async fn a_reply_is_never_delayed_by_a_guess() {
        let (limiter, _) = limiter();
        for _ in 0..100 {
            assert_eq!(sends(&limiter, 7, Priority::Reply).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn notices_to_one_chat_keep_a_second_apart() {
        let (limiter, clock) = limiter();
        sends(&limiter, 7, Priority::Notice).await.unwrap();
        let second = tokio::spawn({
            let limiter = limiter.clone();
            async move { sends(&limiter, 7, Priority::Notice).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        assert_eq!(sends(&limiter, 7, Priority::Notice).await, Err(SendError::PausedUntil(at(2))));
        clock.advance(Duration::from_secs(1));
        assert_eq!(second.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn notices_overall_stay_at_twenty_five_a_second() {
        let (limiter, _) = limiter();
        let slots: Vec<_> = (0..40).map(|chat| limiter.slot(ChatId(chat), Priority::Notice)).collect();
        let within_a_second = slots.iter().filter(|slot| slot.is_ok()).count();
        assert_eq!(within_a_second, 26);
        assert_eq!(slots[39], Err(START.after(Duration::from_millis(26 * 40))));
    }

    #[tokio::test]
    async fn a_pause_of_a_second_is_waited_for_in_the_limiter() {
        let (limiter, clock) = limiter();
        is_refused(&limiter, 7, 1).await.unwrap_err();
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { sends(&limiter, 7, Priority::Reply).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(1));
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }
}
