//! Where things are kept: Redis and the SQL database.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::reader::{Noted, Reader};
use crate::config::sections::percent_decoded;
use crate::config::{Database, Engine, Redis};

/// The longest prefix: it is repeated in each key.
const KEY_PREFIX_MAX: usize = 64;
/// The highest number a Redis database can have in practice; the server's own limit is 16 unless it was raised.
const REDIS_DB_MAX: u32 = 9_999;
/// The most connections of the pool: a Redis that is shared has others to serve.
const POOL_SIZE_MAX: u32 = 64;
/// The bounds of one call through the pool: below, a healthy server seems slow; above, an effect waits too long for the
/// cache of answers.
const TIMEOUT_MS_MIN: u32 = 50;
const TIMEOUT_MS_MAX: u32 = 5_000;
const REDIS_URL_FIX: &str = "write it like redis://127.0.0.1:6379/0, rediss://user:password@host:6380/0 or redis+unix:///run/redis.sock";
const DATABASE_URL_FIX: &str =
    "write it like sqlite://data/depot.db or postgres://user:password@host:5432/depot";

/// Redis, if there is one.
pub(in crate::config) fn redis(
    reader: &mut Reader,
    warnings: &mut Vec<String>,
) -> Result<Option<Redis>, Noted> {
    let key_prefix = key_prefix(reader);
    let pool_size = reader.number("REDIS_POOL_SIZE", 1, POOL_SIZE_MAX, 4);
    let timeout = reader.number("REDIS_TIMEOUT_MS", TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, 500);
    let password = reader.secret("REDIS_PASSWORD");
    let number = match reader.text("REDIS_DB") {
        Some(_) => reader.number("REDIS_DB", 0, REDIS_DB_MAX, 0).map(Some),
        None => Ok(None),
    };
    let ca = ca(reader);
    let url = reader.secret("REDIS_URL")?;
    let Some(url) = url else {
        let without_effect = [
            ("REDIS_PASSWORD", password?.is_some()),
            ("REDIS_DB", number?.is_some()),
            ("REDIS_CA_FILE", ca?.is_some()),
        ];
        for (name, is_set) in without_effect {
            if is_set {
                warnings.push(format!("{name} has no effect without REDIS_URL"));
            }
        }
        (key_prefix?, pool_size?, timeout?);
        return Ok(None);
    };
    let url = redis_url(reader, url.expose_secret());
    let (mut url, password, number, ca) = (url?, password?, number?, ca?);
    if ca.is_some() && !matches!(url.scheme(), "rediss" | "valkeys") {
        let wrong = "is set, and REDIS_URL does not begin with rediss://";
        return Err(reader.fault("REDIS_CA_FILE", wrong, "write rediss:// to talk TLS, or leave it out"));
    }
    if let Some(password) = password {
        add_password(reader, &mut url, password.expose_secret())?;
    }
    if let Some(number) = number {
        add_number(reader, &mut url, number)?;
    }
    let pool_size = NonZeroUsize::new(pool_size? as usize).unwrap_or(NonZeroUsize::MIN);
    let timeout = Duration::from_millis(u64::from(timeout?));
    Ok(Some(Redis { url: url.as_str().into(), ca, key_prefix: key_prefix?, pool_size, timeout }))
}

fn key_prefix(reader: &mut Reader) -> Result<String, Noted> {
    let prefix = reader.text_or_default("REDIS_KEY_PREFIX");
    // Braces would put keys into the slots of a cluster; the others are wildcards of KEYS and SCAN.
    let is_plain = prefix.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}*?[]\\\"'".contains(&byte));
    if is_plain && prefix.len() <= KEY_PREFIX_MAX {
        return Ok(prefix);
    }
    let fix = format!("use at most {KEY_PREFIX_MAX} letters, digits and punctuation, for example depot:");
    Err(reader.fault("REDIS_KEY_PREFIX", format!("cannot begin a key: {prefix:?}"), fix))
}

