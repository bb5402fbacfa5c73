//! The gate that everything sent to a chat passes, whoever sends it: it obeys Telegram's pauses and paces only what
//! nobody waits for.
//!
//! Facts: a 429 names the seconds to wait, and ignoring it can end in a ban; about one message a second per chat and
//! thirty a second overall are safe; the exact limits are unpublished (core.telegram.org/bots/faq). So an answer to a
//! person is never delayed by a guess.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::clock::{Clock, Timestamp};
use crate::deposit::ChatId;
use crate::telegram::client::CallError;

/// How many chats are remembered; the one that was quiet the longest is forgotten first.
const CHATS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// What is waited for at the gate itself; a longer wait is the caller's to plan.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many chats paused at once mean that the bot as a whole is too quick.
const CHATS_THAT_MEAN_ALL: usize = 3;
const NOTICE_PER_CHAT: Duration = Duration::from_secs(1);
const NOTICE_OVERALL: Duration = Duration::from_millis(40);

/// Whether somebody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The answer to a person: passes unless Telegram has asked for a pause.
    Answer,
    /// A summary, a reminder, a delivery: at most one a second per chat and 25 a second overall.
    Notice,
}

/// Why nothing was sent, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// Not sent: come again at this instant.
    #[error("the chat is paused until {0}")]
    PausedUntil(Timestamp),
    /// Sent, or tried to.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// One gate for one bot; a clone is the same gate.
#[derive(Clone)]
pub struct Gate {
    clock: Clock,
    lanes: Arc<Mutex<Lanes>>,
}

struct Lanes {
    chats: LruCache<ChatId, Lane>,
    /// The pauses that are not over, to see when they become many.
    paused: Vec<(ChatId, Timestamp)>,
    all_paused_until: Timestamp,
    next_notice: Timestamp,
}

