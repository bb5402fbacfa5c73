//! The sections of the configuration, each read by one function that returns `None` after it noted a fault.

pub(super) use crate::config::people::{access, session, taxonomy_file};
pub(super) use crate::config::retention::retention;
pub use crate::config::services::{Llm, Speech};
pub(super) use crate::config::services::{llm, speech};
pub(super) use crate::config::stores::{database, redis};
pub(super) use crate::config::telegram::{telegram, webhook};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::reader::{Noted, Reader};
use crate::config::{Config, Http, LogFormat, Logs};

pub(super) fn http(reader: &mut Reader) -> Result<Http, Noted> {
    let bind = reader.value("HTTP_BIND", "an address and a port", "127.0.0.1:8080 or [::1]:8080")?;
    Ok(Http { bind })
}

pub(super) fn logs(reader: &mut Reader) -> Result<Logs, Noted> {
    let filter = log_filter(reader);
    let format = match reader.text_or_default("LOG_FORMAT").as_str() {
        "auto" => LogFormat::Auto,
        "pretty" => LogFormat::Pretty,
        "json" => LogFormat::Json,
        other => {
            let wrong = format!("is unknown: {other:?}");
            return Err(reader.fault("LOG_FORMAT", wrong, "choose auto, pretty or json"));
        }
    };
    Ok(Logs { format, filter: filter? })
}

fn log_filter(reader: &mut Reader) -> Result<String, Noted> {
    let filter = reader.text_or_default("RUST_LOG");
    if filter.parse::<tracing_subscriber::filter::Targets>().is_ok() {
        return Ok(filter);
    }
    let fix = "write a level such as info or debug, or target=level pairs with commas between them";
    Err(reader.fault("RUST_LOG", format!("is not a filter: {filter:?}"), fix))
}

/// Every value that must never be written: the secrets, and the passwords inside addresses as they are and as encoded.
pub(super) fn secrets(config: &Config) -> Vec<SecretString> {
    let token = &config.telegram.token;
    let mut secrets = vec![token.clone()];
    secrets.extend(token.expose_secret().split_once(':').map(|(_, secret)| SecretString::from(secret)));
    if let Some(webhook) = &config.webhook {
        secrets.push(webhook.secret.clone());
        secrets.extend(webhook.previous_secret.clone());
    }
    secrets.extend(config.speech.as_ref().and_then(|speech| speech.key.clone()));
    secrets.extend(config.llm.as_ref().and_then(|llm| llm.key.clone()));
    let urls = [config.redis.as_ref().map(|redis| &redis.url), Some(&config.database.url)];
    for url in urls.into_iter().flatten() {
        secrets.extend(passwords(url.expose_secret()));
    }
    secrets
}

fn passwords(url: &str) -> Vec<SecretString> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    let in_query = url
        .query_pairs()
        .filter(|(name, _)| matches!(name.as_ref(), "pass" | "password"))
        .map(|(_, password)| password.into_owned());
    let encoded = url.password().unwrap_or_default().to_owned();
    let plain = percent_decoded(&encoded);
    in_query.chain([encoded, plain]).filter(|password| !password.is_empty()).map(SecretString::from).collect()
}

/// Turns `%41` into `A`; what is not an escape stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let escape = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(piece.bytes().skip(2));
            }
            None => {
                bytes.push(b'%');
                bytes.extend(piece.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