/// The certificates of `REDIS_CA_FILE`; what is in them is read by the TLS library.
fn ca(reader: &mut Reader) -> Result<Option<String>, Noted> {
    let Some(path) = reader.text("REDIS_CA_FILE") else { return Ok(None) };
    let wrong = match std::fs::read_to_string(&path) {
        Ok(text) if text.contains("BEGIN CERTIFICATE") => return Ok(Some(text)),
        Ok(_) => format!("names a file without a certificate: {path}"),
        Err(error) => format!("names a file that cannot be read: {path} ({})", error.kind()),
    };
    let fix = "give the path of the authority's certificate in PEM, as in `-----BEGIN CERTIFICATE-----`";
    Err(reader.fault("REDIS_CA_FILE", wrong, fix))
}

fn redis_url(reader: &mut Reader, text: &str) -> Result<Url, Noted> {
    let url = Url::parse(text).ok().filter(|url| match url.scheme() {
        "redis" | "rediss" | "valkey" | "valkeys" => url.has_host(),
        "unix" | "redis+unix" | "valkey+unix" => url.path().len() > 1,
        _ => false,
    });
    url.ok_or_else(|| reader.fault("REDIS_URL", "is not the address of a Redis server", REDIS_URL_FIX))
}

fn is_socket(url: &Url) -> bool {
    url.scheme().ends_with("unix")
}

fn add_password(reader: &mut Reader, url: &mut Url, password: &str) -> Result<(), Noted> {
    let has_one = url.password().is_some() || url.query_pairs().any(|(name, _)| name == "pass");
    if has_one {
        let fix = "keep one of the two";
        return Err(reader.fault("REDIS_PASSWORD", "is set, and REDIS_URL holds a password too", fix));
    }
    if is_socket(url) {
        url.query_pairs_mut().append_pair("pass", password);
        return Ok(());
    }
    // The setter leaves `%` as it is, which the reader of the URL would take for an escape.
    url.set_password(Some(&password.replace('%', "%25")))
        .map_err(|()| reader.fault("REDIS_URL", "cannot carry a password", REDIS_URL_FIX))
}

fn add_number(reader: &mut Reader, url: &mut Url, number: u32) -> Result<(), Noted> {
    let named = if is_socket(url) {
        url.query_pairs().find(|(name, _)| name == "db").map(|(_, number)| number.into_owned())
    } else {
        Some(url.path().trim_start_matches('/').to_owned()).filter(|number| !number.is_empty())
    };
    match named {
        Some(named) if named == number.to_string() => {}
        Some(_) => {
            let wrong = "is set, and REDIS_URL names another database";
            return Err(reader.fault("REDIS_DB", wrong, "keep one of the two"));
        }
        None if is_socket(url) => {
            url.query_pairs_mut().append_pair("db", &number.to_string());
        }
        None => url.set_path(&number.to_string()),
    }
    Ok(())
}

pub(in crate::config) fn database(reader: &mut Reader) -> Result<Database, Noted> {
    let url = match reader.secret("DATABASE_URL")? {
        Some(url) => url,
        None => SecretString::from(reader.text_or_default("DATABASE_URL")),
    };
    let engine = engine(url.expose_secret());
    let may_be_another_bots = flag(reader, "ALLOW_ANOTHER_BOT");
    match engine {
        Ok(engine) => Ok(Database { engine, url, may_be_another_bots: may_be_another_bots? }),
        Err(wrong) => Err(reader.fault("DATABASE_URL", wrong, DATABASE_URL_FIX)),
    }
}

pub(in crate::config) fn flag(reader: &mut Reader, name: &str) -> Result<bool, Noted> {
    match reader.text_or_default(name).as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            Err(reader.fault(name, format!("is neither true nor false: {other:?}"), "write true or false"))
        }
    }
}

fn engine(url: &str) -> Result<Engine, &'static str> {
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let Some(path) = rest.strip_prefix("//") else { return Err("lacks the two slashes after sqlite:") };
        let path = path.split('?').next().unwrap_or_default();
        return match path {
            "" => Err("names no file"),
            _ if path.contains(":memory:") || url.contains("mode=memory") => {
                Err("names a database in memory, which forgets every deposit when the bot stops")
            }
            path => Ok(Engine::Sqlite { path: PathBuf::from(percent_decoded(path)) }),
        };
    }
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(Engine::Postgres),
        Ok(_) => Err("is neither SQLite nor PostgreSQL"),
        Err(_) => Err("is not an address"),
    }
}
