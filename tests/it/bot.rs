//! The real bot for tests: `app::start` on the Bot API simulator, real stores, and a clock that is moved by hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bot_api_simulator::{Options, Simulator, User, UserProfile};
use deposit::{Status, UserId};
use depot_bot::app::{self, App};
use depot_bot::clock::{Clock, Timestamp};
use depot_bot::config::{Config, Layers};
use depot_bot::database::Database;
use depot_bot::ledger::LedgerEntry;
use harness::rest::until_none;
use secrecy::SecretString;
use tempfile::TempDir;

use crate::servers::{RedisServer, postgres_database};

/// When the tests' clock starts.
pub(crate) const START: Timestamp = Timestamp(1_780_000_000_000);
/// How long users wait before a test fails: the machine may be busy with the other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "4242:AAtest_token_0123456789_abcdefghijkl";

/// Which engines stand behind the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    Sqlite,
    SqliteAndRedis,
    Postgres,
    PostgresAndRedis,
}

impl Behind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Sqlite, Self::SqliteAndRedis, Self::Postgres, Self::PostgresAndRedis];

    fn has_redis(self) -> bool {
        matches!(self, Self::SqliteAndRedis | Self::PostgresAndRedis)
    }
}

/// A bot, its Telegram and its stores.
pub(crate) struct TestBot {
    pub(crate) telegram: Simulator,
    pub(crate) clock: Clock,
    pub(crate) redis: Option<RedisServer>,
    variables: HashMap<String, String>,
    app: Option<App>,
    _folder: TempDir,
}

impl TestBot {
    /// An open bot on SQLite that polls.
    pub(crate) async fn start() -> Self {
        Self::with(Behind::Sqlite, &[("ACCESS_MODE", "open")]).await
    }

    /// A bot over these engines, with these variables on top of the defaults.
    pub(crate) async fn with(behind: Behind, variables: &[(&str, &str)]) -> Self {
        Self::on(Clock::manual(START), behind, variables).await
    }

    /// The same on another clock.
    pub(crate) async fn on(clock: Clock, behind: Behind, variables: &[(&str, &str)]) -> Self {
        let mut bot = Self::prepared(clock, behind, variables).await;
        bot.resume().await;
        bot
    }

    /// The same, not started yet: so that [`TestBot::set`] can lead it to its engines by another way.
    pub(crate) async fn prepared(clock: Clock, behind: Behind, variables: &[(&str, &str)]) -> Self {
        let options = Options {
            clock: Arc::new(clock.clone()),
            token: Some(TOKEN.to_owned()),
            patience: PATIENCE,
            ..Options::default()
        };
        let telegram = Simulator::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let redis = behind.has_redis().then(RedisServer::start);
        let database = match behind {
            Behind::Sqlite | Behind::SqliteAndRedis => {
                format!("sqlite://{}/depot.db", folder.path().display())
            }
            Behind::Postgres | Behind::PostgresAndRedis => postgres_database(),
        };
        let mut all: HashMap<String, String> = [
            ("TELEGRAM_BOT_TOKEN", TOKEN),
            ("TELEGRAM_API_URL", telegram.url()),
            ("HTTP_BIND", "127.0.0.1:0"),
            ("WEBHOOK_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &database),
            ("RATE_LIMIT_PER_MINUTE", "0"),
        ]
        .into_iter()
        .chain(variables.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        if let Some(redis) = &redis {
            all.insert("REDIS_URL".to_owned(), redis.url());
        }
        Self { telegram, clock, redis, variables: all, app: None, _folder: folder }
    }

    /// Starts the bot again on the same stores.
    pub(crate) async fn resume(&mut self) {
        let config = Config::read(&Layers::from(self.variables.clone())).unwrap_or_else(|it| panic!("{it}"));
        self.app = Some(app::start(config, self.clock.clone(), None).await.unwrap());
    }

    /// Changes a variable for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a variable away for the next start.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// The database of a bot that is stopped, or beside one that runs.
    pub(crate) async fn database(&self) -> Database {
        let url = SecretString::from(self.variables["DATABASE_URL"].as_str());
        Database::connect(&url).await.unwrap()
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> &str {
        &self.variables[name]
    }

    /// The values of all variables.
    pub(crate) fn variables(&self) -> &HashMap<String, String> {
        &self.variables
    }

    /// Stops the bot the way SIGTERM does.
    pub(crate) async fn stop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop().await;
        }
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("the bot runs")
    }

    /// A French-speaking user.
    pub(crate) fn user(&self, id: i64) -> User {
        self.person(id, "fr")
    }

    pub(crate) fn person(&self, id: i64, language: &str) -> User {
        self.telegram.user(UserProfile {
            id,
            first_name: format!("Personne {id}"),
            language_code: Some(language.to_owned()),
            ..UserProfile::default()
        })
    }

    /// The deposits of a user in the ledger, newest first. On a loaded machine the answer may be late.
    pub(crate) async fn deposits(&self, user: i64) -> Vec<LedgerEntry> {
        let began = std::time::Instant::now();
        loop {
            match self.app().tables().ledger.latest_of(UserId(user), 100_000).await {
                Ok(entries) => return entries,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
        }
    }

    /// The number of completed deposits of a user.
    pub(crate) async fn completed(&self, user: i64) -> usize {
        self.deposits(user).await.iter().filter(|entry| entry.status == Status::Completed).count()
    }

    /// Waits until no lane runs and none is waited for.
    pub(crate) async fn settled(&self) {
        let under_way = async || {
            let active = self.app().service().statistics().await.unwrap().active;
            (active > 0).then(|| format!("{active} conversations are worked on"))
        };
        until_none(PATIENCE, under_way).await.unwrap();
    }

    /// Waits until no effect runs for a user: before the clock is moved past a lease.
    pub(crate) async fn rests(&self, user: i64) {
        let service = self.app().service();
        let under_way = async || {
            let session = service.get(service.key(UserId(user))).await.unwrap();
            session.is_some_and(|it| !it.lanes_are_free()).then(|| format!("the bot works for {user}"))
        };
        until_none(PATIENCE, under_way).await.unwrap();
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Waits for something that a loop of the bot brings about: one that read the clock before it was moved and went to
    /// sleep after would wait for the next move.
    pub(crate) async fn while_time_passes<T>(&self, awaited: impl Future<Output = T>) -> T {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        tokio::pin!(awaited);
        loop {
            tokio::select! {
                came = &mut awaited => return came,
                _ = ticks.tick() => self.advance(1),
            }
        }
    }
}
