//! Telegram: the token, as `@BotFather` gives it, and the Bot API server.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::{MergedLayers, Noted, TELEGRAM_API_URL};
use deposit::BotId;

/// The shortest secret part that Telegram's own server issues tokens with; today it is 35.
const TOKEN_SECRET_MIN: usize = 30;

/// How to talk to Telegram.
#[derive(Clone, Debug)]
pub struct TelegramSettings {
    /// The token; it is in the URL of every call.
    pub token: SecretString,
    /// The bot's own id: the number before the colon of the token.
    pub bot: BotId,
    /// The Bot API server, without a slash at the end.
    pub api_url: String,
}

impl TelegramSettings {
    /// Whether this is Telegram's own server, whose rules for tokens and webhooks are known.
    #[must_use]
    pub fn is_telegrams_own(&self) -> bool {
        self.api_url == TELEGRAM_API_URL
    }
}

pub(super) fn telegram(settings: &mut MergedLayers) -> Result<TelegramSettings, Noted> {
    let fix = format!("leave it out, or write it like {TELEGRAM_API_URL} or http://127.0.0.1:8081");
    let api_url = settings.get("TELEGRAM_API_URL", &fix);
    let is_telegrams_own = api_url.as_ref().is_ok_and(|ApiUrl(url)| url == TELEGRAM_API_URL);
    let token = token(settings, if is_telegrams_own { TOKEN_SECRET_MIN } else { 1 });
    let ((token, bot), ApiUrl(api_url)) = (token?, api_url?);
    Ok(TelegramSettings { token, bot, api_url })
}

fn token(settings: &mut MergedLayers, secret_least: usize) -> Result<(SecretString, BotId), Noted> {
    let token = settings.secret("TELEGRAM_BOT_TOKEN")?;
    let wrong = if token.is_some() { "does not look like a token" } else { "is not set" };
    let bot = token.as_ref().and_then(|token| bot_of(token.expose_secret(), secret_least));
    token.zip(bot).ok_or_else(|| {
        settings.mistake(
            "TELEGRAM_BOT_TOKEN",
            wrong,
            "send /newbot to @BotFather in Telegram and copy the token it answers with: digits, a colon and \
             about 35 letters; or name a file that holds it in TELEGRAM_BOT_TOKEN_FILE",
        )
    })
}

/// The address of a Bot API server, without a slash at the end.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ApiUrl(String);

impl TryFrom<String> for ApiUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_server = Url::parse(&text).is_ok_and(|url| {
            let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
            is_web && url.query().is_none() && url.fragment().is_none() && url.password().is_none()
        });
        // The value is not repeated: the token may have been put into it.
        if is_server {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err("is not the address of a Bot API server")
        }
    }
}

/// The number before the colon, if the rest has the shape of a token.
fn bot_of(token: &str, secret_least: usize) -> Option<BotId> {
    let (digits, secret) = token.split_once(':')?;
    let plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let bot: i64 = digits.parse().ok()?;
    (plain && secret.len() >= secret_least && digits.bytes().all(|byte| byte.is_ascii_digit()) && bot > 0)
        .then_some(BotId(bot))
}
