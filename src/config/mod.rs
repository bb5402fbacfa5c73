//! The configuration: read once at the start, checked whole, given out by section.
//!
//! The crate `config` merges the layers ([`Layers`]: defaults, `.env`, the environment, files with secrets) and turns each
//! setting into its type. Each section is a module here: its types, and a function that reads them and checks what one
//! setting means for another. Every mistake is reported at once, with its fix ([`Mistakes`]). No other module reads the
//! environment. A secret is a `SecretString`, whose `Debug` hides it.

mod access;
mod database;
mod http;
mod layers;
mod llm;
mod logs;
mod merged;
mod mistake;
mod redis;
mod retention;
mod secret_files;
mod secrets;
mod server;
mod session;
mod speech;
mod taxonomy;
mod telegram;
mod value;
mod variables;
mod webhook;

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

pub use crate::config::access::{AccessMode, AccessSettings};
pub use crate::config::database::{DatabaseEngine, DatabaseSettings};
pub use crate::config::http::HttpSettings;
pub use crate::config::layers::{Layers, environment};
pub use crate::config::llm::LlmSettings;
pub use crate::config::logs::{LogFormat, LogSettings};
pub use crate::config::mistake::{Mistake, Mistakes};
pub use crate::config::redis::RedisSettings;
pub use crate::config::retention::RetentionSettings;
pub use crate::config::session::SessionSettings;
pub use crate::config::speech::SpeechSettings;
pub use crate::config::taxonomy::taxonomy_file;
pub use crate::config::telegram::TelegramSettings;
pub use crate::config::variables::{
    DEMO_TOKEN, FILE_SUFFIX, TELEGRAM_API_URL, VARIABLES, Variable, variable,
};
pub use crate::config::webhook::WebhookSettings;

use crate::config::merged::{MergedLayers, Noted};

/// Everything that `run` needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to talk to Telegram.
    pub telegram: TelegramSettings,
    /// How Telegram reaches the bot; `None` means that the bot polls.
    pub webhook: Option<WebhookSettings>,
    /// Where health and metrics are served.
    pub http: HttpSettings,
    /// The Redis that holds conversations; `None` leaves them to the SQL database.
    pub redis: Option<RedisSettings>,
    /// The SQL database.
    pub database: DatabaseSettings,
    /// How long conversations live.
    pub session: SessionSettings,
    /// The users that may talk to the bot.
    pub access: AccessSettings,
    /// How long things are kept that are not for ever.
    pub retention: RetentionSettings,
    /// The file of categories in place of those compiled in.
    pub taxonomy_file: Option<PathBuf>,
    /// The server that transcribes voice notes; `None` means that they are kept and words are asked for.
    pub speech: Option<SpeechSettings>,
    /// The chat model beside the embedded one, if there is one.
    pub llm: Option<LlmSettings>,
    /// The form of the log, and its filter.
    pub logs: LogSettings,
    /// Probable mistakes that do not stop the bot: to be logged at start. No values, no secrets.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the whole configuration.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn read(layers: &Layers) -> Result<Self, Mistakes> {
        let mut settings = MergedLayers::new(layers);
        variables::misspelled(layers).into_iter().for_each(|warning| settings.warn(warning));
        let read = Self::read_from(&mut settings);
        settings.finish(read)
    }

    fn read_from(settings: &mut MergedLayers) -> Result<Self, Noted> {
        let telegram = telegram::telegram(settings);
        let webhook = webhook::webhook(settings);
        let http = http::http(settings);
        let redis = redis::redis(settings);
        let database = database::database(settings);
        let session = session::session(settings);
        let access = access::access(settings);
        let retention = retention::retention(settings);
        let taxonomy_file = taxonomy::taxonomy(settings);
        let speech = speech::speech(settings);
        let llm = llm::llm(settings);
        let logs = logs::logs(settings);
        // Only now: a mistake in one section must not hide those of the next.
        let (http, webhook) = (http?, webhook?);
        if webhook.as_ref().is_some_and(|webhook| webhook.bind == http.bind && http.bind.port() != 0) {
            return Err(settings.mistake(
                "WEBHOOK_BIND",
                "is the same as HTTP_BIND",
                "give each its own port",
            ));
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
            warnings: std::mem::take(&mut settings.warnings),
        })
    }

    /// The same configuration, unless its token is that of the demo, which is public.
    ///
    /// # Errors
    /// It is.
    pub fn without_demo(self) -> Result<Self, Mistakes> {
        if self.telegram.token.expose_secret() != DEMO_TOKEN {
            return Ok(self);
        }
        Err(Mistakes(vec![Mistake::new(
            "TELEGRAM_BOT_TOKEN",
            "is the token of `depot-bot demo`, which everybody knows",
            "start `depot-bot demo`, or get a token of your own from @BotFather",
        )]))
    }

    /// Every value that must never be written anywhere, for the writer that watches over the log.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretString> {
        secrets::secrets(self)
    }
}
