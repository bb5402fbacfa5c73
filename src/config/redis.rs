//! The Redis that holds conversations.

use std::num::NonZeroUsize;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::{MergedLayers, Noted};

/// The longest prefix: it is repeated in each key.
const KEY_PREFIX_MAX: usize = 64;
/// The highest number a Redis database can have in practice; the server's own limit is 16 unless it was raised.
const NUMBER_MAX: u32 = 9_999;
/// The most connections of the pool: a server that is shared has others to serve.
const POOL_SIZE_MAX: u32 = 64;
/// The bounds of one call through the pool, in ms: below, a healthy server seems away; above, an effect waits too long
/// for the cache of answers.
const TIMEOUT_MIN: u32 = 50;
const TIMEOUT_MAX: u32 = 5_000;
const URL_FIX: &str = "write it like redis://127.0.0.1:6379/0, rediss://user:password@host:6380/0 or redis+unix:///run/redis.sock";

/// The Redis that holds conversations.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Its address with password and database number in it, whichever variable they came from.
    pub url: SecretString,
    /// The certificate authorities (PEM) that it is known by, in place of the public ones.
    pub ca: Option<String>,
    /// The beginning of each key.
    pub key_prefix: String,
    /// How many connections the pool has at most: those of copies, pages, statistics and the cache.
    pub pool_size: NonZeroUsize,
    /// How long one call through the pool may take, waiting for a connection included.
    pub timeout: Duration,
}

/// The beginning of keys.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct KeyPrefix(String);

impl TryFrom<String> for KeyPrefix {
    type Error = String;

    fn try_from(prefix: String) -> Result<Self, String> {
        // Braces would put keys into the slots of a cluster; the others are wildcards of KEYS and SCAN.
        let is_plain = prefix.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}*?[]\\\"'".contains(&byte));
        if is_plain && prefix.len() <= KEY_PREFIX_MAX {
            return Ok(Self(prefix));
        }
        Err(format!("cannot begin a key: {prefix:?}"))
    }
}

/// The certificates in a file; the TLS library reads them later.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Certificates(String);

impl TryFrom<String> for Certificates {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        match std::fs::read_to_string(&path) {
            Ok(text) if text.contains("BEGIN CERTIFICATE") => Ok(Self(text)),
            Ok(_) => Err(format!("names a file without a certificate: {path}")),
            Err(error) => Err(format!("names a file that cannot be read: {path} ({})", error.kind())),
        }
    }
}

/// The settings beside the address that mean nothing without it.
struct Beside {
    password: Option<SecretString>,
    number: Option<u32>,
    ca: Option<String>,
}

/// Redis, if there is one.
pub(super) fn redis(settings: &mut MergedLayers) -> Result<Option<RedisSettings>, Noted> {
    let prefix_fix =
        format!("use at most {KEY_PREFIX_MAX} letters, digits and punctuation, for example depot:");
    let key_prefix = settings.get("REDIS_KEY_PREFIX", &prefix_fix);
    let pool_size = settings.number::<1, POOL_SIZE_MAX>("REDIS_POOL_SIZE");
    let timeout = settings.number::<TIMEOUT_MIN, TIMEOUT_MAX>("REDIS_TIMEOUT_MS");
    let beside = beside(settings);
    let url = settings.secret("REDIS_URL")?.map(|url| address(settings, url.expose_secret())).transpose();
    let (url, beside, KeyPrefix(key_prefix)) = (url?, beside?, key_prefix?);
    let pool_size = NonZeroUsize::new(pool_size? as usize).unwrap_or(NonZeroUsize::MIN);
    let timeout = Duration::from_millis(u64::from(timeout?));
    let Some(url) = url else {
        beside.warn_of_no_effect(settings);
        return Ok(None);
    };
    let ca = beside.ca.clone();
    let url = beside.put_into(settings, url)?;
    Ok(Some(RedisSettings { url: url.as_str().into(), ca, key_prefix, pool_size, timeout }))
}

fn beside(settings: &mut MergedLayers) -> Result<Beside, Noted> {
    let password = settings.secret("REDIS_PASSWORD");
    let number = settings.optional_number::<0, NUMBER_MAX>("REDIS_DB");
    let ca_fix = "give the path of the authority's certificate in PEM, as in `-----BEGIN CERTIFICATE-----`";
    let ca = settings.optional("REDIS_CA_FILE", ca_fix);
    Ok(Beside { password: password?, number: number?, ca: ca?.map(|Certificates(text)| text) })
}

impl Beside {
    fn warn_of_no_effect(&self, settings: &mut MergedLayers) {
        for (name, is_set) in [
            ("REDIS_PASSWORD", self.password.is_some()),
            ("REDIS_DB", self.number.is_some()),
            ("REDIS_CA_FILE", self.ca.is_some()),
        ] {
            if is_set {
                settings.warn(format!("{name} has no effect without REDIS_URL"));
            }
        }
    }

    /// The address with password and number in it.
    fn put_into(self, settings: &mut MergedLayers, mut url: Url) -> Result<Url, Noted> {
        if self.ca.is_some() && !matches!(url.scheme(), "rediss" | "valkeys") {
            let wrong = "is set, and REDIS_URL does not begin with rediss://";
            return Err(settings.mistake(
                "REDIS_CA_FILE",
                wrong,
                "write rediss:// to talk TLS, or leave it out",
            ));
        }
        if let Some(password) = self.password {
            add_password(settings, &mut url, password.expose_secret())?;
        }
        if let Some(number) = self.number {
            add_number(settings, &mut url, number)?;
        }
        Ok(url)
    }
}

fn address(settings: &mut MergedLayers, text: &str) -> Result<Url, Noted> {
    let url = Url::parse(text).ok().filter(|url| match url.scheme() {
        "redis" | "rediss" | "valkey" | "valkeys" => url.has_host(),
        "unix" | "redis+unix" | "valkey+unix" => url.path().len() > 1,
        _ => false,
    });
    url.ok_or_else(|| settings.mistake("REDIS_URL", "is not the address of a Redis server", URL_FIX))
}

fn is_socket(url: &Url) -> bool {
    url.scheme().ends_with("unix")
}

fn add_password(settings: &mut MergedLayers, url: &mut Url, password: &str) -> Result<(), Noted> {
    let has_one = url.password().is_some() || url.query_pairs().any(|(name, _)| name == "pass");
    if has_one {
        let fix = "keep one of the two";
        return Err(settings.mistake("REDIS_PASSWORD", "is set, and REDIS_URL holds a password too", fix));
    }
    if is_socket(url) {
        url.query_pairs_mut().append_pair("pass", password);
        return Ok(());
    }
    // The setter leaves `%` as it is, which the reader of the URL would take for an escape.
    url.set_password(Some(&password.replace('%', "%25")))
        .map_err(|()| settings.mistake("REDIS_URL", "cannot carry a password", URL_FIX))
}

fn add_number(settings: &mut MergedLayers, url: &mut Url, number: u32) -> Result<(), Noted> {
    let named = if is_socket(url) {
        url.query_pairs().find(|(name, _)| name == "db").map(|(_, number)| number.into_owned())
    } else {
        Some(url.path().trim_start_matches('/').to_owned()).filter(|number| !number.is_empty())
    };
    match named {
        Some(named) if named == number.to_string() => {}
        Some(_) => {
            let wrong = "is set, and REDIS_URL names another database";
            return Err(settings.mistake("REDIS_DB", wrong, "keep one of the two"));
        }
        None if is_socket(url) => {
            url.query_pairs_mut().append_pair("db", &number.to_string());
        }
        None => url.set_path(&number.to_string()),
    }
    Ok(())
}
