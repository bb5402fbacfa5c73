//! Routing: from one update to the event that it means, its commit, and the effects that follow from it.
//!
//! [`Router::handle`] decides whether the update may be acknowledged; `Router::route` is the way of the update itself.

pub mod commands;
mod events;
pub mod replay;
mod strangers;
mod taps;
mod unreadable;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::access::{AccessNotice, AccessRules, Admission};
use crate::database::DatabaseError;
use crate::effects::Effects;
use crate::ledger::{LedgerError, Recorder, Role};
use crate::service::{Handled, ServiceError, ValidationSessionService};
use crate::store::StoreError;
use crate::telegram::chat::TelegramChat;
use crate::telegram::incoming::{
    ChatKind, Content, Incoming, IncomingChat, IncomingKind, IncomingTap, Message, Sender,
};
use crate::telegram::ingress::pipeline::{DeadLetterReason, Disposition, HandleUpdate};
use crate::telegram::routing::commands::{Command, Parsed};
use crate::telegram::routing::events::{command_of, event_of_command, event_of_content};
use crate::telegram::send_limiter::Priority;
use crate::telegram::views::messages::{self, Notification, Toast};
use deposit::{ChatId, UserId};
use note_reader::names;
use session::{Cause, Event, Language, Sentence, TapAnswer, Verb, Verdict};

/// The effects of a running bot: in its chats, and in its ledger.
pub type BotEffects = Effects<TelegramChat, Recorder>;

/// Routes updates; all its parts are shared, so a clone is cheap.
#[derive(Clone, Debug)]
pub struct Router {
    /// The conversations.
    pub service: Arc<ValidationSessionService>,
    /// Runs the lanes that commits take.
    pub effects: BotEffects,
    /// Roles and rates of users.
    pub access: Arc<AccessRules>,
    /// The way to the chats.
    pub chat: TelegramChat,
    /// Whether a model reads photos.
    pub looks_at_photos: bool,
    /// Whether its updates were dead letters: their messages may be older than all that the conversation remembers.
    pub replays: bool,
    /// Answers to taps on their way; only the end of the program waits for them.
    pub answers: TaskTracker,
}

/// The outcome of an update that was committed; the label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpdateOutcome {
    /// The session was asked, or the sender was answered.
    Handled,
    /// Its sender is no member, or sent too much.
    Refused,
    /// It has no sender to answer: a bot, a channel, a service message of Telegram.
    Ignored,
    /// It was kept as a dead letter.
    DeadLetter,
}

/// Why an update could not be committed; Telegram brings it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpdateError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The request of an update to the session.
struct Request<'a> {
    user: UserId,
    cause: Cause,
    event: Event,
    /// The tap that is to be answered.
    tap: Option<&'a IncomingTap>,
}

/// An update after access control.
enum Interpreted<'a> {
    /// It is for the session.
    Request(Request<'a>),
    /// It is done: answered, refused or ignored.
    Done(UpdateOutcome),
}

impl HandleUpdate for Router {
    async fn handle(&self, incoming: &Incoming, raw: &str) -> Disposition {
        crate::failpoint!("update_received");
        let routed = self.route(incoming).await;
        match self.recover(incoming, raw, routed).await {
            Ok(outcome) => {
                crate::failpoint!("committed");
                count(incoming.name(), outcome.as_str());
                Disposition::Committed
            }
            Err(UpdateError::Service(ServiceError::Store(error @ StoreError::Newer { .. }))) => {
                tracing::debug!(%error, "the update is held: only a newer release can read its session");
                count(incoming.name(), "retried");
                Disposition::Held
            }
            Err(error) => {
                tracing::warn!(%error, "the update is not committed and not acknowledged: Telegram brings it again");
                count(incoming.name(), "retried");
                Disposition::Retry
            }
        }
    }

    async fn dead_letter(&self, update: Option<i64>, raw: &str, reason: DeadLetterReason) -> Disposition {
        match self.keep_dead_letter(update, raw, reason.as_str()).await {
            Ok(_) => {
                if reason == DeadLetterReason::NewerSession {
                    self.notify_postponed(raw).await;
                }
                Disposition::Committed
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "a dead letter could not be kept; the update is not acknowledged, and Telegram brings it again"
                );
                Disposition::Retry
            }
        }
    }
}

