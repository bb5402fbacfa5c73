//! The newest commits of every bot that was started on the harness.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::demo::inspector::title;
use crate::service::{Onlooker, Step, Why};

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
    fn new(number: u64, step: &Step) -> Self {
        let cause = match step.cause {
            Why::Message => "message".to_owned(),
            Why::Tap => "tap".to_owned(),
            Why::Outcome(effect) => format!("outcome of {}", title(effect)),
            Why::Deadline => "deadline".to_owned(),
        };
        Self {
            number,
            at: step.at.0,
            who: step.user.0,
            version: step.version,
            from: step.from,
            to: step.to,
            cause,
            effects: step.effects.iter().map(|name| title(name)).collect(),
        }
    }
}

/// What was committed so far; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    newest: VecDeque<Commit>,
    count: u64,
}

impl Commits {
    /// Listens to every bot that is started with this onlooker, and rings `bell` for each commit.
    pub(super) fn listen(bell: Arc<watch::Sender<u64>>) -> (Self, Onlooker) {
        let (onlooker, mut steps) = mpsc::unbounded_channel();
        let commits = Self::default();
        let kept = commits.clone();
        // Ends with the last onlooker.
        tokio::spawn(async move {
            while let Some(step) = steps.recv().await {
                kept.keep(&step);
                bell.send_modify(|changes| *changes += 1);
            }
        });
        (commits, onlooker)
    }

    fn keep(&self, step: &Step) {
        let mut kept = self.lock();
        kept.count += 1;
        let commit = Commit::new(kept.count, step);
        kept.newest.push_back(commit);
        if kept.newest.len() > SHOWN_MAX {
            kept.newest.pop_front();
        }
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
