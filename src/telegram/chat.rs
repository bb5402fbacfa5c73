//! The chat as Telegram has it: pictures are painted when they are sent, and pass the limiter of their destination.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use teloxide::types::{InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, MessageEntityKind};

use crate::clock::Clock;
use crate::deposit::{ChatId, MessageId};
use crate::effects::execute::{Chat, Shown};
use crate::effects::retry::Failure;
use crate::i18n::I18n;
use crate::ledger::{Ledger, LedgerError};
use crate::session::{Sentence, Session};
use crate::taxonomy::Taxonomy;
use crate::telegram::client::{CallError, Client};
use crate::telegram::picture::{Picture, Style};
use crate::telegram::send_limiter::{Priority, SendError, SendLimiter};
use crate::telegram::sentences::{self, Listed};
use crate::telegram::{callback, card};
use note_reader::site;

/// How many deposits `/mesdepots` lists.
const LISTED: u32 = 10;
/// How far `/qualite` looks back.
const LOOKED_BACK: Duration = Duration::from_hours(90 * 24);

/// Paints and sends; a clone shares everything.
#[derive(Clone, Debug)]
pub struct TelegramChat {
    /// The way out.
    pub client: Client,
    /// The limiter that every sender passes.
    pub limiter: SendLimiter,
    /// The sentences.
    pub i18n: Arc<I18n>,
    /// The categories.
    pub taxonomy: Arc<Taxonomy>,
    /// Where `/mesdepots`, `/qualite` and `/lexique` read.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Clock,
    /// How long a session lives without activity.
    pub ttl: Duration,
    /// The time zone in which dates are shown.
    pub zone: TimeZone,
}

#[async_trait]
impl Chat for TelegramChat {
    async fn show_card(&self, session: &Session) -> Result<Shown, Failure> {
        let chat = session.key.chat;
        let picture = card::render(session, &self.i18n, &self.taxonomy, self.clock.now(), self.ttl);
        let stays = session.card.message.filter(|_| session.card.anew == 0);
        let mut strays = session.card.strays.clone();
        if stays.is_none() {
            strays.extend(session.card.message);
        }
        for stray in &strays {
            self.strip(chat, *stray).await?;
        }
        let message = match stays {
            Some(message) => {
                self.repaint(chat, message, &picture).await?;
                message
            }
            None => self.tell(chat, &picture, Priority::Reply).await?,
        };
        Ok(Shown { message, stripped: strays })
    }

    async fn say(&self, session: &Session, sentence: Sentence) -> Result<(), Failure> {
        let localizer = self.i18n.localizer(session.language);
        let picture = match sentence {
            Sentence::MyDeposits => {
                let entries = self.ledger.latest_of(session.key.user, LISTED).await.map_err(not_yet)?;
                let listed: Vec<Listed> = entries.iter().map(|entry| Listed::of(&entry.recorded())).collect();
                sentences::my_deposits(localizer, &listed, self.clock.now(), &self.zone)
            }
            Sentence::Quality => {
                let since = self.clock.now().before(LOOKED_BACK);
                let found = self.ledger.quality(&self.taxonomy.id, since).await.map_err(not_yet)?;
                sentences::quality(localizer, &self.taxonomy, &found)
            }
            Sentence::Lexicon => {
                let choices = self.ledger.choices(&self.taxonomy.id).await.map_err(not_yet)?;
                let learned = site::learned(&choices.made, &choices.forgotten);
                sentences::lexicon(localizer, &self.taxonomy, &learned)
            }
            other => sentences::sentence(localizer, other),
        };
        self.tell(session.key.chat, &picture, Priority::Reply).await.map(drop)
    }
}

impl TelegramChat {
    /// Sends a picture as a new message.
    ///
    /// # Errors
    /// The failure, in the classes of the retry policy. After [`Failure::Transient`] the message may be there.
    pub async fn tell(
        &self,
        chat: ChatId,
        picture: &Picture,
        priority: Priority,
    ) -> Result<MessageId, Failure> {
        let call = self.client.send_message(chat, &picture.text, entities(picture), keyboard(picture));
        let sent = self.limiter.send(chat, priority, call).await;
        if matches!(sent, Err(SendError::Call(CallError::Unknown | CallError::Server { .. }))) {
            metrics::counter!("depot_repeats_possible_total", "method" => "sendMessage").increment(1);
        }
        sent.map_err(failure)
    }

    /// Gives a message another picture; one that shows it already is as good.
    ///
    /// # Errors
    /// As [`TelegramChat::tell`]; [`Failure::CardLost`] when the message can no longer be edited.
    pub async fn repaint(&self, chat: ChatId, message: MessageId, picture: &Picture) -> Result<(), Failure> {
        let call =
            self.client.edit_message_text(chat, message, &picture.text, entities(picture), keyboard(picture));
        match self.limiter.send(chat, Priority::Reply, call).await {
            Ok(()) | Err(SendError::Call(CallError::NotModified)) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Takes the keyboard from a message; a message that has none, or is gone, is as good.
    ///
    /// # Errors
    /// As [`TelegramChat::tell`].
    pub async fn strip(&self, chat: ChatId, message: MessageId) -> Result<(), Failure> {
        match self.limiter.send(chat, Priority::Reply, self.client.strip_keyboard(chat, message)).await {
            Ok(()) | Err(SendError::Call(CallError::NotModified | CallError::MessageGone)) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }
}

/// What is to be said cannot be read from the ledger now.
fn not_yet(error: LedgerError) -> Failure {
    tracing::warn!(%error, "what somebody asked for cannot be read from the ledger yet");
    Failure::Transient
}

/// A failed call in the classes of the retry policy.
fn failure(error: SendError) -> Failure {
    let error = match error {
        SendError::PausedUntil(until) => return Failure::Paused(until),
        SendError::Call(error) => error,
    };
    match error {
        CallError::Blocked => Failure::ChatClosed,
        CallError::MessageGone => Failure::CardLost,
        CallError::NotSent | CallError::Unknown | CallError::Server { .. } | CallError::RetryAfter(_) => {
            Failure::Transient
        }
        CallError::Unauthorized | CallError::Conflict(_) => {
            tracing::error!(%error, "Telegram does not let this bot speak");
            Failure::Transient
        }
        CallError::NotModified | CallError::QueryTooOld | CallError::Rejected { .. } => {
            tracing::error!(%error, "Telegram refuses a message");
            Failure::Permanent
        }
    }
}

fn entities(picture: &Picture) -> Vec<MessageEntity> {
    let entity = |entity: &crate::telegram::picture::Entity| {
        let kind = match entity.style {
            Style::Bold => MessageEntityKind::Bold,
            Style::Code => MessageEntityKind::Code,
        };
        MessageEntity { kind, offset: entity.offset, length: entity.length }
    };
    picture.entities.iter().map(entity).collect()
}

fn keyboard(picture: &Picture) -> Option<InlineKeyboardMarkup> {
    let button = |button: &crate::telegram::picture::Button| {
        InlineKeyboardButton::callback(&button.label, callback::encode(&button.press))
    };
    let rows = picture.keyboard.iter().map(|row| row.iter().map(button).collect::<Vec<_>>());
    (!picture.keyboard.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}
