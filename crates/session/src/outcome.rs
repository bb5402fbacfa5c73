//! The outcomes of effects: how the end of an effect changes the session.

use crate::Session;
use crate::apply::Context;
use crate::conversation::{COPIES, bytes};
use crate::effect::{Effect, EffectId, Lane, Pending};
use crate::event::{Event, Note};
use crate::state::{Asked, Notice, State};
use deposit::Timestamp;
use deposit::{LINES_MAX, Recorded, SAID_CHARS_MAX, Understanding, Weight};

impl Session {
    /// Settles an effect. Only the outcome of the lane's lease holder counts; that of an expired lease is repaired.
    pub(super) fn on_outcome(
        &mut self,
        effect: EffectId,
        lane: Lane,
        token: u64,
        event: &Event,
        context: &Context,
    ) {
        if !self.holds(lane, token) {
            self.repair(event);
            return;
        }
        self.renew_lease(lane, token, context.now);
        match effect {
            EffectId::Card => self.on_card_outcome(event),
            EffectId::Pending(id) => {
                if let Some(index) = self.pending.iter().position(|pending| pending.id == id) {
                    let pending = self.pending.remove(index);
                    self.on_pending_outcome(pending, index, event, context);
                }
            }
        }
        self.open_waiting(context);
    }

    /// A view shown under a lost lease may have replaced a newer one, or be in a second message. One that is known as
    /// shown is the same outcome again: its commit was applied, and the answer lost.
    fn repair(&mut self, event: &Event) {
        if let Event::CardShown { view, message, .. } = event {
            if self.card.message == Some(*message) {
                if self.card.shown != *view {
                    self.card.shown = 0;
                }
            } else if !self.card.orphaned_keyboards.contains(message) {
                self.card.orphaned_keyboards.push(*message);
            }
        }
    }

    fn on_card_outcome(&mut self, event: &Event) {
        let card = &mut self.card;
        match event {
            Event::CardShown { view, message, stripped } => {
                // A tap may have made another message the card while this one was on its way.
                let other =
                    card.message.filter(|other| other != message && !card.orphaned_keyboards.contains(other));
                card.orphaned_keyboards.extend(other);
                card.message = Some(*message);
                card.shown = *view;
                card.repost_from = if *view >= card.repost_from { 0 } else { card.repost_from };
                card.orphaned_keyboards.retain(|orphan| !stripped.contains(orphan));
                card.attempts = 0;
                card.not_before = None;
            }
            Event::CardLost => {
                card.message = None;
                card.repost_from = card.wanted;
            }
            Event::Deferred { until, counted } => {
                card.attempts += u32::from(*counted);
                card.not_before = Some(*until);
            }
            Event::GivenUp => self.leave_card_as_it_is(),
            Event::ChatClosed => self.fall_silent(),
            Event::OpeningRequested
            | Event::NoteReceived(_)
            | Event::CancelRequested
            | Event::StatusRequested
            | Event::Asked(_)
            | Event::Tapped(_)
            | Event::Resumed(..)
            | Event::Transcribed(_)
            | Event::TranscriptionFailed
            | Event::Understood(_)
            | Event::Corrected(_)
            | Event::UnderstandingFailed
            | Event::Said
            | Event::Prolonged
            | Event::Recorded(_)
            | Event::DeadlinePassed
            | Event::IntakeResumed => {}
        }
    }

    fn on_pending_outcome(&mut self, pending: Pending, index: usize, event: &Event, context: &Context) {
        if let Event::Deferred { until, counted } = event {
            self.defer(pending, index, *until, *counted);
            return;
        }
        if *event == Event::Prolonged {
            self.pending.insert(index, pending);
            return;
        }
        match &pending.effect {
            Effect::Transcribe(note) => match event {
                Event::Transcribed(text) if text.is_empty() => {
                    self.not_understood(Asked::NothingHeard, Notice::NothingHeard);
                }
                Event::Transcribed(text) => self.transcribed(note, text, index, context),
                _failed => self.not_understood(Asked::VoiceKept, Notice::VoiceKept),
            },
            Effect::Understand(note) => match event {
                Event::Understood(found) if found.lines.is_empty() && note.photo_alone().is_some() => {
                    self.not_understood(Asked::PhotoKept, Notice::PhotoKept);
                }
                Event::Understood(found) if found.lines.is_empty() => {
                    self.not_understood(Asked::NoDeposit, Notice::NoDeposit);
                }
                Event::Understood(found) => self.understood(note, found, context),
                Event::Corrected(correction) => self.corrected(note, correction, context),
                _failed if note.photo_alone().is_some() => {
                    self.not_understood(Asked::PhotoKept, Notice::PhotoKept);
                }
                _failed => self.not_understood(Asked::NotUnderstood, Notice::NotUnderstood),
            },
            Effect::RecordDeposit(_) => match event {
                Event::Recorded(recorded) => self.recorded(recorded),
                // A deposit is never given up: it stays pending until the ledger has it.
                _failed => self.pending.insert(index, pending),
            },
            Effect::Say(_) => {
                if *event == Event::ChatClosed {
                    self.fall_silent();
                }
            }
            Effect::ShowCard => {}
        }
    }

