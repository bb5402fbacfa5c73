//! The conversation as one document, and the pure machine that moves it: no I/O, no clock, no framework.
//!
//! Start with [`State`], then [`Event`], then [`Session::apply`]. Everything that happens (an update, the outcome of an
//! effect, a deadline) is one [`Event`] with one [`Cause`], and takes the same path.

mod apply;
mod conversation;
mod corrected;
mod effect;
mod event;
mod lanes;
mod outcome;
mod state;
mod tapped;

use serde::{Deserialize, Serialize};

pub use crate::apply::{Context, Fresh, TapAnswer, Transition, Verdict};
pub use crate::effect::{Effect, EffectId, Lane, Lease, Pending, Sentence};
pub use crate::event::{Cause, Event, Note, Tap, Verb};
pub use crate::state::{Asked, CardView, Notice, State};
pub use deposit::{
    Change, Corrected, Correction, Done, Language, OnCard, Part, QUANTITIES, TOLD_MAX, Unclear,
    Understanding, WEIGHTS, is_unweighed,
};

use deposit::{BotId, ChatId, Draft, MessageId, Timestamp, UserId};
use std::time::Duration;

/// The layout of the stored document; a document with a higher one belongs to a newer release.
pub const SCHEMA: u16 = 2;
/// The largest document that is stored, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 32 * 1024;
/// How many update ids, and as many message ids, a document remembers to recognise duplicates.
pub const SEEN_MAX: usize = 32;
/// The most effects that wait in one document.
pub const PENDING_MAX: usize = 12;
/// How long a closed document is kept: longer than Telegram repeats an update (24 h).
pub const CLOSED_KEPT: Duration = Duration::from_secs(72 * 3600);
/// How long before its end an open session says so on its card.
pub const WARNING_BEFORE: Duration = Duration::from_secs(60);

/// Which conversation: one bot, one private chat, one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionKey {
    /// The bot that is talked to.
    pub bot: BotId,
    /// The private chat.
    pub chat: ChatId,
    /// The user.
    pub user: UserId,
}

/// The one message that shows the deposit: a desired state, not a queue.
///
/// Its views are numbered: `wanted` grows with every new one, and the card is due while `shown` lags behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The message that carries the card, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The number of the view that the user should see.
    pub wanted: u32,
    /// The number of the view that was last shown.
    pub shown: u32,
    /// The view from which on the card is reposted in a new message at the bottom of the chat; 0 while it is edited in
    /// place.
    #[serde(default, rename = "anew", skip_serializing_if = "is_zero")]
    pub repost_from: u32,
    /// Messages other than the card that may still carry a keyboard and must lose it.
    #[serde(default, rename = "strays", skip_serializing_if = "Vec::is_empty")]
    pub orphaned_keyboards: Vec<MessageId>,
    /// How often showing it failed in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Not to be tried before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// The last update ids and message ids: a duplicate is recognised by membership, never by order alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Ids of the last updates; they restart at random after a quiet week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<i64>,
    /// Ids of the last messages; they only grow within a private chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<i64>,
}

/// The document: one conversation, written by one compare-and-set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The layout of this document.
    pub schema: u16,
    /// Which conversation it is.
    pub key: SessionKey,
    /// the epoch it was last written under; grows with each change of store.
    pub epoch: u64,
    /// How many commits made it; 0 for a conversation that was never stored.
    pub version: u64,
    /// A random mark of the last commit, by which a repeated commit recognises itself.
    #[serde(default)]
    pub commit: u64,
    /// The language its owner reads.
    #[serde(default)]
    pub language: Language,
    /// Where the conversation stands.
    pub state: State,
    /// When its owner last did something.
    pub active_at: Timestamp,
    /// Whether the coming end was announced on the card.
    #[serde(default, skip_serializing_if = "is_false")]
    pub warned: bool,
    /// The message that shows the deposit.
    #[serde(default)]
    pub card: Card,
    /// Notes that came when they could not be worked on: they open the next deposit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// The pending effects, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Pending>,
    /// The number of the next effect.
    #[serde(default)]
    pub next_effect: u32,
    /// The lease of the chat lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_lane: Option<Lease>,
    /// The lease of the compute lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_lane: Option<Lease>,
    /// The ids by which duplicates are recognised.
    #[serde(default)]
    pub seen: Seen,
}

/// A note or command that waits until the current deposit is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// A wish to open a deposit.
    Opening,
    /// A note.
    Note(Note),
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Session {
    /// A session that was never stored.
    #[must_use]
    pub fn new(key: SessionKey, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            key,
            epoch: 1,
            version: 0,
            commit: 0,
            language: Language::default(),
            state: State::Idle,
            active_at: now,
            warned: false,
            card: Card::default(),
            waiting: Vec::new(),
            pending: Vec::new(),
            next_effect: 1,
            chat_lane: None,
            compute_lane: None,
            seen: Seen::default(),
        }
    }

    /// Whether a deposit is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.draft().is_some()
    }

    /// The open deposit, if there is one.
    #[must_use]
    pub fn draft(&self) -> Option<&Draft> {
        match &self.state {
            State::AwaitingDescription { draft, .. }
            | State::Understanding { draft }
            | State::AwaitingValidation { draft, .. } => Some(draft),
            State::Idle | State::Recording { .. } | State::Closed { .. } => None,
        }
    }

    /// The open deposit, to be changed.
    fn draft_mut(&mut self) -> Option<&mut Draft> {
        match &mut self.state {
            State::AwaitingDescription { draft, .. }
            | State::Understanding { draft }
            | State::AwaitingValidation { draft, .. } => Some(draft),
            State::Idle | State::Recording { .. } | State::Closed { .. } => None,
        }
    }

    /// When an open session ends if nothing happens.
    #[must_use]
    pub fn expires_at(&self, ttl: Duration) -> Option<Timestamp> {
        self.is_open().then(|| self.active_at.after(ttl))
    }

    /// Whether the card that the user sees is not the one the state wants.
    #[must_use]
    pub fn card_is_due(&self) -> bool {
        self.card.wanted != self.card.shown || !self.card.orphaned_keyboards.is_empty()
    }

    /// When this document is next to be looked at; `None` when nothing will happen by itself.
    #[must_use]
    pub fn due_at(&self, ttl: Duration) -> Option<Timestamp> {
        let ending = self.expires_at(ttl).map(|end| match self.warns_at(ttl) {
            Some(warning) if !self.warned => warning,
            Some(_) | None => end,
        });
        [ending, self.lane_due_at(Lane::Chat), self.lane_due_at(Lane::Compute)].into_iter().flatten().min()
    }

    /// How long the store keeps this document; `None` while it is open or has something left to do.
    #[must_use]
    pub fn kept_for(&self) -> Option<Duration> {
        let at_rest =
            !self.is_open() && self.pending.is_empty() && self.waiting.is_empty() && !self.card_is_due();
        at_rest.then_some(CLOSED_KEPT)
    }

    /// Whether none of its effects is under way.
    #[must_use]
    pub fn lanes_are_free(&self) -> bool {
        self.chat_lane.is_none() && self.compute_lane.is_none()
    }

    /// Whether nothing is left to do, and nothing is under way.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.kept_for().is_some() && self.lanes_are_free()
    }

    /// When the coming end is announced; `None` for sessions too short for a warning.
    fn warns_at(&self, ttl: Duration) -> Option<Timestamp> {
        let end = self.expires_at(ttl)?;
        (ttl > WARNING_BEFORE).then(|| end.before(WARNING_BEFORE))
    }
}
