//! The bot on a runtime of its own, so that it can be killed between any two awaits.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Handle, Runtime};
use tokio::task::spawn_blocking;

use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::demo::commits::Commits;

/// How long a killed bot may keep a thread: one that computes ends with what it is at.
const DEAD_WITHIN: Duration = Duration::from_secs(5);

/// A running bot; dropping it kills it, too, but does not wait for its end.
pub(super) struct Bot {
    app: Arc<App>,
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Bot {
    /// Starts a bot whose commits go to `commits`.
    ///
    /// # Errors
    /// See [`app::start`].
    pub(super) async fn start(config: Config, clock: Clock, commits: Commits) -> anyhow::Result<Self> {
        // On a thread that may block: the runtime is that thread's until the bot is there, or has failed.
        let started = spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("bot")
                .enable_all()
                .build()
                .context("the bot's runtime cannot be started")?;
            let app = runtime.block_on(app::start(config, clock, Some(Arc::new(commits))))?;
            Ok(Self { app: Arc::new(app), handle: runtime.handle().clone(), runtime: Some(runtime) })
        });
        started.await?
    }

    /// Kills it: each of its tasks ends at the await it is at, as by `kill -9`, and nothing is flushed. When this
    /// returns nothing of it runs any more.
    pub(super) async fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let _dead = spawn_blocking(move || runtime.shutdown_timeout(DEAD_WITHIN)).await;
        }
    }

    /// The bot, and where to ask it: its connections belong to its own runtime.
    pub(super) fn reach(&self) -> (Arc<App>, Handle) {
        (Arc::clone(&self.app), self.handle.clone())
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        // A runtime that is dropped within another one panics; one that ends in the background does not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
