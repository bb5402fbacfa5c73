//! `depot-bot sessions dead-letters`: updates that could not be handled.

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use super::Format;
use super::open_store::database;
use crate::cli::{answer, tables};
use crate::clock::Clock;
use crate::config::Config;
use crate::operations::{DeadLetter, DeadLetters};

/// The action on dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// List them, newest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 1000)]
        limit: u32,
        /// The format of a line.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        /// Show also the update as Telegram sent it.
        #[arg(long)]
        reveal: bool,
    },
    /// Have the running bot handle one of them, or all, once more; a dead letter that is handled is removed.
    Replay {
        /// The id of the dead letter in `list`.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All of them.
        #[arg(long)]
        all: bool,
    },
}

/// Dead letters are in the database, whichever store is the primary of sessions.
pub(super) async fn run(action: Action, config: &Config) -> anyhow::Result<()> {
    match action {
        Action::List { limit, format, reveal } => {
            let database = database(config).await?;
            let dead_letters = DeadLetters::new(&database, config.telegram.bot, &Clock::system());
            for letter in dead_letters.list(limit).await? {
                answer(&match format {
                    Format::Text => text(&letter, reveal),
                    Format::Jsonl => json_line(&letter, reveal),
                });
            }
        }
        Action::Replay { id, all: _ } => {
            let requested = tables(config).await?.dead_letters.request_replay(id.as_deref()).await?;
            match (id, requested) {
                (Some(id), 0) => {
                    bail!("no dead letter has the id {id}; `depot-bot sessions dead-letters list` shows them")
                }
                (Some(_) | None, _) => answer(&format!(
                    "{requested} dead letters are handled again by the running bot within seconds, or at its next start."
                )),
            }
        }
    }
    Ok(())
}

fn text(letter: &DeadLetter, reveal: bool) -> String {
    let replay = if letter.replay_at.is_some() { " (to be handled again)" } else { "" };
    let raw = if reveal { format!("\n    {}", letter.raw) } else { String::new() };
    format!(
        "{} {} {} bytes: {}{replay}{raw}",
        letter.name(),
        letter.created_at,
        letter.raw.len(),
        letter.reason
    )
}

fn json_line(letter: &DeadLetter, reveal: bool) -> String {
    let mut line = json!({
        "id": letter.name(),
        "update_id": letter.update_id,
        "reason": letter.reason,
        "created_at": letter.created_at.to_string(),
        "bytes": letter.raw.len(),
        "replay_at": letter.replay_at.map(|at| at.to_string()),
    });
    if reveal && let Some(fields) = line.as_object_mut() {
        fields.insert("raw".to_owned(), letter.raw.clone().into());
    }
    line.to_string()
}
