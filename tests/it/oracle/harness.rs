//! Where a scenario plays: a simulated Telegram, private servers, and bots that run as processes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bot_api_simulator::{Entry, Options, Simulator, User, UserProfile};
use deposit::BotId;
use depot_bot::clock::{Clock, Timestamp};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::bot::Behind;
use crate::oracle::answers::{longest_wait, unanswered};
use crate::oracle::evidence::{Evidence, Head, Sql};
use crate::oracle::personas::{GIVES_UP, Strangers};
use crate::oracle::updates::{Deaths, updates};
use crate::oracle::{Report, judge};
use crate::process::{Process, TOKEN, get, variables};
use crate::servers::{RedisServer, postgres_database};

/// How long after the last fault all users must be answered.
const QUIET_WITHIN: Duration = Duration::from_secs(60);
/// How often a condition is looked at that rings no bell.
const LOOK: Duration = Duration::from_millis(50);

/// A Telegram and servers.
pub(crate) struct Harness {
    pub(crate) telegram: Arc<Simulator>,
    pub(crate) redis: Option<Mutex<RedisServer>>,
    pub(crate) variables: HashMap<String, String>,
    pub(crate) people: usize,
    pub(crate) strangers_from: i64,
    deaths: Mutex<Deaths>,
    frozen: Mutex<Vec<(Timestamp, Timestamp)>>,
    /// The journal of Telegram, which itself forgets the oldest entries.
    happened: Mutex<Vec<Entry>>,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Harness {
    /// A harness on which time passes so many times as quickly as outside.
    pub(crate) async fn new(behind: Behind, times: u32) -> Self {
        let since = Clock::system().now();
        let clock = Clock::hastened(since, times);
        let token = Some(TOKEN.to_owned());
        let options =
            Options { clock: Arc::new(clock.clone()), token, patience: GIVES_UP, ..Options::default() };
        let (telegram, folder) = (Simulator::start(options).await.unwrap(), tempfile::tempdir().unwrap());
        let mut variables = variables(&telegram, folder.path());
        let redis = matches!(behind, Behind::SqliteAndRedis | Behind::PostgresAndRedis)
            .then(|| RedisServer::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]));
        if matches!(behind, Behind::Postgres | Behind::PostgresAndRedis) {
            variables.insert("DATABASE_URL".to_owned(), postgres_database());
        }
        if let Some(redis) = &redis {
            variables.insert("REDIS_URL".to_owned(), redis.url());
        }
        let history = folder.path().join("history").display().to_string();
        variables.insert("DEPOT_HISTORY".to_owned(), history);
        variables.insert("DEPOT_CLOCK".to_owned(), format!("{}:{times}", since.0));
        variables.insert("SESSION_TTL_SECONDS".to_owned(), "3600".to_owned());
        Self {
            telegram: Arc::new(telegram),
            redis: redis.map(Mutex::new),
            variables,
            people: 1,
            strangers_from: 0,
            deaths: Mutex::new(Deaths { at: Vec::new(), times }),
            frozen: Mutex::default(),
            happened: Mutex::default(),
            clock,
            _folder: folder,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn user(&self, id: i64) -> User {
        person(&self.telegram, id)
    }

    /// A user outside of the scenario.
    pub(crate) fn strangers(&self) -> Strangers {
        let telegram = Arc::clone(&self.telegram);
        Strangers(Arc::new(move |id| person(&telegram, id)))
    }

    fn with(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut variables = self.variables.clone();
        variables.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        variables
    }

    /// Starts a bot, and waits until it says so.
    pub(crate) async fn start(&self, more: &[(&str, &str)]) -> Process {
        Process::start(&self.with(more)).await
    }

    /// Starts a bot, and waits for nothing.
    pub(crate) fn spawn(&self, more: &[(&str, &str)]) -> Process {
        Process::spawn(&self.with(more))
    }

    /// Ends a bot as `kill -9` does.
    pub(crate) async fn kill(&self, bot: &mut Process) {
        bot.signal(Signal::SIGKILL);
        bot.ended().await;
        self.died();
    }

    /// Waits until a bot stands still at the point that `FREEZE` names: another bot may take over its work meanwhile.
    pub(crate) async fn froze(&self, bot: &Process) {
        self.until("the bot stands still", async || bot.is_stopped()).await;
        self.died();
    }

    /// Notes that a bot has died, or was frozen for long enough: its work may be done once more.
    pub(crate) fn died(&self) {
        drop(self.happened());
        self.deaths.lock().unwrap().at.push(self.clock.now());
    }

    pub(crate) fn redis(&self) -> std::sync::MutexGuard<'_, RedisServer> {
        self.redis.as_ref().unwrap().lock().unwrap()
    }

