//! The shared connection: one multiplexed connection for everything that is one short round trip.
//!
//! A pool pings each connection that it hands out, which is a second round trip: 10–19 thousand commits a second, against
//! 34 thousand over one connection that is kept. When it fails it is dropped, and the next call makes another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo};

use crate::store::redis::error::LinkError;
use crate::store::redis::offset::Offset;
use crate::store::redis::server::ServerRun;

#[derive(Debug)]
pub(super) struct SharedConnection {
    client: Client,
    timeout: Duration,
    slot: Mutex<Slot>,
    /// Held by the one caller that replaces the connection.
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Slot {
    connection: Option<(MultiplexedConnection, Arc<str>)>,
    /// Tells a connection that failed from the one that has replaced it meanwhile.
    number: u64,
    /// The run of the server that the log names.
    logged: Option<Arc<str>>,
}

impl SharedConnection {
    /// Makes no connection yet.
    pub(super) fn new(address: ConnectionInfo, timeout: Duration) -> Result<Self, String> {
        let client =
            Client::open(address).map_err(|error| format!("cannot be used: {}", error.category()))?;
        Ok(Self { client, timeout, slot: Mutex::default(), dialling: tokio::sync::Mutex::default() })
    }

    /// The connection, its number, and the run of the server that it leads to.
    pub(super) async fn get(
        &self,
        offset: &Offset,
    ) -> Result<(u64, MultiplexedConnection, Arc<str>), LinkError> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let _dialling = self.dialling.lock().await;
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| LinkError::connecting(&error))?;
        let server = ServerRun::of(&mut connection, offset).await?;
        let mut slot = self.slot();
        slot.number += 1;
        slot.connection = Some((connection.clone(), Arc::clone(&server.run_id)));
        if slot.logged.as_ref() != Some(&server.run_id) {
            tracing::info!(run_id = &*server.run_id, version = server.version, "Redis connected");
            slot.logged = Some(Arc::clone(&server.run_id));
        }
        Ok((slot.number, connection, server.run_id))
    }

    /// Drops the connection of this number: it is of no use any more.
    pub(super) fn drop_connection(&self, number: u64) {
        let mut slot = self.slot();
        if slot.number == number {
            slot.connection = None;
        }
    }

    fn kept(&self) -> Option<(u64, MultiplexedConnection, Arc<str>)> {
        let slot = self.slot();
        let (connection, run_id) = slot.connection.clone()?;
        Some((slot.number, connection, run_id))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
