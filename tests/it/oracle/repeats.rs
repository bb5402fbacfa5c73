//! P12: a message that stands below itself, with nothing said in between, is a repeat. Each has a reason of its own: the
//! answer to the first one was lost, or the bot died, or another store became the primary, so shortly after it was shown that
//! its outcome may have been lost. One death explains one repeat in a chat, and so does one failover.
//!
//! A user who writes the same twice without waiting in between rightly gets the same answer twice, which would count here:
//! no user of these scenarios does so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bot_api_simulator::Happened;
use depot_bot::clock::Timestamp;

use crate::oracle::Report;
use crate::oracle::evidence::Evidence;

/// How long only the caller may know the outcome of a call: the lease of a lane.
const LEASE: Duration = Duration::from_secs(15);
/// The same outside: where the clock is hastened, a lease is shorter than what a busy machine needs to write it down.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

/// The message at the bottom of a chat.
struct Bottom<'e> {
    message: i64,
    text: &'e str,
    /// When it was last changed.
    at: Timestamp,
    /// Whether the bot never heard that it was sent.
    is_unknown: bool,
}

/// A span in which what was under way was lost: a death, or a failover.
struct Loss {
    from: Timestamp,
    to: Timestamp,
}

/// The spans in which work may have been lost, and the chats in which each has explained a repeat.
struct Losses {
    all: Vec<Loss>,
    explained: HashSet<(usize, i64)>,
    /// How long before a loss something may have been shown that it concerns, and how long after.
    before: Duration,
    after: Duration,
}

impl Losses {
    fn of(evidence: &Evidence) -> Self {
        let deaths = evidence.deaths.at.iter().map(|at| Loss { from: *at, to: *at });
        let outside = evidence.deaths.outside(WRITTEN_WITHIN);
        Self {
            all: deaths.chain(changes(evidence)).collect(),
            explained: HashSet::new(),
            before: outside.max(LEASE),
            // A call that is on its way when a bot dies arrives still.
            after: outside,
        }
    }

    /// Whether one of them made the bot forget a message that was shown `at` before it was repeated `again`.
    fn explain(&mut self, chat: i64, at: Timestamp, again: Timestamp) -> bool {
        let concerns = |loss: &Loss| {
            loss.from <= again && loss.from <= at.after(self.before) && at <= loss.to.after(self.after)
        };
        let found = (0..self.all.len())
            .find(|index| concerns(&self.all[*index]) && !self.explained.contains(&(*index, chat)));
        found.is_some_and(|index| self.explained.insert((index, chat)))
    }
}

/// Between the last commit of an epoch and the first one of the next.
fn changes(evidence: &Evidence) -> Vec<Loss> {
    let mut spans: BTreeMap<u64, (Timestamp, Timestamp)> = BTreeMap::new();
    for sent in evidence.sent.values() {
        let (first, last) = spans.entry(sent.epoch).or_insert((sent.at, sent.at));
        (*first, *last) = ((*first).min(sent.at), (*last).max(sent.at));
    }
    let pairs = spans.values().zip(spans.values().skip(1));
    pairs.map(|((_, last), (first, _))| Loss { from: *(last.min(first)), to: *first }).collect()
}

pub(super) fn judge(evidence: &Evidence, report: &mut Report) {
    report.changes = evidence.epoch.saturating_sub(1);
    let mut losses = Losses::of(evidence);
    let mut bottoms: HashMap<i64, Bottom<'_>> = HashMap::new();
    let mut newest: HashMap<i64, i64> = HashMap::new();
    for entry in &evidence.telegram {
        match &entry.what {
            Happened::Enqueued { chat: Some(chat), kind: "message", .. } => {
                bottoms.remove(chat);
            }
            Happened::Call {
                method: "sendMessage",
                chat: Some(chat),
                message_id,
                code: 0,
                applied: true,
            } => {
                let bottom = bottoms.get_mut(chat).filter(|bottom| Some(bottom.message) == *message_id);
                bottom.into_iter().for_each(|bottom| bottom.is_unknown = true);
            }
            Happened::Shown { chat, message_id, text, .. } if !text.is_empty() => {
                let known = newest.entry(*chat).or_default();
                let new = Bottom { message: *message_id, text, at: Timestamp(entry.at.0), is_unknown: false };
                match bottoms.get_mut(chat) {
                    _ if message_id > known => {
                        *known = *message_id;
                        let above = bottoms.insert(*chat, new).filter(|above| above.text == &**text);
                        if let Some(above) = above {
                            repeat(*chat, &above, Timestamp(entry.at.0), &mut losses, report);
                        }
                    }
                    Some(bottom) if bottom.message == *message_id => {
                        (bottom.text, bottom.at) = (text, Timestamp(entry.at.0))
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn repeat(chat: i64, above: &Bottom<'_>, again: Timestamp, losses: &mut Losses, report: &mut Report) {
    report.duplicates += 1;
    if !above.is_unknown && !losses.explain(chat, above.at, again) {
        let Bottom { message, text, at, .. } = above;
        report.broken(
            "P12",
            format!(
                "message {message} to person {chat}, known since {at:?}, was repeated at {again:?}: «{text}»"
            ),
        );
    }
}
