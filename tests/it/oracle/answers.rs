//! P4: every update that Telegram counts as done has an outcome that its user can see.
//!
//! - **A tap** is answered by its own callback query, as often as it is repeated: the bot answers each one that it commits,
//!   stale ones and repetitions too. Where it could not be (see [`Answers::may_be_silent`]), something that changed in the
//!   chat since does.
//! - **A message** is answered by a *new* message below it: a card anew, or a sentence. An edit of an older one does not
//!   count, nor does the answer to a tap. Several messages that came together may have one card: it must be sent after the
//!   last of them was delivered.
//!
//! Each outcome comes within a minute of quiet: counted from the acknowledgement, or from the end of the bot that came
//! in between.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bot_api_simulator::{Entry, Happened};
use depot_bot::clock::Timestamp;

use crate::oracle::updates::{Deaths, Update, updates};

/// How long Telegram lets a tap be answered.
const ANSWERABLE: Duration = Duration::from_secs(15);
/// How long outside an answer takes to Telegram at most, which is on the same machine.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// How long in real time a user waits once there are no more faults.
const MINUTE_OF_QUIET: Duration = Duration::from_secs(60);

/// The messages and answers that users saw.
struct Answers<'e> {
    deaths: &'e Deaths,
    /// When each callback query was answered.
    taps: HashMap<u64, Timestamp>,
    /// The changes of each chat, in order.
    changes: HashMap<i64, Vec<Change>>,
    /// Callback queries whose answer Telegram refused or never got.
    refused: HashSet<u64>,
}

struct Change {
    number: u64,
    at: Timestamp,
    /// Whether it is a message that was not there before.
    is_new: bool,
}

impl<'e> Answers<'e> {
    fn read(journal: &[Entry], all: &[Update], deaths: &'e Deaths) -> Self {
        let mut taps = HashMap::new();
        let mut changes: HashMap<i64, Vec<Change>> = HashMap::new();
        let mut newest: HashMap<i64, i64> = HashMap::new();
        for Entry { number, at, what } in journal {
            let at = Timestamp(at.0);
            let (chat, is_new) = match what {
                Happened::Answered { callback_id, chat } => {
                    taps.extend(callback_id.parse().ok().map(|id: u64| (id, at)));
                    (chat, false)
                }
                Happened::Shown { chat, message_id, .. } => {
                    let known = newest.entry(*chat).or_default();
                    let is_new = message_id > known;
                    *known = (*known).max(*message_id);
                    (chat, is_new)
                }
                _ => continue,
            };
            changes.entry(*chat).or_default().push(Change { number: *number, at, is_new });
        }
        let refused = refused(journal, all, &taps);
        Self { deaths, taps, changes, refused }
    }

    /// When a user could see the outcome of their update.
    fn outcome(&self, update: &Update) -> Option<Timestamp> {
        let own = update.callback.and_then(|callback| self.taps.get(&callback));
        match update.kind {
            "callback_query" if own.is_some() => own.copied(),
            "callback_query" if !self.may_be_silent(update) => None,
            kind => self.first_change(update, kind == "message"),
        }
    }

    fn first_change(&self, update: &Update, must_be_new: bool) -> Option<Timestamp> {
        let changes = self.changes.get(&update.chat).map(Vec::as_slice).unwrap_or_default();
        let later = &changes[changes.partition_point(|change| Some(change.number) <= update.delivered)..];
        later.iter().find(|change| change.is_new || !must_be_new).map(|change| change.at)
    }

    /// Whether a tap may have no answer of its own: it was too old when the bot was done with it, Telegram did not take
    /// the answer, or the bot that had it last died before the answer can have arrived.
    fn may_be_silent(&self, update: &Update) -> bool {
        let (Some(handed_out_at), Some((_, acknowledged_at))) = (update.handed_out_at, update.acknowledged)
        else {
            return true;
        };
        let on_its_way = self.deaths.outside(ON_ITS_WAY);
        acknowledged_at.since(update.enqueued_at) > ANSWERABLE
            || update.callback.is_some_and(|callback| self.refused.contains(&callback))
            || self.deaths.between(handed_out_at, acknowledged_at.after(on_its_way))
    }

    /// Whether the outcome of an update is there, and came in time.
    fn is_answered(&self, update: &Update) -> bool {
        let Some((_, acknowledged_at)) = update.acknowledged else { return true };
        if update.delivered.is_none() {
            return true;
        }
        self.outcome(update).is_some_and(|at| {
            let calm_since =
                self.deaths.last_before(at).map_or(acknowledged_at, |it| it.max(acknowledged_at));
            at.since(calm_since) <= self.deaths.outside(MINUTE_OF_QUIET)
        })
    }
}

/// The journal does not say which tap an answer was for that had no effect, so each such call stands for one tap that
/// was delivered before and has no answer. One that Telegram itself refused was for a tap that was too old by then, or
/// answered already.
fn refused(journal: &[Entry], all: &[Update], taps: &HashMap<u64, Timestamp>) -> HashSet<u64> {
    let is_silent = |update: &&Update| update.callback.is_some_and(|callback| !taps.contains_key(&callback));
    let mut silent: Vec<&Update> = all.iter().filter(is_silent).collect();
    let mut refused = HashSet::new();
    for entry in journal {
        let Happened::Call { method: "answerCallbackQuery", code, applied, .. } = entry.what else {
            continue;
        };
        let is_meant = |update: &&Update| {
            let is_old = Timestamp(entry.at.0).since(update.enqueued_at) > ANSWERABLE;
            update.delivered.is_some_and(|delivered| delivered < entry.number) && (!applied || is_old)
        };
        if (!applied || code == 400)
            && let Some(index) = silent.iter().position(is_meant)
        {
            refused.extend(silent.remove(index).callback);
        }
    }
    refused
}

/// The updates of users that Telegram counts as done and that have no visible outcome.
pub(super) fn unanswered(journal: &[Entry], deaths: &Deaths) -> Vec<Update> {
    let all = updates(journal);
    let answers = Answers::read(journal, &all, deaths);
    let is_asked = |update: &&Update| matches!(update.kind, "message" | "callback_query");
    all.iter().filter(is_asked).filter(|update| !answers.is_answered(update)).copied().collect()
}

/// The longest wait of a user for an outcome after `since`, on the harness's clock.
pub(super) fn longest_wait(journal: &[Entry], deaths: &Deaths, since: Timestamp) -> Duration {
    let all = updates(journal);
    let answers = Answers::read(journal, &all, deaths);
    let waited = |update: &Update| {
        let at = answers.outcome(update).filter(|_| update.acknowledged.is_some())?;
        Some(at.since(update.enqueued_at.max(since)))
    };
    all.iter().filter_map(waited).max().unwrap_or_default()
}
