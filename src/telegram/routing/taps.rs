//! Taps: answered by the instance that received them, straight after the commit, once, and never stored.

use crate::access::Admission;
use crate::ledger::{AccessRequest, Decision, Reversal, UndoRight};
use crate::operations::AccessRequestRef;
use crate::service::Handled;
use crate::telegram::callback;
use crate::telegram::incoming::IncomingTap;
use crate::telegram::routing::{Interpreted, Request, Router, UpdateError, UpdateOutcome};
use crate::telegram::views::card::{self, UNDO_WINDOW};
use crate::telegram::views::messages::{self, Toast};
use crate::telegram::views::view::ButtonAction;
use deposit::{MessageId, Recorded, UserId};
use session::{self, Cause, Event, Language, TapAnswer, Verb, Verdict};

impl Router {
    /// The request of a tap: to the session, where it names a deposit; else it is answered here.
    pub(super) async fn interpret_tap<'a>(
        &self,
        update: i64,
        tap: &'a IncomingTap,
    ) -> Result<Interpreted<'a>, UpdateError> {
        let action = tap.data.as_deref().and_then(|data| callback::decode(data, &*self.chat.taxonomy).ok());
        let is_private = tap.chat.is_some_and(|chat| chat.is_private() && chat.id.0 == tap.sender.id.0);
        let (Some(message), true, true) = (tap.message, is_private, tap.sender.is_person) else {
            self.toast(tap, Toast::NotAllowed);
            return Ok(Interpreted::Done(UpdateOutcome::Ignored));
        };
        match self.access.admit(tap.sender.id).await? {
            Admission::Member(_) => {}
            Admission::Stranger(_) => {
                return Ok(Interpreted::Done(self.tap_of_stranger(tap, action, message).await?));
            }
            Admission::OverLimit => {
                self.toast(tap, Toast::Unavailable);
                return Ok(Interpreted::Done(UpdateOutcome::Refused));
            }
        }
        let toast = match action {
            Some(ButtonAction::Deposit { reference, step, verb }) => {
                let cause =
                    Cause::Update { id: update, message: None, sent_at: None, language: language(tap) };
                let event = Event::Tapped(session::Tap { reference, step, verb, message });
                let user = tap.sender.id;
                return Ok(Interpreted::Request(Request { user, cause, event, tap: Some(tap) }));
            }
            Some(ButtonAction::Accept(request)) => self.decide(tap, message, request, true).await?,
            Some(ButtonAction::Refuse(request)) => self.decide(tap, message, request, false).await?,
            Some(ButtonAction::AskAccess) => self.decided_before(tap, message).await,
            None => Toast::Gone,
        };
        self.toast(tap, toast);
        Ok(Interpreted::Done(UpdateOutcome::Handled))
    }

    /// A tap on a deposit that is not open in the session: the ledger answers.
    pub(super) async fn tap_in_ledger(
        &self,
        tap: &IncomingTap,
        cause: Cause,
        event: &Event,
    ) -> Result<UpdateOutcome, UpdateError> {
        if let Event::Tapped(tapped) = event {
            let toast = self.tap_on_recorded(cause, tap, tapped).await?;
            self.toast(tap, toast);
        }
        Ok(UpdateOutcome::Handled)
    }

    /// Commits what follows in the session from an answer of the ledger, and runs its effects.
    async fn follow(&self, user: UserId, cause: Cause, event: &Event) -> Result<Handled, UpdateError> {
        let handled = self.commit(user, cause, event).await?;
        if !self.effects.run(&handled).await.is_recorded().await {
            self.service.await_replication(&handled.session).await?;
        }
        Ok(handled)
    }

    /// A button of a deposit that is not open here: undone or resumed, and in any case shown as it is now.
    async fn tap_on_recorded(
        &self,
        cause: Cause,
        tap: &IncomingTap,
        tapped: &session::Tap,
    ) -> Result<Toast, UpdateError> {
        let owner = tap.sender.id;
        let Some(entry) = self.chat.ledger.by_reference(tapped.reference).await? else {
            return Ok(Toast::Gone);
        };
        if entry.owner.user != owner {
            return Ok(Toast::NotYours);
        }
        match tapped.verb {
            Verb::Undo => {
                let right = UndoRight::Owner { window: UNDO_WINDOW };
                let undone = self.chat.ledger.reverse(tapped.reference, owner, right).await?;
                self.show_undone(cause, tap, tapped.message, undone).await
            }
            Verb::Resume => match self.chat.ledger.resumable(tapped.reference, owner).await? {
                Some(draft) => {
                    let event = Event::Resumed(Box::new(draft), tapped.message);
                    let handled = self.follow(owner, cause, &event).await?;
                    let answer = handled.answer.unwrap_or(TapAnswer::Done);
                    Ok(if answer == TapAnswer::Done { Toast::Resumed } else { Toast::Answered(answer) })
                }
                None => Ok(self
                    .show(tap, tapped.message, &entry.recorded(), Toast::Answered(TapAnswer::Elsewhere))
                    .await),
            },
            Verb::Validate
            | Verb::Correct
            | Verb::Cancel
            | Verb::Choose(_)
            | Verb::Other
            | Verb::PickLine(_)
            | Verb::OpenGroup(_)
            | Verb::TurnTo(_)
            | Verb::OpenPart(_)
            | Verb::Count(_)
            | Verb::Weigh(_)
            | Verb::WriteWeight
            | Verb::Send(_)
            | Verb::Remove
            | Verb::Back => Ok(self
                .show(tap, tapped.message, &entry.recorded(), Toast::Answered(TapAnswer::Elsewhere))
                .await),
        }
    }

    async fn show_undone(
        &self,
        cause: Cause,
        tap: &IncomingTap,
        message: MessageId,
        undone: Reversal,
    ) -> Result<Toast, UpdateError> {
        let (recorded, toast) = match undone {
            Reversal::Reversed(recorded) | Reversal::AlreadyReversed(recorded) => {
                // Otherwise the card of this conversation would be rendered again as it was before the reversal.
                let event = Event::Recorded(Box::new(recorded.clone()));
                let handled = self.follow(tap.sender.id, cause, &event).await?;
                if handled.verdict == Verdict::Changed && handled.session.card.message == Some(message) {
                    return Ok(Toast::Undone);
                }
                (recorded, Toast::Undone)
            }
            Reversal::TooLate(recorded) => (recorded, Toast::TooLateToUndo),
            Reversal::NotCompleted(recorded) => (recorded, Toast::Answered(TapAnswer::Elsewhere)),
            Reversal::NotAllowed => return Ok(Toast::NotYours),
            Reversal::NotFound => return Ok(Toast::Gone),
        };
        Ok(self.show(tap, message, &recorded, toast).await)
    }

    /// Renders the tapped message as the ledger has the deposit; the toast is the answer also if that fails.
    async fn show(&self, tap: &IncomingTap, message: MessageId, recorded: &Recorded, toast: Toast) -> Toast {
        let (chat, now) = (&self.chat, self.chat.clock.now());
        let view = card::render_entry(recorded, language(tap), &chat.i18n, &chat.taxonomy, now);
        if let Err(failure) = chat.edit(self.service.key(tap.sender.id).chat, message, &view).await {
            tracing::debug!(?failure, "an old card could not be rendered as it is now");
        }
        toast
    }

    async fn decide(
        &self,
        tap: &IncomingTap,
        message: MessageId,
        request: u64,
        accept: bool,
    ) -> Result<Toast, UpdateError> {
        // Every decision re-reads the role of who tapped: once here for admins by configuration, and in its transaction.
        self.access.role_now(tap.sender.id).await?;
        Ok(match self.chat.members.decide(AccessRequestRef(request), tap.sender.id, accept).await? {
            Decision::Done { user, .. } => {
                self.access.forget(user);
                Toast::Decided
            }
            Decision::AlreadyDecided { .. } => self.decided_before(tap, message).await,
            Decision::NotAllowed => Toast::NotAllowed,
            Decision::NotFound => Toast::Gone,
        })
    }

    /// Takes the buttons from a request that is decided. No delivery knows this message where the instance that sent it
    /// died before it could note its id, and the request was sent a second time.
    async fn decided_before(&self, tap: &IncomingTap, message: MessageId) -> Toast {
        if let Err(failure) = self.chat.strip(self.service.key(tap.sender.id).chat, message).await {
            tracing::debug!(?failure, "an old question keeps its buttons");
        }
        Toast::AlreadyDecided
    }

    async fn tap_of_stranger(
        &self,
        tap: &IncomingTap,
        action: Option<ButtonAction>,
        message: MessageId,
    ) -> Result<UpdateOutcome, UpdateError> {
        if action != Some(ButtonAction::AskAccess) || !self.access.takes_requests() {
            self.toast(tap, Toast::NotAllowed);
            return Ok(UpdateOutcome::Refused);
        }
        let asked =
            self.chat.members.request_access(tap.sender.id, &tap.sender.name(), language(tap)).await?;
        let (toast, notification) = match asked {
            AccessRequest::Asked | AccessRequest::AlreadyAsked => {
                (Toast::AccessAsked, messages::Notification::AccessPending)
            }
            AccessRequest::Refused => (Toast::NotAllowed, messages::Notification::AccessRefused),
            AccessRequest::Full => (Toast::NotAllowed, messages::Notification::AccessFull),
            AccessRequest::AlreadyMember => (Toast::AlreadyDecided, messages::Notification::AccessGranted),
        };
        self.access.forget(tap.sender.id);
        let view = messages::notification(self.chat.i18n.localizer(language(tap)), notification);
        let chat = self.service.key(UserId(tap.sender.id.0)).chat;
        if let Err(failure) = self.chat.edit(chat, message, &view).await {
            tracing::debug!(?failure, "the card of a stranger could not be rendered");
        }
        self.toast(tap, toast);
        Ok(UpdateOutcome::Handled)
    }

    /// Answers a tap in a task of its own; a late or lost answer is counted by the client and changes nothing.
    pub(super) fn toast(&self, tap: &IncomingTap, toast: Toast) {
        let (client, id) = (self.chat.client.clone(), tap.id.clone());
        let text = messages::toast(self.chat.i18n.localizer(language(tap)), toast);
        self.answers.spawn(async move {
            if let Err(error) = client.answer_callback(&id, text.as_deref(), false).await {
                tracing::debug!(%error, "a tap could not be answered");
            }
        });
    }
}

fn language(tap: &IncomingTap) -> Language {
    Language::from_code(tap.sender.language_code.as_deref())
}
