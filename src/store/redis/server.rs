//! The server at the other end of a connection: which run of which version it is, and its clock.

use std::sync::Arc;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use crate::store::redis::error::LinkError;
use crate::store::redis::field;
use crate::store::redis::offset::Offset;

#[derive(Clone, Debug)]
pub(super) struct ServerRun {
    /// Another one after each start of the server.
    pub(super) run_id: Arc<str>,
    pub(super) version: String,
}

impl ServerRun {
    /// Asks which server a connection leads to, and what time it is there: the first command on the connection already
    /// knows its deadline.
    pub(super) async fn of(
        connection: &mut MultiplexedConnection,
        offset: &Offset,
    ) -> Result<Self, LinkError> {
        let unavailable = |error: RedisError| match LinkError::after_sending(&error) {
            LinkError::Refused(reason) => LinkError::Refused(reason),
            _ => LinkError::Unavailable(error.code().unwrap_or(error.category()).to_owned()),
        };
        let info: String =
            redis::cmd("INFO").arg("server").query_async(connection).await.map_err(unavailable)?;
        let sent = Instant::now();
        let (seconds, micros): (i64, i64) =
            redis::cmd("TIME").query_async(connection).await.map_err(unavailable)?;
        offset.learn(seconds * 1000 + micros / 1000, sent, Instant::now());
        let field = |name| field(&info, name).unwrap_or_default();
        Ok(Self { run_id: field("run_id").into(), version: field("redis_version").to_owned() })
    }
}
