//! `depot-bot sessions`: sessions and dead letters, for an operator; a bot may run beside it.

pub mod dead_letters;
mod open_store;
mod summary;

use std::io::{self, BufWriter, ErrorKind, Write, stdout};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};

use crate::app;
use crate::cli::sessions::open_store::{OpenStore, Source, advised};
use crate::cli::sessions::summary::{SessionCounts, SessionSummary};
use crate::cli::{answer, layers};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::store::SessionInspection as _;
use crate::store::sql::SqlStore;
use deposit::{ChatId, UserId};
use session::SessionKey;

/// The action on sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// List all stored sessions, one a line.
    List {
        /// The store to read.
        #[command(flatten)]
        source: Source,
        /// The format of a line.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show the document of one user.
    Show {
        /// The store to read.
        #[command(flatten)]
        source: Source,
        /// Their numeric Telegram id.
        user: i64,
        /// Show also the user's words.
        #[arg(long)]
        reveal: bool,
    },
    /// Count sessions by state, due ones, and dead letters.
    Stats {
        /// The store to read.
        #[command(flatten)]
        source: Source,
        /// The format of the counts.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Remove closed sessions whose retention is over, as the bot does by itself.
    Purge,
    /// List dead letters (updates that could not be handled), or have them handled again.
    #[command(subcommand)]
    DeadLetters(dead_letters::Action),
}

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For humans.
    Text,
    /// One JSON object a line.
    Jsonl,
}

/// Answers on standard output. Only `purge` and `dead-letters replay` change a row, and bring tables to this release's schema.
///
/// # Errors
/// The configuration's, the store's or the database's. A reader that closes the output is no error.
pub async fn run(action: Action) -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?;
    let done = match action {
        Action::List { source, format } => list(&config, source, format).await,
        Action::Show { source, user, reveal } => show(&config, source, UserId(user), reveal).await,
        Action::Stats { source, format } => count(&config, source, format).await,
        Action::Purge => purge(&config).await,
        Action::DeadLetters(action) => dead_letters::run(action, &config).await,
    };
    done.map(|()| ExitCode::SUCCESS).map_err(|error| advised(error, &config))
}

async fn list(config: &Config, source: Source, format: Format) -> anyhow::Result<()> {
    let open = OpenStore::open(config, source).await?;
    let mut out = BufWriter::new(stdout());
    open.each(|found| {
        let row = SessionSummary::of(&found, config.session.ttl, open.now);
        still_read(match format {
            Format::Text => writeln!(out, "{row}"),
            Format::Jsonl => writeln!(out, "{}", row.to_json()),
        })
    })
    .await?;
    still_read(out.flush()).map(drop)
}

async fn show(config: &Config, source: Source, user: UserId, reveal: bool) -> anyhow::Result<()> {
    let open = OpenStore::open(config, source).await?;
    let key = SessionKey { bot: config.telegram.bot, chat: ChatId(user.0), user };
    let Some(session) = open.store.load(key).await? else {
        bail!("{} holds no session of user {user}", open.store.name());
    };
    let mut document = serde_json::to_value(&session)?;
    if !reveal {
        summary::conceal(&mut document);
    }
    answer(&serde_json::to_string_pretty(&document)?);
    Ok(())
}

async fn count(config: &Config, source: Source, format: Format) -> anyhow::Result<()> {
    let open = OpenStore::open(config, source).await?;
    let statistics = open.store.statistics(open.now).await?;
    let dead_letters = match &open.dead_letters {
        Some(dead_letters) => Some(dead_letters.count().await?),
        None => None,
    };
    let mut counts = SessionCounts::new(open.store.name(), statistics, dead_letters);
    open.each(|found| {
        counts.add(&found, config.session.ttl, open.now);
        Ok(true)
    })
    .await?;
    match format {
        Format::Text => answer(&counts.to_string()),
        Format::Jsonl => answer(&serde_json::to_string(&counts)?),
    }
    Ok(())
}

/// Redis removes closed sessions by itself; their copies in SQL are removed while Redis is the primary, because a Redis that
/// comes back may have older versions of the sessions that SQL has taken over.
async fn purge(config: &Config) -> anyhow::Result<()> {
    let clock = Clock::system();
    let database = Database::connect(&config.database.url).await.context("DATABASE_URL")?;
    database.migrate().await?;
    let primary = app::session_store(config, &database, &clock).await?;
    let sql = SqlStore::new(database, config.telegram.bot);
    if config.redis.is_some() && primary.name() == sql.name() {
        bail!("{} stands in for Redis: no session is removed before Redis is back", sql.name());
    }
    let purged = sql.purge(clock.now()).await?;
    answer(&format!("{purged} closed sessions are removed from {}.", sql.name()));
    Ok(())
}

/// False when the reader closed the output.
fn still_read(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
