//! Taps: a button is legal only for the deposit that it names and on the current view of its card.

use crate::apply::{Context, TapAnswer};
use crate::effect::Effect;
use crate::event::{Tap, Verb};
use crate::state::{Asked, CardView, Notice, State};
use crate::{Card, Session};
use deposit::{CategoryKey, DepositRef, Draft, MessageId, Status, Weight, WeightSource};
use deposit::{Change, Part, QUANTITIES, WEIGHTS};

/// The effect of a legal tap on the session.
enum Move {
    /// Another view of the same lines.
    Show(CardView),
    /// A change of the lines.
    Change(Change),
    /// A category for the only line, and the end.
    ChooseAndRecord(CategoryKey),
    /// The end of the conversation about this deposit.
    Leave(Status),
}

impl Session {
    pub(super) fn tapped(&mut self, tap: &Tap, context: &Context) -> TapAnswer {
        let named = match &self.state {
            State::AwaitingDescription { draft, .. }
            | State::Understanding { draft }
            | State::AwaitingValidation { draft, .. } => draft.reference == tap.reference,
            State::Recording { leaving } if leaving.draft.reference == tap.reference => {
                return match &tap.verb {
                    // These buttons are only on cards of recorded deposits: their outcome is about to be committed.
                    Verb::Undo | Verb::Resume => TapAnswer::Elsewhere,
                    _decided_already => TapAnswer::Recording,
                };
            }
            State::Idle | State::Recording { .. } | State::Closed { .. } => false,
        };
        if !named {
            return TapAnswer::Elsewhere;
        }
        let Some(next) = self.legal_move(tap) else {
            self.strip_if_orphaned(tap.message);
            return TapAnswer::Stale;
        };
        // A card whose message id was lost in a crash is known again by the tap on it.
        if self.card.message.is_none() {
            self.card.message = Some(tap.message);
            self.card.repost_from = 0;
        }
        self.strip_if_orphaned(tap.message);
        self.make(next, context);
        TapAnswer::Done
    }

    /// Takes an expired draft up again; the tapped message becomes the card.
    ///
    /// The ledger gave it back, so it was recorded, even where the outcome of that is still to be committed here.
    pub(super) fn resumed(&mut self, draft: &Draft, message: MessageId) -> TapAnswer {
        let same = |other: DepositRef| other == draft.reference;
        match &self.state {
            State::AwaitingDescription { .. }
            | State::Understanding { .. }
            | State::AwaitingValidation { .. } => {
                return TapAnswer::AnotherOpen;
            }
            State::Recording { leaving } if same(leaving.draft.reference) => {
                self.pending.retain(|pending| !matches!(pending.effect, Effect::RecordDeposit(_)));
            }
            State::Recording { .. } => return TapAnswer::Recording,
            State::Closed { recorded } if self.card_is_due() && !same(recorded.reference) => {
                return TapAnswer::Recording;
            }
            State::Idle | State::Closed { .. } => {}
        }
        self.skip_view_in_flight();
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
        TapAnswer::Done
    }

    /// The move of a tap on the current view; `None` if that view has no such button.
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
            (CardView::Lines, Verb::Validate) => Some(Move::Leave(Status::Completed)),
            (CardView::Lines, Verb::Cancel) => Some(Move::Leave(Status::Cancelled)),
            (CardView::Lines, Verb::Correct) if draft.lines.len() == 1 => {
                Some(Move::Show(CardView::Groups { line: 0 }))
            }
            (CardView::Lines, Verb::Correct) => Some(Move::Show(CardView::PickLine)),
            (CardView::Lines, Verb::Other) => {
                draft.first_doubtful().map(|(line, _)| Move::Show(CardView::Groups { line }))
            }
            (CardView::Lines, Verb::Choose(category)) => choose_alternative(draft, category),
            (CardView::PickLine, Verb::PickLine(line)) if *line < draft.lines.len() => {
                Some(Move::Show(CardView::Groups { line: *line }))
            }
            (CardView::Groups { line }, Verb::OpenGroup(group)) => {
                Some(Move::Show(CardView::Categories { line: *line, group: group.clone(), page: 0 }))
            }
            (CardView::Categories { .. }, Verb::Choose(category)) if draft.lines.len() == 1 => {
                Some(Move::ChooseAndRecord(category.clone()))
            }
            (CardView::Categories { line, .. }, Verb::Choose(category)) => {
                Some(Move::Change(Change::Sorted { line: *line, category: category.clone() }))
            }
            (CardView::Categories { line, group, .. }, Verb::TurnTo(page)) => {
                Some(Move::Show(CardView::Categories { line: *line, group: group.clone(), page: *page }))
            }
            (CardView::Groups { line }, Verb::OpenPart(part)) => Some(Move::Show(view_of(*part, *line))),
            (CardView::Groups { line }, Verb::Remove) => Some(Move::Change(Change::Removed { line: *line })),
            (CardView::Quantities { line }, Verb::Count(quantity)) => count(*line, *quantity),
            (CardView::Weights { line }, Verb::Weigh(grams)) => weigh(*line, *grams),
            (CardView::Weights { line }, Verb::WriteWeight) => {
                Some(Move::Show(CardView::WeightAsked { line: *line }))
            }
            (CardView::Destinations { line }, Verb::Send(destination)) => {
                Some(Move::Change(Change::Sent { line: *line, destination: *destination }))
            }
            (
                CardView::Categories { line, .. }
                | CardView::Quantities { line }
                | CardView::Weights { line }
                | CardView::Destinations { line },
                Verb::Back,
            ) => Some(Move::Show(CardView::Groups { line: *line })),
            (CardView::WeightAsked { line }, Verb::Back) => {
                Some(Move::Show(CardView::Weights { line: *line }))
            }
            (CardView::PickLine | CardView::Groups { .. }, Verb::Back) => Some(Move::Show(CardView::Lines)),
            _not_on_this_view => None,
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

    fn show(&mut self, next: CardView) {
        if let State::AwaitingValidation { draft, view, notice } = &mut self.state {
            draft.step += 1;
            *view = next;
            *notice = None;
            self.card.wanted += 1;
        }
    }

    /// Marks the keyboard of any message other than the card as orphaned: it is stripped with the next view.
    fn strip_if_orphaned(&mut self, message: MessageId) {
        let is_card = self.card.message.is_none_or(|card| card == message);
        if !is_card && !self.card.orphaned_keyboards.contains(&message) {
            self.card.orphaned_keyboards.push(message);
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

fn view_of(part: Part, line: usize) -> CardView {
    match part {
        Part::Quantity => CardView::Quantities { line },
        Part::Weight => CardView::Weights { line },
        Part::Destination => CardView::Destinations { line },
    }
}

/// Only the values of the buttons: a forged tap may carry any.
fn count(line: usize, quantity: Option<u32>) -> Option<Move> {
    let offered = quantity.is_none_or(|quantity| QUANTITIES.contains(&quantity));
    offered.then_some(Move::Change(Change::Counted { line, quantity }))
}

fn weigh(line: usize, grams: Option<u32>) -> Option<Move> {
    let offered = grams.is_none_or(|grams| WEIGHTS.contains(&grams));
    // The weight of a button is stated, not weighed.
    let weight = grams.map(|grams| Weight { grams, source: WeightSource::Stated });
    offered.then_some(Move::Change(Change::Weighed { line, weight }))
}
