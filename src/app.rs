//! The composition root: the only place that knows all concrete types, and how they start and stop.

pub mod boot;
mod gap;
mod intake;
mod learning;
mod recording;
mod retention;
mod stores;
pub mod understanding;
mod vitals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::app::intake::RunningIntake;
use crate::app::recording::Recording;
use crate::app::stores::Stores;
pub use crate::app::stores::{redis_store, session_store};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::database::Database;
use crate::effects::execute::Executor;
use crate::effects::{Effects, deadlines};
use crate::http::serve::{Limits, serve};
use crate::http::{self, Health};
use crate::i18n::I18n;
use crate::ledger::Ledger;
use crate::model::Embedded;
use crate::rng::Rng;
use crate::service::{Onlooker, ValidationSessionService};
use crate::shutdown::{Stop, Stopped};
use crate::store::sql::SqlStore;
use crate::taxonomy::Taxonomy;
use crate::telegram::chat::TelegramChat;
use crate::telegram::client::Client;
use crate::telegram::send_limiter::SendLimiter;
use crate::telegram::updates::Updates;
use crate::telegram::{deliver, replay, views::messages};
use crate::telemetry;

/// How long a stop may take: an orchestrator kills after 30 s.
const STOP_WITHIN: Duration = Duration::from_secs(24);
/// How long one loop may take for a turn before the process counts as stuck.
const LOOP_LIMIT: Duration = Duration::from_secs(60);

/// A running bot.
#[derive(Debug)]
pub struct App {
    /// Where the ops server listens.
    pub http: SocketAddr,
    /// Where the webhook listens, if updates come that way.
    pub webhook: Option<SocketAddr>,
    service: Arc<ValidationSessionService>,
    ledger: Ledger,
    database: Database,
    stores: Stores,
    effects: Effects,
    answers: TaskTracker,
    intake: RunningIntake,
    health: Health,
    /// Ends the loops that look after what the intake has left.
    loops: CancellationToken,
    /// Ends the ops server.
    ops_server: CancellationToken,
    server: TaskTracker,
    tasks: TaskTracker,
}

/// Starts a bot: when this returns, its ops server answers and its intake has begun.
///
/// # Errors
/// What an operator has to mend: a database that does not answer or cannot be migrated, an address that is taken, a file
/// of categories that cannot be read.
pub async fn start(config: Config, clock: Clock) -> anyhow::Result<App> {
    start_before(None, config, clock).await
}

