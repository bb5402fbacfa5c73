//! The values that must never be written: the secrets, and the passwords inside addresses, plain and encoded.

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;

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
    let plain = percent_decode_str(&encoded).decode_utf8_lossy().into_owned();
    in_query.chain([encoded, plain]).filter(|password| !password.is_empty()).map(SecretString::from).collect()
}
