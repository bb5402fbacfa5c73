//! The ops server: where health and metrics are served.

use std::net::SocketAddr;

use crate::config::value::Bind;
use crate::config::{Layers, MergedLayers, Mistakes, Noted};

/// Where health and metrics are served.
#[derive(Clone, Copy, Debug)]
pub struct HttpSettings {
    /// The place of the listener.
    pub bind: SocketAddr,
}

impl HttpSettings {
    /// Reads this section alone, for the `healthcheck` subcommand.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(layers: &Layers) -> Result<Self, Mistakes> {
        let mut settings = MergedLayers::new(layers);
        let read = http(&mut settings);
        settings.finish(read)
    }
}

pub(super) fn http(settings: &mut MergedLayers) -> Result<HttpSettings, Noted> {
    let Bind(bind) = settings.get("HTTP_BIND", "write it like 127.0.0.1:8080 or [::1]:8080")?;
    Ok(HttpSettings { bind })
}
