//! Somebody who looks on while commits are made: the demo. Nobody does elsewhere, and then it costs nothing.

use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Timestamp;
use crate::deposit::UserId;
use crate::session::{Cause, Effect, EffectId, Session};

/// One commit, as an onlooker sees it: names alone, nothing that anybody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was made.
    pub at: Timestamp,
    /// Whose conversation it moved.
    pub user: UserId,
    /// The version that it made.
    pub version: u64,
    /// The state before it.
    pub from: &'static str,
    /// The state after it.
    pub to: &'static str,
    /// What it was made for.
    pub cause: Why,
    /// The effects that it asked for.
    pub effects: Vec<&'static str>,
}

/// What a commit was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A message came.
    Message,
    /// A tap came, or an edit.
    Tap,
    /// This effect came to an end.
    Outcome(&'static str),
    /// The document was due to be looked at.
    Deadline,
}

/// Where commits are told.
pub type Onlooker = UnboundedSender<Step>;

impl Step {
    /// What a commit did to `before`.
    pub(super) fn of(before: &Session, after: &Session, cause: Option<&Cause>, at: Timestamp) -> Self {
        let card = (after.card.wanted > before.card.wanted).then(|| Effect::ShowCard.name());
        let asked = after.pending.iter().filter(|pending| pending.id >= before.next_effect);
        Self {
            at,
            user: after.key.user,
            version: after.version,
            from: before.state.name(),
            to: after.state.name(),
            cause: why(before, cause),
            effects: asked.map(|pending| pending.effect.name()).chain(card).collect(),
        }
    }
}

fn why(before: &Session, cause: Option<&Cause>) -> Why {
    match cause {
        Some(Cause::Update { message: Some(_), .. }) => Why::Message,
        Some(Cause::Update { message: None, .. }) => Why::Tap,
        Some(Cause::Outcome { effect: EffectId::Card, .. }) => Why::Outcome(Effect::ShowCard.name()),
        Some(Cause::Outcome { effect: EffectId::Pending(id), .. }) => {
            let ended = before.pending.iter().find(|pending| pending.id == *id);
            Why::Outcome(ended.map_or("effect", |pending| pending.effect.name()))
        }
        Some(Cause::Deadline) | None => Why::Deadline,
    }
}
