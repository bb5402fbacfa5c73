//! The configuration: environment variables and nothing else, read once, checked whole, given out by section.
//!
//! All mistakes are told at once, each with its fix. No section is ever read twice, and no other module reads the
//! environment. A secret is a [`SecretString`]: it has no `Debug` that shows it.

mod people;
mod reader;
mod retention;
mod sections;
mod services;
mod stores;
mod telegram;
mod variables;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub use crate::config::reader::{Fault, Faults};
pub use crate::config::sections::{Llm, Speech};
pub use crate::config::variables::{
    DEMO_TOKEN, FILE_SUFFIX, TELEGRAM_API_URL, VARIABLES, Variable, variable,
};

use crate::config::reader::{Noted, Reader};
use crate::deposit::{BotId, UserId};

/// Everything that `run` needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to talk to Telegram.
    pub telegram: Telegram,
    /// How Telegram reaches the bot; `None` means that the bot polls.
    pub webhook: Option<Webhook>,
    /// Where health and metrics are served.
    pub http: Http,
    /// The Redis in charge of conversations; `None` leaves them to the SQL database.
    pub redis: Option<Redis>,
    /// The SQL database.
    pub database: Database,
    /// How long conversations live.
    pub session: Session,
    /// Who may talk to the bot.
    pub access: Access,
    /// How long what is not for ever is kept.
    pub retention: Retention,
    /// The file of categories in place of those compiled in.
    pub taxonomy_file: Option<PathBuf>,
    /// What listens to voice notes; `None` means that they are kept and words are asked for.
    pub speech: Option<Speech>,
    /// What reads notes beside the embedded model, if anything does.
    pub llm: Option<Llm>,
    /// How the log looks and what is in it.
    pub logs: Logs,
    /// What is probably a mistake but does not stop the bot: to be logged at start. No values, no secrets.
    pub warnings: Vec<String>,
}

/// How to talk to Telegram.
#[derive(Clone, Debug)]
pub struct Telegram {
    /// The token; it is in the URL of every call.
    pub token: SecretString,
    /// The bot's own id: the number before the colon of the token.
    pub bot: BotId,
    /// The Bot API server, without a slash at the end.
    pub api_url: String,
}

/// How Telegram reaches the bot.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The public address, as it is given to Telegram.
    pub url: String,
    /// Where the listener stands.
    pub bind: SocketAddr,
    /// What a genuine request carries: 1 to 256 of `A-Z a-z 0-9 _ -`.
    pub secret: SecretString,
    /// The former secret, accepted until Telegram uses the new one everywhere.
    pub previous_secret: Option<SecretString>,
}

/// Where health and metrics are served.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    /// Where the listener stands.
    pub bind: SocketAddr,
}

/// The Redis in charge of conversations.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Its address with password and database number in it, whichever variable they came from.
    pub url: SecretString,
    /// The certificate authorities (PEM) that it is known by, in place of the public ones.
    pub ca: Option<String>,
    /// What each key begins with.
    pub key_prefix: String,
    /// How many connections the pool has at most: those of copies, pages, statistics and the cache.
    pub pool_size: NonZeroUsize,
    /// How long one call through the pool may take, waiting for a connection included.
    pub timeout: Duration,
}

/// The SQL database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Which kind it is.
    pub engine: Engine,
    /// Its address, as `sqlx` reads it.
    pub url: SecretString,
    /// Whether to start on what belongs to another bot alone.
    pub may_be_another_bots: bool,
}

/// The kinds of SQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the bot: one host.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A server, shared by several instances.
    Postgres,
}

/// How long conversations live.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// How long an open one lives without activity, in whole seconds.
    pub ttl: Duration,
}

/// How long what is not for ever is kept, in whole days; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Updates that were put aside.
    pub parked: Option<Duration>,
    /// Documents that lost against another branch of their conversation.
    pub conflicts: Option<Duration>,
    /// Documents that could not be read.
    pub quarantine: Option<Duration>,
    /// What was said and sent for deposits, after they were decided.
    pub drafts: Option<Duration>,
    /// Messages to other chats, after they were sent or given up.
    pub deliveries: Option<Duration>,
}

/// Who may talk to the bot, and how much.
#[derive(Clone, Debug)]
pub struct Access {
    /// How strangers are treated.
    pub mode: AccessMode,
    /// The first admins; more are named from within.
    pub admins: Vec<UserId>,
    /// Who is let in by the list.
    pub allowed: Vec<UserId>,
    /// How many updates of one person are taken per minute; `None` is without limit.
    pub rate_per_minute: Option<std::num::NonZeroU32>,
}

/// How strangers are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// They may ask once, and an admin decides.
    Approval,
    /// They are refused unless they are on the list.
    Allowlist,
    /// They may deposit at once.
    Open,
}

/// How the log looks and what is in it.
#[derive(Clone, Debug)]
pub struct Logs {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged, in the language of `tracing` filters.
    pub filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For eyes.
    Pretty,
    /// For machines: one JSON object per line.
    Json,
}

