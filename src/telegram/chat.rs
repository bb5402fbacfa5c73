//! Sending to Telegram chats: a view is rendered when it is sent, and every call passes the send limiter.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use teloxide::types::{InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, MessageEntityKind};

use crate::clock::Clock;
use crate::effects::execute::{Chat, Shown};
use crate::effects::retry::Failure;
use crate::i18n::I18n;
use crate::ledger::{Feedback, Ledger, LedgerError, Members};
use crate::operations::{DeadLetters, Deliveries, Quarantine};
use crate::telegram::client::{CallError, Client};
use crate::telegram::send_limiter::{Priority, SendError, SendLimiter};
use crate::telegram::views::messages::{self, Listed};
use crate::telegram::views::view::{Style, View};
use crate::telegram::{callback, views::card};
use deposit::taxonomy::Taxonomy;
use deposit::{ChatId, MessageId};
use note_reader::site;
use session::{Sentence, Session};

/// How many deposits `/mesdepots` lists.
const LISTED: u32 = 10;
/// How far `/qualite` looks back.
const LOOKED_BACK: Duration = Duration::from_hours(90 * 24);

/// Renders and sends; clones share everything.
#[derive(Clone, Debug)]
pub struct TelegramChat {
    /// The Bot API.
    pub client: Client,
    /// The limiter that every call passes.
    pub limiter: SendLimiter,
    /// The messages in the user's language.
    pub i18n: Arc<I18n>,
    /// The categories.
    pub taxonomy: Arc<Taxonomy>,
    /// Where `/mesdepots` and `/qualite` read.
    pub ledger: Ledger,
    /// The feedback that `/lexique` reads.
    pub feedback: Feedback,
    /// The members, who request access and decide about it.
    pub members: Members,
    /// The messages to other users' chats.
    pub deliveries: Deliveries,
    /// Updates that cannot be handled go there.
    pub dead_letters: DeadLetters,
    /// Session documents that cannot be read go there.
    pub quarantine: Quarantine,
    /// The clock.
    pub clock: Clock,
    /// How long a session lives without activity.
    pub ttl: Duration,
    /// The time zone in which dates are shown.
    pub zone: TimeZone,
}

impl Chat for TelegramChat {
    async fn show_card(&self, session: &Session) -> Result<Shown, Failure> {
        let chat = session.key.chat;
        let view = card::render(session, &self.i18n, &self.taxonomy, self.clock.now(), self.ttl);
        let stays = session.card.message.filter(|_| session.card.repost_from == 0);
        let mut strays = session.card.orphaned_keyboards.clone();
        if stays.is_none() {
            strays.extend(session.card.message);
        }
        for stray in &strays {
            self.strip(chat, *stray).await?;
        }
        let message = match stays {
            Some(message) => {
                self.edit(chat, message, &view).await?;
                message
            }
            None => self.send(chat, &view, Priority::Reply).await?,
        };
        Ok(Shown { message, stripped: strays })
    }

    async fn say(&self, session: &Session, sentence: Sentence) -> Result<(), Failure> {
        let localizer = self.i18n.localizer(session.language);
        let view = match sentence {
            Sentence::MyDeposits => {
                let entries =
                    self.ledger.latest_of(session.key.user, LISTED).await.map_err(ledger_unavailable)?;
                let listed: Vec<Listed> = entries.iter().map(|entry| Listed::of(&entry.recorded())).collect();
                messages::my_deposits(localizer, &listed, self.clock.now(), &self.zone)
            }
            Sentence::Quality => {
                let since = self.clock.now().before(LOOKED_BACK);
                let found =
                    self.ledger.quality(&self.taxonomy.id, since).await.map_err(ledger_unavailable)?;
                messages::quality(localizer, &self.taxonomy, &found)
            }
            Sentence::Lexicon => {
                let feedback = self.feedback.read(&self.taxonomy.id).await;
                let feedback = feedback.map_err(|error| ledger_unavailable(error.into()))?;
                let learned = site::learned(&feedback.choices, &feedback.retracted);
                messages::lexicon(localizer, &self.taxonomy, &learned)
            }
            other => messages::sentence(localizer, other),
        };
        self.send(session.key.chat, &view, Priority::Reply).await.map(drop)
    }
}

impl TelegramChat {
    /// Sends a view as a new message.
    ///
    /// # Errors
    /// The failure, in the classes of the retry policy. After [`Failure::Transient`] the message may be there.
    pub async fn send(&self, chat: ChatId, view: &View, priority: Priority) -> Result<MessageId, Failure> {
        let call = self.client.send_message(chat, &view.text, entities(view), keyboard(view));
        let sent = self.limiter.send(chat, priority, call).await;
        if matches!(sent, Err(SendError::Call(CallError::Unknown | CallError::Server { .. }))) {
            metrics::counter!("depot_repeats_possible_total", "method" => "sendMessage").increment(1);
        }
        sent.map_err(failure)
    }

    /// Edits a message to show another view; succeeds if it shows that view already.
    ///
    /// # Errors
    /// As [`TelegramChat::send`]; [`Failure::CardLost`] when the message can no longer be edited.
    pub async fn edit(&self, chat: ChatId, message: MessageId, view: &View) -> Result<(), Failure> {
        let call = self.client.edit_message_text(chat, message, &view.text, entities(view), keyboard(view));
        match self.limiter.send(chat, Priority::Reply, call).await {
            Ok(()) | Err(SendError::Call(CallError::NotModified)) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Removes the keyboard of a message; succeeds if the message has none or is gone.
    ///
    /// # Errors
    /// As [`TelegramChat::send`].
    pub async fn strip(&self, chat: ChatId, message: MessageId) -> Result<(), Failure> {
        match self.limiter.send(chat, Priority::Reply, self.client.strip_keyboard(chat, message)).await {
            Ok(()) | Err(SendError::Call(CallError::NotModified | CallError::MessageGone)) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }
}

fn ledger_unavailable(error: LedgerError) -> Failure {
    tracing::warn!(
        %error,
        "the ledger cannot be read: the answer to a command waits and is retried; check the database"
    );
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
            tracing::error!(
                %error,
                "Telegram does not accept the calls of this bot: its messages wait and are retried; check \
                 TELEGRAM_BOT_TOKEN, and that no second bot runs with it"
            );
            Failure::Transient
        }
        CallError::NotModified | CallError::QueryTooOld | CallError::Rejected { .. } => {
            tracing::error!(
                %error,
                "Telegram rejects a message: it is not sent and not retried; this is a defect of the bot, report it with \
                 this line"
            );
            Failure::Permanent
        }
    }
}

fn entities(view: &View) -> Vec<MessageEntity> {
    let entity = |entity: &crate::telegram::views::view::Entity| {
        let kind = match entity.style {
            Style::Bold => MessageEntityKind::Bold,
            Style::Code => MessageEntityKind::Code,
        };
        MessageEntity { kind, offset: entity.offset, length: entity.length }
    };
    view.entities.iter().map(entity).collect()
}

fn keyboard(view: &View) -> Option<InlineKeyboardMarkup> {
    let button = |button: &crate::telegram::views::view::Button| {
        InlineKeyboardButton::callback(&button.label, callback::encode(&button.action))
    };
    let rows = view.keyboard.iter().map(|row| row.iter().map(button).collect::<Vec<_>>());
    (!view.keyboard.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}
