//! Conversations written as plain text, one statement a line.
//!
//! ```text
//! # Two taps                          the title
//! -- a remark                         printed as it is
//! Camille: deux bouilloires           a persona writes
//! Camille voice: deux-bouilloires     sends a shipped voice note
//! Camille photo: chaise               sends a shipped photo
//! Camille taps: Valider               presses the newest button with that in its label
//! Camille sees: enregistré            a message that came or changed since their last move shows that
//! Camille does not see: enregistré    none does, at this moment
//! 5 min pass                          also s and h; the clock stands still otherwise
//! switch slow on                      Telegram: slow, refuse, drop
//! kill                                the bot, between two awaits
//! kill after the commit               the same, as soon as the last move is committed
//! restart                             the bot, on the same stores
//! redis off                           where REDIS_URL is set
//! ledger: 1 completed                 so many deposits stand there so
//! ```

use std::time::Duration;

use crate::demo::controls::Control;
use deposit::Status;
use harness::personas::{PERSONAS, Persona};

/// The longest time that goes by in one statement, in seconds.
const PASS_MAX: u64 = 86_400;

/// A conversation to be run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its subject.
    pub title: String,
    pub(super) lines: Vec<Line>,
}

/// One statement, where it stands.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    /// As it is written.
    pub(super) text: String,
    pub(super) statement: Statement,
}

/// An action, or an expectation.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Remark(String),
    Says(&'static Persona, String),
    Voice(&'static Persona, String),
    Photo(&'static Persona, String),
    Taps(&'static Persona, String),
    Sees(&'static Persona, String),
    SeesNot(&'static Persona, String),
    Pass(Duration),
    Set(Control, bool),
    KillAfterCommit,
    Ledger(usize, Status),
}

/// A statement that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {why}: {text}")]
pub struct ScenarioError {
    number: usize,
    why: &'static str,
    text: String,
}

macro_rules! shipped {
    ($($name:literal)*) => {
        /// The conversations within the binary: their names and texts.
        pub const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("scenarios/", $name, ".txt"))),)*];
    };
}

shipped! {
    "deux-gestes"
    "note-vocale"
    "plusieurs-lignes"
    "correction-en-mots"
    "correction-par-boutons"
    "expiration-et-reprise"
    "depot-annule"
    "nouvelle-venue"
    "telegram-capricieux"
    "coupure"
}

impl Scenario {
    /// Reads a conversation.
    ///
    /// # Errors
    /// The first statement that is none.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let mut scenario = Self { title: String::new(), lines: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(title) = line.strip_prefix('#') {
                title.trim().clone_into(&mut scenario.title);
                continue;
            }
            let (number, text) = (index + 1, line.to_owned());
            let statement =
                statement(line).map_err(|why| ScenarioError { number, why, text: text.clone() })?;
            scenario.lines.push(Line { number, text, statement });
        }
        Ok(scenario)
    }
}

fn statement(line: &str) -> Result<Statement, &'static str> {
    if let Some(remark) = line.strip_prefix("--") {
        return Ok(Statement::Remark(remark.trim().to_owned()));
    }
    if let Some(time) = line.strip_suffix(" pass").or_else(|| line.strip_suffix(" passes")) {
        return pass(time);
    }
    match line {
        "kill" => return Ok(Statement::Set(Control::Bot, false)),
        "kill after the commit" => return Ok(Statement::KillAfterCommit),
        "restart" => return Ok(Statement::Set(Control::Bot, true)),
        _ => {}
    }
    if let Some((words, "on" | "off")) = line.rsplit_once(' ')
        && let Some(control) = control(words)
    {
        return Ok(Statement::Set(control, line.ends_with(" on")));
    }
    let (head, rest) = line.split_once(':').ok_or("is no statement")?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Err("says nothing after the colon");
    }
    if head == "ledger" {
        return ledger(rest);
    }
    let (name, verb) = head.split_once(' ').unwrap_or((head, ""));
    let persona = PERSONAS.iter().find(|persona| persona.name == name).ok_or("names no persona")?;
    let rest = rest.to_owned();
    match verb.trim() {
        "" => Ok(Statement::Says(persona, rest)),
        "voice" => Ok(Statement::Voice(persona, rest)),
        "photo" => Ok(Statement::Photo(persona, rest)),
        "taps" => Ok(Statement::Taps(persona, rest)),
        "sees" => Ok(Statement::Sees(persona, rest)),
        "does not see" => Ok(Statement::SeesNot(persona, rest)),
        _ => Err("has no such verb"),
    }
}

fn control(words: &str) -> Option<Control> {
    match words {
        "redis" => Some(Control::Redis),
        "switch slow" => Some(Control::Slow),
        "switch refuse" => Some(Control::Refuse),
        "switch drop" => Some(Control::Drop),
        _ => None,
    }
}

fn pass(time: &str) -> Result<Statement, &'static str> {
    let (number, unit) = time.split_once(' ').ok_or("has no unit of time")?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return Err("has no such unit of time"),
    };
    let number: u64 = number.parse().map_err(|_| "has no number")?;
    match number.checked_mul(seconds) {
        Some(all @ 1..=PASS_MAX) => Ok(Statement::Pass(Duration::from_secs(all))),
        Some(_) | None => Err("is not between 1 s and 24 h"),
    }
}

fn ledger(rest: &str) -> Result<Statement, &'static str> {
    let (number, status) = rest.split_once(' ').ok_or("has no status")?;
    let number = number.parse().map_err(|_| "has no number")?;
    let status = Status::parse(status.trim()).ok_or("has no such status")?;
    Ok(Statement::Ledger(number, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_script_can_be_read_and_has_a_title() {
        assert_eq!(SHIPPED.len(), 10);
        for (name, text) in SHIPPED {
            let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!scenario.title.is_empty() && scenario.lines.len() > 3, "{name}");
        }
    }

    #[test]
    fn what_is_no_statement_is_told_with_its_line() {
        for (line, why) in [
            ("Camille", "is no statement"),
            ("Camille:", "says nothing"),
            ("Gaston: bonjour", "names no persona"),
            ("Camille jumps: high", "no such verb"),
            ("5 years pass", "no such unit"),
            ("0 s pass", "between"),
            ("99999999999999999999 s pass", "no number"),
            ("9999999999999999999 h pass", "between"),
            ("switch gravity off", "is no statement"),
            ("ledger: two completed", "has no number"),
            ("ledger: 2 done", "no such status"),
        ] {
            let error = Scenario::parse(&format!("# Titre\n\n{line}")).unwrap_err().to_string();
            assert!(error.starts_with("line 3: ") && error.contains(why), "{line}: {error}");
        }
    }
}