/// The same, with somebody who looks on from the first commit.
///
/// # Errors
/// See [`start`].
pub async fn start_before(onlooker: Option<Onlooker>, config: Config, clock: Clock) -> anyhow::Result<App> {
    let (loops, ops_server) = (CancellationToken::new(), CancellationToken::new());
    let (tasks, server) = (TaskTracker::new(), TaskTracker::new());
    let health = Health::new();
    let exposition = telemetry::install().context("the metrics cannot be recorded")?;
    let listener = listen(config.http.bind, "HTTP_BIND").await?;
    let http = listener.local_addr()?;
    tasks.spawn(until(loops.clone(), exposition.clone().upkeep(clock.clone())));
    let router = http::router(health.clone(), exposition);
    server.spawn(serve(listener, router, Limits::default(), ops_server.clone()));

    let database = Box::pin(open_database(&config)).await?;
    let redis = config.redis.as_ref().map(|redis| redis_store(redis, config.telegram.bot)).transpose()?;
    Box::pin(boot::admit(&config, &database, redis.as_ref(), &clock)).await?;
    let ledger = Box::pin(open_ledger(&config, &database, &clock)).await?;
    let stores = Box::pin(stores::open(&config, &database, redis, &clock)).await?;
    let (bot, ttl) = (config.telegram.bot, config.session.ttl);
    let service = ValidationSessionService::new(stores.sessions(), clock.clone(), bot, ttl);
    let service = Arc::new(service.with_onlooker(onlooker));
    let chat = telegram_chat(&config, &ledger, &clock)?;
    let embedded = Embedded::start(Arc::clone(&chat.taxonomy));
    let recording = Recording::new(&ledger, SqlStore::new(database.clone(), bot), &stores, &clock);
    let executor = executor(&config, &chat, recording, embedded.clone())?;
    let effects = Effects::new(Arc::clone(&service), executor, clock.clone());
    let updates = Updates {
        service: Arc::clone(&service),
        effects: effects.clone(),
        access: Arc::new(Access::new(&config.access, ledger.clone(), clock.clone())),
        chat: chat.clone(),
        answers: TaskTracker::new(),
        looks_at_photos: config.llm.as_ref().is_some_and(|llm| llm.vision),
        replays: false,
    };
    let replaying = replay::run(updates.clone(), loops.clone());
    let answers = updates.answers.clone();
    let intake = intake::start(&config, &chat.client, &ledger, Arc::new(updates), &clock).await?;
    let vitals =
        vitals::Vitals::new(&config, &health, &service, &ledger, &database, intake.status(), stores.status());
    let app = App {
        http,
        webhook: intake.address(),
        service,
        ledger,
        database,
        stores,
        effects,
        answers,
        intake,
        health,
        loops,
        ops_server,
        server,
        tasks,
    };
    app.tasks.spawn(vitals.run(clock, app.loops.clone()));
    app.tasks.spawn(replaying);
    app.start_loops(chat, embedded, config.retention);
    app.health.started();
    tracing::info!(%http, webhook = ?app.webhook, bot.id = config.telegram.bot.0, "the bot is started");
    Ok(app)
}

/// The database at this release's schema.
async fn open_database(config: &Config) -> anyhow::Result<Database> {
    let database = Database::connect(&config.database.url).await.context("DATABASE_URL")?;
    database.migrate().await.context("the database cannot be brought to this release's schema")?;
    Ok(database)
}

/// The ledger of this bot, with its first people.
async fn open_ledger(config: &Config, database: &Database, clock: &Clock) -> anyhow::Result<Ledger> {
    let ledger = Ledger::new(database.clone(), config.telegram.bot, clock.clone());
    ledger.ensure_admins(&config.access.admins).await?;
    if config.access.mode == config::AccessMode::Approval && !ledger.has_admin().await? {
        tracing::warn!(
            "no admin is known, so nobody can let people in: run `depot-bot invite --admin` and open its link"
        );
    }
    Ok(ledger)
}

fn telegram_chat(config: &Config, ledger: &Ledger, clock: &Clock) -> anyhow::Result<TelegramChat> {
    Ok(TelegramChat {
        client: Client::new(&config.telegram.api_url, &config.telegram.token)?,
        limiter: SendLimiter::new(clock.clone()),
        i18n: Arc::new(I18n::new()?),
        taxonomy: Arc::new(Taxonomy::load(config.taxonomy_file.as_deref())?),
        ledger: ledger.clone(),
        clock: clock.clone(),
        ttl: config.session.ttl,
        zone: TimeZone::system(),
    })
}

/// What the lanes reach the world through.
fn executor(
    config: &Config,
    chat: &TelegramChat,
    recording: Recording,
    embedded: Embedded,
) -> anyhow::Result<Executor> {
    let cache = understanding::cache(config, &chat.ledger)?;
    Ok(Executor {
        chat: Arc::new(chat.clone()),
        ledger: Arc::new(recording),
        transcriber: understanding::transcriber(config, chat, cache.clone())?,
        understanding: understanding::reader(config, chat, embedded, cache)?,
        taxonomy: chat.taxonomy.id.clone(),
        clock: chat.clock.clone(),
        rng: Rng::system(),
    })
}

