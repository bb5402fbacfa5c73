//! Lanes and leases: which instance runs which effect next, and when it is due.
//!
//! A commit that leaves work in a free lane takes that lane in the same write, so there is no separate claim. The lease
//! ends by itself: a crash costs its remainder and no attempt.

use std::time::Duration;

use crate::apply::Context;
use crate::effect::{Effect, EffectId, Lane, Lease, Pending, Sentence};
use crate::{PENDING_MAX, Session};
use deposit::Timestamp;

/// How long a lease lasts; every call made under it ends sooner.
pub(super) const LEASE: Duration = Duration::from_secs(15);

impl Session {
    /// The next effect of `lane` that may run now, and how often it failed before.
    #[must_use]
    pub fn next_effect(&self, lane: Lane, now: Timestamp) -> Option<(EffectId, Effect, u32)> {
        let pending = match lane {
            Lane::Compute => self.in_lane(Lane::Compute).next().filter(|pending| pending.is_ripe(now)),
            Lane::Chat => self.ledger_first().find(|pending| pending.is_ripe(now)),
        };
        match pending {
            Some(pending) => Some((EffectId::Pending(pending.id), pending.effect.clone(), pending.attempts)),
            None if lane == Lane::Chat && self.card_is_due() && self.card_is_ripe(now) => {
                Some((EffectId::Card, Effect::ShowCard, self.card.attempts))
            }
            None => None,
        }
    }

    /// Whether `token` still holds `lane`.
    #[must_use]
    pub fn holds(&self, lane: Lane, token: u64) -> bool {
        self.lease(lane).is_some_and(|lease| lease.token == token)
    }

    /// The lease on `lane`, if there is one.
    #[must_use]
    pub fn lease(&self, lane: Lane) -> Option<Lease> {
        match lane {
            Lane::Chat => self.chat_lane,
            Lane::Compute => self.compute_lane,
        }
    }

    /// When `lane` is next to be looked at: the end of its lease, or when its next effect may run.
    pub(super) fn lane_due_at(&self, lane: Lane) -> Option<Timestamp> {
        if let Some(lease) = self.lease(lane) {
            return Some(lease.until);
        }
        let card =
            (lane == Lane::Chat && self.card_is_due()).then(|| self.card.not_before.unwrap_or_default());
        let first = match lane {
            Lane::Compute => self.in_lane(Lane::Compute).next().map(Pending::ripe_at),
            Lane::Chat => self.ledger_first().map(Pending::ripe_at).min(),
        };
        [card, first].into_iter().flatten().min()
    }

    /// Takes `lane` if it is free and has work, gives it back if `token` holds it and it has none.
    pub(super) fn assign_lane(&mut self, lane: Lane, token: u64, context: &Context) {
        let now = context.now;
        let has_work = context.may_run && self.next_effect(lane, now).is_some();
        match self.lease(lane) {
            Some(lease) if lease.until > now && (lease.token != token || has_work) => {}
            Some(lease) if lease.until > now => self.set_lease(lane, None),
            Some(_) | None => {
                self.set_lease(lane, has_work.then_some(Lease { token, until: now.after(LEASE) }));
            }
        }
    }

    /// Gives the holder of `lane` a full lease from now.
    pub(super) fn renew_lease(&mut self, lane: Lane, token: u64, now: Timestamp) {
        self.set_lease(lane, Some(Lease { token, until: now.after(LEASE) }));
    }

    fn set_lease(&mut self, lane: Lane, lease: Option<Lease>) {
        match lane {
            Lane::Chat => self.chat_lane = lease,
            Lane::Compute => self.compute_lane = lease,
        }
    }

    /// Appends an effect to its queue.
    pub(super) fn push(&mut self, effect: Effect, now: Timestamp) {
        let id = self.next_effect;
        self.next_effect = self.next_effect.wrapping_add(1);
        self.pending.push(Pending { id, effect, since: now, attempts: 0, not_before: None });
    }

    /// Appends a sentence, unless too many effects are pending already.
    pub(super) fn say(&mut self, sentence: Sentence, now: Timestamp) {
        if self.pending.len() < PENDING_MAX {
            self.push(Effect::Say(sentence), now);
        }
    }

    /// Whether a note is being listened to or worked on.
    #[must_use]
    pub fn is_computing(&self) -> bool {
        self.in_lane(Lane::Compute).next().is_some()
    }

    fn in_lane(&self, lane: Lane) -> impl Iterator<Item = &Pending> {
        self.pending.iter().filter(move |pending| pending.effect.lane() == lane)
    }

    /// The candidates of the chat lane: writes to the ledger, then the first sentence, so that sentences keep their order.
    fn ledger_first(&self) -> impl Iterator<Item = &Pending> {
        let is_record = |pending: &&Pending| matches!(pending.effect, Effect::RecordDeposit(_));
        let first_sentence = self.in_lane(Lane::Chat).find(move |pending| !is_record(pending));
        self.in_lane(Lane::Chat).filter(is_record).chain(first_sentence)
    }

    fn card_is_ripe(&self, now: Timestamp) -> bool {
        self.card.not_before.is_none_or(|at| at <= now)
    }
}

impl Pending {
    fn ripe_at(&self) -> Timestamp {
        self.not_before.unwrap_or_default()
    }

    fn is_ripe(&self, now: Timestamp) -> bool {
        self.ripe_at() <= now
    }
}