impl Router {
    /// Interprets an update, commits its event, answers its tap and runs the effects. When this returns, no store can
    /// lose the commit any more.
    pub(super) async fn route(&self, incoming: &Incoming) -> Result<UpdateOutcome, UpdateError> {
        let request = match self.interpret(incoming).await? {
            Interpreted::Request(request) => request,
            Interpreted::Done(outcome) => return Ok(outcome),
        };
        let handled = self.commit(request.user, request.cause, &request.event).await?;
        if let Some(tap) = request.tap {
            // A duplicate has no answer of its own: the first one was given, or was lost with its instance.
            match handled.answer.unwrap_or(TapAnswer::Done) {
                TapAnswer::Elsewhere => return self.tap_in_ledger(tap, request.cause, &request.event).await,
                answer @ (TapAnswer::Done
                | TapAnswer::Stale
                | TapAnswer::Recording
                | TapAnswer::AnotherOpen) => {
                    self.toast(tap, Toast::Answered(answer));
                }
            }
        }
        // A deposit is recorded in one transaction with the decision about it: then the session is in SQL too.
        let first_attempt = self.effects.run(&handled).await;
        if !first_attempt.is_recorded().await {
            self.service.await_replication(&handled.session).await?;
        }
        Ok(UpdateOutcome::Handled)
    }

