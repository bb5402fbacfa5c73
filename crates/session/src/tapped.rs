//! What a button does, and when it is legal: only for the deposit it names, at the picture it was on.

use crate::apply::{Answer, Context};
use crate::effect::Effect;
use crate::event::{Tap, Verb};
use crate::state::{Asked, Notice, State, View};
use crate::{Card, Session};
use deposit::{CategoryKey, DepositRef, Draft, MessageId, Status, Weight, WeightSource};
use deposit::{Change, Part, QUANTITIES, WEIGHTS};

/// What a legal tap leads to.
enum Move {
    /// Another view of the same lines.
    Show(View),
    /// A change of the lines.
    Change(Change),
    /// A category for the only line, and the end.
    ChooseAndRecord(CategoryKey),
    /// The end of the conversation about this deposit.
    Leave(Status),
}

impl Session {
    pub(super) fn tapped(&mut self, tap: &Tap, context: &Context) -> Answer {
        let named = match &self.state {
            State::AwaitingDescription { draft, .. }
            | State::Understanding { draft }
            | State::AwaitingValidation { draft, .. } => draft.reference == tap.reference,
            State::Recording { leaving } if leaving.draft.reference == tap.reference => {
                return match &tap.verb {
                    // These buttons are only on cards of what the ledger has: its outcome is about to be committed.
                    Verb::Undo | Verb::Resume => Answer::Elsewhere,
                    _decided_already => Answer::Recording,
                };
            }
            State::Idle | State::Recording { .. } | State::Closed { .. } => false,
        };
        if !named {
            return Answer::Elsewhere;
        }
        let Some(next) = self.legal_move(tap) else {
            self.strip_if_stray(tap.message);
            return Answer::Stale;
        };
        // A card whose message id was lost in a crash is known again by the tap on it.
        if self.card.message.is_none() {
            self.card.message = Some(tap.message);
            self.card.anew = 0;
        }
        self.strip_if_stray(tap.message);
        self.make(next, context);
        Answer::Done
    }

    /// Takes an expired draft up again; the tapped message becomes the card.
    ///
    /// The ledger gave it back, so it was recorded, even where the outcome of that is still to be committed here.
    pub(super) fn resumed(&mut self, draft: &Draft, message: MessageId) -> Answer {
        let same = |other: DepositRef| other == draft.reference;
        match &self.state {
            State::AwaitingDescription { .. }
            | State::Understanding { .. }
            | State::AwaitingValidation { .. } => {
                return Answer::AnotherOpen;
            }
            State::Recording { leaving } if same(leaving.draft.reference) => {
                self.pending.retain(|pending| !matches!(pending.effect, Effect::RecordDeposit(_)));
            }
            State::Recording { .. } => return Answer::Recording,
            State::Closed { recorded } if self.card_is_due() && !same(recorded.reference) => {
                return Answer::Recording;
            }
            State::Idle | State::Closed { .. } => {}
        }
        self.skip_picture_on_its_way();
        let shown = self.card.wanted;
        self.card = Card { message: Some(message), wanted: shown, shown, ..Card::default() };
        self.warned = false;
        if draft.lines.is_empty() {
            let mut draft = draft.clone();
            draft.step += 1;
            self.card.wanted += 1;
            self.state = State::AwaitingDescription { draft, asked: Asked::Opening };
        } else {
            self.show_lines(draft.clone(), Some(Notice::Resumed));
        }
        Answer::Done
    }

