//! The SQL database.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::value::Flag;
use crate::config::{Layers, MergedLayers, Mistakes, Noted};

const URL_FIX: &str = "write it like sqlite://data/depot.db or postgres://user:password@host:5432/depot";

/// The SQL database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Its kind.
    pub engine: DatabaseEngine,
    /// Its address, as `sqlx` reads it.
    pub url: SecretString,
    /// Whether to start on a database that belongs to another bot alone.
    pub may_be_another_bots: bool,
}

/// The kinds of SQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseEngine {
    /// A file beside the bot: one host.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A server, shared by several instances.
    Postgres,
}

impl DatabaseSettings {
    /// Reads this section alone, for subcommands that talk to nothing else.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(layers: &Layers) -> Result<Self, Mistakes> {
        let mut settings = MergedLayers::new(layers);
        let read = database(&mut settings);
        settings.finish(read)
    }
}

pub(super) fn database(settings: &mut MergedLayers) -> Result<DatabaseSettings, Noted> {
    let url = settings.secret("DATABASE_URL")?.unwrap_or_default();
    let engine = engine(url.expose_secret());
    let may_be_another_bots = settings.get("ALLOW_ANOTHER_BOT", "write true or false");
    let engine = engine.map_err(|wrong| settings.mistake("DATABASE_URL", wrong, URL_FIX));
    let (engine, Flag(may_be_another_bots)) = (engine?, may_be_another_bots?);
    Ok(DatabaseSettings { engine, url, may_be_another_bots })
}

fn engine(url: &str) -> Result<DatabaseEngine, &'static str> {
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let Some(path) = rest.strip_prefix("//") else { return Err("lacks the two slashes after sqlite:") };
        let path = path.split('?').next().unwrap_or_default();
        return match path {
            "" => Err("names no file"),
            _ if path.contains(":memory:") || url.contains("mode=memory") => {
                Err("names a database in memory, which forgets every deposit when the bot stops")
            }
            path => Ok(DatabaseEngine::Sqlite {
                path: PathBuf::from(percent_decode_str(path).decode_utf8_lossy().into_owned()),
            }),
        };
    }
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(DatabaseEngine::Postgres),
        Ok(_) => Err("is neither SQLite nor PostgreSQL"),
        Err(_) => Err("is not an address"),
    }
}
