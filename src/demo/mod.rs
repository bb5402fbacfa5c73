//! `depot-bot demo`: the whole bot on one page, with no token and no network.
//!
//! ```text
//! browser ──HTTP──▶ web ─▶ action ─┐                  ┌─▶ simulator (Telegram and its users)
//!    ▲                             ├─▶ harness ───────┤
//!    └──SSE── web ◀─ view ◀────────┘                  └─▶ the bot, on a runtime of its own
//! ```
//!
//! In reading order: `personas` (the users that a visitor speaks for), `settings` and [`Harness`] with `bot` and `voice`
//! (where all of it runs), `action` and `controls` (the things a visitor does), `view` with `chat`, `commits` and
//! `inspector` (the things a visitor sees), `web` and `page` (the way to a browser); `scenario` and `runner` (the same
//! without a browser).

mod action;
mod bot;
mod chat;
mod clock;
mod commits;
mod controls;
mod harness;
mod inspector;
mod page;
mod personas;
mod runner;
mod scenario;
mod settings;
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

pub use crate::demo::harness::Harness;
pub use runner::run;
pub use scenario::{SHIPPED, Scenario, ScenarioError};

use crate::clock::Clock;
use crate::http::serve::{Limits, serve};

/// Where the page is unless `DEMO_BIND` names another address.
const PORT: u16 = 8090;
/// How long a stop waits for answers that are on their way.
const DRAIN: Duration = Duration::from_millis(200);

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    /// Where the page is.
    pub address: SocketAddr,
    harness: Arc<Harness>,
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
    let harness = Arc::new(Harness::open(environment, Clock::skippable()).await?);
    harness.open_doors().await?;
    let stop = CancellationToken::new();
    let router = web::router(Arc::clone(&harness), address, stop.clone());
    let limits = Limits { drain: DRAIN, ..Limits::default() };
    let server = tokio::spawn(serve(listener, router, limits, stop.clone()));
    Ok(Demo { address, harness, stop, server })
}

impl Demo {
    /// Stops all of it; the data of the demo go with it.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ended = self.server.await;
        self.harness.close().await;
    }
}

/// The listener of the page: on the address of `DEMO_BIND`, or on the usual port, or where there is room.
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
