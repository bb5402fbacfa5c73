//! Sessions that this release cannot read: a corrupt document goes to quarantine so that its owner can go on; one that a
//! newer release wrote is left alone.

use crate::service::ServiceError;
use crate::store::StoreError;
use crate::telegram::incoming::{Incoming, IncomingKind, Sender};
use crate::telegram::routing::{Router, UpdateError, UpdateOutcome};
use crate::telegram::send_limiter::Priority;
use crate::telegram::views::messages::{self, Notification};
use deposit::ChatId;
use session::{Language, Sentence, SessionKey};

impl Router {
    /// Turns the outcomes that no repetition mends into commits: an update of an unknown kind, or one whose session is
    /// full, is kept as a dead letter; one whose session is corrupt begins a new session.
    pub(super) async fn recover(
        &self,
        incoming: &Incoming,
        raw: &str,
        routed: Result<UpdateOutcome, UpdateError>,
    ) -> Result<UpdateOutcome, UpdateError> {
        let update = Some(incoming.update_id);
        let routed = match routed {
            Ok(UpdateOutcome::DeadLetter) => {
                return self.keep_dead_letter(update, raw, "a kind that is not known").await;
            }
            Err(UpdateError::Service(ServiceError::Store(StoreError::Corrupt { key, reason }))) => {
                self.reset_session(incoming, key, &reason).await
            }
            routed => routed,
        };
        match routed {
            // The stored value is no document that could be put into quarantine.
            Err(UpdateError::Service(ServiceError::Store(error @ StoreError::Corrupt { .. }))) => {
                tracing::error!(
                    %error,
                    "the session cannot be read and not be quarantined: its updates become dead letters until an \
                     operator removes the stored value"
                );
                self.notify_failure(incoming).await;
                self.keep_dead_letter(update, raw, "the session cannot be read").await
            }
            Err(UpdateError::Service(ServiceError::Store(error @ StoreError::TooLarge { .. }))) => {
                tracing::error!(
                    %error,
                    "the session has no room for the update: it becomes a dead letter; replay it once the deposit is closed"
                );
                self.notify_failure(incoming).await;
                self.keep_dead_letter(update, raw, "the session has no room for it").await
            }
            routed => routed,
        }
    }

    /// Moves a corrupt document to quarantine, notifies its owner, and routes the update to a new session.
    ///
    /// The document is in SQL before it leaves the store, so a crash in between costs a repetition and nothing else. The
    /// ledger is not touched: recorded deposits stay recorded.
    async fn reset_session(
        &self,
        incoming: &Incoming,
        key: SessionKey,
        reason: &str,
    ) -> Result<UpdateOutcome, UpdateError> {
        // Another instance may have been quicker: then the document can be read, or is gone.
        if let Some(document) = self.service.unreadable(key).await? {
            self.chat.quarantine.add(key, &document, reason).await?;
            if self.service.discard(key, &document).await? {
                metrics::counter!("depot_quarantined_total").increment(1);
                tracing::error!(
                    user.id = key.user.0,
                    reason,
                    "a corrupt session was moved to quarantine: its owner begins a new one, an open deposit is lost; \
                     the document is kept in the table `quarantine`"
                );
                if let Some(sender) = sender_of(incoming) {
                    self.notify(sender, Notification::ConversationLost).await;
                }
            }
        }
        Box::pin(self.route(incoming)).await
    }

    /// Notifies the sender of an update that goes no further that an operator has to act.
    async fn notify_failure(&self, incoming: &Incoming) {
        let Some(sender) = sender_of(incoming) else { return };
        let language = Language::from_code(sender.language_code.as_deref());
        let view = messages::sentence(self.chat.i18n.localizer(language), Sentence::Trouble);
        let _arrives_or_not = self.chat.send(ChatId(sender.id.0), &view, Priority::Reply).await;
    }

    /// Notifies the sender of an update that became a dead letter because a newer release holds the session.
    pub(super) async fn notify_postponed(&self, raw: &str) {
        if let Some(sender) = Incoming::read(raw).ok().as_ref().and_then(sender_of) {
            self.notify(sender, Notification::PutOff).await;
        }
    }
}

fn sender_of(incoming: &Incoming) -> Option<&Sender> {
    match &incoming.kind {
        IncomingKind::Message(message) | IncomingKind::Edited(message) => message.sender.as_ref(),
        IncomingKind::Tap(tap) => Some(&tap.sender),
        IncomingKind::Membership(_) | IncomingKind::Unknown(_) => None,
    }
}