impl App {
    /// Starts the loops that look after what the intake has left.
    fn start_loops(&self, chat: TelegramChat, embedded: Embedded, keep: config::Retention) {
        self.tasks.spawn(retention::run(keep, self.ledger.clone(), chat.clock.clone(), self.loops.clone()));
        let (taught, clock) = (chat.taxonomy.id.clone(), chat.clock.clone());
        let learning = learning::run(self.ledger.clone(), taught, embedded, clock, self.loops.clone());
        self.tasks.spawn(learning);
        let watchdog = self.health.watchdog("deadlines", LOOP_LIMIT);
        self.tasks.spawn(deadlines::run(
            Arc::clone(&self.service),
            self.effects.clone(),
            chat.clock.clone(),
            self.loops.clone(),
            move || watchdog.feed(),
        ));
        let watchdog = self.health.watchdog("deliveries", LOOP_LIMIT);
        self.tasks.spawn(deliver::run(chat.clone(), self.loops.clone(), move || watchdog.feed()));
        let look = boot::look_at_telegram(chat.client.clone(), chat.clock.clone());
        self.tasks.spawn(until(self.loops.clone(), look));
        let gap = gap::Gap {
            ledger: self.ledger.clone(),
            service: Arc::clone(&self.service),
            effects: self.effects.clone(),
            status: self.intake.status(),
        };
        self.tasks.spawn(gap.run(self.loops.clone()));
        self.tasks.spawn(until(self.loops.clone(), set_menus(chat)));
    }

    /// What is recorded.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How it is, as the probes see it.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The conversations.
    #[must_use]
    pub fn service(&self) -> &ValidationSessionService {
        &self.service
    }

    /// Stops in order, each step within its time; what is given up is as good as after a crash. The webhook stays set.
    pub async fn stop(self) -> Stopped {
        let mut stop = Stop::begin(STOP_WITHIN);
        // 1. Nobody sends new work here.
        self.health.drain();
        // 2. No update comes in any more. 3. Those that did are committed and acknowledged.
        stop.step("intake", Duration::from_secs(8), self.intake.stop()).await;
        // 4. Lanes finish the effect they are at, and give their leases back with its outcome.
        self.service.stop_running();
        stop.step("effects", Duration::from_secs(13), self.effects.drained()).await;
        // 5. Answers to taps on their way.
        self.answers.close();
        stop.step("answers", Duration::from_secs(5), self.answers.wait()).await;
        // 6. The loops end with what they are at: a delivery that is on its way is noted when it has arrived.
        self.loops.cancel();
        self.tasks.close();
        stop.step("loops", Duration::from_secs(11), self.tasks.wait()).await;
        // 7. What the mirror and the writer still hold is written.
        crate::failpoint!("draining");
        stop.step("mirror", Duration::from_secs(4), self.stores.stop()).await;
        stop.step("database", Duration::from_secs(5), self.database.close()).await;
        // 8. The ops server was there to the last.
        self.ops_server.cancel();
        self.server.close();
        stop.step("ops server", Duration::from_secs(3), self.server.wait()).await;
        let stopped = stop.end();
        let flushed = self.service.flushed();
        tracing::info!(
            commits = flushed.commits,
            documents = flushed.documents,
            leases_given_back = flushed.leases_given_back,
            "the bot is stopped {stopped}: everything committed is stored"
        );
        stopped
    }
}

/// Tells Telegram the command menu of each language; French is everybody else's too.
async fn set_menus(chat: TelegramChat) {
    use crate::session::Language;
    for (language, code) in
        [(Language::Fr, None), (Language::Fr, Some(Language::Fr)), (Language::En, Some(Language::En))]
    {
        let menu = messages::menu(chat.i18n.localizer(language));
        let menu: Vec<(&str, &str)> =
            menu.iter().map(|command| (command.name, command.description.as_str())).collect();
        if let Err(error) = chat.client.set_my_commands(&menu, code).await {
            tracing::warn!(%error, "the command menu was not set; it stays as it was");
        }
    }
}

/// Runs something until `stop`, if it does not end by itself before.
async fn until(stop: CancellationToken, endless: impl Future<Output = ()>) {
    stop.run_until_cancelled(endless).await;
}

async fn listen(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another {variable}"))
}
