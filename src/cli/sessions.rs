//! `depot-bot sessions`: conversations and parked updates, for an operator; a bot may run beside it.

mod parked;
mod place;
mod shown;

use std::io::{self, BufWriter, ErrorKind, Write, stdout};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::app;
use crate::cli::sessions::place::{Place, Source, advised};
use crate::cli::sessions::shown::{Counts, Row};
use crate::cli::{answer, environment};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::deposit::{ChatId, UserId};
use crate::session::SessionKey;
use crate::store::SessionStore as _;
use crate::store::sql::SqlStore;

/// What to do with conversations.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List all conversations that are stored, one a line.
    List {
        #[command(flatten)]
        source: Source,
        /// How a line looks.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show the document of one person.
    Show {
        #[command(flatten)]
        source: Source,
        /// Their numeric Telegram id.
        user: i64,
        /// Show also what they said.
        #[arg(long)]
        reveal: bool,
    },
    /// Count conversations, and what waits.
    Stats {
        #[command(flatten)]
        source: Source,
        /// How the counts look.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Remove closed conversations whose time is over, as the bot does by itself.
    Purge,
    /// Look at updates that were put aside, or have them handled again.
    Parked(parked::Arguments),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For eyes.
    Text,
    /// One JSON object a line.
    Jsonl,
}

/// Answers on standard output. Only `purge` and `parked replay` change a row, and bring tables to this release's schema.
///
/// # Errors
/// The configuration's, the store's or the database's. A reader that has had enough is no error.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&environment()?)?;
    let done = match arguments.what {
        What::List { source, format } => list(&config, source, format).await,
        What::Show { source, user, reveal } => show(&config, source, UserId(user), reveal).await,
        What::Stats { source, format } => count(&config, source, format).await,
        What::Purge => purge(&config).await,
        What::Parked(arguments) => parked::run(arguments, &config).await,
    };
    done.map(|()| ExitCode::SUCCESS).map_err(|error| advised(error, &config))
}

async fn list(config: &Config, source: Source, format: Format) -> anyhow::Result<()> {
    let place = Place::open(config, source).await?;
    let mut out = BufWriter::new(stdout());
    place
        .each(|found| {
            let row = Row::of(&found, config.session.ttl, place.now);
            patient(match format {
                Format::Text => writeln!(out, "{row}"),
                Format::Jsonl => writeln!(out, "{}", row.to_json()),
            })
        })
        .await?;
    patient(out.flush()).map(drop)
}

async fn show(config: &Config, source: Source, user: UserId, reveal: bool) -> anyhow::Result<()> {
    let place = Place::open(config, source).await?;
    let key = SessionKey { bot: config.telegram.bot, chat: ChatId(user.0), user };
    let Some(session) = place.store.load(key).await? else {
        bail!("{} holds no conversation of user {user}", place.store.name());
    };
    let mut document = serde_json::to_value(&session)?;
    if !reveal {
        shown::conceal(&mut document);
    }
    answer(&serde_json::to_string_pretty(&document)?);
    Ok(())
}

async fn count(config: &Config, source: Source, format: Format) -> anyhow::Result<()> {
    let place = Place::open(config, source).await?;
    let statistics = place.store.statistics(place.now).await?;
    let parked = match &place.ledger {
        Some(ledger) => Some(ledger.statistics().await?.updates_parked),
        None => None,
    };
    let mut counts = Counts::new(place.store.name(), statistics, parked);
    place
        .each(|found| {
            counts.add(&found, config.session.ttl, place.now);
            Ok(true)
        })
        .await?;
    match format {
        Format::Text => answer(&counts.to_string()),
        Format::Jsonl => answer(&serde_json::to_string(&counts)?),
    }
    Ok(())
}

/// Redis removes closed conversations by itself; their copies in SQL are removed while Redis is in charge, because a Redis
/// that comes back may have older versions of what SQL has taken over.
async fn purge(config: &Config) -> anyhow::Result<()> {
    let clock = Clock::system();
    let database = Database::connect(&config.database.url).await.context("DATABASE_URL")?;
    database.migrate().await?;
    let in_charge = app::session_store(config, &database, &clock).await?;
    let sql = SqlStore::new(database, config.telegram.bot);
    if config.redis.is_some() && in_charge.name() == sql.name() {
        bail!("{} stands in for Redis: nothing is removed before Redis is back", sql.name());
    }
    let purged = sql.purge(clock.now()).await?;
    answer(&format!("{purged} closed conversations are removed from {}.", sql.name()));
    Ok(())
}

/// False when the reader has had enough.
fn patient(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
