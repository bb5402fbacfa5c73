//! Runs a scenario: personas act, each expectation is waited for, and all of it is printed line by line.
//!
//! The clock stands still but for `pass`, and while something is waited for that takes time: a lease that ends, a pause
//! that Telegram asked for. Nothing that is printed depends on how long anything took.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, interval_at, sleep, timeout};

use harness::personas::{PERSONAS, Persona};
use harness::rest::at_rest;

use crate::clock::{Clock, Timestamp};
use crate::demo::controls::{self, Control};
use crate::demo::harness::{Harness, PATIENCE};
use crate::demo::page;
use crate::demo::personas;
use crate::demo::scenario::{Line, Scenario, Statement};
use bot_api_simulator::{Chat, Message};
use deposit::{Status, UserId};

/// When the clock of a scenario starts.
const START: Timestamp = Timestamp(1_780_000_000_000);
/// How often something is looked at that rings no bell.
const LOOK: Duration = Duration::from_millis(20);
/// From when on, and how often, the clock goes on by a second while something is waited for.
const TICK: Duration = Duration::from_millis(150);
/// How far it goes at most: less than a session lives.
const TICKS_MAX: u32 = 100;

/// Runs `scenario` from an empty ledger on, and passes each line to `tell`.
///
/// # Errors
/// An expectation that was not met, with the chat as it was; or a demo that does not start.
pub async fn run(
    scenario: &Scenario,
    environment: &HashMap<String, String>,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<()> {
    let harness = Harness::open(environment, Clock::manual(START)).await?;
    harness.open_doors().await?;
    let mut runner = Runner { harness, tell: &mut tell, committed: 0, has_moved: false };
    let ran = runner.run(scenario).await;
    runner.harness.close().await;
    ran
}

struct Runner<'a> {
    harness: Harness,
    tell: &'a mut dyn FnMut(&str),
    /// How many commits there were before the last move.
    committed: u64,
    /// Whether the last line printed is a persona's move: the next message belongs to it.
    has_moved: bool,
}

