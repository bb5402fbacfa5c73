//! What is seen: one snapshot of everything that the page shows.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::demo::cast::{CAST, Member};
use crate::demo::chat::{self, Shown, Toast};
use crate::demo::commits::Commit;
use crate::demo::inside::{self, Deposit, Measure, SessionView, StoreView};
use crate::demo::stage::Stage;
use crate::demo::switches::Switches;
use crate::deposit::UserId;
use crate::ledger::Role;

/// How often snapshots are sent at most.
const PAUSE: Duration = Duration::from_millis(50);
/// How often what rings no bell is looked at: "typing…" that ends, metrics.
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
    switches: Switches,
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
    /// Whether a server listens to what is recorded here, and not to the shipped notes alone.
    transcriber: bool,
}

/// Follows the stage for one reader.
pub(super) struct Watcher {
    stage: Arc<Stage>,
    chats: watch::Receiver<u64>,
    others: watch::Receiver<u64>,
    /// How often time had passed at once when it was last told.
    passed: u64,
    shown: Option<(View, Instant)>,
}

impl Watcher {
    pub(super) fn new(stage: Arc<Stage>) -> Self {
        let (chats, others) = (stage.telegram.changes(), stage.changes());
        let passed = stage.passed();
        Self { stage, chats, others, passed, shown: None }
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
            let passed = self.stage.passed();
            let has_passed = std::mem::replace(&mut self.passed, passed) != passed;
            let view = view(&self.stage).await;
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
        json!(Whole { clock: self.stage.clock.now().0, view }).to_string()
    }
}

async fn view(stage: &Stage) -> View {
    let mut people = Vec::with_capacity(CAST.len());
    for member in &CAST {
        people.push(person(stage, member).await);
    }
    View {
        people,
        commits: stage.commits.newest(),
        ledger: inside::deposits(stage).await,
        metrics: inside::metrics(),
        store: inside::store(stage).await,
        bot: Bot { running: stage.is_running(), starts: stage.starts(), transcriber: stage.listens() },
        switches: Switches::of(stage),
        pending_updates: stage.telegram.pending_updates(),
    }
}

async fn person(stage: &Stage, member: &'static Member) -> Person {
    let user = stage.user(member);
    let language = member.language.code();
    // While the database is away a person is what they were at first: nothing is decided by it here.
    let role = stage.tables.members.role(UserId(member.id)).await.unwrap_or(member.role);
    Person {
        id: member.id,
        name: member.name,
        role: role_name(role),
        language,
        typing: user.is_typing(),
        commands: json!(stage.telegram.commands(language)),
        messages: chat::messages(&user),
        toasts: chat::toasts(&user),
        session: inside::session(stage, member).await,
    }
}

/// What the page calls a role.
fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Volunteer | Role::Manager => "volunteer",
        Role::Refused | Role::Visitor | Role::Pending => "newcomer",
    }
}
