//! The stage: Telegram and its people, and the bot on a runtime of its own.
//!
//! Killing the bot drops that runtime: each of its tasks ends at the await it is at, as by `kill -9`, and nothing is
//! flushed. What is outside (Telegram, the stores) goes on, and the next start finds it so.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};

use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::demo::cast::{self, CAST, Member};
use crate::demo::inside::Commit;
use crate::demo::relay::Relay;
use crate::demo::settings::{Settings, clear_redis};
use crate::deposit::UserId;
use crate::ledger::Ledger;
use crate::service::{Onlooker, Step};
use crate::simulator::{Options, Simulator, User};
use crate::taxonomy::Taxonomy;

/// How long a killed bot may keep a thread: one that computes ends with what it is at.
const DEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long anything is waited for that people are to see, in real time.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How many commits are shown, the newest.
const COMMITS_MAX: usize = 30;

/// Everything that the demo plays with.
pub struct Stage {
    pub(super) telegram: Simulator,
    pub(super) clock: Clock,
    pub(super) config: Config,
    /// The ledger beside the bot's own: what is recorded can be read while the bot is dead.
    pub(super) ledger: Ledger,
    pub(super) database: Database,
    pub(super) taxonomy: Taxonomy,
    settings: Settings,
    commits: Arc<Mutex<Commits>>,
    onlooker: Onlooker,
    in_charge: Mutex<&'static str>,
    bot: Mutex<Option<Running>>,
    /// Held by whoever starts or kills.
    turn: tokio::sync::Mutex<()>,
    starts: AtomicU32,
    changes: Arc<watch::Sender<u64>>,
    passed: AtomicU64,
    _folder: TempDir,
}

struct Running {
    app: Arc<App>,
    runtime: Runtime,
}

impl Running {
    fn start(config: Config, clock: Clock, onlooker: Onlooker) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bot")
            .enable_all()
            .build()
            .context("the bot's runtime cannot be started")?;
        let app = runtime.block_on(app::start_before(Some(onlooker), config, clock))?;
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
        let telegram =
            Simulator::start(Options { clock: clock.clone(), patience: PATIENCE, ..Options::default() })
                .await?;
        let settings = Settings::read(environment, &telegram, folder.path()).await?;
        let config = Config::read(&settings.variables)?;
        let database = Database::connect(&config.database.url).await?;
        database.migrate().await?;
        let ledger = Ledger::new(database.clone(), config.telegram.bot, clock.clone());
        cast::admit(&ledger).await?;
        let (onlooker, steps) = mpsc::unbounded_channel();
        let (commits, changes) = (Arc::default(), Arc::new(watch::Sender::new(0)));
        tokio::spawn(keep(steps, Arc::clone(&commits), Arc::clone(&changes)));
        Ok(Self {
            telegram,
            clock,
            taxonomy: Taxonomy::load(config.taxonomy_file.as_deref())?,
            config,
            ledger,
            database,
            settings,
            commits,
            onlooker,
            in_charge: Mutex::new("sql"),
            bot: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
            starts: AtomicU32::new(0),
            changes,
            passed: AtomicU64::new(0),
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
        let (config, clock, onlooker) = (self.config.clone(), self.clock.clone(), self.onlooker.clone());
        // On a thread that may block: the runtime is this thread's until the bot is there, or has failed.
        let running = tokio::task::spawn_blocking(move || Running::start(config, clock, onlooker)).await??;
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

    /// Ends what runs, and takes what was tried out of Redis; Telegram and the folder end with the stage.
    pub async fn close(&self) {
        self.kill_bot().await;
        self.database.close().await;
        if let Some((url, prefix)) = &self.settings.redis
            && let Err(error) = clear_redis(url, prefix).await
        {
            tracing::warn!(kind = ?error.kind(), "what was tried stays in Redis until it ends by itself");
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
        // Else the bot would seem to have heard nothing of Telegram for so long.
        self.telegram.end_polls();
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.changed();
    }

    /// How often time went by at once.
    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// The newest commits, oldest first.
    pub(super) fn commits(&self) -> Vec<Commit> {
        lock(&self.commits).newest.iter().cloned().collect()
    }

    /// How many commits there were.
    pub(super) fn committed(&self) -> u64 {
        lock(&self.commits).count
    }

    /// Whether the running bot does nothing for anybody, and owes nobody a picture.
    pub(super) async fn is_at_rest(&self) -> bool {
        let asked = self.ask(async |app| {
            let service = app.service();
            for member in &CAST {
                match service.get(service.key(UserId(member.id))).await {
                    Ok(Some(session)) if session.chat_lane.is_some() || session.compute_lane.is_some() => {
                        return false;
                    }
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
            true
        });
        asked.await.unwrap_or_default()
    }

    /// Whether a server listens to what is recorded.
    pub(super) fn listens(&self) -> bool {
        self.settings.voice.is_none()
    }

    /// Whether Redis can be reached; `None` without Redis.
    pub(super) fn redis_is_up(&self) -> Option<bool> {
        self.settings.redis.as_ref()?;
        Some(self.settings.relay.as_ref().is_none_or(Relay::is_open))
    }

    /// Whether the way to Redis is open; `None` where it has no switch.
    pub(super) fn relay_is_open(&self) -> Option<bool> {
        self.settings.relay.as_ref().map(Relay::is_open)
    }

    /// Opens or closes the way to Redis; `None` where it has no switch.
    pub(super) fn turn_redis(&self, on: bool) -> Option<()> {
        self.settings.relay.as_ref().map(|relay| relay.set(on))
    }

    /// Keeps which store is in charge, for when the bot is dead; the same name.
    pub(super) fn remember_in_charge(&self, name: &'static str) -> &'static str {
        *lock(&self.in_charge) = name;
        name
    }

    /// Which store was in charge when the bot was last seen.
    pub(super) fn last_in_charge(&self) -> &'static str {
        *lock(&self.in_charge)
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
        lock(&self.bot)
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

/// The newest commits, and how many there were.
#[derive(Debug, Default)]
struct Commits {
    newest: VecDeque<Commit>,
    count: u64,
}

/// Keeps the newest commits of every bot that is started, and rings the bell for each.
async fn keep(
    mut steps: mpsc::UnboundedReceiver<Step>,
    commits: Arc<Mutex<Commits>>,
    changes: Arc<watch::Sender<u64>>,
) {
    while let Some(step) = steps.recv().await {
        {
            let mut commits = lock(&commits);
            commits.count += 1;
            let commit = Commit::new(commits.count, &step);
            commits.newest.push_back(commit);
            if commits.newest.len() > COMMITS_MAX {
                commits.newest.pop_front();
            }
        }
        changes.send_modify(|changes| *changes += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
