//! The entry of the machine: applies an event with its cause to a document.

use std::time::Duration;

use crate::effect::{Effect, Lane};
use crate::event::{Cause, Event};
use crate::state::{CardView, State};
use crate::{SEEN_MAX, Session, Waiting};
use deposit::Timestamp;
use deposit::{DepositId, DepositRef, Draft, Leaving, Status};

/// The inputs from outside: time, randomness and permissions.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The current time.
    pub now: Timestamp,
    /// How long a session lives without activity.
    pub ttl: Duration,
    /// Sessions that ended until then may expire; none before the intake has caught up with Telegram's queue.
    pub may_expire: Option<Timestamp>,
    /// Whether this instance may run effects: not while it drains, when it gives its lanes back instead.
    pub may_run: bool,
    /// Random ids for a deposit that may be opened.
    pub fresh: Fresh,
    /// A random token for the lanes that this commit may take.
    pub token: u64,
}

/// Ids for a deposit that does not exist yet.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Its id.
    pub id: DepositId,
    /// Its reference on buttons.
    pub reference: DepositRef,
}

/// The result of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The document changed and is to be committed.
    Changed,
    /// The event has no effect in this state; there is nothing to commit.
    Unchanged,
    /// The event was handled before.
    Duplicate,
}

/// The answer to a tap: sent at once, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapAnswer {
    /// Done; the card shows the result.
    Done,
    /// The card has changed since; the current view counts.
    Stale,
    /// The deposit is being recorded.
    Recording,
    /// Another deposit is open; it comes first.
    AnotherOpen,
    /// The deposit of the button is not in this document: the ledger answers.
    Elsewhere,
}

/// A document after an event, and the work that follows.
#[must_use]
#[derive(Clone, Debug)]
pub struct Transition {
    /// The document to be stored; the service sets version and commit id.
    pub session: Session,
    /// The result of the event.
    pub verdict: Verdict,
    /// The answer to a tap.
    pub answer: Option<TapAnswer>,
}

impl Session {
    /// Applies one event: pure and total. An event without meaning in this state changes nothing.
    pub fn apply(&self, cause: &Cause, event: &Event, context: &Context) -> Transition {
        if self.has_seen(cause) {
            return Transition::still(self, Verdict::Duplicate, None);
        }
        let mut next = self.clone();
        let answer = match cause {
            Cause::Update { sent_at, language, .. } => {
                next.language = *language;
                next.expire_before(*sent_at, context);
                let answer = next.on_update(event, context);
                // The ledger answers, and an event that follows may have this same cause: so the cause is not
                // remembered, and no lane is taken that would not be run.
                if answer == Some(TapAnswer::Elsewhere) {
                    return Transition::still(self, Verdict::Unchanged, answer);
                }
                answer
            }
            Cause::Outcome { effect, lane, token } => {
                next.on_outcome(*effect, *lane, *token, event, context);
                None
            }
            Cause::Deadline => {
                next.on_deadline(event, context);
                None
            }
        };
        // An outcome that came too late must not make its lease count again: its commit may have to be repeated.
        let mine = match cause {
            Cause::Outcome { token, lane, .. } if self.holds(*lane, *token) => Some((*lane, *token)),
            Cause::Outcome { .. } | Cause::Update { .. } | Cause::Deadline => None,
        };
        for lane in [Lane::Chat, Lane::Compute] {
            next.assign_lane(lane, token_for(lane, mine, context), context);
        }
        if next == *self {
            return Transition::still(self, Verdict::Unchanged, answer);
        }
        next.remember(cause, context.now);
        Transition { session: next, verdict: Verdict::Changed, answer }
    }

    fn on_update(&mut self, event: &Event, context: &Context) -> Option<TapAnswer> {
        match event {
            Event::OpeningRequested => self.opening_requested(context),
            Event::NoteReceived(note) => self.note_received(note, context),
            Event::CancelRequested => self.cancel_requested(context),
            Event::StatusRequested => self.status_requested(context),
            Event::Asked(sentence) => self.say(*sentence, context.now),
            Event::Tapped(tap) => return Some(self.tapped(tap, context)),
            Event::Resumed(draft, message) => return Some(self.resumed(draft, *message)),
            Event::Recorded(recorded) => self.undone(recorded),
            Event::Transcribed(_)
            | Event::TranscriptionFailed
            | Event::Understood(_)
            | Event::Corrected(_)
            | Event::UnderstandingFailed
            | Event::CardShown { .. }
            | Event::CardLost
            | Event::Said
            | Event::Deferred { .. }
            | Event::Prolonged
            | Event::GivenUp
            | Event::ChatClosed
            | Event::DeadlinePassed
            | Event::IntakeResumed => {}
        }
        None
    }

    fn on_deadline(&mut self, event: &Event, context: &Context) {
        let (Some(end), false) = (self.expires_at(context.ttl), self.is_computing()) else { return };
        if *event == Event::IntakeResumed {
            // Telegram dropped the taps of the intake gap: the question is asked again, at the bottom.
            self.repost_card();
        } else if context.may_expire.is_some_and(|until| end <= until) {
            self.leave(Status::Expired, context.now);
        } else if !self.warned
            && end > context.now
            && self.warns_at(context.ttl).is_some_and(|at| at <= context.now)
        {
            self.warned = true;
            self.card.wanted += 1;
        }
    }

