//! The stage: Telegram and its people, and the bot on a runtime of its own.
//!
//! Killing the bot drops that runtime: each of its tasks ends at the await it is at, as by `kill -9`, and nothing is
//! flushed. What is outside (Telegram, the stores) goes on, and the next start finds it so.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::demo::cast::{self, CAST, Member};
use crate::ledger::Ledger;
use crate::simulator::{Options, Simulator, User};

/// How long a killed bot may keep a thread: one that computes ends with what it is at.
const DEAD_WITHIN: Duration = Duration::from_secs(5);

/// Everything that the demo plays with.
pub struct Stage {
    pub(super) telegram: Simulator,
    pub(super) clock: Clock,
    pub(super) config: Config,
    /// The ledger beside the bot's own: what is recorded can be read while the bot is dead.
    pub(super) ledger: Ledger,
    bot: Mutex<Option<Running>>,
    /// Held by whoever starts or kills.
    turn: tokio::sync::Mutex<()>,
    starts: AtomicU32,
    changes: watch::Sender<u64>,
    _folder: TempDir,
}

struct Running {
    app: Arc<App>,
    runtime: Runtime,
}

impl Running {
    fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bot")
            .enable_all()
            .build()
            .context("the bot's runtime cannot be started")?;
        let app = runtime.block_on(app::start(config, clock))?;
        Ok(Self { app: Arc::new(app), runtime })
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("telegram", &self.telegram).finish_non_exhaustive()
    }
}

impl Stage {
    /// Telegram with its people and the stores; the bot is not started yet.
    ///
    /// # Errors
    /// A setting that cannot be used, or no room for a temporary folder.
    pub async fn open(environment: &HashMap<String, String>, clock: Clock) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("there is no room for a temporary folder")?;
        let telegram = Simulator::start(Options { clock: clock.clone(), ..Options::default() }).await?;
        let config = Config::read(&variables(environment, &telegram, &folder))?;
        let database = Database::connect(&config.database.url).await?;
        database.migrate().await?;
        let ledger = Ledger::new(database, config.telegram.bot, clock.clone());
        cast::admit(&ledger).await?;
        Ok(Self {
            telegram,
            clock,
            config,
            ledger,
            bot: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
            starts: AtomicU32::new(0),
            changes: watch::Sender::new(0),
            _folder: folder,
        })
    }

    /// Starts the bot, and lets those say hello who know it: an admin whom the bot cannot write to hears of nobody.
    ///
    /// # Errors
    /// A bot that does not start.
    pub async fn open_doors(&self) -> anyhow::Result<()> {
        self.start_bot().await?;
        for member in CAST.iter().filter(|member| member.role.is_member()) {
            self.user(member).starts("");
        }
        Ok(())
    }

    /// A person of the cast.
    pub(super) fn user(&self, member: &Member) -> User {
        self.telegram.user(member.profile())
    }

    /// Starts the bot on the stores as they are; does nothing while it runs.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn start_bot(&self) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        if self.is_running() {
            return Ok(());
        }
        let (config, clock) = (self.config.clone(), self.clock.clone());
        // On a thread that may block: the runtime is this thread's until the bot is there, or has failed.
        let running = tokio::task::spawn_blocking(move || Running::start(config, clock)).await??;
        self.starts.fetch_add(1, Ordering::Relaxed);
        *self.bot() = Some(running);
        self.changed();
        Ok(())
    }

    /// Kills the bot between two awaits of each of its tasks; when this returns nothing of it runs any more.
    pub async fn kill_bot(&self) {
        let _turn = self.turn.lock().await;
        let Some(Running { app, runtime }) = self.bot().take() else { return };
        self.changed();
        let dying = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(DEAD_WITHIN));
        let _dead = dying.await;
        drop(app);
    }

    /// Ends what runs; Telegram and the folder end with the stage.
    pub async fn close(&self) {
        self.kill_bot().await;
    }

    /// Whether the bot runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.bot().is_some()
    }

    /// How often the bot was started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed)
    }

    /// What `question` finds out from the running bot, on its own runtime; `None` if it is dead or dies meanwhile.
    pub(super) async fn ask<T, F>(&self, question: impl FnOnce(Arc<App>) -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (app, handle) = self.running()?;
        handle.spawn(question(app)).await.ok()
    }

    fn running(&self) -> Option<(Arc<App>, Handle)> {
        self.bot().as_ref().map(|bot| (Arc::clone(&bot.app), bot.runtime.handle().clone()))
    }

    /// Lets time go by at once.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.changed();
    }

    /// Counts what changed beside the chats.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn bot(&self) -> MutexGuard<'_, Option<Running>> {
        self.bot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A runtime that is dropped in another one panics; one that is told to end in the background does not.
        if let Some(running) = self.bot().take() {
            running.runtime.shutdown_background();
        }
    }
}

/// What the demo takes from its environment; everything else has the demo's own values.
const TAKEN: [&str; 11] = [
    "REDIS_URL",
    "STT_BASE_URL",
    "STT_API_KEY",
    "STT_MODEL",
    "LLM_BASE_URL",
    "LLM_API_KEY",
    "LLM_MODEL",
    "LLM_VISION",
    "LLM_DAILY_CALLS",
    "RUST_LOG",
    "LOG_FORMAT",
];

fn variables(
    environment: &HashMap<String, String>,
    telegram: &Simulator,
    folder: &TempDir,
) -> HashMap<String, String> {
    let own = [
        ("TELEGRAM_BOT_TOKEN", telegram.token().to_owned()),
        ("TELEGRAM_API_URL", telegram.url().to_owned()),
        ("DATABASE_URL", format!("sqlite://{}/depot.db", folder.path().display())),
        ("HTTP_BIND", "127.0.0.1:0".to_owned()),
        ("ACCESS_MODE", "approval".to_owned()),
        ("ADMIN_TELEGRAM_IDS", cast::admins()),
        ("RATE_LIMIT_PER_MINUTE", "0".to_owned()),
    ];
    let mut variables: HashMap<String, String> =
        TAKEN.iter().filter_map(|name| Some(((*name).to_owned(), environment.get(*name)?.clone()))).collect();
    variables.entry("RUST_LOG".to_owned()).or_insert_with(|| "warn".to_owned());
    variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
    variables
}
