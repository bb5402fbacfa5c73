//! The pool: connections for whatever may take longer than a commit may wait.

use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, Runtime};
use redis::{AsyncConnectionConfig, ConnectionInfo};

use crate::store::redis::error::LinkError;
use crate::store::redis::options::PoolOptions;

#[derive(Debug)]
pub(super) struct ConnectionPool {
    connections: Pool,
    pub(super) timeout: Duration,
}

impl ConnectionPool {
    /// Makes no connection yet.
    pub(super) fn new(address: ConnectionInfo, options: PoolOptions) -> Result<Self, String> {
        let PoolOptions { size, timeout } = options;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let manager = Manager::new_with_config(address, config)
            .map_err(|error| format!("cannot be used: {}", error.category()))?;
        let connections = Pool::builder(manager)
            .max_size(size.get())
            .runtime(Runtime::Tokio1)
            // The caller's own deadline covers all of it; with half of the time a full pool is told from a slow server,
            // and a dead connection leaves time for a live one.
            .wait_timeout(Some(timeout / 2))
            .create_timeout(Some(timeout))
            .recycle_timeout(Some(timeout / 2))
            .build()
            .map_err(|_| "no runtime".to_owned())?;
        Ok(Self { connections, timeout })
    }

    /// A connection that has just answered a ping, or a new one; it goes back to the pool when it is dropped.
    pub(super) async fn take(&self) -> Result<Connection, LinkError> {
        self.connections.get().await.map_err(|error| LinkError::pooling(&error))
    }

    /// Closes the connections that are not in use: they lead to a server that takes no writes.
    pub(super) fn clear(&self) {
        self.connections.retain(|_, _| false);
    }
}
