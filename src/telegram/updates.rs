//! What an update leads to: who sent it, what it means as an event, and what is answered. The acknowledgement follows.

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use std::sync::Arc;

use crate::access::{Access, AccessNotice, Admission};
use crate::deposit::{ChatId, Media, UserId};
use crate::effects::Effects;
use crate::ledger::{LedgerError, Role};
use crate::service::{Handled as Applied, ServiceError, ValidationSessionService};
use crate::session::{Cause, Event, Language, Note, Sentence, Verdict};
use crate::store::StoreError;
use crate::telegram::chat::TelegramChat;
use crate::telegram::commands::{self, Command, Parsed};
use crate::telegram::incoming::{
    Chat, ChatKind, Content, Incoming, IncomingKind, Message, Sender, Unsupported,
};
use crate::telegram::intake::{Handle, Handled, ParkReason};
use crate::telegram::send_limiter::Priority;
use crate::telegram::views::messages::{self, Notification};
use note_reader::names;

/// Handles updates; everything it needs is shared, so a clone is cheap.
#[derive(Clone, Debug)]
pub struct Updates {
    /// The conversations.
    pub service: Arc<ValidationSessionService>,
    /// The lanes that commits take.
    pub effects: Effects,
    /// Who may.
    pub access: Arc<Access>,
    /// The way to the chats.
    pub chat: TelegramChat,
    /// Whether somebody looks at photos.
    pub looks_at_photos: bool,
    /// Whether what it handles was parked before: its message may be older than all that its conversation remembers.
    pub replays: bool,
    /// Answers to taps on their way; nobody waits for them but the end of the program.
    pub answers: TaskTracker,
}

/// What became of an update that was committed; the label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It went through the session, or was answered.
    Handled,
    /// Its sender may not, or sent too much.
    Refused,
    /// There is nobody to answer: a bot, a channel, a remark of Telegram's own.
    Ignored,
    /// It was kept for an operator.
    Parked,
}

/// Why an update could not be committed; it will come again.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpdateError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

#[async_trait]
impl Handle for Updates {
    async fn handle(&self, incoming: &Incoming, raw: &str) -> Handled {
        crate::failpoint!("update_received");
        let kind = incoming.name();
        match self.settle(incoming, raw).await {
            Ok(outcome) => {
                crate::failpoint!("committed");
                count(kind, outcome.name());
                Handled::Committed
            }
            Err(UpdateError::Service(ServiceError::Store(error @ StoreError::Newer { .. }))) => {
                tracing::debug!(update.id = incoming.update_id, %error, "an update waits for a newer release");
                count(kind, "retried");
                Handled::Held
            }
            Err(error) => {
                tracing::warn!(update.id = incoming.update_id, %error, "an update was not committed; it will come again");
                count(kind, "retried");
                Handled::Retry
            }
        }
    }

    async fn park(&self, update: Option<i64>, raw: &str, reason: ParkReason) -> Handled {
        match self.keep(update, raw, reason.as_str()).await {
            Ok(_) => {
                if reason == ParkReason::NewerSession {
                    self.put_off(raw).await;
                }
                Handled::Committed
            }
            Err(error) => {
                tracing::warn!(%error, "an update could not be kept; it will come again");
                Handled::Retry
            }
        }
    }
}

impl Updates {
    /// Takes an update to its commit; what cannot be digested is kept for an operator, which is one.
    pub(super) async fn settle(&self, incoming: &Incoming, raw: &str) -> Result<Outcome, UpdateError> {
        let update = Some(incoming.update_id);
        let outcome = match self.take(incoming).await {
            Ok(Outcome::Parked) => self.keep(update, raw, "a kind that is not known").await,
            Err(UpdateError::Service(ServiceError::Store(StoreError::Corrupt { key, reason }))) => {
                self.begin_anew(incoming, key, &reason).await
            }
            outcome => outcome,
        };
        match outcome {
            // What lies there is no document that could be put aside.
            Err(UpdateError::Service(ServiceError::Store(error @ StoreError::Corrupt { .. }))) => {
                tracing::error!(update.id = incoming.update_id, %error, "a session cannot be read");
                self.apologise(incoming).await;
                self.keep(update, raw, "the session cannot be read").await
            }
            Err(UpdateError::Service(ServiceError::Store(error @ StoreError::TooLarge { .. }))) => {
                tracing::error!(update.id = incoming.update_id, %error, "a session has no room for an update");
                self.apologise(incoming).await;
                self.keep(update, raw, "the session has no room for it").await
            }
            outcome => outcome,
        }
    }