    /// A message written after the end of the session finds it expired, also if it comes before the deadline's event.
    fn expire_before(&mut self, sent_at: Option<Timestamp>, context: &Context) {
        let ended = match (sent_at, self.expires_at(context.ttl)) {
            // Telegram's dates are whole seconds: the doubt counts for the user. A date in the future means that a clock
            // is wrong.
            (Some(sent_at), Some(end)) => sent_at.min(context.now) > end,
            (Some(_) | None, _) => false,
        };
        if ended && !self.is_computing() {
            self.leave(Status::Expired, context.now);
        }
    }

    /// Opens an empty deposit.
    pub(super) fn open(&mut self, context: &Context) -> Draft {
        self.warned = false;
        self.card = crate::Card { wanted: self.card.wanted, shown: self.card.wanted, ..Default::default() };
        Draft::new(context.fresh.id, context.fresh.reference, context.now)
    }

    /// Ends the open deposit and records it in the ledger, whatever its end.
    pub(super) fn leave(&mut self, status: Status, now: Timestamp) {
        let Some(draft) = self.take_draft() else { return };
        // A colleague may still listen to it.
        let is_unread = status == Status::Expired && draft.is_unread_recording();
        let status = if is_unread { Status::ClassificationFailed } else { status };
        let unfinished = std::mem::take(&mut self.pending);
        for pending in unfinished {
            match pending.effect {
                // A note that was not understood yet opens the next deposit, unless this one is cancelled.
                Effect::Transcribe(note) | Effect::Understand(note) => {
                    if status != Status::Cancelled {
                        self.waiting.push(Waiting::Note(note));
                    }
                }
                Effect::Say(_) | Effect::RecordDeposit(_) | Effect::ShowCard => self.pending.push(pending),
            }
        }
        let leaving = Leaving { draft, status, decided_at: now };
        self.push(Effect::RecordDeposit(Box::new(leaving.clone())), now);
        self.state = State::Recording { leaving };
    }

    /// Takes the draft out of an open state, which leaves the session idle until the caller sets its next state.
    pub(super) fn take_draft(&mut self) -> Option<Draft> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::AwaitingDescription { draft, .. }
            | State::Understanding { draft }
            | State::AwaitingValidation { draft, .. } => Some(draft),
            closed @ (State::Idle | State::Recording { .. } | State::Closed { .. }) => {
                self.state = closed;
                None
            }
        }
    }

    /// Shows the lines in a new view of the card; the buttons of older views become stale.
    pub(super) fn show_lines(&mut self, mut draft: Draft, notice: Option<crate::Notice>) {
        draft.step += 1;
        self.card.wanted += 1;
        self.state = State::AwaitingValidation { draft, view: CardView::Lines, notice };
    }

    /// Reposts the card at the bottom of the chat.
    pub(super) fn repost_card(&mut self) {
        self.skip_view_in_flight();
        self.card.wanted += 1;
        self.card.repost_from = self.card.wanted;
    }

    /// While a deposit is recorded, its lane may show it as recorded before that is committed, under the next number.
    pub(super) fn skip_view_in_flight(&mut self) {
        if let State::Recording { .. } = self.state {
            self.card.wanted += 1;
        }
    }

    fn has_seen(&self, cause: &Cause) -> bool {
        let Cause::Update { id, message, .. } = cause else { return false };
        let message_seen = message.is_some_and(|message| {
            let full = self.seen.messages.len() >= SEEN_MAX;
            let older_than_all = self.seen.messages.iter().all(|seen| *seen > message.0);
            self.seen.messages.contains(&message.0) || (full && older_than_all)
        });
        self.seen.updates.contains(id) || message_seen
    }

    fn remember(&mut self, cause: &Cause, now: Timestamp) {
        let Cause::Update { id, message, .. } = cause else { return };
        remember(&mut self.seen.updates, *id);
        if let Some(message) = message {
            remember(&mut self.seen.messages, message.0);
        }
        self.active_at = now;
        if self.warned && self.is_open() {
            self.warned = false;
            self.card.wanted += 1;
        }
    }
}

fn remember(seen: &mut Vec<i64>, id: i64) {
    seen.push(id);
    let excess = seen.len().saturating_sub(SEEN_MAX);
    seen.drain(..excess);
}

/// The token under which a lane is settled: that of the lease an outcome ran with and still has, or this commit's own.
fn token_for(lane: Lane, mine: Option<(Lane, u64)>, context: &Context) -> u64 {
    match mine {
        Some((held, token)) if held == lane => token,
        Some(_) | None => context.token,
    }
}

impl Transition {
    fn still(session: &Session, verdict: Verdict, answer: Option<TapAnswer>) -> Self {
        Self { session: session.clone(), verdict, answer }
    }
}
