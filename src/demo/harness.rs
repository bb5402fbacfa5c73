//! The harness: Telegram and its users, and the bot on a runtime of its own.
//!
//! When the bot is killed, the world outside of it (Telegram, the stores) goes on, and the next start finds it so.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use harness::personas::{PERSONAS, Persona};
use harness::proxy::{FaultProxy, Line};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::app::App;
use crate::app::Tables;
use crate::clock::Clock;
use crate::config::{Config, Layers};
use crate::database::Database;
use crate::demo::bot::Bot;
use crate::demo::commits::Commits;
use crate::demo::personas;
use crate::demo::settings::{Settings, clear_redis};
use bot_api_simulator::{Options, Simulator, User};
use deposit::UserId;
use deposit::taxonomy::Taxonomy;

/// How long anything is waited for that users are to see, in real time.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that the demo runs on.
pub struct Harness {
    pub(super) telegram: Simulator,
    pub(super) clock: Clock,
    pub(super) config: Config,
    /// The tables beside the bot's own: recorded deposits can be read while the bot is dead.
    pub(super) tables: Tables,
    pub(super) database: Database,
    pub(super) taxonomy: Taxonomy,
    settings: Settings,
    /// The commits of every bot that was started here.
    pub(super) commits: Commits,
    primary: Mutex<&'static str>,
    bot: Mutex<Option<Bot>>,
    /// Held while the bot is started or killed.
    changing: tokio::sync::Mutex<()>,
    starts: AtomicU32,
    changes: Arc<watch::Sender<u64>>,
    passed: AtomicU64,
    _folder: TempDir,
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("telegram", &self.telegram).finish_non_exhaustive()
    }
}

impl Harness {
    /// Telegram and the stores; the bot is not started yet.
    ///
    /// # Errors
    /// A setting that cannot be used, or no room for a temporary folder.
    pub async fn open(environment: &HashMap<String, String>, clock: Clock) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("there is no room for a temporary folder")?;
        let telegram = Simulator::start(Options {
            clock: Arc::new(clock.clone()),
            patience: PATIENCE,
            ..Options::default()
        })
        .await?;
        let settings = Settings::read(environment, &telegram, folder.path()).await?;
        let config = Config::read(&Layers::from(settings.variables.clone()))?;
        let database = Database::connect(&config.database.url).await?;
        database.migrate().await?;
        let tables = Tables::new(&database, config.telegram.bot, &clock);
        personas::admit(&tables.members).await?;
        let changes = Arc::new(watch::Sender::new(0));
        let commits = Commits::new(Arc::clone(&changes));
        Ok(Self {
            telegram,
            clock,
            taxonomy: Taxonomy::load(config.taxonomy_file.as_deref())?,
            config,
            tables,
            database,
            settings,
            commits,
            primary: Mutex::new("sql"),
            bot: Mutex::new(None),
            changing: tokio::sync::Mutex::new(()),
            starts: AtomicU32::new(0),
            changes,
            passed: AtomicU64::new(0),
            _folder: folder,
        })
    }

    /// Starts the bot, and lets those say hello who know it: an admin whom the bot cannot write to gets no requests.
    ///
    /// # Errors
    /// A bot that does not start.
    pub async fn open_doors(&self) -> anyhow::Result<()> {
        self.start_bot().await?;
        for persona in personas::members() {
            self.user(persona).starts("");
        }
        Ok(())
    }

    /// The user that a persona is.
    pub(super) fn user(&self, persona: &Persona) -> User {
        persona.at(&self.telegram)
    }

    /// Starts the bot on the stores as they are; does nothing while it runs.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn start_bot(&self) -> anyhow::Result<()> {
        let _changing = self.changing.lock().await;
        if self.is_running() {
            return Ok(());
        }
        let (config, clock, commits) = (self.config.clone(), self.clock.clone(), self.commits.clone());
        let bot = Bot::start(config, clock, commits).await?;
        self.starts.fetch_add(1, Ordering::Relaxed);
        *self.bot() = Some(bot);
        self.changed();
        Ok(())
    }

    /// Kills the bot between two awaits of each of its tasks; when this returns nothing of it runs any more.
    pub async fn kill_bot(&self) {
        let _changing = self.changing.lock().await;
        let Some(bot) = self.bot().take() else { return };
        self.changed();
        bot.kill().await;
    }

    /// Ends the bot, and takes its keys out of Redis; Telegram and the folder end with the harness.
    pub async fn close(&self) {
        self.kill_bot().await;
        self.database.close().await;
        if let Some((url, prefix)) = &self.settings.redis
            && let Err(error) = clear_redis(url, prefix).await
        {
            tracing::warn!(
                kind = ?error.kind(),
                "the keys of the demo could not be removed from Redis: they stay until they expire; no action is needed"
            );
        }
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

    /// The answer of the running bot to `question`, on its own runtime; `None` if it is dead or dies meanwhile.
    pub(super) async fn ask<T, F>(&self, question: impl FnOnce(Arc<App>) -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (app, handle) = self.bot().as_ref().map(Bot::reach)?;
        handle.spawn(question(app)).await.ok()
    }

    /// Lets time go by at once.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        // Else the bot would seem to have heard nothing of Telegram for so long.
        self.telegram.end_polls();
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.changed();
    }

    /// How often time went by at once.
    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// The work that the running bot has left for a persona, if anything.
    pub(super) async fn unrest(&self) -> Option<String> {
        let asked = self.ask(async |app| {
            let service = app.service();
            for persona in &PERSONAS {
                match service.get(service.key(UserId(persona.id))).await {
                    Ok(Some(session)) if !session.lanes_are_free() => {
                        return Some(format!("the bot works for {}", persona.name));
                    }
                    Ok(_) => {}
                    Err(error) => return Some(format!("the store does not answer: {error}")),
                }
            }
            None
        });
        asked.await.unwrap_or_else(|| Some("the bot is not there".to_owned()))
    }

    /// Whether a server transcribes the recordings of the page.
    pub(super) fn listens(&self) -> bool {
        self.settings.voice.is_none()
    }

    /// Whether Redis can be reached; `None` without Redis.
    pub(super) fn redis_is_up(&self) -> Option<bool> {
        self.settings.redis.as_ref()?;
        Some(self.way_to_redis_is_open().unwrap_or(true))
    }

    /// Whether the way to Redis is open; `None` where it has no control.
    pub(super) fn way_to_redis_is_open(&self) -> Option<bool> {
        self.settings.to_redis.as_ref().map(|proxy| proxy.line() == Line::Clear)
    }

    /// Opens or closes the way to Redis; `None` where it has no control.
    pub(super) fn open_way_to_redis(&self, on: bool) -> Option<()> {
        let line = if on { Line::Clear } else { Line::Refused };
        self.settings.to_redis.as_ref().map(|proxy: &FaultProxy| proxy.set(line))
    }

    /// Keeps which store is the primary, for when the bot is dead; the same name.
    pub(super) fn remember_primary(&self, name: &'static str) -> &'static str {
        *lock(&self.primary) = name;
        name
    }

    /// Which store was the primary when the bot was last seen.
    pub(super) fn last_primary(&self) -> &'static str {
        *lock(&self.primary)
    }

    /// Counts the changes beside the chats.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn bot(&self) -> MutexGuard<'_, Option<Bot>> {
        lock(&self.bot)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
