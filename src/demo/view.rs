//! The view: one snapshot of everything that the page shows.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::demo::chat::{self, Shown, Toast};
use crate::demo::commits::Commit;
use crate::demo::controls::Controls;
use crate::demo::harness::Harness;
use crate::demo::inspector::{self, Deposit, Measure, SessionView, StoreView};
use crate::demo::personas;
use crate::ledger::Role;
use deposit::UserId;
use harness::personas::{PERSONAS, Persona};

/// How often snapshots are sent at most.
const PAUSE: Duration = Duration::from_millis(50);
/// How often the values that ring no bell are polled: "typing…" that ends, metrics.
const REFRESH: Duration = Duration::from_millis(500);

/// Everything that the page shows, but for the clock, which always goes.
#[derive(Debug, PartialEq, Serialize)]
struct View {
    people: Vec<Person>,
    commits: Vec<Commit>,
    ledger: Vec<Deposit>,
    metrics: Vec<Measure>,
    store: StoreView,
    bot: Bot,
    controls: Controls,
    pending_updates: usize,
}

#[derive(Debug, PartialEq, Serialize)]
struct Person {
    id: i64,
    name: &'static str,
    role: &'static str,
    language: &'static str,
    typing: bool,
    commands: Value,
    messages: Vec<Shown>,
    toasts: Vec<Toast>,
    session: Option<SessionView>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Bot {
    running: bool,
    starts: u32,
    /// Whether a server transcribes the recordings of the page, and not the shipped notes alone.
    transcriber: bool,
}

/// Follows the harness for one reader.
pub(super) struct Watcher {
    harness: Arc<Harness>,
    chats: watch::Receiver<u64>,
    others: watch::Receiver<u64>,
    /// How often time had passed at once when it was last shown.
    passed: u64,
    shown: Option<(View, Instant)>,
}

impl Watcher {
    pub(super) fn new(harness: Arc<Harness>) -> Self {
        let (chats, others) = (harness.telegram.changes(), harness.changes());
        let passed = harness.passed();
        Self { harness, chats, others, passed, shown: None }
    }

    /// The next snapshot as JSON: the first one at once, each later one when something has changed.
    pub(super) async fn next(&mut self) -> String {
        loop {
            if let Some((_, at)) = &self.shown {
                let (chats, others) = (&mut self.chats, &mut self.others);
                let rung = async {
                    tokio::select! {
                        _changed = chats.changed() => {}
                        _changed = others.changed() => {}
                    }
                };
                let _rung_or_not = timeout(REFRESH, rung).await;
                sleep_until(*at + PAUSE).await;
            }
            self.chats.mark_unchanged();
            self.others.mark_unchanged();
            let passed = self.harness.passed();
            let has_passed = std::mem::replace(&mut self.passed, passed) != passed;
            let view = view(&self.harness).await;
            let is_news = has_passed || self.shown.as_ref().is_none_or(|(shown, _)| *shown != view);
            if is_news {
                let text = self.write(&view);
                self.shown = Some((view, Instant::now()));
                return text;
            }
        }
    }

    fn write(&self, view: &View) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            clock: i64,
            #[serde(flatten)]
            view: &'a View,
        }
        json!(Whole { clock: self.harness.clock.now().0, view }).to_string()
    }
}

async fn view(harness: &Harness) -> View {
    let mut people = Vec::with_capacity(PERSONAS.len());
    for persona in &PERSONAS {
        people.push(person(harness, persona).await);
    }
    View {
        people,
        commits: harness.commits.newest(),
        ledger: inspector::deposits(harness).await,
        metrics: inspector::metrics(),
        store: inspector::store(harness).await,
        bot: Bot { running: harness.is_running(), starts: harness.starts(), transcriber: harness.listens() },
        controls: Controls::of(harness),
        pending_updates: harness.telegram.pending_updates(),
    }
}

async fn person(harness: &Harness, persona: &'static Persona) -> Person {
    let user = harness.user(persona);
    let language = persona.language;
    // While the database is away a persona has its first role: nothing is decided by it here.
    let role = harness.tables.members.role(UserId(persona.id)).await.unwrap_or(personas::role(persona));
    Person {
        id: persona.id,
        name: persona.name,
        role: role_name(role),
        language,
        typing: user.is_typing(),
        commands: json!(harness.telegram.commands(language)),
        messages: chat::messages(&user),
        toasts: chat::toasts(&user),
        session: inspector::session(harness, persona).await,
    }
}

/// The name of a role on the page.
fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Volunteer | Role::Manager => "volunteer",
        Role::Refused | Role::Visitor | Role::Pending => "newcomer",
    }
}
