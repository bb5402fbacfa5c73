//! Redis goes away in the middle of conversations and comes back: people notice nothing, and nobody restarts anything.

use std::time::Duration;

use depot_bot::clock::Clock;
use serde_json::Value;
use tokio::time::timeout;

use crate::bot::{Behind, TestBot};
use crate::process::{get, until};
use crate::servers::PostgresServer;

/// How long a change of the store in charge may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const OPEN: &[(&str, &str)] = &[("ACCESS_MODE", "open")];

/// What readiness says of the sessions and of the whole.
async fn ready(bot: &TestBot) -> (String, String) {
    let (_, body) = get(&bot.app().http.to_string(), "/health/ready").await;
    let ready: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&ready["state"]), text(&ready["components"]["sessions"]["detail"]))
}

/// Waits until readiness says this of the whole, with this store in charge.
async fn is_in_charge(bot: &TestBot, store: &str, state: &str) {
    let said = async {
        loop {
            let (whole, sessions) = ready(bot).await;
            if whole == state && sessions.starts_with(&format!("{store} is in charge")) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("{store} is not in charge, or not {state}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stops_in_the_middle_of_a_conversation_and_comes_back() {
    for behind in [Behind::SqliteAndRedis, Behind::PostgresAndRedis] {
        let mut bot = TestBot::on(Clock::system(), behind, OPEN).await;
        let sql = if behind == Behind::SqliteAndRedis { "sqlite" } else { "postgres" };
        let user = bot.user(7);
        user.says("deux lampes, trois kilos");
        user.sees("Valider").await.unwrap();
        is_in_charge(&bot, "redis", "ok").await;
        bot.redis.as_mut().unwrap().kill();
        user.taps("Valider").unwrap();
        user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
        is_in_charge(&bot, sql, "degraded").await;
        user.says("une table, dix kilos");
        user.sees_new("Valider").await.unwrap();
        bot.redis.as_mut().unwrap().restart();
        is_in_charge(&bot, "redis", "ok").await;
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
    is_in_charge(&bot, "redis", "ok").await;
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
    is_in_charge(&bot, "sqlite", "degraded").await;
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
    is_in_charge(&bot, "redis", "ok").await;
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
    is_in_charge(&bot, "redis", "ok").await;
    postgres.kill();
    known.says("et une table, dix kilos");
    known.sees_new("table").await.unwrap();
    known.taps("Valider").unwrap();
    known.sees("⏳").await.unwrap();
    let http = bot.app().http.to_string();
    bot.telegram.wait_for("the acknowledgement", |it| it.pending_updates() == 0).await.unwrap();
    is_in_charge(&bot, "redis", "degraded").await;
    let says_so = async {
        while !get(&http, "/health/ready").await.1.contains("unmirrored") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, says_so).await.expect("readiness tells what is unmirrored");
    // Nobody knows what this person may do.
    unknown.says("une chaise");
    postgres.restart();
    known.sees("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    unknown.sees("Valider").await.unwrap();
    is_in_charge(&bot, "redis", "ok").await;
    assert_eq!(bot.deposits(7).await[0].draft.lines.len(), 2);
}

/// Two instances by webhook would need a balancer; here each has people of its own in one Telegram that is polled by one:
/// what matters is that both follow one row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_follow_one_row() {
    let mut first = TestBot::on(Clock::system(), Behind::PostgresAndRedis, OPEN).await;
    let mut second = TestBot::prepared(Clock::system(), Behind::Sqlite, OPEN).await;
    for name in ["DATABASE_URL", "REDIS_URL"] {
        let value = first.variable(name).to_owned();
        second.set(name, &value);
    }
    second.resume().await;
    // Each Telegram counts its messages for itself, so nobody writes in both.
    for (bot, person) in [(&first, 7), (&second, 17)] {
        is_in_charge(bot, "redis", "ok").await;
        let user = bot.user(person);
        user.says("deux lampes, trois kilos");
        user.sees("Valider").await.unwrap();
    }
    first.redis.as_mut().unwrap().kill();
    for (bot, person) in [(&first, 7), (&second, 17)] {
        let user = bot.user(person);
        user.says("une table, dix kilos");
        user.sees_new("table").await.unwrap();
        is_in_charge(bot, "postgres", "degraded").await;
    }
    first.redis.as_mut().unwrap().restart();
    for bot in [&first, &second] {
        is_in_charge(bot, "redis", "ok").await;
    }
    assert_eq!(first.app().service().store(), second.app().service().store(), "one store, one epoch");
}
