//! The start of a bot: the ops server, the stores, the bot itself, its intake, and then its background loops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::bot::Bot;
use crate::app::health_monitor::HealthMonitor;
use crate::app::stores::{self, Stores};
use crate::app::tables::Tables;
use crate::app::{App, Loops, boot, learning, redis_store, retention};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::database::Database;
use crate::effects::deadlines;
use crate::http::serve::{Limits, serve};
use crate::http::{self, Health};
use crate::service::clean_up;
use crate::service::observer::CommitObserver;
use crate::store::redis::RedisStore;
use crate::telegram::chat::TelegramChat;
use crate::telegram::deliver;
use crate::telegram::ingress::expiry_permit;
use crate::telegram::ingress::gap::IntakeGap;
use crate::telegram::ingress::pipeline::Pipeline;
use crate::telegram::ingress::polling::Polling;
use crate::telegram::ingress::status::IntakeStatus;
use crate::telegram::ingress::webhook::{SqlRecord, Wanted, WebhookReceiver};
use crate::telegram::routing::{Router, replay};
use crate::telegram::views::messages;
use crate::telemetry;
use session::Language;

/// How long one loop may take for an iteration before the process counts as stuck.
const LOOP_LIMIT: Duration = Duration::from_secs(60);
/// How long updates under way may take to be committed when the intake stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Starts a bot: when this returns, its ops server answers and its intake has begun. `observer` follows each commit.
///
/// # Errors
/// A fault for an operator: a database that does not answer or cannot be migrated, an address that is taken, a file
/// of categories that cannot be read.
pub async fn start(
    config: Config,
    clock: Clock,
    observer: Option<Arc<dyn CommitObserver>>,
) -> anyhow::Result<App> {
    let loops = Loops::default();
    let ops = OpsServer::start(&config, &clock, &loops).await?;
    let persistence = Box::pin(Persistence::open(&config, &clock)).await?;
    let bot = Bot::assemble(&config, &clock, &persistence, observer)?;
    let pipeline = Arc::new(Pipeline::new(bot.router.clone()));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (address, status) = match &config.webhook {
        None => {
            let polling = Polling::new(bot.chat.client.clone(), Arc::clone(&pipeline), clock.clone());
            let (status, stop) = (polling.status(), stop.clone());
            tasks.spawn(async move { polling.run(stop).await });
            (None, status)
        }
        Some(wanted) => {
            let listener = listen(wanted.bind, "WEBHOOK_BIND").await?;
            let address = listener.local_addr()?;
            let webhook = WebhookReceiver::new(
                &wanted.path(),
                &wanted.secret,
                wanted.previous_secret.as_ref(),
                Arc::clone(&pipeline),
                clock.clone(),
                stop.clone(),
            );
            tasks.spawn(serve(listener, webhook.router(), Limits::default(), stop.clone()));
            let status = webhook.status();
            let record = SqlRecord::new(persistence.tables.webhook.clone());
            let wanted = Wanted { url: wanted.url.clone(), secret: wanted.secret.clone() };
            let (client, stop) = (bot.chat.client.clone(), stop.clone());
            tasks.spawn(async move { webhook.supervise(client, record, wanted, stop).await });
            (Some(address), status)
        }
    };
    let intake = RunningIntake { status, pipeline, stop, tasks };
    start_loops(&loops, &config, &clock, (&ops, &persistence, &bot, &intake));
    ops.health.started();
    let http = ops.address;
    tracing::info!(%http, webhook = ?address, bot.id = config.telegram.bot.0, "the bot is started");
    Ok(App { http, webhook: address, ops, persistence, bot, intake, loops })
}