    pub(crate) fn empty_redis(&self) {
        self.redis().command::<()>(&["FLUSHALL"]);
    }

    /// Stops Redis for as long as `meanwhile` takes.
    pub(crate) async fn freezing_redis<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        let from = self.clock.now();
        self.redis().pause();
        let done = meanwhile.await;
        self.thaws_redis(from);
        done
    }

    /// Lets Redis go on, which has stood still since `from`.
    pub(crate) fn thaws_redis(&self, from: Timestamp) {
        self.frozen.lock().unwrap().push((from, self.clock.now()));
        self.redis().resume();
    }

    pub(crate) async fn sql(&self) -> Sql {
        Sql::open(&self.variables["DATABASE_URL"]).await
    }

    /// The leadership row: epoch, store, and whether it is open.
    pub(crate) async fn leadership(&self) -> Option<(i64, String, i64)> {
        let mut sql = self.sql().await;
        sql.rows("select epoch, primary_store, opened from leadership").await.pop()
    }

    /// Polls for a condition without a notification.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        assert!(self.comes(QUIET_WITHIN, is_so).await, "waited in vain for: {what}");
    }

    /// Whether it comes about within so long.
    pub(crate) async fn comes(&self, within: Duration, is_so: impl AsyncFn() -> bool) -> bool {
        let mut looks = interval(LOOK);
        let came = timeout(within, async {
            while !is_so().await {
                looks.tick().await;
            }
        });
        came.await.is_ok()
    }

    /// Whether Telegram counts this update as done.
    pub(crate) fn is_acknowledged(&self, update: i64) -> bool {
        let updates = updates(&self.happened());
        updates.iter().any(|it| it.id == update && it.acknowledged.is_some())
    }

    /// Whether this update was handed to a bot.
    pub(crate) fn is_delivered(&self, update: i64) -> bool {
        let updates = updates(&self.happened());
        updates.iter().any(|it| it.id == update && it.delivered.is_some())
    }

    /// The journal of Telegram so far.
    pub(crate) fn happened(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        let mut happened = self.happened.lock().unwrap();
        let last = happened.last().map_or(0, |entry| entry.number);
        happened.extend(self.telegram.journal_since(last));
        happened
    }

    /// The history of commits so far.
    pub(crate) fn history(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.variables["DEPOT_HISTORY"]).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// A seeded fault may keep the harness from ever being at rest: that is not waited for so long.
    fn patience(&self) -> Duration {
        let is_seeded = self.variables.get("SEEDED_FAULT").is_some_and(|fault| !fault.is_empty());
        if is_seeded { QUIET_WITHIN / 12 } else { QUIET_WITHIN }
    }

    /// The reason why the harness is not quiet, if there is one.
    async fn unrest(&self) -> Option<String> {
        if self.telegram.pending_updates() > 0 {
            return Some(format!("{} updates wait", self.telegram.pending_updates()));
        }
        if let Some(update) = unanswered(&self.happened(), &self.deaths()).first() {
            return Some(format!("{update:?} is not answered"));
        }
        let waiting: Vec<(i64,)> =
            self.sql().await.rows("select count(*) from deliveries where sent_at is null").await;
        if waiting[0].0 > 0 {
            return Some(format!("{} deliveries wait", waiting[0].0));
        }
        let documents = self.sql().await.documents().await;
        if self.leadership().await.is_some_and(|(_, store, _)| store == "redis") {
            // The backlog of a bot that died is replicated after a second.
            let owed = self.in_redis().into_iter().find(|(person, head)| documents.get(person) != Some(head));
            if let Some((person, head)) = owed {
                return Some(format!("SQL does not have {head:?} of person {person}"));
            }
        }
        let restless = documents.into_iter().find(|(_, head)| !head.rests)?;
        Some(format!("person {} has something left to do: {:?}", restless.0, restless.1))
    }

    /// Waits until no work is left; tells the work that is left after a minute.
    async fn drain(&self) -> Option<String> {
        if self.comes(self.patience(), async || self.unrest().await.is_none()).await {
            return None;
        }
        self.unrest().await
    }

    /// Whether no work is left for a user, and both stores have the same.
    pub(crate) async fn is_settled(&self, person: i64) -> bool {
        let in_sql = self.sql().await.documents().await.remove(&person);
        in_sql.as_ref().is_some_and(|head| head.rests) && self.in_redis().remove(&person) == in_sql
    }

    fn deaths(&self) -> Deaths {
        self.deaths.lock().unwrap().clone()
    }

    /// The longest wait of a user for an outcome after `since`, on the clock of this harness.
    pub(crate) fn longest_wait(&self, since: Timestamp) -> Duration {
        longest_wait(&self.happened(), &self.deaths(), since)
    }

    /// The time of this harness.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn redis_answers(&self) -> bool {
        self.redis.is_some() && !self.redis().is_away()
    }

    /// The sessions in Redis; none if it does not answer.
    fn in_redis(&self) -> BTreeMap<i64, Head> {
        if !self.redis_answers() {
            return BTreeMap::new();
        }
        let redis = self.redis();
        let names: Vec<String> = redis.command(&["KEYS", "*:s:*"]);
        let read = |name: &String| {
            let value: Option<String> = redis.command(&["GET", name]);
            let person = name.rsplit(':').next()?.parse().ok()?;
            let document = value?.splitn(4, ':').nth(3)?.to_owned();
            Some((person, Head::read(&document)))
        };
        names.iter().filter_map(read).collect()
    }

    /// Waits until all is quiet and readiness says `state` (empty: any), stops the bot, and judges.
    pub(crate) async fn ends(&self, mut bot: Process, state: &str) -> Report {
        let unrest = self.drain().await;
        let quiet_at = unrest.is_none().then(|| self.clock.now());
        let is_ready = async || {
            let (_, body) = get(&bot.http, "/health/ready").await;
            serde_json::from_str::<Value>(&body).is_ok_and(|ready| ready["state"] == *state)
        };
        let ready = state.is_empty() || self.comes(self.patience(), is_ready).await;
        bot.signal(Signal::SIGTERM);
        let (process, told_at) = (bot.id(), self.clock.now());
        let status = bot.ended().await;
        let mut report = Report { quiet_at, ..judge(&self.evidence().await) };
        if !report.violations.is_empty() {
            let last = format!("the last bot is {process}, told to stop at {told_at:?}:\n{}", bot.tail());
            report.broken("and", last);
        }
        if let Some(unrest) = unrest {
            report.broken("P4", format!("after a minute of quiet {unrest}"));
        }
        if !ready {
            report.broken("P7", format!("readiness does not come to {state}:\n{}", bot.tail()));
        }
        if status.code() != Some(0) {
            report.broken("P11", format!("told to stop, the bot ended with {status}:\n{}", bot.tail()));
        }
        report
    }

    /// Gathers the evidence of all sources; the bots are stopped.
    pub(crate) async fn evidence(&self) -> Evidence {
        let mut evidence = Evidence {
            telegram: self.happened().clone(),
            in_redis: self.in_redis(),
            redis_answers: self.redis_answers(),
            deaths: self.deaths(),
            frozen: self.frozen.lock().unwrap().clone(),
            strangers_from: self.strangers_from,
            ..Evidence::default()
        };
        evidence.read_history(&PathBuf::from(&self.variables["DEPOT_HISTORY"]));
        let bot = BotId(TOKEN.split(':').next().unwrap().parse().unwrap());
        evidence.read_sql(&self.variables["DATABASE_URL"], bot).await;
        evidence
    }
}

fn person(telegram: &Simulator, id: i64) -> User {
    telegram.user(UserProfile::new(id, &format!("Personne {id}"), "fr"))
}
