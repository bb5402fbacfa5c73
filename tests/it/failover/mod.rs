//! Redis stops in the middle of conversations and returns: users notice nothing, and no process is restarted.

mod states;

use std::time::Duration;

use deposit::UserId;
use depot_bot::clock::Clock;
use serde_json::Value;
use session::{Cause, Event};
use tokio::time::timeout;

use crate::bot::{Behind, TestBot};
use crate::process::{get, until};
use crate::proxy::{FaultProxy, Line};
use crate::servers::PostgresServer;

/// How long a failover may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const OPEN: &[(&str, &str)] = &[("ACCESS_MODE", "open")];

/// Readiness: the detail of the sessions, and the state of the whole.
async fn ready(bot: &TestBot) -> (String, String) {
    let (_, body) = get(&bot.app().http.to_string(), "/health/ready").await;
    let ready: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&ready["state"]), text(&ready["components"]["sessions"]["detail"]))
}

/// Waits until readiness says this of the whole, with this store as the primary.
async fn is_primary(bot: &TestBot, store: &str, state: &str) {
    let said = async {
        loop {
            let (whole, sessions) = ready(bot).await;
            if whole == state && sessions.starts_with(&format!("{store} is the primary")) {
                return;
            }
            tokio::time::sleep(crate::process::POLL_EVERY).await;
        }
    };
    timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("{store} is not the primary, or not {state}"));
}

