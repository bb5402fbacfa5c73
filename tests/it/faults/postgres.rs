//! PostgreSQL is ended, ends its connections, or has callers that leave: F34, F35, F36.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use depot_bot::clock::Clock;
use depot_bot::database::{Connection, Database, Job};
use depot_bot::{execute, fetch_one};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrecy::SecretString;
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinSet;

use crate::bot::{Behind, TestBot};
use crate::faults::{deposits_patiently, describes, holds_what_was_seen, validates_patiently};
use crate::proxy::FaultProxy;
use crate::servers::PostgresServer;

const PEOPLE: i64 = 12;
const FLOWS: usize = 5;
const OPEN: [(&str, &str); 1] = [("ACCESS_MODE", "open")];

async fn over(postgres: &PostgresServer, behind: Behind) -> TestBot {
    let mut bot = TestBot::prepared(Clock::system(), behind, &OPEN).await;
    bot.set("DATABASE_URL", &postgres.database());
    bot.resume().await;
    bot
}

/// All users deposit while, after each ten confirmations, `strike` injects a fault into the server.
async fn all_users_deposit(bot: &TestBot, mut strike: impl FnMut()) -> usize {
    let (seen, more) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut people = JoinSet::new();
    for id in 1..=PEOPLE {
        let (user, seen, more) = (bot.user(id), Arc::clone(&seen), Arc::clone(&more));
        people.spawn(async move {
            for _ in 0..FLOWS {
                deposits_patiently(&user).await;
                seen.fetch_add(1, Ordering::SeqCst);
                more.notify_one();
            }
        });
    }
    let mut strikes = 0;
    while !people.is_empty() {
        tokio::select! {
            () = more.notified() => {
                if seen.load(Ordering::SeqCst) >= 10 * (strikes + 1) {
                    strikes += 1;
                    tokio::task::block_in_place(&mut strike);
                }
            }
            Some(ended) = people.join_next() => ended.unwrap(),
        }
    }
    for id in 1..=PEOPLE {
        holds_what_was_seen(bot, id, FLOWS).await;
    }
    strikes
}

/// F34: an immediate stop in the middle of everything, and a start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f34_postgres_is_stopped_at_once_and_started_while_users_deposit() {
    let mut postgres = PostgresServer::start();
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis] {
        let mut bot = over(&postgres, behind).await;
        let strikes = all_users_deposit(&bot, || postgres.restart()).await;
        assert!(strikes >= 3, "{strikes}");
        println!("F34 {behind:?}: {strikes} stops, {} deposits, none missing, none doubled", PEOPLE * 5);
        bot.stop().await;
    }
}

/// F35: an administrator ends all connections of the bot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f35_backends_are_terminated_while_users_deposit() {
    let postgres = PostgresServer::start();
    let bot = over(&postgres, Behind::Sqlite).await;
    let mut ended = 0;
    let strikes = all_users_deposit(&bot, || ended += postgres.terminate_backends()).await;
    assert!(strikes >= 3 && ended >= 2 * strikes, "{strikes} strikes ended {ended} connections");
    println!("F35: {ended} connections ended, {} deposits, none missing, none doubled", PEOPLE * 5);
}

/// F34: the connection breaks in the answer to each kind of statement. Where that takes longer than a commit is repeated,
/// the card may be sent once more, and a user who tapped the first is told to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f34_a_connection_that_breaks_at_any_statement_costs_a_repetition() {
    let postgres = PostgresServer::start();
    let mut bot = TestBot::prepared(Clock::system(), Behind::Sqlite, &OPEN).await;
    let proxy = FaultProxy::to_unix(&postgres.socket()).await.unwrap();
    let name = postgres.database().split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    bot.set("DATABASE_URL", &format!("postgres://postgres@{}/{name}?sslmode=disable", proxy.address()));
    bot.resume().await;
    let user = bot.user(7);
    let mut flows = 0;
    // Statements go by their names once they are prepared.
    let statements = (1..=8).map(|number| format!("sqlx_s_{number}"));
    for word in ["BEGIN".to_owned(), "COMMIT".to_owned()].into_iter().chain(statements) {
        for at in [0, 1, 20] {
            proxy.cut(1, &word, at);
            deposits_patiently(&user).await;
            flows += 1;
        }
    }
    // Among the commits that follow a tap is the one that records the deposit: its outcome is unknown then.
    for nth in 1..=4 {
        for at in [0, 1, 20] {
            let cut_once_the_card_is_seen = async || {
                describes(&user).await;
                proxy.cut_nth(nth, "COMMIT", at);
            };
            validates_patiently(&user, cut_once_the_card_is_seen).await;
            flows += 1;
        }
    }
    holds_what_was_seen(&bot, 7, flows).await;
    println!("F34: {flows} deposits, {:?}", proxy.done());
    assert!(proxy.done().reset >= 10, "{:?}", proxy.done());
}

struct Count;

impl Job for Count {
    type Output = (i64,);

    async fn run(&self, connection: &mut Connection) -> Result<(i64,), sqlx::Error> {
        fetch_one!(connection, "select count(*) from numbers")
    }
}

struct Insert(i64);

impl Job for Insert {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        execute!(connection, "insert into numbers (n) values ($1)", self.0)
    }
}

struct Create;

impl Job for Create {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        execute!(connection, "create table numbers (n bigint primary key)")
    }
}

/// Comes to its end only when all the others are running too.
struct Together(Arc<Barrier>);

impl Job for Together {
    type Output = (i64,);

    async fn run(&self, connection: &mut Connection) -> Result<(i64,), sqlx::Error> {
        self.0.wait().await;
        Count.run(connection).await
    }
}

async fn ten_thousand_callers_leave(database: &Database, readers: usize) {
    database.write(Create).await.unwrap();
    let mut rng = StdRng::seed_from_u64(36);
    for round in 0..200 {
        let callers = (0..50).map(|n| {
            let database = database.clone();
            tokio::spawn(async move {
                if n % 2 == 0 {
                    drop(database.write(Insert(round * 50 + n)).await);
                } else {
                    drop(database.read(Count).await);
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        for caller in &callers {
            for _ in 0..rng.random_range(0..3) {
                tokio::task::yield_now().await;
            }
            caller.abort();
        }
    }
    // As many readers as there are places: one place too few, and they wait for each other.
    let barrier = Arc::new(Barrier::new(readers));
    let together = (0..readers).map(|_| database.read(Together(Arc::clone(&barrier))));
    for read in join_all(together).await {
        read.unwrap();
    }
    database.write(Insert(1_000_000)).await.unwrap();
}

/// F36: ten thousand callers leave in the middle of a write or a read.
#[tokio::test]
async fn f36_ten_thousand_callers_that_leave_leave_no_transaction_and_take_no_slot_on_postgres() {
    let postgres = PostgresServer::start();
    let database = Database::connect(&SecretString::from(postgres.database())).await.unwrap();
    let database = database.with_deadline(Duration::from_secs(30));
    ten_thousand_callers_leave(&database, 9).await;
    let sql = "select state from pg_stat_activity where application_name = 'depot-bot'";
    let states = tokio::task::spawn_blocking(move || postgres.query(sql)).await.unwrap();
    assert!(!states.is_empty() && states.iter().all(|state| state == "idle"), "{states:?}");
}

/// F36 on SQLite.
#[tokio::test]
async fn f36_ten_thousand_callers_that_leave_leave_no_transaction_and_take_no_slot_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/depot.db", folder.path().display());
    let database = Database::connect(&SecretString::from(url)).await.unwrap();
    let database = database.with_deadline(Duration::from_secs(30));
    ten_thousand_callers_leave(&database, 4).await;
}
