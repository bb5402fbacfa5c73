//! The history of commits for the oracle of the tests: one line of JSON for each thing that becomes of one, in the file
//! that `DEPOT_HISTORY` names. It exists in builds with feature `failpoints` alone.

use std::fs::File;
use std::io::Write as _;
use std::process::id;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::failpoint;
use crate::service::observer::{Applied, CommitObserver};
use session::{Cause, Event, Lane, Session, Verdict};

/// A file that is written line by line, each at once: what is written before the end of the process is there after it.
#[derive(Debug)]
struct History(File);

/// The history that the environment asks for.
pub(super) fn observer() -> Arc<dyn CommitObserver> {
    let open = |path| File::options().append(true).create(true).open(path).ok();
    match failpoint::variable("DEPOT_HISTORY").and_then(open) {
        Some(file) => Arc::new(History(file)),
        None => Arc::new(()),
    }
}

impl History {
    fn write(&self, mut line: Value) {
        if let Some(members) = line.as_object_mut() {
            members.insert("at".to_owned(), failpoint::clock().now().0.into());
            members.insert("process".to_owned(), id().into());
        }
        let _a_test_misses_it = (&self.0).write_all(format!("{line}\n").as_bytes());
    }
}

impl CommitObserver for History {
    fn sent(&self, before: &Session, after: &Session, store: &'static str) {
        let is_new = |id: &&i64| !before.seen.updates.contains(*id);
        self.write(json!({
            "what": "sent", "user": after.key.user.0, "epoch": after.epoch, "version": after.version, "store": store,
            "commit": after.commit.to_string(), "parent": before.commit.to_string(),
            "updates": after.seen.updates.iter().filter(is_new).collect::<Vec<_>>(),
        }));
    }

    fn applied(&self, commit: &Applied<'_>) {
        let id = commit.after.commit.to_string();
        self.write(json!({ "what": "applied", "commit": id }));
        for (cause, _) in commit.steps {
            if let Cause::Outcome { lane, token, .. } = cause {
                self.write(json!({
                    "what": "outcome", "commit": id, "counted": commit.before.holds(*lane, *token),
                    "lane": format!("{lane:?}"), "token": token.to_string(),
                }));
            }
        }
    }

    fn unchanged(&self, session: &Session, steps: &[(Cause, &Event)], verdict: Verdict) {
        for (cause, _) in steps {
            if let Cause::Update { id, .. } = cause {
                self.write(json!({
                    "what": "unchanged", "update": id, "user": session.key.user.0, "verdict": format!("{verdict:?}"),
                }));
            }
        }
    }

    fn replicated(&self, session: &Session) {
        self.write(json!({ "what": "replicated", "commit": session.commit.to_string() }));
    }

    fn recorded(&self, session: &Session) {
        self.write(json!({ "what": "recorded", "commit": session.commit.to_string() }));
    }

    fn lane_committed(&self, session: &Session, lane: Lane, token: u64) {
        self.write(json!({
            "what": "ran", "commit": session.commit.to_string(), "token": token.to_string(), "lane": format!("{lane:?}"),
        }));
    }
}
