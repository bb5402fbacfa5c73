//! What is seen: one snapshot of everything that the page shows.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::demo::cast::{CAST, Member};
use crate::demo::stage::Stage;
use crate::ledger::Role;
use crate::simulator::{Entity, Message};

/// How many messages of a chat are shown, the newest.
const MESSAGES_MAX: usize = 100;
/// How many answers to taps are shown, the newest.
const TOASTS_MAX: usize = 5;
/// How often snapshots are sent at most.
const PAUSE: Duration = Duration::from_millis(50);
/// How often what rings no bell is looked at: "typing…" that ends, metrics.
const REFRESH: Duration = Duration::from_millis(500);

/// Everything that the page shows.
#[derive(Debug, PartialEq, Serialize)]
struct View {
    people: Vec<Person>,
    bot: Bot,
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
}

/// A message as it is shown now.
#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    id: i64,
    mine: bool,
    text: String,
    entities: Vec<Entity>,
    at: i64,
    edited: bool,
    reply_to: Option<i64>,
    photo: Option<Value>,
    voice: Option<Value>,
    buttons: Vec<Vec<Button>>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Button {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Toast {
    number: usize,
    text: String,
    alert: bool,
}

#[derive(Debug, PartialEq, Serialize)]
struct Bot {
    running: bool,
    starts: u32,
}

/// Follows the stage for one reader.
pub(super) struct Watcher {
    stage: Arc<Stage>,
    chats: watch::Receiver<u64>,
    others: watch::Receiver<u64>,
    shown: Option<(View, Instant)>,
}

impl Watcher {
    pub(super) fn new(stage: Arc<Stage>) -> Self {
        let (chats, others) = (stage.telegram.changes(), stage.changes());
        Self { stage, chats, others, shown: None }
    }

    /// The next snapshot as JSON: the first one at once, each later one when something has changed.
    pub(super) async fn next(&mut self) -> String {
        loop {
            let mut has_passed = false;
            if let Some((_, at)) = &self.shown {
                let (chats, others) = (&mut self.chats, &mut self.others);
                let rung = async {
                    tokio::select! {
                        _changed = chats.changed() => false,
                        _changed = others.changed() => true,
                    }
                };
                has_passed = timeout(REFRESH, rung).await.unwrap_or_default();
                sleep_until(*at + PAUSE).await;
            }
            self.chats.mark_unchanged();
            self.others.mark_unchanged();
            let view = view(&self.stage).await;
            let is_news = has_passed || self.shown.as_ref().is_none_or(|(shown, _)| *shown != view);
            if is_news {
                let mut whole = json!(view);
                if let Some(members) = whole.as_object_mut() {
                    members.insert("clock".to_owned(), json!(self.stage.clock.now()));
                }
                self.shown = Some((view, Instant::now()));
                return whole.to_string();
            }
        }
    }
}

async fn view(stage: &Stage) -> View {
    View {
        people: CAST.iter().map(|member| person(stage, member)).collect(),
        bot: Bot { running: stage.is_running(), starts: stage.starts() },
        pending_updates: stage.telegram.pending_updates(),
    }
}

fn person(stage: &Stage, member: &'static Member) -> Person {
    let user = stage.user(member);
    let messages = user.messages();
    let there: Vec<&Message> = messages.iter().filter(|message| !message.deleted).collect();
    let language = member.language.code();
    Person {
        id: member.id,
        name: member.name,
        role: role(member.role),
        language,
        typing: user.is_typing(),
        commands: json!(stage.telegram.commands(language)),
        messages: there
            .iter()
            .skip(there.len().saturating_sub(MESSAGES_MAX))
            .map(|message| shown(message))
            .collect(),
        toasts: toasts(&user.toasts()),
    }
}

/// What the page calls a role.
fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Volunteer | Role::Manager => "volunteer",
        Role::Refused | Role::Visitor | Role::Pending => "newcomer",
    }
}

fn shown(message: &Message) -> Shown {
    let file = |media: &Value| media.get("file_id").cloned();
    let buttons = message.rows().iter().map(|row| {
        let button = |button: &crate::simulator::Button| Button {
            text: button.text.clone(),
            data: button.data.clone(),
            url: button.url.clone(),
        };
        row.iter().map(button).collect()
    });
    Shown {
        id: message.id,
        mine: !message.from_bot(),
        text: message.text().to_owned(),
        entities: message.entities().to_vec(),
        at: message.date.saturating_mul(1000),
        edited: message.edits > 0,
        reply_to: message.media("reply_to_message").and_then(|answered| answered.get("message_id")?.as_i64()),
        photo: message
            .media("photo")
            .and_then(|sizes| file(sizes.as_array()?.last()?))
            .map(|file| json!({"file": file})),
        voice: message
            .media("voice")
            .map(|voice| json!({"file": file(voice), "seconds": voice.get("duration")})),
        buttons: buttons.collect(),
    }
}

fn toasts(answers: &[crate::simulator::Toast]) -> Vec<Toast> {
    let numbered = answers.iter().enumerate().filter(|(_, toast)| !toast.text.is_empty());
    let all: Vec<Toast> = numbered
        .map(|(index, toast)| Toast { number: index + 1, text: toast.text.clone(), alert: toast.show_alert })
        .collect();
    let old = all.len().saturating_sub(TOASTS_MAX);
    all.into_iter().skip(old).collect()
}
