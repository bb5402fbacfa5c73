//! `depot-bot demo`: the whole bot on one page, with no token and no network.
//!
//! ```text
//! browser ──HTTP──▶ web ─▶ act ─┐                     ┌─▶ simulator (Telegram and its people)
//!    ▲                          ├─▶ stage ────────────┤
//!    └──SSE── web ◀─ view ◀─────┘                     └─▶ the bot, on a runtime of its own
//! ```
//!
//! In reading order: `cast` (who plays), `settings` and [`Stage`] with `bot`, `relay` and `voice`
//! (where), `act` and `switches`
//! (what people do), `view` with `chat`,
//! `commits` and `inside` (what is seen), `web` and `page` (how it gets to a browser); `script` and `play`
//! (the same without a browser).

mod act;
mod bot;
mod cast;
mod chat;
mod clock;
mod commits;
mod inside;
mod page;
mod play;
mod relay;
mod script;
mod settings;
mod stage;
mod switches;
mod view;
mod voice;
mod web;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use play::play;
pub use script::{SHIPPED, Script, ScriptError};
pub use stage::Stage;

use crate::clock::Clock;
use crate::http::serve::{Limits, serve};

/// Where the page is unless `DEMO_BIND` says otherwise.
const PORT: u16 = 8090;
/// How long a stop waits for answers that are on their way.
const DRAIN: Duration = Duration::from_millis(200);

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    /// Where the page is.
    pub address: SocketAddr,
    stage: Arc<Stage>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

/// Starts Telegram, the bot and the page; when this returns, all of them answer.
///
/// # Errors
/// A setting that the demo cannot work with, an address that is taken, or a bot that does not start.
pub async fn start(environment: &HashMap<String, String>) -> anyhow::Result<Demo> {
    let listener = listen(environment).await?;
    let address = listener.local_addr()?;
    let stage = Arc::new(Stage::open(environment, Clock::skippable()).await?);
    stage.open_doors().await?;
    let stop = CancellationToken::new();
    let router = web::router(Arc::clone(&stage), address, stop.clone());
    let limits = Limits { drain: DRAIN, ..Limits::default() };
    let server = tokio::spawn(serve(listener, router, limits, stop.clone()));
    Ok(Demo { address, stage, stop, server })
}

impl Demo {
    /// Stops all of it; what was tried goes with it.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ended = self.server.await;
        self.stage.close().await;
    }
}

/// The listener of the page: where `DEMO_BIND` says, or on the usual port, or where there is room.
async fn listen(environment: &HashMap<String, String>) -> anyhow::Result<TcpListener> {
    let named = environment.get("DEMO_BIND").map(String::as_str).filter(|named| !named.is_empty());
    if let Some(named) = named {
        let Ok(address) = named.parse::<SocketAddr>() else {
            bail!("DEMO_BIND is no address with a port, such as 127.0.0.1:{PORT}");
        };
        return TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}: choose another DEMO_BIND"));
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_taken) => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?),
    }
}
