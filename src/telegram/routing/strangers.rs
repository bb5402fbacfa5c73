//! Strangers, who are no members or not yet: one notice an hour, a way to ask, and invitations.

use crate::access::AccessNotice;
use crate::ledger::Role;
use crate::telegram::incoming::Sender;
use crate::telegram::routing::commands::{Command, Parsed};
use crate::telegram::routing::{Router, UpdateError, UpdateOutcome};
use crate::telegram::send_limiter::Priority;
use crate::telegram::views::access_card;
use crate::telegram::views::messages::Notification;
use deposit::ChatId;
use session::Language;

impl Router {
    /// A message of a stranger: nothing changes but by a valid invitation.
    pub(super) async fn stranger(
        &self,
        sender: &Sender,
        role: Role,
        command: Option<&Parsed>,
    ) -> Result<UpdateOutcome, UpdateError> {
        if let Some(Parsed::Known(Command::Start(token))) = command
            && !token.is_empty()
        {
            return self.invited(sender, token).await;
        }
        if self.access.may_notify(sender.id, AccessNotice::Refusal) {
            match role {
                Role::Pending => self.notify(sender, Notification::AccessPending).await,
                Role::Refused => self.notify(sender, Notification::AccessRefused).await,
                Role::Visitor | Role::Volunteer | Role::Manager | Role::Admin => self.offer(sender).await,
            }
        }
        Ok(UpdateOutcome::Refused)
    }

    /// Redeems an invitation and welcomes the new member; one that is used up, expired or invented changes nothing.
    pub(super) async fn invited(&self, sender: &Sender, token: &str) -> Result<UpdateOutcome, UpdateError> {
        let language = Language::from_code(sender.language_code.as_deref());
        match self.chat.members.redeem_invite(token, sender.id, &sender.name(), language).await? {
            Some(role) => {
                self.access.forget(sender.id);
                tracing::info!(role = role.as_str(), "an invitation was used");
                let granted = if role == Role::Admin {
                    Notification::AdminGranted
                } else {
                    Notification::AccessGranted
                };
                self.notify(sender, granted).await;
                Ok(UpdateOutcome::Handled)
            }
            None => {
                if self.access.may_notify(sender.id, AccessNotice::Invitation) {
                    self.notify(sender, Notification::InvitationInvalid).await;
                }
                Ok(UpdateOutcome::Refused)
            }
        }
    }

    /// Shows a stranger their own id, and the button to ask where asking is possible.
    async fn offer(&self, sender: &Sender) {
        let language = Language::from_code(sender.language_code.as_deref());
        let can_ask = self.access.takes_requests();
        let view = access_card::stranger(self.chat.i18n.localizer(language), sender.id, can_ask);
        if let Err(failure) = self.chat.send(ChatId(sender.id.0), &view, Priority::Reply).await {
            tracing::debug!(?failure, "a stranger could not be told");
        }
    }
}
