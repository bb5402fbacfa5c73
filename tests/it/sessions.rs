//! `depot-bot sessions`, as an operator runs it beside a bot: on SQLite, PostgreSQL and Redis.

use std::collections::HashMap;
use std::time::Duration;

use bot_api_simulator::{Simulator, UserProfile};
use deposit::BotId;
use depot_bot::clock::Clock;
use depot_bot::database::{Connection, Database, Job};
use depot_bot::operations::{DeadLetter, DeadLetters};
use depot_bot::{execute, fetch_one};
use nix::sys::signal::Signal;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::process::{Process, run, telegram, until, variables};
use crate::servers::{PostgresServer, RedisServer, postgres_database};

/// The bot that the token of the processes names.
const BOT: BotId = BotId(4242);

const PATIENCE: Duration = Duration::from_secs(60);

type Variables = HashMap<String, String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_an_operator_sees_and_replays_beside_a_running_bot() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    an_operator_sees_and_replays(&telegram, &variables(&telegram, folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_an_operator_sees_and_replays_beside_a_running_bot() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("DATABASE_URL".to_owned(), postgres_database());
    an_operator_sees_and_replays(&telegram, &variables).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_an_operator_sees_and_replays_beside_a_running_bot() {
    let (telegram, folder, redis) = (telegram().await, tempfile::tempdir().unwrap(), RedisServer::start());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("REDIS_URL".to_owned(), redis.url());
    an_operator_sees_and_replays(&telegram, &variables).await;
    drop(redis);
    // The next bot finds no Redis, and SQL becomes the primary.
    let _bot = Process::start(&variables).await;
    let store = async {
        while lines(&["sessions", "stats", "--format", "jsonl"], &variables).await[0]["store"] != "sqlite" {}
    };
    tokio::time::timeout(PATIENCE, store).await.expect("SQL becomes the primary");
    let refused = run(&["sessions", "purge"], &variables).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("stands in for Redis"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_store_is_read_while_the_other_is_away() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let (mut redis, mut postgres) = (RedisServer::start(), PostgresServer::start());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("REDIS_URL".to_owned(), redis.url());
    variables.insert("DATABASE_URL".to_owned(), postgres.database());
    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(101, "Camille", "fr"));
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    assert_eq!(lines(&["sessions", "stats", "--format", "jsonl"], &variables).await[0]["store"], "redis");

    block_in_place(|| postgres.kill());
    one_conversation_is_read("redis", "redis", &variables).await;
    let stats = lines(&["sessions", "stats", "--store", "redis", "--format", "jsonl"], &variables).await;
    assert_eq!(stats[0].get("dead_letters"), None, "they are in the database: {stats:?}");
    let text = said(&["sessions", "stats", "--store", "redis"], &variables).await;
    assert!(text.contains("dead letters    not counted"), "{text}");
    fails(&["sessions", "list"], "`--store redis`", &variables).await;

    block_in_place(|| postgres.restart());
    until(&bot.http, "/health/ready", 200).await;
    bot.signal(Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0), "{}", bot.tail());
    block_in_place(|| redis.kill());
    one_conversation_is_read("sql", "postgres", &variables).await;
    // No bot runs that could put SQL as the primary.
    fails(&["sessions", "list"], "`--store sql`", &variables).await;
    variables.remove("REDIS_URL");
    fails(&["sessions", "list", "--store", "redis"], "REDIS_URL is not set", &variables).await;
}

/// That of user 101, whose card waits, in all three ways.
async fn one_conversation_is_read(store: &str, name: &str, variables: &Variables) {
    let rows = lines(&["sessions", "list", "--store", store, "--format", "jsonl"], variables).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["user"], &rows[0]["state"]), (&json!(101), &json!("AwaitingValidation")));
    let shown = said(&["sessions", "show", "101", "--reveal", "--store", store], variables).await;
    assert!(shown.contains("bouilloire"), "{shown}");
    let stats = lines(&["sessions", "stats", "--store", store, "--format", "jsonl"], variables).await;
    assert_eq!((&stats[0]["store"], &stats[0]["due"]), (&json!(name), &json!(1)), "{stats:?}");
    assert_eq!(stats[0]["states"], json!({"AwaitingValidation": 1}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_neither_makes_a_database_nor_changes_its_tables() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    let looks: [&[&str]; 5] = [
        &["sessions", "list"],
        &["sessions", "list", "--store", "sql"],
        &["sessions", "show", "101"],
        &["sessions", "stats"],
        &["sessions", "dead-letters", "list"],
    ];
    for look in looks {
        fails(look, "`depot-bot migrate` makes it", &variables).await;
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    variables.insert("DATABASE_URL".to_owned(), postgres_database());
    for look in looks {
        fails(look, "`depot-bot migrate` brings them there", &variables).await;
    }
    assert_eq!(database(&variables).await.read(Tables).await.unwrap(), 0);
    said(&["migrate"], &variables).await;
    for look in [looks[0], looks[1], looks[3], looks[4]] {
        said(look, &variables).await;
    }
}

/// How many tables a PostgreSQL has.
struct Tables;

impl Job for Tables {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let sql = "select count(*) from information_schema.tables where table_schema = 'public'";
        fetch_one!(connection, sql).map(|(count,): (i64,)| count)
    }
}

/// The command fails, and says this.
async fn fails(arguments: &[&str], saying: &str, variables: &Variables) {
    let output = run(arguments, variables).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    assert!(said.contains(saying), "{arguments:?} does not say {saying}: {said}");
}

async fn an_operator_sees_and_replays(telegram: &Simulator, variables: &Variables) {
    let _bot = Process::start(variables).await;
    let [open, closed, forgotten] =
        [101, 102, 103].map(|id| telegram.user(UserProfile::new(id, "Camille", "fr")));
    open.says("une bouilloire");
    open.sees_new("Valider").await.unwrap();
    closed.says("une chaise");
    closed.sees_new("Valider").await.unwrap();
    closed.taps("Valider").unwrap();
    closed.sees_new("enregistré").await.unwrap();

    // The commit follows the card after a moment.
    let mut rows = Vec::new();
    let settled = async {
        while rows.is_empty() || rows.iter().any(|row: &Value| row["state"] == "Recording") {
            rows = lines(&["sessions", "list", "--format", "jsonl"], variables).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("the deposit is settled");
    let state = |user: i64| rows.iter().find(|row| row["user"] == user).unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(state(101)["state"], "AwaitingValidation");
    assert!(state(101)["due_at"].is_string() && state(101)["version"].as_u64() > Some(1));
    assert_eq!(state(102)["state"], "Closed");
    let text = said(&["sessions", "list"], variables).await;
    assert!(text.contains("AwaitingValidation") && text.lines().count() == 2, "{text}");

    let shown = said(&["sessions", "show", "101"], variables).await;
    assert!(
        !shown.contains("bouilloire") && shown.contains('…') && shown.contains("awaiting_validation"),
        "{shown}"
    );
    assert!(said(&["sessions", "show", "101", "--reveal"], variables).await.contains("bouilloire"));
    let nobody = run(&["sessions", "show", "999"], variables).await;
    assert_eq!(nobody.status.code(), Some(1));

    let stats = lines(&["sessions", "stats", "--format", "jsonl"], variables).await.remove(0);
    assert_eq!(stats["states"], json!({"AwaitingValidation": 1, "Closed": 1}));
    assert_eq!((&stats["due"], &stats["dead_letters"]), (&json!(1), &json!(0)), "{stats}");
    let store = stats["store"].as_str().unwrap().to_owned();
    assert_eq!(stats["memory_bytes"].is_u64(), store == "redis");
    assert!(said(&["sessions", "stats"], variables).await.contains(&store));

    a_dead_letter_is_handled_again(telegram, variables, &forgotten).await;
    expired_sessions_are_purged(variables).await;
}

/// One that can be handled now, of a user who has written a lot since, and one that cannot.
async fn a_dead_letter_is_handled_again(
    telegram: &Simulator,
    variables: &Variables,
    user: &bot_api_simulator::User,
) {
    let first = user.says("/aide").message_id;
    // More than a conversation remembers, so that the replayed message seems older than all of them.
    for _ in 0..33 {
        user.says("/aide");
        user.sees_new("").await.unwrap();
    }
    telegram.inject_raw(&json!({"poll": {"id": "7"}}));
    telegram.wait_for("every update to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
    let dead_letters = DeadLetters::new(&database(variables).await, BOT, &Clock::system());
    let update = json!({"update_id": 77, "message": {"message_id": first - 1, "date": 1_780_000_000,
        "from": {"id": 103, "is_bot": false, "first_name": "Camille", "language_code": "fr"},
        "chat": {"id": 103, "type": "private"}, "text": "deux tabourets"}});
    dead_letters.add(77, &update.to_string(), "panicked").await.unwrap();

    let list = ["sessions", "dead-letters", "list", "--format", "jsonl"];
    let listed = lines(&list, variables).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let wanted = listed.iter().find(|letter| letter["update_id"] == 77).unwrap();
    assert_eq!((&wanted["reason"], wanted.get("raw")), (&json!("panicked"), None));
    let text = said(&["sessions", "dead-letters", "list"], variables).await;
    assert!(text.contains("panicked") && !text.contains("tabourets"), "{text}");
    let revealed = said(&["sessions", "dead-letters", "list", "--reveal"], variables).await;
    assert!(revealed.contains("deux tabourets"), "{revealed}");

    let unknown = run(&["sessions", "dead-letters", "replay", "77-0123456789ab"], variables).await;
    assert_eq!(unknown.status.code(), Some(1));
    said(&["sessions", "dead-letters", "replay", wanted["id"].as_str().unwrap()], variables).await;
    let card = user.sees("tabouret").await.unwrap();
    assert!(card.button("Valider").is_some(), "{card:?}");
    until_dead_letters(&dead_letters, |letters| letters.len() == 1).await;

    said(&["sessions", "dead-letters", "replay", "--all"], variables).await;
    until_dead_letters(&dead_letters, |letters| letters.iter().all(|letter| letter.replay_at.is_none()))
        .await;
    assert_eq!(lines(&list, variables).await.len(), 1, "it cannot be handled, so it stays");
}

async fn until_dead_letters(dead_letters: &DeadLetters, is: impl Fn(&[DeadLetter]) -> bool) {
    let found = async {
        while !is(&dead_letters.list(10).await.unwrap()) {
            tokio::time::sleep(crate::process::POLL_EVERY).await;
        }
    };
    if tokio::time::timeout(PATIENCE, found).await.is_err() {
        panic!("the bot does not replay the dead letters: {:?}", dead_letters.list(10).await);
    }
}

/// In SQL, also where that is the mirror: Redis does so by itself.
async fn expired_sessions_are_purged(variables: &Variables) {
    database(variables).await.write(Over).await.unwrap();
    let purged = said(&["sessions", "purge"], variables).await;
    assert!(purged.starts_with("1 closed"), "{purged}");
}

/// Past the store, which takes nothing from others while Redis is the primary.
struct Over;

impl Job for Over {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            insert into sessions (bot, chat, owner, epoch, version, commit_id, schema, document, kept_until, updated_at)
            values ($1, 500, 500, 1, 1, 1, 1, '{}', 1000, 0)";
        execute!(connection, sql, BOT.0).map(|_| ())
    }
}

async fn database(variables: &Variables) -> Database {
    Database::connect(&SecretString::from(variables["DATABASE_URL"].as_str())).await.unwrap()
}

async fn said(arguments: &[&str], variables: &Variables) -> String {
    let output = run(arguments, variables).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn lines(arguments: &[&str], variables: &Variables) -> Vec<Value> {
    said(arguments, variables).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