    /// What the tap means at this picture; `None` if it is not on it.
    fn legal_move(&self, tap: &Tap) -> Option<Move> {
        let (draft, view) = match &self.state {
            State::AwaitingValidation { draft, view, .. } => (draft, view),
            State::AwaitingDescription { draft, .. } | State::Understanding { draft } => {
                let cancels = tap.verb == Verb::Cancel && tap.step == draft.step;
                return cancels.then_some(Move::Leave(Status::Cancelled));
            }
            State::Idle | State::Recording { .. } | State::Closed { .. } => return None,
        };
        if tap.step != draft.step {
            return None;
        }
        match (view, &tap.verb) {
            (View::Lines, Verb::Validate) => Some(Move::Leave(Status::Completed)),
            (View::Lines, Verb::Cancel) => Some(Move::Leave(Status::Cancelled)),
            (View::Lines, Verb::Correct) if draft.lines.len() == 1 => {
                Some(Move::Show(View::Groups { line: 0 }))
            }
            (View::Lines, Verb::Correct) => Some(Move::Show(View::PickLine)),
            (View::Lines, Verb::Other) => {
                draft.first_doubtful().map(|(line, _)| Move::Show(View::Groups { line }))
            }
            (View::Lines, Verb::Choose(category)) => choose_alternative(draft, category),
            (View::PickLine, Verb::PickLine(line)) if *line < draft.lines.len() => {
                Some(Move::Show(View::Groups { line: *line }))
            }
            (View::Groups { line }, Verb::OpenGroup(group)) => {
                Some(Move::Show(View::Categories { line: *line, group: group.clone(), page: 0 }))
            }
            (View::Categories { .. }, Verb::Choose(category)) if draft.lines.len() == 1 => {
                Some(Move::ChooseAndRecord(category.clone()))
            }
            (View::Categories { line, .. }, Verb::Choose(category)) => {
                Some(Move::Change(Change::Sorted { line: *line, category: category.clone() }))
            }
            (View::Categories { line, group, .. }, Verb::TurnTo(page)) => {
                Some(Move::Show(View::Categories { line: *line, group: group.clone(), page: *page }))
            }
            (View::Groups { line }, Verb::OpenPart(part)) => Some(Move::Show(view_of(*part, *line))),
            (View::Groups { line }, Verb::Remove) => Some(Move::Change(Change::Removed { line: *line })),
            (View::Quantities { line }, Verb::Count(quantity)) => count(*line, *quantity),
            (View::Weights { line }, Verb::Weigh(grams)) => weigh(*line, *grams),
            (View::Weights { line }, Verb::WriteWeight) => {
                Some(Move::Show(View::WeightAsked { line: *line }))
            }
            (View::Destinations { line }, Verb::Send(destination)) => {
                Some(Move::Change(Change::Sent { line: *line, destination: *destination }))
            }
            (
                View::Categories { line, .. }
                | View::Quantities { line }
                | View::Weights { line }
                | View::Destinations { line },
                Verb::Back,
            ) => Some(Move::Show(View::Groups { line: *line })),
            (View::WeightAsked { line }, Verb::Back) => Some(Move::Show(View::Weights { line: *line })),
            (View::PickLine | View::Groups { .. }, Verb::Back) => Some(Move::Show(View::Lines)),
            _not_on_this_picture => None,
        }
    }

    fn make(&mut self, next: Move, context: &Context) {
        match next {
            Move::Show(view) => self.show(view),
            Move::Change(change) => self.change(change),
            Move::ChooseAndRecord(category) => {
                self.change(Change::Sorted { line: 0, category });
                self.leave(Status::Completed, context.now);
            }
            Move::Leave(status) => {
                self.leave(status, context.now);
            }
        }
    }

    fn show(&mut self, next: View) {
        if let State::AwaitingValidation { draft, view, notice } = &mut self.state {
            draft.step += 1;
            *view = next;
            *notice = None;
            self.card.wanted += 1;
        }
    }

    /// A keyboard on any message but the card's is a stray and is taken away.
    fn strip_if_stray(&mut self, message: MessageId) {
        let is_card = self.card.message.is_none_or(|card| card == message);
        if !is_card && !self.card.strays.contains(&message) {
            self.card.strays.push(message);
        }
    }
}

/// The alternatives of the first doubtful line are buttons, its proposal among them.
fn choose_alternative(draft: &Draft, category: &CategoryKey) -> Option<Move> {
    let (line, doubtful) = draft.first_doubtful()?;
    let offered =
        doubtful.proposal.category == *category || doubtful.proposal.alternatives.contains(category);
    offered.then(|| Move::Change(Change::Sorted { line, category: category.clone() }))
}

fn view_of(part: Part, line: usize) -> View {
    match part {
        Part::Quantity => View::Quantities { line },
        Part::Weight => View::Weights { line },
        Part::Destination => View::Destinations { line },
    }
}

/// Only what the buttons offer: a forged tap may ask for anything.
fn count(line: usize, quantity: Option<u32>) -> Option<Move> {
    let offered = quantity.is_none_or(|quantity| QUANTITIES.contains(&quantity));
    offered.then_some(Move::Change(Change::Counted { line, quantity }))
}

fn weigh(line: usize, grams: Option<u32>) -> Option<Move> {
    let offered = grams.is_none_or(|grams| WEIGHTS.contains(&grams));
    // A button says what somebody knows, not what a scale showed.
    let weight = grams.map(|grams| Weight { grams, source: WeightSource::Stated });
    offered.then_some(Move::Change(Change::Weighed { line, weight }))
}
