//! `depot-bot sessions parked`: updates that were put aside.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Format;
use super::place::database;
use crate::cli::{answer, ledger};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::ledger::parked::Parked;

/// What to do with parked updates.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List them, newest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 1000)]
        limit: u32,
        /// How a line looks.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        /// Show also what Telegram sent.
        #[arg(long)]
        reveal: bool,
    },
    /// Have the running bot handle one of them, or all, once more; what is handled is no longer parked.
    Replay {
        /// Which, as `list` names it.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All of them.
        #[arg(long)]
        all: bool,
    },
}

/// Parked updates are in the database, whichever store is in charge of conversations.
pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    match arguments.what {
        What::List { limit, format, reveal } => {
            let ledger = Ledger::new(database(config).await?, config.telegram.bot, Clock::system());
            for parked in ledger.parked(limit).await? {
                answer(&match format {
                    Format::Text => text(&parked, reveal),
                    Format::Jsonl => line(&parked, reveal),
                });
            }
        }
        What::Replay { id, all: _ } => {
            let ledger = ledger(config).await?;
            let asked = ledger.ask_replay(id.as_deref()).await?;
            match (id, asked) {
                (Some(id), 0) => {
                    bail!("no parked update has the id {id}; `depot-bot sessions parked list` shows them")
                }
                (Some(_) | None, _) => answer(&format!(
                    "{asked} parked updates are handled again by the running bot within seconds, or at its next start."
                )),
            }
        }
    }
    Ok(())
}

fn text(parked: &Parked, reveal: bool) -> String {
    let asked = if parked.replay_at.is_some() { " (to be handled again)" } else { "" };
    let raw = if reveal { format!("\n    {}", parked.raw) } else { String::new() };
    format!(
        "{} {} {} bytes: {}{asked}{raw}",
        parked.name(),
        parked.parked_at,
        parked.raw.len(),
        parked.reason
    )
}

fn line(parked: &Parked, reveal: bool) -> String {
    let mut line = json!({
        "id": parked.name(),
        "update_id": parked.update_id,
        "reason": parked.reason,
        "parked_at": parked.parked_at.to_string(),
        "bytes": parked.raw.len(),
        "replay_at": parked.replay_at.map(|at| at.to_string()),
    });
    if reveal && let Some(fields) = line.as_object_mut() {
        fields.insert("raw".to_owned(), parked.raw.clone().into());
    }
    line.to_string()
}
