//! Speed and size: many users make deposits through the simulator, and the bot's own process is measured.
//!
//! `cargo bench --bench flows` starts a private redis-server, the simulator, and the bot as a process of its own (so that
//! its processor time and memory are its own), and prints one table for 50 and for 2,000 users, from the same run. Of
//! the flows 70 % validate, 20 % correct, 10 % cancel.
//!
//! | variable | meaning |
//! |---|---|
//! | `FLOWS_USERS=50,2000` `FLOWS_EACH=10` | the number of users, and of flows of each |
//! | `FLOWS_STORE=redis` | `redis` or `sql`: where sessions live |
//! | `FLOWS_DATABASE=sqlite` | `sqlite` or `postgres` |
//! | `FLOWS_MIRROR=on` | `on,off`: both, in turn. Off is a seeded fault: it needs a `FLOWS_BOT` that has it |
//! | `FLOWS_BOT=` | another binary, such as that which `tests/seeded_faults/build.sh --release` builds |
//! | `FLOWS_ROUNDS=1` | how often the whole is repeated, so that medians can be taken |
//! | `FLOWS_DOCUMENTS=0` | so many other users' sessions are in Redis already: a flow costs the same |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]

use std::num::NonZeroUsize;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bot_api_simulator::{Options, Simulator, SystemClock, User, UserProfile};
use deposit::{BotId, ChatId, UserId};
use depot_bot::clock::Clock;
use depot_bot::store::redis::{PoolOptions, RedisOptions, RedisStore};
use depot_bot::store::replication::VolatileStore as _;
use depot_bot::store::{Commit, Committed, SessionStore as _, StoredSession};
use session::{Session, SessionKey};

use harness::servers::{PostgresServer, RedisServer};

/// How many clock ticks a second of processor time has in `/proc/<pid>/stat` on Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// The bot's id: the number before the colon of its token.
const BOT: BotId = BotId(4242);

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let each: usize = setting("FLOWS_EACH", "10").parse().context("FLOWS_EACH is a number")?;
    let rounds: usize = setting("FLOWS_ROUNDS", "1").parse().context("FLOWS_ROUNDS is a number")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("{each} flows for each person: 70 % validate, 20 % correct, 10 % cancel");
    println!(
        "| sessions | database | mirror | people | flows/s | CPU-ms/flow | commits/flow | first reply p50 ms | p99 ms | Redis commit ms | ack waits for mirror ms | RSS idle MB | RSS after MB | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for _ in 0..rounds {
        for people in list("FLOWS_USERS", "50,2000") {
            let people = people.parse().context("FLOWS_USERS is a list of numbers")?;
            for mirror in list("FLOWS_MIRROR", "on") {
                let stores = Stores {
                    redis: setting("FLOWS_STORE", "redis") == "redis",
                    postgres: setting("FLOWS_DATABASE", "sqlite") == "postgres",
                    mirror: mirror == "on",
                };
                println!("{}", runtime.block_on(measure(people, each, stores))?);
            }
        }
    }
    Ok(())
}

/// The stores of the bot.
#[derive(Clone, Copy)]
struct Stores {
    redis: bool,
    postgres: bool,
    mirror: bool,
}

impl Stores {
    fn name(self) -> String {
        let sessions = if self.redis { "Redis" } else { "SQL" };
        let database = if self.postgres { "PostgreSQL" } else { "SQLite" };
        let mirror = match (self.redis, self.mirror) {
            (true, true) => "on",
            (true, false) => "off",
            (false, _) => "—",
        };
        format!("{sessions} | {database} | {mirror}")
    }
}

