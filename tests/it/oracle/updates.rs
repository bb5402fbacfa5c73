//! The updates of users as Telegram saw them, and when the instances that handled them died.

use std::collections::BTreeMap;
use std::time::Duration;

use bot_api_simulator::{Entry, Happened};
use depot_bot::clock::Timestamp;

/// When bots died, on the harness's clock, and how much quicker than outside that one goes.
#[derive(Clone, Debug)]
pub(super) struct Deaths {
    pub(super) at: Vec<Timestamp>,
    pub(super) times: u32,
}

impl Default for Deaths {
    fn default() -> Self {
        Self { at: Vec::new(), times: 1 }
    }
}

impl Deaths {
    /// A span of real time on the harness's clock.
    pub(super) fn outside(&self, duration: Duration) -> Duration {
        duration * self.times
    }

    /// The last one until then.
    pub(super) fn last_before(&self, then: Timestamp) -> Option<Timestamp> {
        self.at.iter().copied().filter(|at| *at <= then).max()
    }

    /// Whether there was one between these two.
    pub(super) fn between(&self, from: Timestamp, to: Timestamp) -> bool {
        self.at.iter().any(|at| (from..=to).contains(at))
    }
}

/// An update as Telegram saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub(super) id: i64,
    pub(super) chat: i64,
    pub(super) kind: &'static str,
    pub(super) enqueued_at: Timestamp,
    /// The callback query of a tap.
    pub(super) callback: Option<u64>,
    /// The entry at which it was first delivered, when it was last delivered, and the entry at which it was acknowledged.
    pub(super) delivered: Option<u64>,
    pub(super) handed_out_at: Option<Timestamp>,
    pub(super) acknowledged: Option<(u64, Timestamp)>,
}

impl Update {
    fn new(id: i64, chat: i64, kind: &'static str, enqueued_at: Timestamp) -> Self {
        let (callback, delivered, handed_out_at, acknowledged) = (None, None, None, None);
        Self { id, chat, kind, enqueued_at, callback, delivered, handed_out_at, acknowledged }
    }
}

/// The updates that users sent, as far as the journal goes.
pub(super) fn updates(journal: &[Entry]) -> Vec<Update> {
    let mut updates: Vec<Update> = Vec::new();
    // Those that are not acknowledged yet, by id.
    let mut open: BTreeMap<i64, usize> = BTreeMap::new();
    let mut last = 0;
    for entry in journal {
        match &entry.what {
            Happened::Enqueued { update_id, kind, chat } => {
                last = *update_id;
                if let Some(chat) = chat {
                    open.insert(*update_id, updates.len());
                    updates.push(Update::new(*update_id, *chat, kind, Timestamp(entry.at.0)));
                }
            }
            Happened::Tapped { update_id, callback_id } => {
                if let Some(index) = open.get(update_id) {
                    updates[*index].callback = callback_id.parse().ok();
                }
            }
            Happened::Delivered { update_id } => {
                if let Some(index) = open.get(update_id) {
                    updates[*index].delivered.get_or_insert(entry.number);
                    updates[*index].handed_out_at = Some(Timestamp(entry.at.0));
                }
            }
            // One that is too far ahead counts as none.
            Happened::ConfirmedBelow { offset } if *offset > 0 && *offset <= last + 11 => {
                let later = open.split_off(offset);
                for index in std::mem::replace(&mut open, later).into_values() {
                    updates[index].acknowledged = Some((entry.number, Timestamp(entry.at.0)));
                }
            }
            Happened::Accepted { update_id } => {
                if let Some(index) = open.remove(update_id) {
                    updates[index].acknowledged = Some((entry.number, Timestamp(entry.at.0)));
                }
            }
            _ => {}
        }
    }
    updates
}
