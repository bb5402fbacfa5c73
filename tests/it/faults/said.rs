//! The log of an outage: ERROR when a store goes, WARN when the database becomes the primary, INFO when it is over; each
//! once per change, however often the bot looks meanwhile.

use bot_api_simulator::UserProfile;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::task::{block_in_place, yield_now};
use tokio::time::timeout;

use crate::faults::deposits_patiently;
use crate::oracle::measured;
use crate::process::{PATIENCE, Process, get, telegram, variables};
use crate::servers::{PostgresServer, RedisServer};

/// How often the bot looks at its stores before something changes again.
const LOOKS: u64 = 6;

/// Redis is killed and started twice while a user deposits: these lines are logged, and no other of WARN or ERROR.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_outage_of_redis_is_an_error_a_warning_and_a_recovery_once() {
    let (telegram, folder, mut redis) =
        (telegram().await, tempfile::tempdir().unwrap(), RedisServer::start());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("REDIS_URL".to_owned(), redis.url());
    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    deposits_patiently(&user).await;
    bot.lines.clear();
    let mut lines = Vec::new();
    for _outage in 0..2 {
        block_in_place(|| redis.kill());
        // A failed call makes the monitor probe the stores besides.
        deposits_patiently(&user).await;
        bot.says("failed over to the database").await;
        looks(&bot).await;
        block_in_place(|| redis.restart());
        bot.says("Redis is the primary again").await;
        deposits_patiently(&user).await;
        looks(&bot).await;
        lines.append(&mut bot.lines);
    }
    let outage = [
        ("ERROR", "Redis is unavailable"),
        ("WARN", "failed over to the database"),
        ("INFO", "sessions were copied to Redis"),
        ("INFO", "Redis is the primary again"),
    ];
    let told = said(bot, lines, |line| !is_of_sql(line) && (is_of_a_change(line) || line["level"] != "INFO"));
    is_told_once_each(&told.await, &outage);
}

/// PostgreSQL is ended and started twice while Redis is the primary, and stays so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_outage_of_the_database_is_an_error_and_a_recovery_once() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let (redis, mut postgres) = (RedisServer::start(), PostgresServer::start());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("REDIS_URL".to_owned(), redis.url());
    variables.insert("DATABASE_URL".to_owned(), postgres.database());
    let mut bot = Process::start(&variables).await;
    let mut lines = Vec::new();
    for _outage in 0..2 {
        lines.append(&mut bot.lines);
        block_in_place(|| postgres.kill());
        bot.says("the database does not answer").await;
        looks(&bot).await;
        block_in_place(|| postgres.restart());
        bot.says("the database answers again").await;
        looks(&bot).await;
    }
    // Others that have to do with the database speak for themselves.
    let told = said(bot, lines, is_of_sql);
    let outage = [("ERROR", "the database does not answer"), ("INFO", "the database answers again")];
    is_told_once_each(&told.await, &outage);
}

/// Every outage is told by these lines in this order, and no line comes twice. There were two; on a machine that is busy with
/// other tests a store may be too slow for some looks, which is an outage of its own.
fn is_told_once_each(told: &[(String, String)], outage: &[(&str, &str)]) {
    let told: Vec<_> = told.iter().map(|(level, message)| (level.as_str(), message.as_str())).collect();
    let outages: Vec<_> = told.chunks(outage.len()).collect();
    assert!(outages.len() >= 2 && outages.iter().all(|it| told_as(it, outage)), "{told:#?}");
}

/// Whether the lines begin like this: each says the thing and its state first, then the consequence and the remedy.
fn told_as(lines: &[(&str, &str)], outage: &[(&str, &str)]) -> bool {
    let is_like = |(line, wanted): (&(&str, &str), &(&str, &str))| {
        line.0 == wanted.0 && line.1.split(':').next() == Some(wanted.1)
    };
    lines.len() == outage.len() && lines.iter().zip(outage).all(is_like)
}

/// Waits until the bot has probed its stores so many times more.
async fn looks(bot: &Process) {
    let count = async || -> u64 {
        let (_, metrics) = get(&bot.http, "/metrics").await;
        let counted = metrics.lines().find_map(|line| {
            line.strip_prefix("depot_redis_seconds_count{operation=\"probe\"} ")?.trim().parse().ok()
        });
        counted.unwrap()
    };
    let enough = count().await + LOOKS;
    let looked = async {
        while count().await < enough {
            yield_now().await;
        }
    };
    timeout(PATIENCE, looked).await.expect("the bot looks at its stores");
}

fn is_of_a_change(line: &Value) -> bool {
    line["target"].as_str().unwrap().starts_with("depot_bot::store::replication")
}

fn is_of_sql(line: &Value) -> bool {
    is_of_a_change(line) && line["message"].as_str().unwrap().starts_with("the database ")
}

/// Stops the bot; level and message of those that count of `lines` and the rest of its log.
async fn said(
    mut bot: Process,
    mut lines: Vec<String>,
    counts: impl Fn(&Value) -> bool,
) -> Vec<(String, String)> {
    bot.signal(Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.tail());
    lines.append(&mut bot.lines);
    lines.iter().filter(|line| line.contains("ERROR")).for_each(|line| measured(line));
    let told = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    told.filter(counts).map(|line| (field(&line, "level"), field(&line, "message"))).collect()
}
