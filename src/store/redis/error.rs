//! Why a command failed, in the classes that its caller has to tell apart.

use deadpool_redis::{PoolError, TimeoutType};
use redis::{ErrorKind, RedisError};

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkError {
    /// Not executed; may be tried again.
    Unavailable(String),
    /// It was sent, and no answer came in time.
    Unknown,
    /// It was sent, and the connection broke.
    Broken,
    /// Not executed: this server takes no writes; another connection may lead to one that does.
    ReadOnly,
    /// Not executed, and will not be.
    Refused(String),
    /// Not executed: the key holds another type than the bot writes.
    WrongType,
    /// Not sent: the connection leads to another run of the server than the one that is the primary.
    OtherServer,
}

impl LinkError {
    /// The label of `depot_redis_errors_total`.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
            Self::ReadOnly => "read_only",
            Self::Refused(_) => "refused",
            Self::WrongType => "wrong_type",
            Self::OtherServer => "other_server",
        }
    }

    /// No connection was had before the deadline.
    pub(super) fn no_connection() -> Self {
        Self::Unavailable("no connection in time".to_owned())
    }

    /// Whether the connection that carried the command must not carry another one.
    pub(super) fn spoils_connection(&self) -> bool {
        matches!(self, Self::ReadOnly | Self::Broken | Self::Unknown)
    }

    /// The meaning of an error that came after the command was sent.
    pub(super) fn after_sending(error: &RedisError) -> Self {
        if error.is_timeout() {
            return Self::Unknown;
        }
        match (error.kind(), error.code()) {
            (ErrorKind::Io | ErrorKind::Parse, _) => Self::Broken,
            (_, Some("READONLY")) => Self::ReadOnly,
            (_, Some("WRONGTYPE")) => Self::WrongType,
            (
                _,
                Some(code @ ("LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "NOREPLICAS")),
            ) => Self::Unavailable(code.to_owned()),
            (_, Some(code)) => Self::Refused(code.to_owned()),
            (_, None) => Self::Refused(error.category().to_owned()),
        }
    }

    /// The meaning of an error that came while a connection was made; the texts of the library may quote the
    /// configuration.
    pub(super) fn connecting(error: &RedisError) -> Self {
        if error.is_timeout() {
            return Self::no_connection();
        }
        let refused = error.is_connection_refusal().then_some("connection refused");
        Self::Unavailable(refused.or(error.code()).unwrap_or(error.category()).to_owned())
    }

    /// The meaning of an error that came while a connection was taken from the pool.
    pub(super) fn pooling(error: &PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::Unavailable("all connections of the pool are in use (REDIS_POOL_SIZE)".to_owned())
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => Self::no_connection(),
            PoolError::Backend(error) => Self::connecting(error),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Unavailable("the pool is closed".to_owned())
            }
        }
    }
}
