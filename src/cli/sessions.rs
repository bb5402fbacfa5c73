//! `depot-bot sessions`: conversations and parked updates, for an operator; a bot may run beside it.

mod parked;
mod shown;

use std::collections::HashSet;
use std::io::{self, BufWriter, ErrorKind, Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::app;
use crate::cli::sessions::shown::{Counts, Row};
use crate::cli::{answer, environment};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::database::Database;
use crate::deposit::{ChatId, UserId};
use crate::ledger::Ledger;
use crate::session::SessionKey;
use crate::store::sql::SqlStore;
use crate::store::{Found, SessionStore};

/// How many documents are read at a time.
const PAGE: usize = 200;

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
        /// How a line looks.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show the document of one person.
    Show {
        /// Their numeric Telegram id.
        user: i64,
        /// Show also what they said.
        #[arg(long)]
        reveal: bool,
    },
    /// Count conversations, and what waits.
    Stats {
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

/// What an operator looks into.
struct Place {
    config: Config,
    store: Arc<dyn SessionStore>,
    ledger: Ledger,
    now: Timestamp,
}

/// Answers on standard output. Only `purge` and `parked replay` change a row; tables are brought to this release's schema.
///
/// # Errors
/// The configuration's, the store's or the database's. A reader that has had enough is no error.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&environment()?)?;
    let database = Database::connect(&config.database.url).await.context("DATABASE_URL")?;
    database.migrate().await?;
    let store = app::session_store(&config, &database, &Clock::system()).await?;
    let ledger = Ledger::new(database.clone(), config.telegram.bot, Clock::system());
    let place = Place { config, store, ledger, now: Clock::system().now() };
    match arguments.what {
        What::List { format } => place.list(format).await?,
        What::Show { user, reveal } => place.show(UserId(user), reveal).await?,
        What::Stats { format } => place.count(format).await?,
        What::Purge => place.purge(SqlStore::new(database, place.config.telegram.bot)).await?,
        What::Parked(arguments) => parked::run(arguments, &place.ledger).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Place {
    async fn list(&self, format: Format) -> anyhow::Result<()> {
        let mut out = BufWriter::new(stdout());
        self.each(|found| {
            let row = Row::of(&found, self.config.session.ttl, self.now);
            patient(match format {
                Format::Text => writeln!(out, "{row}"),
                Format::Jsonl => writeln!(out, "{}", row.to_json()),
            })
        })
        .await?;
        patient(out.flush()).map(drop)
    }

    async fn show(&self, user: UserId, reveal: bool) -> anyhow::Result<()> {
        let key = SessionKey { bot: self.config.telegram.bot, chat: ChatId(user.0), user };
        let Some(session) = self.store.load(key).await? else {
            bail!("{} holds no conversation of user {user}", self.store.name());
        };
        let mut document = serde_json::to_value(&session)?;
        if !reveal {
            shown::conceal(&mut document);
        }
        answer(&serde_json::to_string_pretty(&document)?);
        Ok(())
    }

    /// Redis removes closed conversations by itself; their copies in SQL are removed while Redis is in charge, because
    /// a Redis that comes back may have older versions of what SQL has taken over.
    async fn purge(&self, sql: SqlStore) -> anyhow::Result<()> {
        if self.config.redis.is_some() && self.store.name() == sql.name() {
            bail!("{} stands in for Redis: nothing is removed before Redis is back", sql.name());
        }
        let purged = sql.purge(self.now).await?;
        answer(&format!("{purged} closed conversations are removed from {}.", sql.name()));
        Ok(())
    }

    async fn count(&self, format: Format) -> anyhow::Result<()> {
        let statistics = self.store.statistics(self.now).await?;
        let parked = self.ledger.statistics().await?.updates_parked;
        let mut counts = Counts::new(self.store.name(), statistics, parked);
        self.each(|found| {
            counts.add(&found, self.config.session.ttl, self.now);
            Ok(true)
        })
        .await?;
        match format {
            Format::Text => answer(&counts.to_string()),
            Format::Jsonl => answer(&serde_json::to_string(&counts)?),
        }
        Ok(())
    }

    /// Brings every conversation to `look` once, page by page, until it has had enough.
    async fn each(&self, mut look: impl FnMut(Found) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let mut place: Option<String> = None;
        let mut seen: HashSet<SessionKey> = HashSet::new();
        loop {
            let page = self.store.page(place.as_deref(), PAGE).await?;
            for found in page.found {
                if seen.insert(found.key) && !look(found)? {
                    return Ok(());
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            place = Some(next);
        }
    }
}

/// False when the reader has had enough.
fn patient(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
