//! Everything beside the ledger is kept for its days and no longer, and the metrics agree.

use std::time::Duration;

use deposit::{BotId, Status};
use depot_bot::clock::{Clock, Timestamp};
use depot_bot::database::{Connection, Database, Job};
use depot_bot::operations::{DeadLetters, Retained};
use depot_bot::{execute, fetch_one};
use secrecy::SecretString;

use crate::bot::{Behind, START, TestBot};
use crate::process::{Process, get, telegram, variables};

const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
/// The bot that the tokens of the tests name.
const BOT: i64 = 4242;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_each_kind_goes_after_its_days_and_the_deposits_stay() {
    each_kind_goes_after_its_days(Behind::Sqlite, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_each_kind_goes_after_its_days_and_permanent_rows_stay() {
    each_kind_goes_after_its_days(Behind::Postgres, &[("RETAIN_CONFLICTS_DAYS", "0")]).await;
}

async fn each_kind_goes_after_its_days(behind: Behind, more: &[(&str, &str)]) {
    let bot = TestBot::with(behind, &[&[("ADMIN_TELEGRAM_IDS", "7")], more].concat()).await;
    let user = bot.user(7);
    for (object, decision, outcome) in
        [("chaise", "Annuler", "abandonné"), ("table", "Valider", "enregistré")]
    {
        user.says(&format!("une {object}"));
        user.sees_new("Valider").await.unwrap();
        user.taps(decision).unwrap();
        user.sees_new(outcome).await.unwrap();
    }
    bot.user(70_007).says("bonjour");
    bot.user(70_007).sees("Demander").await.unwrap();
    bot.user(70_007).taps("Demander").unwrap();
    user.sees("Demande d'accès").await.unwrap();
    bot.rests(7).await;
    let tables = bot.app().tables();
    tables.dead_letters.add(5, "{}", "unreadable").await.unwrap();
    tables
        .answer_cache
        .store("transcription:test", "une chaise", Duration::from_secs(30 * DAY))
        .await
        .unwrap();
    let database = bot.database().await;
    for sql in [CONFLICT, QUARANTINED] {
        database.write(Insert { sql, at: START.0 }).await.unwrap();
    }
    database.write(Insert { sql: PENDING, at: START.0 }).await.unwrap();
    let before = bot.deposits(7).await;
    assert!(before.iter().all(|entry| !entry.draft.said.is_empty()), "{before:?}");

    let keeps_conflicts = more.iter().any(|(name, _)| name.contains("CONFLICTS"));
    let conflicts = keeps_conflicts.then_some(Retained::Conflicts);
    is_left_after(&bot, &database, 29, &Retained::ALL).await;
    let left =
        [&[Retained::Quarantine, Retained::Drafts, Retained::Deliveries], conflicts.as_slice()].concat();
    is_left_after(&bot, &database, 2, &left).await;
    is_left_after(&bot, &database, 60, &[&[Retained::Drafts], conflicts.as_slice()].concat()).await;
    is_left_after(&bot, &database, 275, conflicts.as_slice()).await;

    let after = bot.deposits(7).await;
    assert!(after.iter().all(|entry| entry.draft.said.is_empty()), "{after:?}");
    let kept = |entries: &[depot_bot::ledger::LedgerEntry]| -> Vec<_> {
        let row =
            |entry: &depot_bot::ledger::LedgerEntry| (entry.number, entry.status, entry.draft.lines.clone());
        entries.iter().map(row).collect()
    };
    assert_eq!(kept(&after), kept(&before));
    assert_eq!(after.iter().filter(|entry| entry.status == Status::Completed).count(), 1);
    assert_eq!(tables.deliveries.count_pending().await.unwrap(), 1, "what is to be sent is not removed");
}

/// Moves the clock, waits for an iteration of the bot, and compares the rows that are left.
async fn is_left_after(bot: &TestBot, database: &Database, days: u64, expected: &[Retained]) {
    bot.advance(days * DAY);
    // A message so old that the next look removes it, which is how that look is seen; it comes last in each look.
    let old = bot.clock.now().before(Duration::from_secs(91 * DAY));
    database.write(Insert { sql: MARKER, at: old.0 }).await.unwrap();
    bot.advance(HOUR);
    let looked = async {
        while database.read(Markers).await.unwrap() > 0 {
            tokio::time::sleep(crate::process::POLL_EVERY).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looked).await.expect("the bot looks every hour");
    for kind in Retained::ALL {
        let is_left = bot.app().tables().retention.oldest(kind).await.unwrap().is_some();
        assert_eq!(is_left, expected.contains(&kind), "{kind:?} after {days} days more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_count_removed_rows_and_tell_the_age_of_the_oldest() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let variables = variables(&telegram, folder.path());
    let database = Database::connect(&SecretString::from(variables["DATABASE_URL"].as_str())).await.unwrap();
    database.migrate().await.unwrap();
    let days_ago = |days| Clock::system().now().before(Duration::from_secs(days * DAY)).0;
    database.write(Insert { sql: CONFLICT, at: days_ago(31) }).await.unwrap();
    database.write(Insert { sql: QUARANTINED, at: days_ago(31) }).await.unwrap();
    let dead_letters = DeadLetters::new(&database, BotId(BOT), &Clock::manual(Timestamp(days_ago(40))));
    // More than one batch of them.
    for number in 0..201 {
        dead_letters.add(number, "{}", "unreadable").await.unwrap();
    }
    let bot = Process::start(&variables).await;
    let value = async |series: &str| -> f64 {
        let (_, metrics) = get(&bot.http, "/metrics").await;
        let line =
            metrics.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{series}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let counted = async {
        // It is looked at after the others.
        while value("depot_purged_total{kind=\"dead_letters\"}").await < 201.0
            || value("depot_retained_oldest_seconds{kind=\"quarantine\"}").await == 0.0
        {
            tokio::time::sleep(crate::process::POLL_EVERY).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted).await.expect("the bot looks at its start");
    assert!((value("depot_purged_total{kind=\"conflicts\"}").await - 1.0).abs() < f64::EPSILON);
    assert!(value("depot_purged_total{kind=\"quarantine\"}").await < 1.0);
    assert!(value("depot_retained_oldest_seconds{kind=\"dead_letters\"}").await < 1.0);
    assert!(value("depot_retained_oldest_seconds{kind=\"quarantine\"}").await >= 31.0 * 86_400.0);
}

const CONFLICT: &str = "
    insert into conflicts (bot, chat, owner, epoch, version, commit_id, document, reason, found_at)
    values ($1, 1, 1, 1, 1, 1, '{}', 'test', $2)";
const QUARANTINED: &str = "
    insert into quarantine (bot, chat, owner, sha256, document, reason, found_at)
    values ($1, 1, 1, 'test', '{}', 'test', $2)";
const PENDING: &str = "
    insert into deliveries (bot, subject, destination, language, payload, view_number, status, attempts, due_at, created_at)
    values ($1, 'pending', 1, 'fr', '{}', 1, 'pending', 0, 9000000000000000, $2)";
const MARKER: &str = "
    insert into deliveries (bot, subject, destination, language, payload, view_number, status, attempts, due_at, created_at)
    values ($1, 'marker', 1, 'fr', '{}', 1, 'sent', 0, $2, $2)";

struct Insert {
    sql: &'static str,
    at: i64,
}

impl Job for Insert {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, self.sql, BOT, self.at).map(|_| ())
    }
}

struct Markers;

impl Job for Markers {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let (count,): (i64,) =
            fetch_one!(connection, "select count(*) from deliveries where subject = 'marker'")?;
        Ok(count)
    }
}