    async fn interpret<'a>(&self, incoming: &'a Incoming) -> Result<Interpreted<'a>, UpdateError> {
        let id = incoming.update_id;
        match &incoming.kind {
            IncomingKind::Message(message) => self.interpret_message(id, message, false).await,
            IncomingKind::Edited(message) => self.interpret_message(id, message, true).await,
            IncomingKind::Tap(tap) => self.interpret_tap(id, tap).await,
            IncomingKind::Membership(membership) if membership.present => {
                Ok(Interpreted::Done(self.leave_group(membership.chat, Language::default()).await))
            }
            IncomingKind::Membership(_) => Ok(Interpreted::Done(UpdateOutcome::Ignored)),
            IncomingKind::Unknown(_) => Ok(Interpreted::Done(UpdateOutcome::DeadLetter)),
        }
    }

    async fn interpret_message(
        &self,
        update: i64,
        message: &Message,
        is_edit: bool,
    ) -> Result<Interpreted<'static>, UpdateError> {
        let code = message.sender.as_ref().and_then(|sender| sender.language_code.as_deref());
        let language = Language::from_code(code);
        if !message.chat.is_private() {
            return Ok(Interpreted::Done(self.leave_group(message.chat, language).await));
        }
        let Some(sender) = message.sender.as_ref().filter(|sender| sender.is_person) else {
            return Ok(Interpreted::Done(UpdateOutcome::Ignored));
        };
        if let Content::Service(_) = message.content {
            return Ok(Interpreted::Done(UpdateOutcome::Ignored));
        }
        let command = if is_edit { None } else { command_of(&message.content) };
        let role = match self.access.admit(sender.id).await? {
            Admission::Member(role) => role,
            Admission::Stranger(role) => {
                return Ok(Interpreted::Done(self.stranger(sender, role, command.as_ref()).await?));
            }
            Admission::OverLimit => return Ok(Interpreted::Done(self.notify_over_limit(sender).await)),
        };
        let event = match command {
            None if is_edit => Event::Asked(Sentence::EditIgnored),
            None => event_of_content(message, self.looks_at_photos),
            Some(Parsed::Known(Command::Start(token))) if !token.is_empty() => {
                return Ok(Interpreted::Done(self.invited(sender, &token).await?));
            }
            Some(command) => {
                self.apply_to_ledger(&command, sender, role, language).await?;
                event_of_command(command, role)
            }
        };
        let cause = Cause::Update {
            id: update,
            message: (!is_edit).then_some(message.id),
            sent_at: message.sent_at.filter(|_| !is_edit),
            language,
        };
        Ok(Interpreted::Request(Request { user: sender.id, cause, event, tap: None }))
    }

    /// The part of a command that is no event of the conversation.
    async fn apply_to_ledger(
        &self,
        command: &Parsed,
        sender: &Sender,
        role: Role,
        language: Language,
    ) -> Result<(), UpdateError> {
        if let Parsed::Known(Command::Start(_)) = command {
            self.chat.members.introduce(sender.id, &sender.name(), language).await?;
        }
        if let Parsed::Known(Command::Forget(name)) = command
            && role >= Role::Manager
            && let Some(key) = names::key(name)
        {
            self.chat.feedback.retract(&key, Some(sender.id)).await?;
        }
        Ok(())
    }

    /// Commits an event of a conversation; the caller runs the effects. An update that comes again, because it could not
    /// be committed or because it is a repetition, does not count against the limit of its sender.
    pub(super) async fn commit(
        &self,
        user: UserId,
        cause: Cause,
        event: &Event,
    ) -> Result<Handled, ServiceError> {
        let cause = match cause {
            Cause::Update { id, sent_at, language, .. } if self.replays => {
                Cause::Update { id, message: None, sent_at, language }
            }
            cause => cause,
        };
        let key = self.service.key(user);
        let handled = match event {
            Event::OpeningRequested => self.service.create(key, cause).await,
            Event::CancelRequested => self.service.cancel(key, cause).await,
            Event::Tapped(tap) if tap.verb == Verb::Validate => {
                self.service.complete(key, cause, tap.clone()).await
            }
            Event::NoteReceived(_)
            | Event::StatusRequested
            | Event::Asked(_)
            | Event::Tapped(_)
            | Event::Resumed(..)
            | Event::Transcribed(_)
            | Event::TranscriptionFailed
            | Event::Understood(_)
            | Event::Corrected(_)
            | Event::UnderstandingFailed
            | Event::CardShown { .. }
            | Event::CardLost
            | Event::Said
            | Event::Recorded(_)
            | Event::Deferred { .. }
            | Event::Prolonged
            | Event::GivenUp
            | Event::ChatClosed
            | Event::DeadlinePassed
            | Event::IntakeResumed => self.service.update(key, cause, event).await,
        };
        if handled.as_ref().map_or(true, |handled| handled.verdict == Verdict::Duplicate) {
            self.access.give_back(user);
        }
        handled
    }

    async fn notify_over_limit(&self, sender: &Sender) -> UpdateOutcome {
        if self.access.may_notify(sender.id, AccessNotice::Refusal) {
            self.notify(sender, Notification::TooFast).await;
        }
        UpdateOutcome::Refused
    }

    /// Sends a notice outside of any conversation, once; it is not repeated if it does not arrive.
    pub(super) async fn notify(&self, sender: &Sender, notification: Notification) {
        let language = Language::from_code(sender.language_code.as_deref());
        let view = messages::notification(self.chat.i18n.localizer(language), notification);
        if let Err(failure) = self.chat.send(ChatId(sender.id.0), &view, Priority::Reply).await {
            tracing::debug!(?failure, "a notice did not arrive");
        }
    }

    async fn leave_group(&self, chat: IncomingChat, language: Language) -> UpdateOutcome {
        match chat.kind {
            ChatKind::Private => return UpdateOutcome::Ignored,
            ChatKind::Group | ChatKind::Channel => {}
        }
        // Several members may write before the bot has left.
        if self.access.may_notify(UserId(chat.id.0), AccessNotice::Refusal) {
            let view = messages::notification(self.chat.i18n.localizer(language), Notification::Group);
            if let Err(failure) = self.chat.send(chat.id, &view, Priority::Reply).await {
                tracing::debug!(?failure, "a group could not be told why the bot leaves");
            }
        }
        if let Err(error) = self.chat.client.leave_chat(chat.id).await {
            tracing::debug!(%error, "a group could not be left");
        }
        UpdateOutcome::Refused
    }

    /// Keeps an update for an operator, which is its commit.
    async fn keep_dead_letter(
        &self,
        update: Option<i64>,
        raw: &str,
        reason: &str,
    ) -> Result<UpdateOutcome, UpdateError> {
        self.chat.dead_letters.add(update.unwrap_or_default(), raw, reason).await?;
        Ok(UpdateOutcome::DeadLetter)
    }
}

impl UpdateOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
            Self::DeadLetter => "dead_letter",
        }
    }
}

fn count(kind: &'static str, outcome: &'static str) {
    metrics::counter!("depot_updates_total", "kind" => kind, "outcome" => outcome).increment(1);
}
