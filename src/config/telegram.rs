//! Telegram and its webhook: the rules are those of the Bot API's `setWebhook`, and of the tokens that `@BotFather` gives.

use std::net::IpAddr;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::reader::{Noted, Reader};
use crate::config::{TELEGRAM_API_URL, Telegram, Webhook};
use crate::deposit::BotId;

/// The shortest secret part that Telegram's own server issues tokens with; today it is 35.
const TOKEN_SECRET_MIN: usize = 30;
/// The longest webhook secret that `setWebhook` takes.
const WEBHOOK_SECRET_MAX: usize = 256;
/// Below this many characters a webhook secret could be guessed.
const WEBHOOK_SECRET_GOOD: usize = 16;
/// The ports that Telegram's own server posts to.
const PORTS: [u16; 4] = [443, 80, 88, 8443];

pub(in crate::config) fn telegram(reader: &mut Reader) -> Result<Telegram, Noted> {
    let api_url = api_url(reader);
    let is_telegrams_own = api_url.as_deref().is_ok_and(|url| url == TELEGRAM_API_URL);
    let token = token(reader, if is_telegrams_own { TOKEN_SECRET_MIN } else { 1 });
    let (token, bot) = token?;
    Ok(Telegram { token, bot, api_url: api_url? })
}

fn token(reader: &mut Reader, secret_least: usize) -> Result<(SecretString, BotId), Noted> {
    let token = reader.secret("TELEGRAM_BOT_TOKEN")?;
    let wrong = if token.is_some() { "does not look like a token" } else { "is not set" };
    let bot = token.as_ref().and_then(|token| bot_of(token.expose_secret(), secret_least));
    token.zip(bot).ok_or_else(|| {
        reader.fault(
            "TELEGRAM_BOT_TOKEN",
            wrong,
            "send /newbot to @BotFather in Telegram and copy the token it answers with: digits, a colon and \
             about 35 letters; or name a file that holds it in TELEGRAM_BOT_TOKEN_FILE",
        )
    })
}

fn api_url(reader: &mut Reader) -> Result<String, Noted> {
    let text = reader.text_or_default("TELEGRAM_API_URL");
    let is_server = Url::parse(&text).is_ok_and(|url| {
        let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
        is_web && url.query().is_none() && url.fragment().is_none() && url.password().is_none()
    });
    if is_server {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    let fix = format!("leave it out, or write it like {TELEGRAM_API_URL} or http://127.0.0.1:8081");
    // The value is not repeated: somebody may have put the token into it.
    Err(reader.fault("TELEGRAM_API_URL", "is not the address of a Bot API server", fix))
}

/// The number before the colon, if the rest has the shape of a token.
fn bot_of(token: &str, secret_least: usize) -> Option<BotId> {
    let (digits, secret) = token.split_once(':')?;
    let plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let bot: i64 = digits.parse().ok()?;
    (plain && secret.len() >= secret_least && digits.bytes().all(|byte| byte.is_ascii_digit()) && bot > 0)
        .then_some(BotId(bot))
}

/// The webhook, if there is one.
pub(in crate::config) fn webhook(
    reader: &mut Reader,
    warnings: &mut Vec<String>,
) -> Result<Option<Webhook>, Noted> {
    let secret = webhook_secret(reader, "TELEGRAM_WEBHOOK_SECRET", warnings);
    let previous_secret = webhook_secret(reader, "TELEGRAM_WEBHOOK_SECRET_PREVIOUS", warnings);
    let bind = reader.value("WEBHOOK_BIND", "an address and a port", "127.0.0.1:8443 or 0.0.0.0:8443");
    let Some(text) = reader.text("TELEGRAM_WEBHOOK_URL") else {
        let (secret, previous_secret) = (secret?, previous_secret?);
        if secret.is_some() || previous_secret.is_some() {
            warnings.push("TELEGRAM_WEBHOOK_SECRET has no effect without TELEGRAM_WEBHOOK_URL".to_owned());
        }
        bind?;
        return Ok(None);
    };
    let url = webhook_url(reader, text);
    let secret = secret.and_then(|secret| {
        secret.ok_or_else(|| {
            reader.fault(
                "TELEGRAM_WEBHOOK_SECRET",
                "is not set, and without it anybody could post updates to the webhook",
                "set it to a random text, for example the output of: openssl rand -hex 32",
            )
        })
    });
    Ok(Some(Webhook { url: url?, bind: bind?, secret: secret?, previous_secret: previous_secret? }))
}

fn webhook_secret(
    reader: &mut Reader,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<Option<SecretString>, Noted> {
    let Some(secret) = reader.secret(name)? else { return Ok(None) };
    let text = secret.expose_secret();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !plain || text.len() > WEBHOOK_SECRET_MAX {
        return Err(reader.fault(
            name,
            "is not a secret that Telegram takes",
            "use 1 to 256 letters, digits, _ and -, for example the output of: openssl rand -hex 32",
        ));
    }
    if text.len() < WEBHOOK_SECRET_GOOD {
        warnings
            .push(format!("{name} is shorter than {WEBHOOK_SECRET_GOOD} characters and could be guessed"));
    }
    Ok(Some(secret))
}

fn webhook_url(reader: &mut Reader, text: String) -> Result<String, Noted> {
    let telegrams_own = reader.text_or_default("TELEGRAM_API_URL").trim_end_matches('/') == TELEGRAM_API_URL;
    let wrong = match Url::parse(&text) {
        Ok(url) if !matches!(url.scheme(), "https" | "http") || !url.has_host() => {
            "is not the address of a web server"
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() => {
            "holds a user name, a password or a fragment"
        }
        // A Bot API server of one's own posts to any port, and without TLS.
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
    Err(reader.fault("TELEGRAM_WEBHOOK_URL", wrong, fix))
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}
