//! The card of a decided deposit: before it is in the ledger, and as the ledger holds it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::telegram::views::card::{Renderer, fitting};
use crate::telegram::views::view::{Button, ButtonAction, Style, View};
use deposit::{Leaving, Recorded, Status};
use session::Verb;

/// How long after the decision a completed deposit offers to be undone.
pub const UNDO_WINDOW: Duration = Duration::from_secs(10 * 60);

impl Renderer<'_> {
    /// Decided, but not yet in the ledger: the card confirms nothing and has no buttons.
    pub(super) fn recording(&self, leaving: &Leaving, slow: bool) -> View {
        let draft = &leaving.draft;
        let key = match leaving.status {
            Status::Completed => "card-recording",
            Status::PendingAudio
            | Status::PendingClassification
            | Status::PendingValidation
            | Status::Cancelled
            | Status::Expired
            | Status::ClassificationFailed
            | Status::Reversed => "card-closing",
        };
        fitting(|limit| {
            let mut view = self.titled(key);
            if !draft.lines.is_empty() {
                view.paragraph(&self.final_lines(&draft.lines, draft.total_weight, limit));
            }
            if slow {
                view.paragraph(&self.localizer.message("card-recording-slow"));
            }
            view
        })
    }

    /// As the ledger holds it.
    pub(super) fn entry(&self, recorded: &Recorded, now: Timestamp) -> View {
        let (title, more) = self.outcome(recorded);
        let view = fitting(|limit| {
            let mut view = View::default();
            view.styled(Style::Bold, &title);
            if !recorded.lines.is_empty() {
                view.paragraph(&self.final_lines(&recorded.lines, recorded.total_weight, limit));
            }
            if let Some(more) = &more {
                view.paragraph(more);
            }
            view
        });
        match self.way_back(recorded, now) {
            Some(button) => view.with_row(vec![button]),
            None => view,
        }
    }

    /// The title, and the texts below the lines.
    fn outcome(&self, recorded: &Recorded) -> (String, Option<String>) {
        let plain = |key: &str| self.localizer.message(key);
        match recorded.status {
            Status::Completed => {
                let title = self.numbered("closed-completed", "closed-completed-unnumbered", recorded);
                (title, Some(plain("closed-thanks")))
            }
            Status::Cancelled => (plain("closed-cancelled"), Some(plain("closed-cancelled-more"))),
            Status::Expired => (plain("closed-expired"), Some(plain("closed-expired-more"))),
            Status::ClassificationFailed => (plain("closed-failed"), Some(plain("closed-failed-more"))),
            Status::Reversed => {
                (self.numbered("closed-reversed", "closed-reversed-unnumbered", recorded), None)
            }
            Status::PendingAudio | Status::PendingClassification | Status::PendingValidation => {
                (plain("closed-open"), None)
            }
        }
    }

    fn numbered(&self, key: &str, unnumbered: &str, recorded: &Recorded) -> String {
        match recorded.number {
            Some(number) => self.localizer.format(key, &[("number", number.into())]),
            None => self.localizer.message(unnumbered),
        }
    }

    /// Undo for ten minutes, resume for as long as the draft is kept.
    fn way_back(&self, recorded: &Recorded, now: Timestamp) -> Option<Button> {
        let (key, verb) = match recorded.status {
            Status::Completed if now.since(recorded.decided_at) < UNDO_WINDOW => ("button-undo", Verb::Undo),
            Status::Expired => ("button-resume", Verb::Resume),
            Status::PendingAudio
            | Status::PendingClassification
            | Status::PendingValidation
            | Status::Completed
            | Status::Cancelled
            | Status::ClassificationFailed
            | Status::Reversed => return None,
        };
        let action = ButtonAction::Deposit { reference: recorded.reference, step: recorded.revision, verb };
        Some(Button::new(&self.localizer.message(key), action))
    }
}
