//! The settings that the demo takes from its environment, and its own values for everything else.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::DEMO_TOKEN;
use crate::demo::personas;
use crate::demo::voice::Voice;
use bot_api_simulator::Simulator;
use harness::proxy::FaultProxy;

/// How long Redis may take for each answer when it is cleared.
const CLEAR_WITHIN: Duration = Duration::from_secs(2);

/// The settings of the demo's bot, and the servers that stand between it and the world.
pub(super) struct Settings {
    /// Every variable of the bot.
    pub(super) variables: HashMap<String, String>,
    /// The way to Redis, where it is one that can be closed.
    pub(super) to_redis: Option<FaultProxy>,
    /// The user's own Redis, and the prefix of this demo's keys.
    pub(super) redis: Option<(SecretString, String)>,
    /// The transcriber of the shipped notes, unless a server is configured.
    pub(super) voice: Option<Voice>,
}

impl Settings {
    /// Reads `environment`, and starts the servers in between.
    ///
    /// # Errors
    /// A token of a real bot, an address of Redis that is none, or no port is left.
    pub(super) async fn read(
        environment: &HashMap<String, String>,
        telegram: &Simulator,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        refuse_token(environment)?;
        let is_taken =
            |name: &str| name == "RUST_LOG" || ["STT_", "LLM_"].iter().any(|ours| name.starts_with(ours));
        let mut variables: HashMap<String, String> = environment
            .iter()
            .filter(|(name, value)| is_taken(name) && !value.is_empty())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let voice = if variables.contains_key("STT_BASE_URL") { None } else { Some(Voice::start().await?) };
        variables.extend(voice.iter().map(|voice| ("STT_BASE_URL".to_owned(), voice.url())));
        let own = [
            ("TELEGRAM_BOT_TOKEN", telegram.token().to_owned()),
            ("TELEGRAM_API_URL", telegram.url().to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", folder.join("depot.db").display())),
            ("HTTP_BIND", "127.0.0.1:0".to_owned()),
            ("ACCESS_MODE", "approval".to_owned()),
            ("ADMIN_TELEGRAM_IDS", personas::admins()),
            ("RATE_LIMIT_PER_MINUTE", "0".to_owned()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let mut settings = Self { variables, to_redis: None, redis: None, voice };
        if let Some(url) = environment.get("REDIS_URL").filter(|url| !url.is_empty()) {
            settings.take_redis(url).await?;
        }
        Ok(settings)
    }

    async fn take_redis(&mut self, url: &str) -> anyhow::Result<()> {
        let Ok(mut through) = Url::parse(url) else {
            bail!("REDIS_URL is no address, such as redis://127.0.0.1")
        };
        // Its own part of a Redis that may hold much else.
        let prefix = format!("depot-demo-{:08x}:", rand::random::<u32>());
        if through.scheme() == "redis" {
            let host = through.host_str().context("REDIS_URL names no host")?;
            let far = format!("{host}:{}", through.port().unwrap_or(6379));
            let proxy = FaultProxy::to_tcp(far).await?;
            let _has_a_host = through.set_host(Some(&proxy.address().ip().to_string()));
            let _has_a_host = through.set_port(Some(proxy.address().port()));
            self.to_redis = Some(proxy);
        }
        self.variables.insert("REDIS_URL".to_owned(), through.to_string());
        self.variables.insert("REDIS_KEY_PREFIX".to_owned(), prefix.clone());
        self.redis = Some((SecretString::from(url), prefix));
        Ok(())
    }
}

/// The demo shows everything to any visitor of its page: it is no place for the token of a real bot.
fn refuse_token(environment: &HashMap<String, String>) -> anyhow::Result<()> {
    let is_real = |(name, value): (&String, &String)| match name.as_str() {
        "TELEGRAM_BOT_TOKEN" => !value.is_empty() && value != DEMO_TOKEN,
        "TELEGRAM_BOT_TOKEN_FILE" => !value.is_empty(),
        _ => false,
    };
    if environment.iter().any(is_real) {
        bail!(
            "the demo takes no real token, for it shows everything: unset TELEGRAM_BOT_TOKEN, it has a token of its own"
        );
    }
    Ok(())
}

/// Takes the demo's keys out of the user's Redis.
///
/// # Errors
/// Redis does not answer; the keys left end by themselves within days.
pub(super) async fn clear_redis(url: &SecretString, prefix: &str) -> redis::RedisResult<()> {
    let client = redis::Client::open(url.expose_secret())?;
    let limits = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CLEAR_WITHIN))
        .set_response_timeout(Some(CLEAR_WITHIN));
    let mut connection = client.get_multiplexed_async_connection_with_config(&limits).await?;
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{prefix}*"))
            .arg("COUNT")
            .arg(500)
            .query_async(&mut connection)
            .await?;
        if !keys.is_empty() {
            let _removed: u64 = redis::cmd("UNLINK").arg(keys).query_async(&mut connection).await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}
