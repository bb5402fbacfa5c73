//! The newest commits of every bot that the demo started.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::demo::inspector::title;
use crate::service::observer::{Applied, CommitObserver};
use session::{Cause, Effect, EffectId, Session};

/// How many are shown, the newest.
const SHOWN_MAX: usize = 30;

/// One commit as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Commit {
    number: u64,
    at: i64,
    who: i64,
    version: u64,
    from: &'static str,
    to: &'static str,
    cause: String,
    effects: Vec<String>,
}

impl Commit {
    fn new(number: u64, commit: &Applied<'_>) -> Self {
        let Applied { before, after, steps, at } = commit;
        let card = (after.card.wanted > before.card.wanted).then(|| Effect::ShowCard.name());
        let asked = after.pending.iter().filter(|pending| pending.id >= before.next_effect);
        Self {
            number,
            at: at.0,
            who: after.key.user.0,
            version: after.version,
            from: before.state.name(),
            to: after.state.name(),
            cause: cause_of(before, steps.first().map(|(cause, _)| cause)),
            effects: asked.map(|pending| pending.effect.name()).chain(card).map(title).collect(),
        }
    }
}

/// Names alone, no word of the user's.
fn cause_of(before: &Session, cause: Option<&Cause>) -> String {
    match cause {
        Some(Cause::Update { message: Some(_), .. }) => "message".to_owned(),
        Some(Cause::Update { message: None, .. }) => "tap".to_owned(),
        Some(Cause::Outcome { effect: EffectId::Card, .. }) => {
            format!("outcome of {}", title(Effect::ShowCard.name()))
        }
        Some(Cause::Outcome { effect: EffectId::Pending(id), .. }) => {
            let ended = before.pending.iter().find(|pending| pending.id == *id);
            format!("outcome of {}", title(ended.map_or("effect", |pending| pending.effect.name())))
        }
        Some(Cause::Deadline) | None => "deadline".to_owned(),
    }
}

/// The commits of every bot that is started with this observer; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Commits {
    kept: Arc<Mutex<Kept>>,
    bell: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Kept {
    newest: VecDeque<Commit>,
    count: u64,
}

impl Commits {
    /// None yet; `bell` rings for each that comes.
    pub(super) fn new(bell: Arc<watch::Sender<u64>>) -> Self {
        Self { kept: Arc::default(), bell }
    }

    /// The newest, oldest first.
    pub(super) fn newest(&self) -> Vec<Commit> {
        self.lock().newest.iter().cloned().collect()
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitObserver for Commits {
    fn applied(&self, commit: &Applied<'_>) {
        let mut kept = self.lock();
        kept.count += 1;
        let shown = Commit::new(kept.count, commit);
        kept.newest.push_back(shown);
        if kept.newest.len() > SHOWN_MAX {
            kept.newest.pop_front();
        }
        drop(kept);
        self.bell.send_modify(|changes| *changes += 1);
    }
}
