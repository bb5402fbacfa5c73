//! The options of the link to Redis: the address, and the limits of its connections.

use std::num::NonZeroUsize;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};

use deposit::BotId;

/// How long a commit may take, getting a connection included. No setting: an instance that takes over from another one
/// waits for as long until none of the other's commits can be executed any more.
pub const DEADLINE: Duration = Duration::from_millis(500);

/// The options of the link to Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` or `redis+unix://`, with an ACL user if there is one.
    pub url: SecretString,
    /// Instead of the password in the URL.
    pub password: Option<SecretString>,
    /// Instead of the database in the URL.
    pub db: Option<u8>,
    /// The certificate authorities (PEM) that a `rediss://` server is known by, in place of the public ones.
    pub ca: Option<String>,
    /// The beginning of all keys of the bot; [`keys::PREFIX`](crate::store::keys::PREFIX) if nothing else is configured.
    pub prefix: String,
    /// The bot whose sessions these are.
    pub bot: BotId,
    /// How long a commit may take, and whatever else is one short round trip; [`DEADLINE`] outside tests.
    pub deadline: Duration,
    /// The connections for everything that may take longer.
    pub pool: PoolOptions,
}

/// The connections for copies, pages, statistics and cached answers.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// How many there are at most.
    pub size: NonZeroUsize,
    /// How long one call through the pool may take, waiting for a connection included.
    pub timeout: Duration,
}

/// An address of Redis that cannot be used; the text never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of Redis {0}")]
pub struct AddressError(pub(super) String);

pub(super) fn address(options: &RedisOptions) -> Result<ConnectionInfo, AddressError> {
    let unusable = |_| AddressError("must be redis://, rediss:// or redis+unix://".to_owned());
    let address = options.url.expose_secret().into_connection_info().map_err(unusable)?;
    let mut settings = address.redis_settings().clone();
    if let Some(password) = &options.password {
        settings = settings.set_password(password.expose_secret());
    }
    if let Some(db) = options.db {
        settings = settings.set_db(i64::from(db));
    }
    let tcp = TcpSettings::default().set_nodelay(true);
    let address = address.set_redis_settings(settings).set_tcp_settings(tcp);
    match &options.ca {
        Some(ca) => trusting(address, ca),
        None => Ok(address),
    }
}

/// The same address, known by these certificate authorities.
fn trusting(address: ConnectionInfo, ca: &str) -> Result<ConnectionInfo, AddressError> {
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(ca.as_bytes().to_vec()) };
    let unusable =
        |_| AddressError("must be rediss:// with REDIS_CA_FILE, which must hold certificates".to_owned());
    let client = redis::Client::build_with_tls(address, certificates).map_err(unusable)?;
    Ok(client.get_connection_info().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::RedisStore;

    fn options(url: &str) -> RedisOptions {
        RedisOptions {
            url: SecretString::from(url),
            password: None,
            db: None,
            ca: None,
            prefix: crate::store::keys::PREFIX.to_owned(),
            bot: BotId(1),
            deadline: DEADLINE,
            pool: PoolOptions { size: NonZeroUsize::MIN, timeout: DEADLINE },
        }
    }

    #[test]
    fn an_address_is_taken_apart_and_never_quoted() {
        for url in ["redis://h", "rediss://user:secret@h:6380/3", "redis+unix:///tmp/r.sock?db=2&pass=secret"]
        {
            assert!(address(&options(url)).is_ok(), "{url}");
        }
        let error = RedisStore::connect(&options("redis://:secret@h:port/0")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let mut options = options("redis://user:old@h/3");
        options.password = Some(SecretString::from("secret"));
        options.db = Some(5);
        let address = address(&options).unwrap();
        assert_eq!(address.redis_settings().password(), Some("secret"));
        assert_eq!((address.redis_settings().username(), address.redis_settings().db()), (Some("user"), 5));
        assert!(!format!("{options:?}").contains("secret"));
        assert!(!format!("{address:?}").contains("secret"));
    }
}