fn list(name: &str, default: &str) -> Vec<String> {
    setting(name, default).split(',').map(|word| word.trim().to_owned()).collect()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is set from the environment")]
fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// The result of one user's flow.
struct Flow {
    first_reply: Duration,
    failed: bool,
}

async fn measure(people: usize, each: usize, stores: Stores) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let redis = stores.redis.then(RedisServer::start);
    let postgres = stores.postgres.then(PostgresServer::durable);
    let sqlite = || format!("sqlite://{}/depot.db", folder.path().display());
    let database = postgres.as_ref().map_or_else(sqlite, PostgresServer::database);
    let options = Options {
        clock: Arc::new(SystemClock),
        token: Some("4242:AAbenchmark_token_0123456789_abcdefghi".to_owned()),
        journal: false,
        patience: Duration::from_secs(60),
        messages_kept: 16,
        ..Options::default()
    };
    let simulator = Arc::new(Simulator::start(options).await?);
    if let Some(redis) = &redis {
        let documents = setting("FLOWS_DOCUMENTS", "0").parse().context("FLOWS_DOCUMENTS is a number")?;
        fill(redis, documents).await?;
    }
    let bot = Bot::start(&simulator, &database, redis.as_ref(), stores.mirror)?;
    bot.ready().await?;
    warm_up(&simulator).await?;
    let (idle, cpu_before) = (bot.resident_mb()?, bot.cpu_seconds()?);
    let before = bot.metrics().await?;

    let started = Instant::now();
    let flows: Vec<_> = (0..people)
        .map(|number| {
            let user = simulator.user(profile(1_000 + i64::try_from(number).unwrap_or_default()));
            tokio::spawn(async move { person(user, number, each).await })
        })
        .collect();
    let mut done = Vec::with_capacity(people * each);
    for flow in flows {
        done.extend(flow.await?);
    }
    let elapsed = started.elapsed().as_secs_f64();

    let total = done.len();
    let failed = done.iter().filter(|flow| flow.failed).count();
    let mut replies: Vec<Duration> =
        done.iter().filter(|flow| !flow.failed).map(|flow| flow.first_reply).collect();
    replies.sort_unstable();
    let cpu = bot.cpu_seconds()? - cpu_before;
    let after = bot.metrics().await?;
    let commits = sum(&after, "depot_commits_total") - sum(&before, "depot_commits_total");
    let redis_commit = mean_ms(&after, "depot_redis_seconds", "operation=\"commit\"");
    let mirror_wait = mean_ms(&after, "depot_mirror_wait_seconds", "");
    let flows = f64::from(u32::try_from(total)?);
    Ok(format!(
        "| {} | {people} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {redis_commit:.2} | {mirror_wait:.2} | {idle:.1} | {:.1} | {failed} |",
        stores.name(),
        flows / elapsed,
        cpu * 1000.0 / flows,
        commits / flows,
        quantile(&replies, 0.5),
        quantile(&replies, 0.99),
        bot.resident_mb()?,
    ))
}

/// One deposit before the measurement, so that the model is trained and the connections stand.
async fn warm_up(simulator: &Simulator) -> anyhow::Result<()> {
    let flow = person(simulator.user(profile(999)), 0, 3).await;
    if flow.iter().any(|flow| flow.failed) {
        bail!("the bot does not answer; its log is above");
    }
    Ok(())
}

fn profile(id: i64) -> UserProfile {
    UserProfile::new(id, &format!("Person {id}"), "fr")
}

async fn person(user: User, number: usize, each: usize) -> Vec<Flow> {
    let mut flows = Vec::with_capacity(each);
    for turn in 0..each {
        let started = Instant::now();
        let mut first_reply = Duration::ZERO;
        let outcome = flow(&user, (number + turn) % 10, started, &mut first_reply).await;
        if let Err(error) = &outcome {
            eprintln!("{error:#}");
        }
        flows.push(Flow { first_reply, failed: outcome.is_err() });
    }
    flows
}

/// One deposit: of ten, seven are validated, two corrected, one cancelled.
async fn flow(user: &User, kind: usize, started: Instant, first_reply: &mut Duration) -> anyhow::Result<()> {
    user.says("une bouilloire, un kilo deux");
    user.sees_new("Valider").await?;
    *first_reply = started.elapsed();
    match kind {
        0..7 => {
            user.taps("Valider")?;
            user.sees_new("enregistré").await?;
        }
        7..9 => {
            user.taps("Corriger")?;
            user.sees_new("Maison").await?;
            user.taps("Maison")?;
            user.sees_new("Vaisselle").await?;
            user.taps("Vaisselle")?;
            user.sees_new("enregistré").await?;
        }
        _ => {
            user.taps("Annuler")?;
            user.wait_for("the card of a cancelled deposit", |chat| {
                chat.card().is_some_and(|card| !card.shows("Valider") && card.changed > chat.last_action())
            })
            .await?;
        }
    }
    Ok(())
}