#[derive(Clone, Copy, Default)]
struct Lane {
    paused_until: Timestamp,
    next_notice: Timestamp,
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let lanes = Lanes {
            chats: LruCache::new(CHATS_MAX),
            paused: Vec::new(),
            all_paused_until: Timestamp::default(),
            next_notice: Timestamp::default(),
        };
        Self { clock, lanes: Arc::new(Mutex::new(lanes)) }
    }

    /// Runs `call` when its turn has come, and learns from a 429.
    ///
    /// Waits at most a second itself, so that a lease is not spent at the gate. `call` is not polled before its turn;
    /// dropping this future before that sends nothing.
    ///
    /// # Errors
    /// [`GateError::PausedUntil`] at once if the turn comes later than in a second (nothing was sent), also after a
    /// 429; [`GateError::Call`] as the call itself.
    pub async fn pass<T>(
        &self,
        chat: ChatId,
        pace: Pace,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, GateError> {
        let turn = self.turn(chat, pace).map_err(GateError::PausedUntil)?;
        if let Some(turn) = turn {
            self.clock.sleep_until(turn).await;
        }
        match call.await {
            Err(CallError::RetryAfter(pause)) => Err(GateError::PausedUntil(self.pause(chat, pause))),
            outcome => outcome.map_err(GateError::Call),
        }
    }

    /// Until when nothing may be sent to this chat; `None` if it may.
    #[must_use]
    pub fn paused_until(&self, chat: ChatId) -> Option<Timestamp> {
        let now = self.clock.now();
        let lanes = self.lanes();
        let lane = lanes.chats.peek(&chat).copied().unwrap_or_default();
        Some(lane.paused_until.max(lanes.all_paused_until)).filter(|until| *until > now)
    }

    /// When to send: `None` at once, an instant within [`PATIENCE`], or the instant to come again as the error.
    fn turn(&self, chat: ChatId, pace: Pace) -> Result<Option<Timestamp>, Timestamp> {
        let now = self.clock.now();
        let mut lanes = self.lanes();
        let overall = (lanes.all_paused_until, lanes.next_notice);
        let lane = lanes.chats.get_or_insert_mut(chat, Lane::default);
        let paused_until = lane.paused_until.max(overall.0);
        let turn = match pace {
            Pace::Answer => paused_until,
            Pace::Notice => paused_until.max(lane.next_notice).max(overall.1),
        };
        if turn > now.after(PATIENCE) {
            return Err(turn);
        }
        let turn = turn.max(now);
        if pace == Pace::Notice {
            lane.next_notice = turn.after(NOTICE_PER_CHAT);
            lanes.next_notice = turn.after(NOTICE_OVERALL);
        }
        Ok(Some(turn).filter(|turn| *turn > now))
    }

    fn pause(&self, chat: ChatId, pause: Duration) -> Timestamp {
        let now = self.clock.now();
        let until = now.after(pause);
        let mut lanes = self.lanes();
        let lane = lanes.chats.get_or_insert_mut(chat, Lane::default);
        lane.paused_until = lane.paused_until.max(until);
        lanes.paused.retain(|(other, end)| *other != chat && *end > now);
        lanes.paused.push((chat, until));
        let all = lanes.paused.len() >= CHATS_THAT_MEAN_ALL;
        if all {
            lanes.all_paused_until = lanes.all_paused_until.max(until);
            lanes.paused.clear();
        }
        drop(lanes);
        metrics::counter!("depot_telegram_pauses_total", "whole_bot" => if all { "yes" } else { "no" })
            .increment(1);
        let seconds = pause.as_secs();
        if all {
            tracing::warn!(seconds, "Telegram asks for pauses in several chats: nothing is sent meanwhile");
        } else {
            tracing::info!(chat = chat.0, seconds, "Telegram asks for a pause in one chat");
        }
        until
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn gate() -> (Gate, Clock) {
        let clock = Clock::manual(START);
        (Gate::new(clock.clone()), clock)
    }

    fn at(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    async fn sends(gate: &Gate, chat: i64, pace: Pace) -> Result<(), GateError> {
        gate.pass(ChatId(chat), pace, ready(Ok(()))).await
    }

    async fn is_refused(gate: &Gate, chat: i64, seconds: u64) -> Result<(), GateError> {
        let refusal = CallError::RetryAfter(Duration::from_secs(seconds));
        gate.pass(ChatId(chat), Pace::Answer, ready(Err(refusal))).await
    }

    #[tokio::test]
    async fn a_429_pauses_its_chat_for_everybody_and_no_other_chat() {
        let (gate, clock) = gate();
        assert_eq!(is_refused(&gate, 7, 30).await, Err(GateError::PausedUntil(at(30))));
        assert_eq!(sends(&gate, 7, Pace::Answer).await, Err(GateError::PausedUntil(at(30))));
        assert_eq!(sends(&gate, 7, Pace::Notice).await, Err(GateError::PausedUntil(at(30))));
        assert_eq!(sends(&gate, 8, Pace::Answer).await, Ok(()));
        assert_eq!(gate.paused_until(ChatId(7)), Some(at(30)));
        clock.advance(Duration::from_secs(30));
        assert_eq!(sends(&gate, 7, Pace::Answer).await, Ok(()));
        assert_eq!(gate.paused_until(ChatId(7)), None);
    }

    #[tokio::test]
    async fn pauses_in_three_chats_at_once_pause_the_whole_bot() {
        let (gate, clock) = gate();
        is_refused(&gate, 1, 10).await.unwrap_err();
        // Another call to the same chat, which was on its way already.
        gate.pause(ChatId(1), Duration::from_secs(10));
        is_refused(&gate, 2, 10).await.unwrap_err();
        assert_eq!(sends(&gate, 9, Pace::Answer).await, Ok(()));
        clock.advance(Duration::from_secs(5));
        is_refused(&gate, 3, 20).await.unwrap_err();
        assert_eq!(sends(&gate, 9, Pace::Answer).await, Err(GateError::PausedUntil(at(25))));
        clock.advance(Duration::from_secs(20));
        assert_eq!(sends(&gate, 9, Pace::Answer).await, Ok(()));
    }

    #[tokio::test]
    async fn pauses_that_are_over_do_not_add_up() {
        let (gate, clock) = gate();
        for chat in [1, 2, 3] {
            clock.advance(Duration::from_secs(3));
            is_refused(&gate, chat, 2).await.unwrap_err();
        }
        assert_eq!(sends(&gate, 9, Pace::Answer).await, Ok(()));
    }

    #[tokio::test]
    async fn an_answer_is_never_delayed_by_a_guess() {
        let (gate, _) = gate();
        for _ in 0..100 {
            assert_eq!(sends(&gate, 7, Pace::Answer).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn notices_to_one_chat_keep_a_second_apart() {
        let (gate, clock) = gate();
        sends(&gate, 7, Pace::Notice).await.unwrap();
        let second = tokio::spawn({
            let gate = gate.clone();
            async move { sends(&gate, 7, Pace::Notice).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        assert_eq!(sends(&gate, 7, Pace::Notice).await, Err(GateError::PausedUntil(at(2))));
        clock.advance(Duration::from_secs(1));
        assert_eq!(second.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn notices_overall_stay_at_twenty_five_a_second() {
        let (gate, _) = gate();
        let turns: Vec<_> = (0..40).map(|chat| gate.turn(ChatId(chat), Pace::Notice)).collect();
        let within_a_second = turns.iter().filter(|turn| turn.is_ok()).count();
        assert_eq!(within_a_second, 26);
        assert_eq!(turns[39], Err(START.after(Duration::from_millis(26 * 40))));
    }

    #[tokio::test]
    async fn a_pause_of_a_second_is_waited_for_at_the_gate() {
        let (gate, clock) = gate();
        is_refused(&gate, 7, 1).await.unwrap_err();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { sends(&gate, 7, Pace::Answer).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(1));
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }
}
