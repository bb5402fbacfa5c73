//! The execution of one effect, and the event that its success or failure becomes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::effects::retry::{self, Failure};
use crate::ledger::{Record, RecordError};
use crate::model::{Understand, UnderstandError};
use crate::rng::Rng;
use crate::speech::{Transcribe, TranscribeError};
use deposit::{Leaving, MessageId, Recorded};
use session::{Effect, Event, Note, Sentence, Session};

/// The longest an effect takes, whatever it waits for: shorter than its lease.
const DEADLINE: Duration = Duration::from_secs(12);
/// The longest that transcribing a recording or reading a photo takes: the lease is renewed meanwhile. Longer than the
/// deadline of [`Transcribe`] itself.
const FILE_DEADLINE: Duration = Duration::from_secs(90);

/// The chat, as the effects need it: the way down to `telegram`, which implements it.
pub trait Chat: Send + Sync + 'static {
    /// Makes the card look as the state wants it: edits it, or reposts it and strips the keyboard of the old one.
    ///
    /// # Crash
    /// Between the call and the commit of its outcome: the card is shown again. An edit is the same edit; a new message
    /// may stand there twice, and the first one loses its keyboard when it is tapped.
    fn show_card(&self, session: &Session) -> impl Future<Output = Result<Shown, Failure>> + Send;

    /// Sends one sentence; after a crash it may be sent twice.
    fn say(&self, session: &Session, sentence: Sentence) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Where a view of the card was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The message that carries it.
    pub message: MessageId,
    /// Messages that lost their keyboard on the way.
    pub stripped: Vec<MessageId>,
}

/// Reaches the outside world for the lanes: the chat, the ledger, and the models.
pub struct Executor<C, R> {
    /// The chat.
    pub chat: C,
    /// Records deposits in the ledger.
    pub recorder: R,
    /// Turns voice notes into text.
    pub transcriber: Arc<dyn Transcribe>,
    /// Turns notes into lines.
    pub understanding: Arc<dyn Understand>,
    /// The id of the taxonomy that categories are taken from.
    pub taxonomy: String,
    /// The clock that delays count from.
    pub clock: Clock,
    /// Spreads the retries of many conversations.
    pub rng: Rng,
}

impl<C, R> fmt::Debug for Executor<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("taxonomy", &self.taxonomy).finish_non_exhaustive()
    }
}

impl<C: Chat, R: Record> Executor<C, R> {
    /// Executes one effect within its deadline and returns the event of its outcome; a failure is an event too.
    pub async fn execute(&self, session: &Session, effect: &Effect, attempts: u32) -> Event {
        let done = async {
            match effect {
                Effect::ShowCard => self.show_card(session).await,
                Effect::Say(sentence) => self.chat.say(session, *sentence).await.map(|()| Event::Said),
                Effect::Transcribe(note) => self.transcribe(session, note).await,
                Effect::Understand(note) => self.understand(session, note).await,
                Effect::RecordDeposit(leaving) => {
                    recorded(self.recorder.record(session, leaving, &self.taxonomy).await, leaving)
                }
            }
        };
        let outcome =
            tokio::time::timeout(deadline_of(effect), done).await.unwrap_or(Err(Failure::Transient));
        outcome.unwrap_or_else(|failure| self.failed(effect, attempts, &failure))
    }

    async fn show_card(&self, session: &Session) -> Result<Event, Failure> {
        let view = session.card.wanted;
        let Shown { message, stripped } = self.chat.show_card(session).await?;
        Ok(Event::CardShown { view, message, stripped })
    }

    async fn transcribe(&self, session: &Session, note: &Note) -> Result<Event, Failure> {
        let Some(attachment) = &note.attachment else { return Ok(Event::TranscriptionFailed) };
        match self.transcriber.transcribe(attachment, session.language).await {
            Ok(text) => {
                crate::failpoint!("transcribed");
                Ok(Event::Transcribed(text))
            }
            Err(TranscribeError::NotConfigured) => Ok(Event::TranscriptionFailed),
            Err(error @ TranscribeError::Unavailable(_)) => {
                tracing::warn!(
                    %error,
                    "a voice note could not be transcribed: it is tried again by itself; see STT_BASE_URL"
                );
                Err(Failure::Transient)
            }
            Err(error @ TranscribeError::Failed(_)) => {
                tracing::warn!(
                    %error,
                    "a voice note cannot be transcribed: it is kept with the deposit, and its owner is asked for words"
                );
                Ok(Event::TranscriptionFailed)
            }
        }
    }

    async fn understand(&self, session: &Session, note: &Note) -> Result<Event, Failure> {
        match self.read(session, note).await {
            Ok(event) => {
                crate::failpoint!("understood");
                Ok(event)
            }
            Err(error) => {
                tracing::warn!(%error, "a note could not be read: it is tried again by itself; see LLM_BASE_URL");
                Err(Failure::Transient)
            }
        }
    }

    /// Reads a note: as a correction of the lines on the open card, if it is one, or as new lines.
    async fn read(&self, session: &Session, note: &Note) -> Result<Event, UnderstandError> {
        if let Some(photo) = note.photo_alone() {
            return Ok(Event::Understood(self.understanding.look(photo, session.language).await?));
        }
        if let Some(card) = session.on_card(note)
            && let Some(correction) = self.understanding.correct(&note.text, &card, session.language).await?
        {
            return Ok(Event::Corrected(correction));
        }
        Ok(Event::Understood(self.understanding.understand(&note.text, session.language).await?))
    }

    fn failed(&self, effect: &Effect, attempts: u32, failure: &Failure) -> Event {
        let event = retry::event_of(effect, attempts, failure, self.clock.now(), self.rng.fraction());
        if event == Event::GivenUp {
            // The log has the reason above.
            tracing::error!(
                attempts,
                "the effect is given up: the user does not see its message; write to them, or restart the bot when \
                 Telegram answers again"
            );
        }
        if !matches!(failure, Failure::Paused(_)) {
            metrics::counter!("depot_effects_failed_total", "effect" => effect.name()).increment(1);
        }
        event
    }
}

fn deadline_of(effect: &Effect) -> Duration {
    match effect {
        Effect::Transcribe(_) => FILE_DEADLINE,
        Effect::Understand(note) if note.photo_alone().is_some() => FILE_DEADLINE,
        Effect::ShowCard | Effect::Say(_) | Effect::Understand(_) | Effect::RecordDeposit(_) => DEADLINE,
    }
}

fn recorded(outcome: Result<Recorded, RecordError>, leaving: &Leaving) -> Result<Event, Failure> {
    match outcome {
        Ok(recorded) => {
            tracing::debug!(
                deposit.id = %recorded.id,
                deposit.number = recorded.number,
                status = recorded.status.as_str(),
                "the deposit is in the ledger"
            );
            Ok(Event::Recorded(Box::new(recorded)))
        }
        Err(error) => {
            tracing::error!(
                deposit.id = %leaving.draft.id,
                %error,
                "a deposit could not be recorded: its decision is kept in the session, and recording is retried until \
                 it succeeds; see the database in /health/ready"
            );
            Err(Failure::Transient)
        }
    }
}