/// The variables of the process, and those of the file `dotenv` where the process does not set them.
///
/// # Errors
/// A file that exists and cannot be read or understood; the offending line is not repeated, it may hold a secret.
pub fn environment(dotenv: &Path) -> Result<HashMap<String, String>, Faults> {
    let mut variables: HashMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    if !dotenv.is_file() {
        return Ok(variables);
    }
    let unreadable = |wrong: String| {
        let fix = "write one NAME=value per line, with quotes around values that hold blanks".to_owned();
        Faults(vec![Fault { name: dotenv.display().to_string(), wrong, fix }])
    };
    let lines =
        dotenvy::from_path_iter(dotenv).map_err(|_| unreadable("cannot be read by the bot's user".into()))?;
    for (number, line) in lines.enumerate() {
        let (name, value) =
            line.map_err(|_| unreadable(format!("is not understood at variable {}", number + 1)))?;
        variables.entry(name).or_insert(value);
    }
    Ok(variables)
}

impl Config {
    /// Reads the whole configuration from an environment; the only other thing it touches are `*_FILE` secrets.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, Faults> {
        let mut reader = Reader::new(environment);
        let read = Self::read_from(&mut reader, variables::misspelled(environment));
        reader.finish(read)
    }

    fn read_from(reader: &mut Reader, mut warnings: Vec<String>) -> Result<Self, Noted> {
        let telegram = sections::telegram(reader);
        let webhook = sections::webhook(reader, &mut warnings);
        let http = sections::http(reader);
        let redis = sections::redis(reader, &mut warnings);
        let database = sections::database(reader);
        let session = sections::session(reader, &mut warnings);
        let access = sections::access(reader, &mut warnings);
        let retention = sections::retention(reader);
        let taxonomy_file = sections::taxonomy_file(reader);
        let speech = sections::speech(reader, &mut warnings);
        let llm = sections::llm(reader, &mut warnings);
        let logs = sections::logs(reader);
        // Only now: a fault in one section must not hide those of the next.
        let (http, webhook) = (http?, webhook?);
        if webhook.as_ref().is_some_and(|webhook| webhook.bind == http.bind && http.bind.port() != 0) {
            return Err(reader.fault("WEBHOOK_BIND", "is the same as HTTP_BIND", "give each its own port"));
        }
        Ok(Self {
            telegram: telegram?,
            webhook,
            http,
            redis: redis?,
            database: database?,
            session: session?,
            access: access?,
            retention: retention?,
            taxonomy_file: taxonomy_file?,
            speech: speech?,
            llm: llm?,
            logs: logs?,
            warnings,
        })
    }

    /// The same configuration, unless its token is that of the demo, which everybody knows.
    ///
    /// # Errors
    /// It is.
    pub fn without_demo(self) -> Result<Self, Faults> {
        if self.telegram.token.expose_secret() != DEMO_TOKEN {
            return Ok(self);
        }
        Err(Faults(vec![Fault {
            name: "TELEGRAM_BOT_TOKEN".to_owned(),
            wrong: "is the token of `depot-bot demo`, which everybody knows".to_owned(),
            fix: "start `depot-bot demo`, or get a token of your own from @BotFather".to_owned(),
        }]))
    }

    /// Every value that must never be written anywhere, for the writer that watches over the log.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretString> {
        sections::secrets(self)
    }
}

impl Http {
    /// Reads where the ops server is, for the `healthcheck` subcommand, which needs nothing else.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, Faults> {
        let mut reader = Reader::new(environment);
        let read = sections::http(&mut reader);
        reader.finish(read)
    }
}

impl Database {
    /// Reads which database is meant, for subcommands that talk to nothing else.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, Faults> {
        let mut reader = Reader::new(environment);
        let read = sections::database(&mut reader);
        reader.finish(read)
    }
}

impl Logs {
    /// Reads how to log, for subcommands that need no token.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, Faults> {
        let mut reader = Reader::new(environment);
        let read = sections::logs(&mut reader);
        reader.finish(read)
    }
}

impl Llm {
    /// Reads which chat model is meant, for subcommands that need no token.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(environment: &HashMap<String, String>) -> Result<Option<Self>, Faults> {
        let mut reader = Reader::new(environment);
        let read = sections::llm(&mut reader, &mut Vec::new());
        reader.finish(read)
    }
}

impl Telegram {
    /// Whether this is Telegram's own server, whose rules for tokens and webhooks are known.
    #[must_use]
    pub fn is_telegrams_own(&self) -> bool {
        self.api_url == TELEGRAM_API_URL
    }
}

impl Webhook {
    /// The path of the public address: where the listener expects Telegram, unless a proxy rewrites it.
    #[must_use]
    pub fn path(&self) -> String {
        reqwest::Url::parse(&self.url).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned())
    }
}
