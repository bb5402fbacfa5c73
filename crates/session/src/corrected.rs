//! Corrections of the lines of an open deposit.

use crate::Session;
use crate::apply::Context;
use crate::conversation::bytes;
use crate::event::Note;
use crate::state::{Asked, CardView, Notice, State};
use deposit::{Change, Corrected, Correction, Part, Unclear, edit};
use deposit::{Draft, LINES_MAX, MessageId, OnCard};

impl Session {
    /// The context of a note: the lines that its author sees; `None` if there are none.
    #[must_use]
    pub fn on_card(&self, note: &Note) -> Option<OnCard<'_>> {
        let State::AwaitingValidation { draft, view, notice } = &self.state else { return None };
        let (line, part, is_asked) = match view {
            CardView::Lines | CardView::PickLine => (None, None, false),
            CardView::Groups { line } | CardView::Categories { line, .. } => (Some(*line), None, false),
            CardView::Quantities { line } => (Some(*line), Some(Part::Quantity), false),
            CardView::Weights { line } => (Some(*line), Some(Part::Weight), false),
            CardView::WeightAsked { line } => (Some(*line), Some(Part::Weight), true),
            CardView::Destinations { line } => (Some(*line), Some(Part::Destination), false),
        };
        let unclear = match notice {
            Some(Notice::Unclear(Unclear::Which(said))) if !said.is_empty() => Some(said.as_str()),
            Some(_) | None => None,
        };
        Some(OnCard {
            lines: &draft.lines,
            total_weight: draft.total_weight,
            line: line.filter(|line| *line < draft.lines.len()),
            part,
            is_asked,
            is_reply: note.reply_to.is_some(),
            unclear,
        })
    }

    /// Whether the message is the card, was until now, or may be: a user can reply to a reposted card before its message id
    /// is committed.
    pub(super) fn is_card(&self, message: MessageId) -> bool {
        let card = &self.card;
        let may_be = card.repost_from > 0 && card.message.is_none_or(|known| known < message);
        may_be || card.message == Some(message) || card.orphaned_keyboards.contains(&message)
    }

    /// A note corrected lines: the changes that fit the current lines are made, and the reposted card shows them.
    pub(super) fn corrected(&mut self, note: &Note, correction: &Correction, context: &Context) {
        let (seen, changes) = match correction {
            Correction::Unclear(unclear) => {
                let notice = Notice::Unclear(self.storable(unclear));
                self.not_understood(Asked::NotUnderstood, notice);
                return;
            }
            Correction::Changes { seen, changes } => (seen, changes),
        };
        let Some(lines) = self.draft().map(|draft| draft.lines.len()) else { return };
        let added = changes.iter().filter(|change| matches!(change, Change::Added(_))).count();
        let removed = changes.iter().filter(|change| matches!(change, Change::Removed { .. })).count();
        let is_full = added > 0 && (lines + added).saturating_sub(removed) > LINES_MAX;
        if is_full || !self.has_room_for(2 * bytes(changes)) {
            self.refuse_as_full(&Note { attachment: None, ..note.clone() }, context);
            return;
        }
        let Some(mut draft) = self.take_draft() else { return };
        let corrected = edit(&mut draft, Some(seen), changes);
        self.show_corrected(draft, Some(corrected));
        self.card.repost_from = self.card.wanted;
    }

    /// A button changed a line.
    pub(super) fn change(&mut self, change: Change) {
        let Some(mut draft) = self.take_draft() else { return };
        let corrected = edit(&mut draft, None, &[change]);
        self.show_corrected(draft, Some(corrected).filter(|corrected| !corrected.done.is_empty()));
    }

    /// Shows the lines with the changes that were made; without any line left, asks for a description.
    fn show_corrected(&mut self, mut draft: Draft, corrected: Option<Corrected>) {
        if !draft.lines.is_empty() {
            self.show_lines(draft, corrected.map(Notice::Corrected));
            return;
        }
        draft.step += 1;
        self.card.wanted += 1;
        self.state = if self.is_computing() {
            State::Understanding { draft }
        } else {
            State::AwaitingDescription { draft, asked: Asked::Emptied }
        };
    }

    /// Stores the text that waits for a line number only if there is room for it.
    fn storable(&self, unclear: &Unclear) -> Unclear {
        match unclear {
            Unclear::Which(said) if !self.has_room_for(2 * bytes(said)) => Unclear::Which(String::new()),
            Unclear::Which(_)
            | Unclear::NoSuchLine
            | Unclear::What
            | Unclear::Everything
            | Unclear::Total => unclear.clone(),
        }
    }
}