/// The replication lag in seconds, as readiness tells it.
async fn lag(http: &str) -> Option<u64> {
    let (_, body) = get(http, "/health/ready").await;
    let (_, rest) = body.split_once("the replication lag is ")?;
    rest.split(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stops_in_the_middle_of_a_conversation_and_comes_back() {
    for behind in [Behind::SqliteAndRedis, Behind::PostgresAndRedis] {
        let mut bot = TestBot::on(Clock::system(), behind, OPEN).await;
        let sql = if behind == Behind::SqliteAndRedis { "sqlite" } else { "postgres" };
        let user = bot.user(7);
        user.says("deux lampes, trois kilos");
        user.sees("Valider").await.unwrap();
        is_primary(&bot, "redis", "ok").await;
        bot.redis.as_mut().unwrap().kill();
        user.taps("Valider").unwrap();
        user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
        is_primary(&bot, sql, "degraded").await;
        user.says("une table, dix kilos");
        user.sees_new("Valider").await.unwrap();
        bot.redis.as_mut().unwrap().restart();
        is_primary(&bot, "redis", "ok").await;
        user.taps("Valider").unwrap();
        user.sees_new("Dépôt n°\u{a0}2 enregistré").await.unwrap();
        assert_eq!(bot.completed(7).await, 2, "{behind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_emptied_and_the_conversation_goes_on_from_the_mirror() {
    let bot = TestBot::on(Clock::system(), Behind::SqliteAndRedis, OPEN).await;
    let user = bot.user(7);
    user.says("deux lampes, trois kilos");
    user.sees("Valider").await.unwrap();
    bot.redis.as_ref().unwrap().command::<()>(&["FLUSHALL"]);
    user.taps("Valider").unwrap();
    user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    is_primary(&bot, "redis", "ok").await;
    assert_eq!(bot.completed(7).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_away_at_the_start() {
    let mut bot = TestBot::on(Clock::system(), Behind::SqliteAndRedis, OPEN).await;
    bot.stop().await;
    bot.redis.as_mut().unwrap().kill();
    bot.resume().await;
    until(&bot.app().http.to_string(), "/health/ready", 200).await;
    let user = bot.user(7);
    user.says("deux lampes, trois kilos");
    user.sees("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    is_primary(&bot, "sqlite", "degraded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_taken_away_and_added_by_the_operator() {
    let mut bot = TestBot::on(Clock::system(), Behind::SqliteAndRedis, OPEN).await;
    let user = bot.user(7);
    user.says("deux lampes, trois kilos");
    user.sees("Valider").await.unwrap();
    let redis = bot.redis.as_ref().unwrap().url();
    bot.stop().await;
    bot.unset("REDIS_URL");
    bot.resume().await;
    user.says("et une table, dix kilos");
    user.sees_new("table").await.unwrap();
    bot.stop().await;
    bot.set("REDIS_URL", &redis);
    bot.resume().await;
    is_primary(&bot, "redis", "ok").await;
    user.taps("Valider").unwrap();
    user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].draft.lines.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_stops_in_the_middle_of_a_conversation_and_the_deposit_is_recorded_when_it_is_back() {
    let mut postgres = PostgresServer::start();
    let mut bot = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, OPEN).await;
    bot.set("DATABASE_URL", &postgres.database());
    bot.resume().await;
    let (known, unknown) = (bot.user(7), bot.user(8));
    known.says("deux lampes, trois kilos");
    known.sees("Valider").await.unwrap();
    is_primary(&bot, "redis", "ok").await;
    postgres.kill();
    known.says("et une table, dix kilos");
    known.sees_new("table").await.unwrap();
    known.taps("Valider").unwrap();
    known.sees("⏳").await.unwrap();
    let http = bot.app().http.to_string();
    bot.telegram.wait_for("the acknowledgement", |it| it.pending_updates() == 0).await.unwrap();
    is_primary(&bot, "redis", "degraded").await;
    let tells = async |more_than: u64| {
        let told = async {
            loop {
                match lag(&http).await {
                    Some(seconds) if seconds > more_than => return seconds,
                    _ => tokio::time::sleep(crate::process::POLL_EVERY).await,
                }
            }
        };
        timeout(PATIENCE, told).await.expect("readiness tells the replication lag")
    };
    let seconds = tells(0).await;
    // Redis is silent too: the backlog stays, and the lag grows.
    bot.redis.as_ref().unwrap().pause();
    until(&http, "/health/ready", 503).await;
    tells(seconds).await;
    bot.redis.as_ref().unwrap().resume();
    // The role of this user is unknown.
    unknown.says("une chaise");
    postgres.restart();
    known.sees("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    unknown.sees("Valider").await.unwrap();
    is_primary(&bot, "redis", "ok").await;
    assert_eq!(bot.deposits(7).await[0].draft.lines.len(), 2);
}

/// Two instances by webhook would need a balancer; here each has users of its own in one Telegram that is polled by
/// one: what matters is that both follow one row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_follow_one_row() {
    let mut first = TestBot::on(Clock::system(), Behind::PostgresAndRedis, OPEN).await;
    let mut second = TestBot::prepared(Clock::system(), Behind::Sqlite, OPEN).await;
    for name in ["DATABASE_URL", "REDIS_URL"] {
        let value = first.variable(name).to_owned();
        second.set(name, &value);
    }
    second.resume().await;
    // Each Telegram counts its messages for itself, so no user writes in both.
    for (bot, person) in [(&first, 7), (&second, 17)] {
        is_primary(bot, "redis", "ok").await;
        let user = bot.user(person);
        user.says("deux lampes, trois kilos");
        user.sees("Valider").await.unwrap();
    }
    first.redis.as_mut().unwrap().kill();
    for (bot, person) in [(&first, 7), (&second, 17)] {
        let user = bot.user(person);
        user.says("une table, dix kilos");
        user.sees_new("table").await.unwrap();
        is_primary(bot, "postgres", "degraded").await;
    }
    first.redis.as_mut().unwrap().restart();
    for bot in [&first, &second] {
        is_primary(bot, "redis", "ok").await;
    }
    assert_eq!(first.app().service().store(), second.app().service().store(), "one store, one epoch");
}

/// P6 beside an instance that alone cannot see SQL: what it was brought in time counts, though it can commit it only
/// after the session's time is over. All updates are brought to the second instance, the first looks after the
/// deadlines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_that_an_instance_cut_off_from_sql_holds_comes_before_the_end_of_its_session() {
    let postgres = PostgresServer::start();
    let proxy = FaultProxy::to_unix(&postgres.socket()).await.unwrap();
    let database = postgres.database();
    let name = database.split('?').next().unwrap().rsplit('/').next().unwrap();
    let through_proxy = format!("postgres://postgres@{}/{name}?sslmode=disable", proxy.address());
    let hook = crate::servers::free_address().to_string();
    let url = format!("http://{hook}/telegram");
    let variables = [
        ("ACCESS_MODE", "open"),
        ("SESSION_TTL_SECONDS", "3"),
        ("TELEGRAM_WEBHOOK_URL", &url),
        ("TELEGRAM_WEBHOOK_SECRET", "a_secret_of_the_failover_tests"),
    ];
    let mut first = TestBot::prepared(Clock::system(), Behind::SqliteAndRedis, &variables).await;
    first.set("DATABASE_URL", &database);
    let mut second = TestBot::prepared(Clock::system(), Behind::Sqlite, &variables).await;
    second.set("TELEGRAM_API_URL", first.telegram.url());
    second.set("WEBHOOK_BIND", &hook);
    second.set("REDIS_URL", &first.redis.as_ref().unwrap().url());
    second.set("DATABASE_URL", &through_proxy);
    first.resume().await;
    second.resume().await;
    for bot in [&first, &second] {
        is_primary(bot, "redis", "ok").await;
    }

    let user = first.user(7);
    user.says("deux lampes, trois kilos");
    user.sees("Valider").await.unwrap();
    proxy.set(Line::BlackHole);
    until(&second.app().http.to_string(), "/health/ready", 503).await;
    user.taps("Valider").unwrap();
    let service = first.app().service();
    let key = service.key(UserId(7));
    let end = service.get(key).await.unwrap().unwrap().expires_at(Duration::from_secs(3)).unwrap();
    Clock::system().sleep_until(end).await;
    let looked = service.update(key, Cause::Deadline, &Event::DeadlinePassed).await.unwrap();
    assert!(looked.session.is_open(), "the second instance may hold an update of it");
    proxy.set(Line::Clear);
    user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    assert_eq!(first.completed(7).await, 1);
    // With both of them there sessions end again.
    user.says("une table, dix kilos");
    user.sees_new("La session a expiré").await.unwrap();
    assert_eq!(first.completed(7).await, 1);
}
