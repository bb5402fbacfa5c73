//! The retry policy, as one pure function: what an effect that did not succeed leads to.

use std::time::Duration;

use crate::clock::Timestamp;
use session::{Effect, Event};

/// How often a message to the chat is tried before an operator has to look at it.
pub const CHAT_ATTEMPTS_MAX: u32 = 8;
/// How often a note is worked on before the user is asked for other words.
pub const COMPUTE_ATTEMPTS_MAX: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Why an effect did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may work later: no connection, no answer, an error on the other side.
    Transient,
    /// The other side asked for patience until then.
    Paused(Timestamp),
    /// It will not work: the other side understood and refused.
    Permanent,
    /// The person blocked the bot.
    ChatClosed,
    /// The card's message cannot be edited any more.
    CardLost,
}

/// The event that a failure becomes; `jitter` (0 to 1) spreads the retries of many conversations.
#[must_use]
pub fn event_of(effect: &Effect, attempts: u32, failure: &Failure, now: Timestamp, jitter: f64) -> Event {
    match failure {
        Failure::Paused(until) => Event::Deferred { until: *until, counted: false },
        Failure::ChatClosed => Event::ChatClosed,
        Failure::CardLost => Event::CardLost,
        Failure::Permanent => given_up(effect, attempts, now, jitter),
        Failure::Transient if attempts + 1 >= attempts_max(effect) => given_up(effect, attempts, now, jitter),
        Failure::Transient => deferred(attempts, now, jitter),
    }
}

/// A deposit is never given up, however long the ledger refuses it.
fn given_up(effect: &Effect, attempts: u32, now: Timestamp, jitter: f64) -> Event {
    match effect {
        Effect::RecordDeposit(_) => deferred(attempts, now, jitter),
        Effect::Transcribe(_) => Event::TranscriptionFailed,
        Effect::Understand(_) => Event::UnderstandingFailed,
        Effect::ShowCard | Effect::Say(_) => Event::GivenUp,
    }
}

fn attempts_max(effect: &Effect) -> u32 {
    match effect {
        Effect::RecordDeposit(_) => u32::MAX,
        Effect::Transcribe(_) | Effect::Understand(_) => COMPUTE_ATTEMPTS_MAX,
        Effect::ShowCard | Effect::Say(_) => CHAT_ATTEMPTS_MAX,
    }
}

/// Doubles from half a second to half a minute, with half of it left to jitter.
fn deferred(attempts: u32, now: Timestamp, jitter: f64) -> Event {
    let full = FIRST_DELAY.saturating_mul(1 << attempts.min(10)).min(LONGEST_DELAY);
    Event::Deferred { until: now.after(full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)), counted: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::Sentence;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn delay(event: &Event) -> i64 {
        match event {
            Event::Deferred { until, .. } => until.0 - NOW.0,
            other => panic!("not deferred: {other:?}"),
        }
    }

    #[test]
    fn delays_double_and_are_bounded() {
        let say = Effect::Say(Sentence::Help);
        let delays: Vec<i64> =
            (0..5).map(|attempt| delay(&event_of(&say, attempt, &Failure::Transient, NOW, 1.0))).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000]);
        assert!(delay(&deferred(40, NOW, 1.0)) <= 30_000);
    }

    #[test]
    fn a_sentence_is_given_up_and_a_pause_does_not_count() {
        let say = Effect::Say(Sentence::Help);
        assert_eq!(event_of(&say, CHAT_ATTEMPTS_MAX - 1, &Failure::Transient, NOW, 0.5), Event::GivenUp);
        let later = Timestamp(NOW.0 + 7_000);
        let paused = event_of(&say, CHAT_ATTEMPTS_MAX, &Failure::Paused(later), NOW, 0.5);
        assert_eq!(paused, Event::Deferred { until: later, counted: false });
    }
}