    fn defer(&mut self, mut pending: Pending, index: usize, until: Timestamp, counted: bool) {
        // The first failure is shown on the card: the decision is stored, the ledger is slow.
        let is_first = pending.not_before.is_none();
        pending.attempts += u32::from(counted);
        pending.not_before = Some(until);
        if is_first && matches!(pending.effect, Effect::RecordDeposit(_)) {
            self.card.wanted += 1;
        }
        self.pending.insert(index, pending);
    }

    fn transcribed(&mut self, note: &Note, text: &str, index: usize, context: &Context) {
        let note = Note { text: text.to_owned(), ..note.clone() };
        let fits = self.has_room_for(COPIES * bytes(&note));
        if let Some(draft) = self.draft_mut() {
            if !fits || draft.said_chars() + text.chars().count() > SAID_CHARS_MAX {
                // The voice note itself is kept with the deposit.
                self.refuse_as_full(&Note { attachment: None, ..note }, context);
                return;
            }
            draft.heard = Some(draft.said.len());
            draft.said.push(text.to_owned());
        }
        self.push(Effect::Understand(note), context.now);
        // It stays before the notes that came after it.
        if let Some(last) = self.pending.pop() {
            self.pending.insert(index, last);
        }
    }

    fn understood(&mut self, note: &Note, found: &Understanding, context: &Context) {
        let Some(lines) = self.draft().map(|draft| draft.lines.len() + found.lines.len()) else { return };
        if lines > LINES_MAX || !self.has_room_for(2 * bytes(&found.lines)) {
            self.refuse_as_full(&Note { attachment: None, ..note.clone() }, context);
            return;
        }
        let Some(mut draft) = self.take_draft() else { return };
        draft.lines.extend(found.lines.iter().cloned());
        draft.total_weight = add(draft.total_weight, found.total_weight);
        self.show_lines(draft, None);
        self.card.repost_from = self.card.wanted;
    }

    pub(super) fn not_understood(&mut self, asked: Asked, notice: Notice) {
        self.ask_if_empty(asked);
        if let State::AwaitingValidation { .. } = self.state
            && let Some(draft) = self.take_draft()
        {
            self.show_lines(draft, Some(notice));
            self.card.repost_from = self.card.wanted;
        }
    }

    /// The ledger holds another revision of the deposit, perhaps before the outcome of its recording is committed.
    pub(super) fn undone(&mut self, recorded: &Recorded) {
        if let State::Recording { leaving } = &self.state
            && leaving.draft.id == recorded.id
        {
            // Nothing is left to record, and a view in flight is older than the one wanted now.
            self.pending.retain(|pending| !matches!(pending.effect, Effect::RecordDeposit(_)));
            self.skip_view_in_flight();
        }
        self.recorded(recorded);
    }

    /// Shows the row of the ledger on the card: of the deposit that is being recorded, or a later one of the closed deposit.
    fn recorded(&mut self, recorded: &Recorded) {
        let is_current = match &self.state {
            State::Recording { leaving } => leaving.draft.id == recorded.id,
            State::Closed { recorded: known } => {
                known.id == recorded.id && known.revision < recorded.revision
            }
            State::Idle
            | State::AwaitingDescription { .. }
            | State::Understanding { .. }
            | State::AwaitingValidation { .. } => false,
        };
        if is_current {
            self.state = State::Closed { recorded: recorded.clone() };
            self.card.wanted += 1;
        }
    }

    fn leave_card_as_it_is(&mut self) {
        self.card.shown = self.card.wanted;
        self.card.orphaned_keyboards.clear();
        self.card.attempts = 0;
        self.card.not_before = None;
    }

    /// Ends the pending messages for a chat that is closed to the bot; recording goes on.
    fn fall_silent(&mut self) {
        self.pending.retain(|pending| !matches!(pending.effect, Effect::Say(_)));
        self.leave_card_as_it_is();
    }
}

fn add(one: Option<Weight>, other: Option<Weight>) -> Option<Weight> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(Weight { grams: one.grams.saturating_add(other.grams), source: other.source })
        }
        (one, other) => one.or(other),
    }
}