    pub(super) async fn take(&self, incoming: &Incoming) -> Result<Outcome, UpdateError> {
        match &incoming.kind {
            IncomingKind::Message(message) => self.message(incoming.update_id, message, false).await,
            IncomingKind::Edited(message) => self.message(incoming.update_id, message, true).await,
            IncomingKind::Tap(tap) => self.tap(incoming.update_id, tap).await,
            IncomingKind::Membership(membership) if membership.present => {
                Ok(self.leave_group(membership.chat, Language::default()).await)
            }
            IncomingKind::Membership(_) => Ok(Outcome::Ignored),
            IncomingKind::Unknown(_) => Ok(Outcome::Parked),
        }
    }

    async fn message(&self, update: i64, message: &Message, edited: bool) -> Result<Outcome, UpdateError> {
        let code = message.sender.as_ref().and_then(|sender| sender.language_code.as_deref());
        let language = Language::from_code(code);
        if !message.chat.is_private() {
            return Ok(self.leave_group(message.chat, language).await);
        }
        let Some(sender) = message.sender.as_ref().filter(|sender| sender.is_person) else {
            return Ok(Outcome::Ignored);
        };
        if let Content::Service(_) = message.content {
            return Ok(Outcome::Ignored);
        }
        let command = if edited { None } else { command_of(&message.content) };
        let role = match self.access.admit(sender.id).await? {
            Admission::Member(role) => role,
            Admission::Stranger(role) => return self.stranger(sender, role, command.as_ref()).await,
            Admission::OverLimit => return Ok(self.slow_down(sender).await),
        };
        let event = if edited {
            Event::Asked(Sentence::EditIgnored)
        } else {
            match command {
                Some(Parsed::Known(Command::Start(token))) if !token.is_empty() => {
                    return self.invited(sender, &token).await;
                }
                Some(command) => {
                    if let Parsed::Known(Command::Start(_)) = command {
                        self.chat.ledger.introduce(sender.id, &sender.name(), language).await?;
                    }
                    if let Parsed::Known(Command::Forget(name)) = &command
                        && role >= Role::Manager
                        && let Some(key) = names::key(name)
                    {
                        self.chat.ledger.forget(&key, Some(sender.id)).await?;
                    }
                    event_of_command(command, role)
                }
                None => event_of_content(message, self.looks_at_photos),
            }
        };
        let cause = Cause::Update {
            id: update,
            message: (!edited).then_some(message.id),
            sent_at: message.sent_at.filter(|_| !edited),
            language,
        };
        self.apply(sender.id, cause, &event).await
    }

    /// Commits an event of a conversation and starts what follows from it.
    pub(super) async fn apply(
        &self,
        user: UserId,
        cause: Cause,
        event: &Event,
    ) -> Result<Outcome, UpdateError> {
        let applied = self.commit(user, cause, event).await?;
        self.run(&applied).await?;
        Ok(Outcome::Handled)
    }

    /// Commits an event of a conversation; the caller runs what follows. What comes again, because it could not be
    /// committed or because it is a repetition, does not count against the limit of its sender.
    pub(super) async fn commit(
        &self,
        user: UserId,
        cause: Cause,
        event: &Event,
    ) -> Result<Applied, ServiceError> {
        let cause = match cause {
            Cause::Update { id, sent_at, language, .. } if self.replays => {
                Cause::Update { id, message: None, sent_at, language }
            }
            cause => cause,
        };
        let applied = self.service.update(self.service.key(user), cause, event).await;
        if applied.as_ref().map_or(true, |applied| applied.verdict == Verdict::Duplicate) {
            self.access.give_back(user);
        }
        applied
    }

    /// Runs the lanes that a commit took. Waits for the first attempt to record a deposit, and for the mirror: only then
    /// may the update be acknowledged.
    pub(super) async fn run(&self, applied: &Applied) -> Result<(), ServiceError> {
        if self.effects.run(applied).await.recorded().await {
            return Ok(());
        }
        self.service.replicated(&applied.session).await
    }