/// The sum of a metric over all its labels.
fn sum(metrics: &str, name: &str) -> f64 {
    let values = metrics
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// The mean of a histogram since the start of the bot.
fn mean_ms(metrics: &str, name: &str, label: &str) -> f64 {
    let only: String =
        metrics.lines().filter(|line| line.contains(label)).flat_map(|line| [line, "\n"]).collect();
    let count = sum(&only, &format!("{name}_count"));
    if count == 0.0 { 0.0 } else { sum(&only, &format!("{name}_sum")) / count * 1000.0 }
}

fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the list")]
    let index = (f64::from(u32::try_from(last).unwrap_or(0)) * share) as usize;
    sorted.get(index).map_or(0.0, |reply| reply.as_secs_f64() * 1000.0)
}

/// Stores so many sessions of inactive users.
async fn fill(redis: &RedisServer, documents: i64) -> anyhow::Result<()> {
    let options = RedisOptions {
        url: redis.url().into(),
        password: None,
        db: None,
        ca: None,
        prefix: "depot:".to_owned(),
        bot: BOT,
        deadline: Duration::from_secs(5),
        pool: PoolOptions { size: NonZeroUsize::MIN, timeout: Duration::from_secs(5) },
    };
    let (store, now) = (RedisStore::connect(&options)?, Clock::system().now());
    store.open(1).await?;
    for user in 0..documents {
        let user = UserId(10_000_000 + user);
        let mut session = Session::new(SessionKey { bot: BOT, chat: ChatId(user.0), user }, now);
        session.version = 1;
        let due_at = Some(now.after(Duration::from_secs(86_400)));
        let commit = Commit { expected: 0, session: &session, due_at, kept_for: None, now };
        anyhow::ensure!(store.commit(&commit).await? == Committed::Applied, "a session was there before");
        store.mark_replicated(&[StoredSession::new(Arc::new(session), Duration::from_secs(300))]).await?;
    }
    Ok(())
}

/// The bot in a process of its own.
struct Bot {
    process: Child,
    port: u16,
}

impl Bot {
    fn start(
        simulator: &Simulator,
        database: &str,
        redis: Option<&RedisServer>,
        mirror: bool,
    ) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(setting("FLOWS_BOT", env!("CARGO_BIN_EXE_depot-bot")));
        command
            .arg("run")
            .env_clear()
            .env("TELEGRAM_BOT_TOKEN", simulator.token())
            .env("TELEGRAM_API_URL", simulator.url())
            .env("DATABASE_URL", database)
            .env("HTTP_BIND", format!("127.0.0.1:{port}"))
            .env("ACCESS_MODE", "open")
            .env("RATE_LIMIT_PER_MINUTE", "0")
            .env("RUST_LOG", "warn")
            .env("LOG_FORMAT", "json");
        if let Some(redis) = redis {
            command.env("REDIS_URL", redis.url());
        }
        if !mirror {
            command.env("SEEDED_FAULT", "no_mirror");
        }
        Ok(Self { process: command.spawn().context("the bot does not start")?, port })
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let url = format!("http://127.0.0.1:{}/health/ready", self.port);
            if reqwest::get(url).await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the bot does not become ready");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        Ok(reqwest::get(format!("http://127.0.0.1:{}/metrics", self.port)).await?.text().await?)
    }

    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let fields: Vec<&str> = after_name.split(' ').collect();
        let ticks =
            |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
    }

    fn resident_mb(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).context("no VmRSS")?;
        let kilobytes: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kilobytes / 1024.0)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _gone = self.process.kill().and_then(|()| self.process.wait());
    }
}