/// Health and metrics over HTTP.
#[derive(Debug)]
pub(super) struct OpsServer {
    pub(super) address: SocketAddr,
    pub(super) health: Health,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl OpsServer {
    async fn start(config: &Config, clock: &Clock, loops: &Loops) -> anyhow::Result<Self> {
        let (stop, tasks, health) = (CancellationToken::new(), TaskTracker::new(), Health::new());
        let exposition = telemetry::install().context("the metrics cannot be recorded")?;
        let listener = listen(config.http.bind, "HTTP_BIND").await?;
        let address = listener.local_addr()?;
        loops.spawn_droppable(exposition.clone().upkeep(clock.clone()));
        let router = http::router(health.clone(), exposition);
        tasks.spawn(serve(listener, router, Limits::default(), stop.clone()));
        Ok(Self { address, health, stop, tasks })
    }

    /// Takes no connection any more, and waits for the open ones.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The database at this release's schema, and the tables and the session stores over it.
#[derive(Debug)]
pub(super) struct Persistence {
    pub(super) database: Database,
    pub(super) tables: Tables,
    pub(super) stores: Stores,
    /// The Redis of the stores: its pool serves the cache of answers, too.
    pub(super) redis: Option<Arc<RedisStore>>,
}

impl Persistence {
    async fn open(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let database = Database::connect(&config.database.url).await.context("DATABASE_URL")?;
        database.migrate().await.context("the database cannot be brought to this release's schema")?;
        let bot = config.telegram.bot;
        let redis = config.redis.as_ref().map(|redis| redis_store(redis, bot)).transpose()?.map(Arc::new);
        Box::pin(boot::admit(config, &database, redis.as_deref(), clock)).await?;
        let tables = Tables::new(&database, bot, clock);
        tables.members.ensure_admins(&config.access.admins).await?;
        if config.access.mode == config::AccessMode::Approval && !tables.members.has_admin().await? {
            tracing::warn!(
                "no admin is known: nobody can let people in; run `depot-bot invite --admin` and open its link"
            );
        }
        let stores = Box::pin(stores::open(config, &database, redis.clone(), clock)).await?;
        Ok(Self { database, tables, stores, redis })
    }
}

/// Polling or the webhook, and the pipeline behind it.
#[derive(Debug)]
pub(super) struct RunningIntake {
    status: watch::Receiver<IntakeStatus>,
    pipeline: Arc<Pipeline<Router>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RunningIntake {
    /// Takes no update any more, and finishes those that came in.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pipeline.drain(DRAIN).await;
    }
}

/// Starts the loops whose work no update asks for.
fn start_loops(
    loops: &Loops,
    config: &Config,
    clock: &Clock,
    (ops, persistence, bot, intake): (&OpsServer, &Persistence, &Bot, &RunningIntake),
) {
    let (tables, service, stop) = (&persistence.tables, &bot.service, &loops.stop);
    let health_monitor = HealthMonitor::new(
        config,
        &ops.health,
        service,
        tables,
        &persistence.database,
        intake.status.clone(),
        persistence.stores.status(),
    );
    loops.spawn(health_monitor.run(clock.clone(), stop.clone()));
    loops.spawn(replay::run(bot.router.clone(), stop.clone()));
    loops.spawn(retention::run(config.retention, tables.retention.clone(), clock.clone(), stop.clone()));
    loops.spawn(clean_up::run(Arc::clone(service), clock.clone(), stop.clone()));
    let taxonomy = bot.chat.taxonomy.id.clone();
    loops.spawn(learning::run(
        tables.feedback.clone(),
        taxonomy,
        bot.embedded.clone(),
        clock.clone(),
        stop.clone(),
    ));
    let watchdog = ops.health.watchdog("deadlines", LOOP_LIMIT);
    let (deadlines_of, effects) = (Arc::clone(service), bot.effects.clone());
    loops.spawn(deadlines::run(deadlines_of, effects, clock.clone(), stop.clone(), move || watchdog.feed()));
    let watchdog = ops.health.watchdog("deliveries", LOOP_LIMIT);
    loops.spawn(deliver::run(bot.chat.clone(), stop.clone(), move || watchdog.feed()));
    loops.spawn_droppable(boot::look_at_telegram(bot.chat.client.clone(), clock.clone()));
    loops.spawn(expiry_permit::run(Arc::clone(service), intake.status.clone(), stop.clone()));
    let gap = IntakeGap {
        last_intake: tables.last_intake.clone(),
        service: Arc::clone(service),
        effects: bot.effects.clone(),
        status: intake.status.clone(),
    };
    loops.spawn(gap.run(stop.clone()));
    loops.spawn_droppable(set_menus(bot.chat.clone()));
}

/// Sets the command menu of each language at Telegram; French is also that of every other language.
async fn set_menus(chat: TelegramChat) {
    for (language, code) in
        [(Language::Fr, None), (Language::Fr, Some(Language::Fr)), (Language::En, Some(Language::En))]
    {
        let menu = messages::menu(chat.i18n.localizer(language));
        let menu: Vec<(&str, &str)> =
            menu.iter().map(|command| (command.name, command.description.as_str())).collect();
        if let Err(error) = chat.client.set_my_commands(&menu, code).await {
            tracing::warn!(
                %error,
                "the command menu was not set: Telegram shows the one before; it is set again at the next start"
            );
        }
    }
}

async fn listen(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another {variable}"))
}
