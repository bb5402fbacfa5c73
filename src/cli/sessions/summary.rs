//! Sessions as an operator sees them: their states, and the users' words only on request.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::store::{FoundSession, Statistics};

/// The state of a document that cannot be read.
const UNREADABLE: &str = "unreadable";
/// Stands in the place of the users' words.
const CONCEALED: &str = "…";
/// The fields of a document that hold users' words or files.
const CONCEALED_FIELDS: [&str; 5] = ["said", "text", "object", "file", "album"];

/// One session in the list.
#[derive(Debug, Serialize)]
pub(super) struct SessionSummary {
    user: i64,
    chat: i64,
    state: &'static str,
    version: u64,
    epoch: u64,
    /// Since its owner's last activity.
    age_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    overdue: bool,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl SessionSummary {
    pub(super) fn of(found: &FoundSession, ttl: Duration, now: Timestamp) -> Self {
        let (user, chat) = (found.key.user.0, found.key.chat.0);
        match &found.session {
            Ok(session) => {
                let due_at = session.due_at(ttl);
                Self {
                    user,
                    chat,
                    state: session.state.name(),
                    version: session.version,
                    epoch: session.epoch,
                    age_seconds: now.since(session.active_at).as_secs(),
                    due_at: due_at.map(|at| at.to_string()),
                    overdue: due_at.is_some_and(|at| at <= now),
                    reason: None,
                }
            }
            Err(error) => Self {
                user,
                chat,
                state: UNREADABLE,
                version: 0,
                epoch: 0,
                age_seconds: 0,
                due_at: None,
                overdue: false,
                reason: Some(error.to_string()),
            },
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl fmt::Display for SessionSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, state, version, epoch, age_seconds, .. } = self;
        if let Some(reason) = &self.reason {
            return write!(f, "{user:<14} {state:<20} {reason}");
        }
        let due = self.due_at.as_deref().unwrap_or("-");
        let overdue = if self.overdue { " overdue" } else { "" };
        write!(f, "{user:<14} {state:<20} v{version} e{epoch} age {age_seconds}s due {due}{overdue}")
    }
}

/// How many sessions have which state.
#[derive(Debug, Serialize)]
pub(super) struct SessionCounts {
    store: &'static str,
    states: BTreeMap<&'static str, u64>,
    /// Open, or with pending effects.
    due: u64,
    /// Those among them whose due instant has passed.
    overdue: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_overdue_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    /// They are in the database, which is not opened where Redis alone is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letters: Option<u64>,
}

impl SessionCounts {
    pub(super) fn new(store: &'static str, statistics: Statistics, dead_letters: Option<u64>) -> Self {
        let Statistics { active: due, overdue, memory_bytes } = statistics;
        let states = BTreeMap::new();
        Self { store, states, due, overdue, oldest_overdue_seconds: None, memory_bytes, dead_letters }
    }

    pub(super) fn add(&mut self, found: &FoundSession, ttl: Duration, now: Timestamp) {
        let state = found.session.as_ref().map_or(UNREADABLE, |session| session.state.name());
        *self.states.entry(state).or_default() += 1;
        let due_at = found.session.as_ref().ok().and_then(|session| session.due_at(ttl));
        let overdue = due_at.filter(|at| *at <= now).map(|at| now.since(at).as_secs());
        self.oldest_overdue_seconds = self.oldest_overdue_seconds.max(overdue);
    }
}

impl fmt::Display for SessionCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "store           {}", self.store)?;
        for (state, count) in &self.states {
            writeln!(f, "{state:<20} {count}")?;
        }
        writeln!(f, "due             {}", self.due)?;
        write!(f, "overdue         {}", self.overdue)?;
        match self.oldest_overdue_seconds {
            Some(seconds) => writeln!(f, " (the oldest for {seconds} s)")?,
            None => writeln!(f)?,
        }
        if let Some(bytes) = self.memory_bytes {
            writeln!(f, "memory          {bytes} bytes")?;
        }
        match self.dead_letters {
            Some(count) => write!(f, "dead letters    {count}"),
            None => write!(f, "dead letters    not counted: they are in the database"),
        }
    }
}

/// Replaces users' words and files in a document, so that only their presence shows.
pub(super) fn conceal(document: &mut Value) {
    match document {
        Value::Array(items) => items.iter_mut().for_each(conceal),
        Value::Object(fields) => {
            for (name, value) in fields {
                if CONCEALED_FIELDS.contains(&name.as_str()) { conceal_all(value) } else { conceal(value) }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn conceal_all(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(conceal_all),
        Value::Object(fields) => fields.values_mut().for_each(conceal_all),
        Value::String(text) => CONCEALED.clone_into(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