impl Runner<'_> {
    async fn run(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        (self.tell)(&format!("# {}", scenario.title));
        // Those who know the bot have said hello; that is no part of the scenario.
        for persona in personas::members() {
            self.sees(persona, "Bonjour").await?;
        }
        self.rests().await?;
        for line in &scenario.lines {
            let followed = Box::pin(self.follow(line)).await;
            followed.with_context(|| format!("line {}: {}", line.number, line.text))?;
        }
        Ok(())
    }

    async fn follow(&mut self, line: &Line) -> anyhow::Result<()> {
        match &line.statement {
            Statement::Remark(remark) => {
                self.has_moved = false;
                (self.tell)(&format!("\n── {remark}"));
            }
            Statement::Says(persona, text) => {
                self.moves(persona, text);
                self.harness.user(persona).says(text);
            }
            Statement::Voice(persona, name) => {
                let note = page::sample(name).with_context(|| format!("no voice note is called {name}"))?;
                self.moves(persona, &format!("🎤 {name}"));
                self.harness.user(persona).sends_voice(note.seconds, note.bytes);
            }
            Statement::Photo(persona, name) => {
                let picture = page::picture(name).with_context(|| format!("no picture is called {name}"))?;
                self.moves(persona, &format!("🖼 {name}"));
                self.harness.user(persona).sends_picture("image/jpeg", picture);
            }
            Statement::Taps(persona, label) => self.taps(persona, label).await?,
            Statement::Sees(persona, fragment) => {
                let message = self.sees(persona, fragment).await?;
                if !std::mem::take(&mut self.has_moved) {
                    (self.tell)("");
                }
                show(persona, &message, self.tell);
            }
            Statement::SeesNot(persona, fragment) => {
                // Not before the bot is at rest.
                self.rests().await?;
                self.sees_not(persona, fragment)?;
                self.tell_line(&line.text);
            }
            Statement::Pass(time) => {
                // The work under way comes first, as it would: a second is long for the bot.
                self.rests().await?;
                self.tell_line(&line.text);
                self.harness.pass(*time);
            }
            Statement::Set(control, on) => {
                self.tell_line(&line.text);
                controls::set(&self.harness, *control, *on).await?;
            }
            Statement::KillAfterCommit => {
                self.tell_line(&line.text);
                let before = self.committed;
                self.until("the commit of the last move", async |harness| harness.commits.count() > before)
                    .await?;
                controls::set(&self.harness, Control::Bot, false).await?;
            }
            Statement::Ledger(number, status) => {
                self.holds(*number, *status).await?;
                self.tell_line(&line.text);
            }
        }
        Ok(())
    }

    fn tell_line(&mut self, text: &str) {
        self.has_moved = false;
        (self.tell)(&format!("\n   · {text}"));
    }

    fn moves(&mut self, persona: &Persona, what: &str) {
        self.committed = self.harness.commits.count();
        self.has_moved = true;
        (self.tell)(&format!("\n{} ▸ {what}", persona.name));
    }

    async fn taps(&mut self, persona: &'static Persona, label: &str) -> anyhow::Result<()> {
        let user = self.harness.user(persona);
        let find = |chat: &Chat| {
            let button = |message: &Message| {
                let button = message.button(label)?;
                Some((message.id, button.text.clone(), button.data.clone()?))
            };
            chat.from_bot().find_map(button)
        };
        let what = format!("a button with «{label}»");
        let (message, text, data) = self.meanwhile(user.wait(&what, find)).await?;
        self.moves(persona, &format!("[{text}]"));
        user.taps_data(message, &data);
        Ok(())
    }

    async fn sees(&self, persona: &'static Persona, fragment: &str) -> anyhow::Result<Message> {
        let user = self.harness.user(persona);
        let what = format!("a new message or edit with «{fragment}»");
        self.meanwhile(user.wait(&what, |chat| newest(chat, fragment))).await
    }

    fn sees_not(&self, persona: &'static Persona, fragment: &str) -> anyhow::Result<()> {
        let user = self.harness.user(persona);
        if user.look_at(|chat| newest(chat, fragment)).is_some() {
            bail!("{} does see it; the chat is:\n{}", persona.name, user.transcript());
        }
        Ok(())
    }

    async fn holds(&self, number: usize, status: Status) -> anyhow::Result<()> {
        let mut counts = HashMap::new();
        let held = self.until("", async |harness| {
            counts = count(harness).await;
            counts.get(status.as_str()).copied().unwrap_or_default() == number
        });
        if self.meanwhile(held).await.is_err() {
            bail!("the ledger holds {counts:?}");
        }
        Ok(())
    }

    /// Waits until the bot has nothing to do.
    async fn rests(&self) -> anyhow::Result<()> {
        if self.harness.is_running() {
            let of_bot = async || self.harness.unrest().await;
            at_rest(&self.harness.telegram, PATIENCE, of_bot).await?;
        }
        Ok(())
    }

    async fn until(
        &self,
        what: &str,
        mut condition: impl AsyncFnMut(&Harness) -> bool,
    ) -> anyhow::Result<()> {
        let awaited = async {
            while !condition(&self.harness).await {
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, awaited).await.with_context(|| format!("waited {PATIENCE:?} in vain for {what}"))
    }

    /// Lets the clock go on while something is waited for that may take time.
    async fn meanwhile<T>(&self, awaited: impl Future<Output = T>) -> T {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        let mut left = TICKS_MAX;
        let mut awaited = std::pin::pin!(awaited);
        loop {
            tokio::select! {
                biased;
                came = awaited.as_mut() => return came,
                _ = ticks.tick(), if left > 0 => {
                    left -= 1;
                    self.harness.clock.advance(Duration::from_secs(1));
                }
            }
        }
    }
}

/// The newest message with `fragment` in it that came or changed since the persona's last move.
fn newest(chat: &Chat, fragment: &str) -> Option<Message> {
    let (since, wanted) = (chat.last_action(), plain(fragment));
    let shows = |message: &&Message| {
        let labels = message.rows().iter().flatten().map(|button| button.text.as_str());
        let mut texts = std::iter::once(message.text()).chain(labels);
        message.changed > since && texts.any(|text| plain(text).contains(&wanted))
    };
    chat.from_bot().find(shows).cloned()
}

/// A text with plain blanks: the author of a scenario cannot see which ones do not break.
fn plain(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

/// How many deposits stand where.
async fn count(harness: &Harness) -> HashMap<&'static str, usize> {
    let mut counts = HashMap::new();
    for persona in &PERSONAS {
        for entry in harness.tables.ledger.latest_of(UserId(persona.id), 100).await.unwrap_or_default() {
            *counts.entry(entry.status.as_str()).or_default() += 1;
        }
    }
    counts
}

/// Prints a message the way a phone shows it: the text, and the buttons below.
fn show(persona: &Persona, message: &Message, tell: &mut dyn FnMut(&str)) {
    let rows = message.rows().iter().map(|row| {
        let labels: Vec<String> = row.iter().map(|button| format!("[{}]", button.text)).collect();
        labels.join(" ")
    });
    let lines = message.text().lines().map(str::to_owned).chain(rows);
    for (index, line) in lines.enumerate() {
        let head = if index == 0 { format!("{} ◂", persona.name) } else { String::new() };
        tell(format!("{head:<9} │ {line}").trim_end());
    }
}
