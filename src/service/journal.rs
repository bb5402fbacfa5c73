//! What the oracle of the tests is told about commits; nothing in an ordinary build.

use crate::session::{Cause, Event, Session, Verdict};

/// A commit is on its way to a store.
pub(super) fn sent(current: &Session, session: &Session, store: &str) {
    crate::journal!({
        "what": "sent", "user": session.key.user.0, "epoch": session.epoch, "version": session.version,
        "store": store,
        "mark": session.commit.to_string(), "parent": current.commit.to_string(),
        "updates": session.seen.updates.iter().filter(|id| !current.seen.updates.contains(id)).collect::<Vec<_>>(),
    });
}

/// The store said that it has the commit.
pub(super) fn applied(session: &Session) {
    crate::journal!({ "what": "applied", "mark": session.commit.to_string() });
}

/// Some updates led to nothing.
pub(super) fn still(steps: &[(Cause, &Event)], current: &Session, verdict: Verdict) {
    for (cause, _) in steps {
        if let Cause::Update { id, .. } = cause {
            crate::journal!({
                "what": "still", "update": id, "user": current.key.user.0, "verdict": format!("{verdict:?}"),
            });
        }
    }
}

/// Some outcomes were applied, whether they were those of the holder of their lane or not.
pub(super) fn outcomes(steps: &[(Cause, &Event)], current: &Session, committed: &Session) {
    for (cause, _) in steps {
        if let Cause::Outcome { lane, token, .. } = cause {
            crate::journal!({
                "what": "outcome", "mark": committed.commit.to_string(), "counted": current.holds(*lane, *token),
                "lane": format!("{lane:?}"), "token": token.to_string(),
            });
        }
    }
}
