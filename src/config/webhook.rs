//! The webhook: its rules are those of the Bot API's `setWebhook`.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::value::Bind;
use crate::config::{MergedLayers, Noted, TELEGRAM_API_URL};

/// The longest webhook secret that `setWebhook` takes.
const SECRET_MAX: usize = 256;
/// Below this many characters a webhook secret could be guessed.
const SECRET_GOOD: usize = 16;
/// The ports that Telegram's own server posts to.
const PORTS: [u16; 4] = [443, 80, 88, 8443];

/// How Telegram reaches the bot.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The public address, as it is given to Telegram.
    pub url: String,
    /// The place of the listener.
    pub bind: SocketAddr,
    /// The secret of a genuine request: 1 to 256 of `A-Z a-z 0-9 _ -`.
    pub secret: SecretString,
    /// The former secret, accepted until Telegram uses the new one everywhere.
    pub previous_secret: Option<SecretString>,
}

impl WebhookSettings {
    /// The path of the public address: where the listener expects Telegram, unless a proxy rewrites it.
    #[must_use]
    pub fn path(&self) -> String {
        reqwest::Url::parse(&self.url).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned())
    }
}

/// The webhook, if there is one.
pub(super) fn webhook(settings: &mut MergedLayers) -> Result<Option<WebhookSettings>, Noted> {
    let secret = secret_of(settings, "TELEGRAM_WEBHOOK_SECRET");
    let previous_secret = secret_of(settings, "TELEGRAM_WEBHOOK_SECRET_PREVIOUS");
    let bind = settings.get("WEBHOOK_BIND", "write it like 127.0.0.1:8443 or 0.0.0.0:8443");
    let Some(text) = settings.text("TELEGRAM_WEBHOOK_URL") else {
        let (secret, previous_secret) = (secret?, previous_secret?);
        if secret.is_some() || previous_secret.is_some() {
            settings.warn("TELEGRAM_WEBHOOK_SECRET has no effect without TELEGRAM_WEBHOOK_URL");
        }
        let Bind(_) = bind?;
        return Ok(None);
    };
    let url = address(settings, text);
    let secret = secret.and_then(|secret| {
        secret.ok_or_else(|| {
            settings.mistake(
                "TELEGRAM_WEBHOOK_SECRET",
                "is not set, and without it anybody could post updates to the webhook",
                "set it to a random text, for example the output of: openssl rand -hex 32",
            )
        })
    });
    let Bind(bind) = bind?;
    Ok(Some(WebhookSettings { url: url?, bind, secret: secret?, previous_secret: previous_secret? }))
}

fn secret_of(settings: &mut MergedLayers, name: &str) -> Result<Option<SecretString>, Noted> {
    let Some(secret) = settings.secret(name)? else { return Ok(None) };
    let text = secret.expose_secret();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !plain || text.len() > SECRET_MAX {
        return Err(settings.mistake(
            name,
            "is not a secret that Telegram takes",
            "use 1 to 256 letters, digits, _ and -, for example the output of: openssl rand -hex 32",
        ));
    }
    if text.len() < SECRET_GOOD {
        settings.warn(format!("{name} is shorter than {SECRET_GOOD} characters and could be guessed"));
    }
    Ok(Some(secret))
}

fn address(settings: &mut MergedLayers, text: String) -> Result<String, Noted> {
    let telegrams_own =
        settings.text("TELEGRAM_API_URL").is_some_and(|url| url.trim_end_matches('/') == TELEGRAM_API_URL);
    let wrong = match Url::parse(&text) {
        Ok(url) if !matches!(url.scheme(), "https" | "http") || !url.has_host() => {
            "is not the address of a web server"
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() => {
            "holds a user name, a password or a fragment"
        }
        // A Bot API server of the operator's own posts to any port, and without TLS.
        Ok(url) if is_loopback(&url) || !telegrams_own => return Ok(text),
        Ok(url) if url.scheme() != "https" => "is not https, and Telegram posts to https alone",
        Ok(url) if url.port_or_known_default().is_none_or(|port| !PORTS.contains(&port)) => {
            "names a port that Telegram does not post to"
        }
        Ok(_) => return Ok(text),
        Err(_) => "is not an address",
    };
    let fix =
        "write it like https://bot.example.org/telegram (ports 443, 80, 88, 8443), or leave it out to poll";
    Err(settings.mistake("TELEGRAM_WEBHOOK_URL", wrong, fix))
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}