    async fn slow_down(&self, sender: &Sender) -> Outcome {
        if self.access.may_notify(sender.id, AccessNotice::Refusal) {
            self.notify(sender, Notification::TooFast).await;
        }
        Outcome::Refused
    }

    /// Says something outside of any conversation, once; if it does not arrive, it was a courtesy.
    pub(super) async fn notify(&self, sender: &Sender, notification: Notification) {
        let language = Language::from_code(sender.language_code.as_deref());
        let view = messages::notification(self.chat.i18n.localizer(language), notification);
        if let Err(failure) = self.chat.send(ChatId(sender.id.0), &view, Priority::Reply).await {
            tracing::debug!(?failure, "an notification did not arrive");
        }
    }

    async fn leave_group(&self, chat: Chat, language: Language) -> Outcome {
        match chat.kind {
            ChatKind::Private => return Outcome::Ignored,
            ChatKind::Group | ChatKind::Channel => {}
        }
        // Several people may speak before the bot is gone.
        if self.access.may_notify(UserId(chat.id.0), AccessNotice::Refusal) {
            let view = messages::notification(self.chat.i18n.localizer(language), Notification::Group);
            if let Err(failure) = self.chat.send(chat.id, &view, Priority::Reply).await {
                tracing::debug!(?failure, "a group could not be told why the bot leaves");
            }
        }
        if let Err(error) = self.chat.client.leave_chat(chat.id).await {
            tracing::debug!(%error, "a group could not be left");
        }
        Outcome::Refused
    }

    /// Keeps an update for an operator: that is its commit.
    async fn keep(&self, update: Option<i64>, raw: &str, reason: &str) -> Result<Outcome, UpdateError> {
        self.chat.ledger.park(update.unwrap_or_default(), raw, reason).await?;
        Ok(Outcome::Parked)
    }
}

/// The command that a text begins with. There is no other bot in a private chat, so a name after `@` is ours.
fn command_of(content: &Content) -> Option<Parsed> {
    let Content::Text(text) = content else { return None };
    let word = text.split_whitespace().next().unwrap_or_default();
    commands::parse(text, word.split_once('@').map_or("", |(_, name)| name))
}

fn event_of_command(command: Parsed, role: Role) -> Event {
    let Parsed::Known(command) = command else { return Event::Asked(Sentence::UnknownCommand) };
    match command {
        Command::Start(_) => Event::Asked(Sentence::Welcome),
        Command::Help if role >= Role::Manager => Event::Asked(Sentence::HelpForManagers),
        Command::Help => Event::Asked(Sentence::Help),
        Command::Quality | Command::Lexicon | Command::Forget(_) if role < Role::Manager => {
            Event::Asked(Sentence::ForManagers)
        }
        Command::Quality => Event::Asked(Sentence::Quality),
        Command::Lexicon => Event::Asked(Sentence::Lexicon),
        Command::Forget(name) if names::key(&name).is_some() => Event::Asked(Sentence::Forgotten),
        Command::Forget(_) => Event::Asked(Sentence::ForgetWhat),
        Command::Depot(text) if text.is_empty() => Event::OpeningRequested,
        Command::Depot(text) => Event::NoteReceived(Note { text, ..Note::default() }),
        Command::Cancel => Event::CancelRequested,
        Command::MyDeposits => Event::Asked(Sentence::MyDeposits),
        Command::Status => Event::StatusRequested,
    }
}

fn event_of_content(message: &Message, looks_at_photos: bool) -> Event {
    let reply_to = message.reply_to;
    match &message.content {
        Content::Text(text) => Event::NoteReceived(Note { text: text.clone(), reply_to, ..Note::default() }),
        Content::File { attachment, caption, album } => Event::NoteReceived(Note {
            text: caption.clone().unwrap_or_default(),
            attachment: Some(attachment.clone()),
            album: album.clone(),
            reply_to,
            look: looks_at_photos && attachment.media == Media::Photo,
        }),
        Content::Unsupported { what: Unsupported::File, .. } => Event::Asked(Sentence::UnsupportedFile),
        Content::Unsupported { what: Unsupported::Other, .. } | Content::Service(_) => {
            Event::Asked(Sentence::Unsupported)
        }
    }
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
        }
    }
}

fn count(kind: &'static str, outcome: &'static str) {
    metrics::counter!("depot_updates_total", "kind" => kind, "outcome" => outcome).increment(1);
}
