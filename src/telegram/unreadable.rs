//! Conversations that this release cannot read: what is corrupt is put aside so that its owner can go on, and what a newer
//! release wrote is left alone.

use crate::deposit::ChatId;
use crate::session::{Language, Sentence, SessionKey};
use crate::telegram::incoming::{Incoming, IncomingKind, Sender};
use crate::telegram::send_limiter::Priority;
use crate::telegram::updates::{Outcome, UpdateError, Updates};
use crate::telegram::views::messages::{self, Notification};

impl Updates {
    /// Puts a corrupt document aside, tells its owner, and takes the update to a conversation that begins anew.
    ///
    /// The document is in SQL before it leaves the store, so a crash in between costs a repetition and nothing else. The
    /// ledger is not touched: what was recorded stays recorded.
    pub(super) async fn begin_anew(
        &self,
        incoming: &Incoming,
        key: SessionKey,
        reason: &str,
    ) -> Result<Outcome, UpdateError> {
        // Somebody else may have been quicker: then it can be read, or is gone.
        if let Some(document) = self.service.unreadable(key).await? {
            self.chat.ledger.quarantine(key, &document, reason).await?;
            if self.service.discard(key, &document).await? {
                metrics::counter!("depot_quarantined_total").increment(1);
                tracing::error!(
                    user.id = key.user.0,
                    reason,
                    "a session could not be read and was put aside"
                );
                if let Some(sender) = sender_of(incoming) {
                    self.notify(sender, Notification::ConversationLost).await;
                }
            }
        }
        self.take(incoming).await
    }

    /// Tells the sender of an update that goes no further that an operator has to look.
    pub(super) async fn apologise(&self, incoming: &Incoming) {
        let Some(sender) = sender_of(incoming) else { return };
        let language = Language::from_code(sender.language_code.as_deref());
        let view = messages::sentence(self.chat.i18n.localizer(language), Sentence::Trouble);
        let _arrives_or_not = self.chat.send(ChatId(sender.id.0), &view, Priority::Reply).await;
    }

    /// Tells the sender of an update that was put aside because a newer release holds the conversation.
    pub(super) async fn put_off(&self, raw: &str) {
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
