//! The database: group commit, failures that stay with whom they belong to, and connections that die.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use depot_bot::database::{Connection, Database, DatabaseError, Engine, Job};
use depot_bot::{execute, fetch_all, fetch_one};
use futures_util::future::join_all;
use futures_util::poll;
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::servers::postgres_database;

/// Long enough for a loaded machine.
const PATIENT: Duration = Duration::from_secs(30);

/// A database with one table `numbers`, in a folder that goes with it.
async fn prepared(url: &str) -> Database {
    let database = Database::connect(&SecretString::from(url)).await.unwrap().with_deadline(PATIENT);
    database.migrate().await.unwrap();
    // A second time there is nothing to do.
    database.migrate().await.unwrap();
    database.write(Run("create table numbers (n bigint primary key)")).await.unwrap();
    database
}

async fn sqlite() -> (Database, Option<TempDir>) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/made/on/demand/depot.db", folder.path().display());
    (prepared(&url).await, Some(folder))
}

async fn postgres() -> (Database, Option<TempDir>) {
    (prepared(&postgres_database()).await, None)
}

macro_rules! for_both_engines {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $test() { let (database, _folder) = super::sqlite().await; super::$test(database).await })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() { let (database, _folder) = super::postgres().await; super::$test(database).await })*
        }
    };
}

for_both_engines! {
    one_failing_job_does_not_take_its_neighbours_with_it
    a_job_that_swallows_an_error_confirms_nothing_that_is_not_there
    a_job_that_panics_leaves_the_writer_healthy
    callers_who_leave_leave_no_transaction_behind
    a_reader_cannot_write
    closing_writes_what_waits
    many_writers_are_committed_in_groups
}

#[tokio::test]
async fn a_file_that_is_made_is_for_its_owner_alone_and_one_that_is_there_keeps_its_mode() {
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (_made, folder) = sqlite().await;
    let folder = folder.unwrap();
    let path = folder.path().join("made/on/demand/depot.db");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600, "what SQLite puts beside it follows");
    let there = folder.path().join("there.db");
    std::fs::write(&there, "").unwrap();
    std::fs::set_permissions(&there, std::fs::Permissions::from_mode(0o640)).unwrap();
    let _opened = prepared(&format!("sqlite://{}", there.display())).await;
    assert_eq!(mode(&there), 0o640);
}

/// Runs a statement without parameters.
struct Run(&'static str);

impl Job for Run {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        execute!(connection, self.0)
    }
}

struct Insert(i64);

impl Job for Insert {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, "insert into numbers (n) values ($1)", self.0).map(|_| ())
    }
}

/// Keeps the error of its statement to itself, as no job may.
struct InsertAndSwallow(i64);

impl Job for InsertAndSwallow {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let _ = Insert(self.0).run(connection).await;
        Ok(())
    }
}

struct Panic;

impl Job for Panic {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        Insert(1_000).run(connection).await?;
        panic!("on purpose");
    }
}

struct Numbers;

impl Job for Numbers {
    type Output = Vec<i64>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<i64>, sqlx::Error> {
        // One statement: a commit of the writer between two statements would be seen by the second.
        let sql = "select n, (select count(*) from numbers) from numbers order by n limit 10000";
        let rows: Vec<(i64, i64)> = fetch_all!(connection, sql)?;
        assert!(rows.iter().all(|(_, count)| rows.len() == usize::try_from(*count).unwrap()));
        Ok(rows.into_iter().map(|(n, _)| n).collect())
    }
}

async fn one_failing_job_does_not_take_its_neighbours_with_it(database: Database) {
    // Polled in order, so that all are in one group.
    let outcomes = join_all([1, 2, 3, 2, 4, 5].map(|n| database.write(Insert(n)))).await;
    let refused: Vec<_> = outcomes.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, false, false, true, false, false]);
    let Err(DatabaseError::Failed { reason, constraint }) = &outcomes[3] else { panic!("{outcomes:?}") };
    assert!(reason.to_lowercase().contains("unique"), "{reason}");
    assert_eq!(constraint.is_some(), database.engine() == Engine::Postgres);
    assert_eq!(database.read(Numbers).await.unwrap(), [1, 2, 3, 4, 5]);
}

async fn a_job_that_swallows_an_error_confirms_nothing_that_is_not_there(database: Database) {
    database.write(Insert(1)).await.unwrap();
    let (first, swallowed, last) = tokio::join!(
        database.write(Insert(2)),
        database.write(InsertAndSwallow(1)),
        database.write(Insert(3)),
    );
    assert_eq!((first, last), (Ok(()), Ok(())));
    // On PostgreSQL its own transaction is void.
    assert_eq!(swallowed.is_ok(), database.engine() == Engine::Sqlite);
    assert_eq!(database.read(Numbers).await.unwrap(), [1, 2, 3]);
}

async fn a_job_that_panics_leaves_the_writer_healthy(database: Database) {
    assert_eq!(database.write(Panic).await, Err(DatabaseError::Unknown));
    database.write(Insert(2)).await.unwrap();
    assert_eq!(database.read(Numbers).await.unwrap(), [2]);
}

async fn callers_who_leave_leave_no_transaction_behind(database: Database) {
    for round in 0..40 {
        let leaving = (0..5).map(|n| {
            let database = database.clone();
            tokio::spawn(async move { database.write(Insert(round * 5 + n)).await })
        });
        let leaving: Vec<_> = leaving.collect();
        let reading = tokio::spawn({
            let database = database.clone();
            async move { database.read(Numbers).await }
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        leaving.iter().for_each(tokio::task::JoinHandle::abort);
        reading.abort();
    }
    let before = database.read(Numbers).await.unwrap();
    database.write(Insert(100_000)).await.unwrap();
    let after = database.read(Numbers).await.unwrap();
    assert!(after.len() > before.len() && after.contains(&100_000), "{before:?} → {after:?}");
}

async fn a_reader_cannot_write(database: Database) {
    let outcome = database.read(Insert(1)).await;
    assert!(matches!(outcome, Err(DatabaseError::Full { .. })), "{outcome:?}");
    assert_eq!(database.read(Numbers).await, Ok(vec![]));
}

async fn closing_writes_what_waits(database: Database) {
    let mut writes = join_all((0..600).map(|n| database.write(Insert(n))));
    // After one look at each, all of them are in the queue, whichever thread the writer runs on.
    assert!(poll!(tokio::task::unconstrained(&mut writes)).is_pending());
    database.close().await;
    for outcome in writes.await {
        outcome.unwrap();
    }
    let late = database.write(Insert(1_000)).await;
    assert!(matches!(late, Err(DatabaseError::Unavailable { .. })), "{late:?}");
    let late = database.read(Numbers).await;
    assert!(matches!(late, Err(DatabaseError::Unavailable { .. })), "{late:?}");
}

async fn many_writers_are_committed_in_groups(database: Database) {
    let writes = (0..500).map(|n| {
        let database = database.clone();
        tokio::spawn(async move { database.write(Insert(n)).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    assert_eq!(database.read(Numbers).await.unwrap(), (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_caller_that_times_out_gets_unknown_and_the_job_runs_to_its_end() {
    let (database, folder) = sqlite().await;
    let file = folder.as_ref().unwrap().path().join("made/on/demand/depot.db");
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("begin exclusive").execute(&mut other).await.unwrap();
    let impatient = database.with_deadline(Duration::from_millis(50));
    assert_eq!(impatient.write(Insert(1)).await, Err(DatabaseError::Unknown));
    assert_eq!(database.read(Numbers).await, Ok(vec![]), "a lock of a writer does not stop readers");
    sqlx::query("commit").execute(&mut other).await.unwrap();
    database.write(Insert(2)).await.unwrap();
    assert_eq!(database.read(Numbers).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_full_disk_is_told_to_all_and_over_when_there_is_room() {
    let (database, _folder) = sqlite().await;
    let (_, (pages,)) = (database.write(Insert(0)).await.unwrap(), database.read(Pages).await.unwrap());
    assert!(pages > 0);
    // No page more than there is: the same error as from a full disk.
    database.write(Run("pragma max_page_count = 1")).await.unwrap();
    let outcomes = join_all((1..3).map(|n| database.write(Fill(n)))).await;
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Err(DatabaseError::Full { .. }))),
        "{outcomes:?}"
    );
    database.write(Run("pragma max_page_count = 100000")).await.unwrap();
    database.write(Fill(1)).await.unwrap();
    assert_eq!(database.read(Numbers).await.unwrap().len(), 1_001);
}

struct Pages;

impl Job for Pages {
    type Output = (i64,);

    async fn run(&self, connection: &mut Connection) -> Result<(i64,), sqlx::Error> {
        fetch_one!(connection, "pragma page_count")
    }
}

/// More rows than fit on the pages that are there.
struct Fill(i64);

impl Job for Fill {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let sql = "
            with recursive sequence (n) as (select 1 union all select n + 1 from sequence where n < 1000)
            insert into numbers select $1 * 1000 + n from sequence";
        execute!(connection, sql, self.0)
    }
}

#[tokio::test]
async fn backends_that_the_server_ends_are_replaced_without_a_failure() {
    let url = postgres_database();
    let (database, other) = (prepared(&url).await, prepared(&postgres_database()).await);
    let (_, name) = url.split('?').next().unwrap().rsplit_once('/').unwrap();
    for n in 0..3 {
        // Several readers and the writer are connected.
        join_all((0..5).map(|_| database.read(Numbers))).await;
        let ended = other.write(Terminate(name.to_owned())).await.unwrap();
        assert!(ended >= 2, "{ended}");
        database.write(Insert(n)).await.unwrap();
        assert_eq!(database.read(Numbers).await.unwrap(), (0..=n).collect::<Vec<_>>());
    }
}

/// Ends all connections to a database, as an administrator or a restart does.
struct Terminate(String);

impl Job for Terminate {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        execute!(connection, sql, &self.0)
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_not_quoted() {
    for url in ["mysql://root:s3cret@db/x", "postgres://depot:s3cret@:port/x", "s3cret", "sqlite:s3cret"] {
        let error = Database::connect(&SecretString::from(url)).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let refused = "postgres://depot:s3cret@localhost/x?host=/nowhere";
    let error = Database::connect(&SecretString::from(refused)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unavailable { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_writes_is_identified_again() {
    let (database, _folder) = postgres().await;
    // The connection is now one to a former primary.
    database.write(Run("set session characteristics as transaction read only")).await.unwrap();
    let outcome = database.write(Insert(1)).await;
    assert!(matches!(outcome, Err(DatabaseError::Full { .. })), "{outcome:?}");
    database.write(Insert(2)).await.unwrap();
    assert_eq!(database.read(Numbers).await.unwrap(), [2]);
}

#[tokio::test]
async fn a_locked_table_delays_two_jobs_of_a_kind_and_no_others() {
    let url = postgres_database();
    let database = prepared(&url).await;
    database.write(Run("create table free (n bigint)")).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("begin; lock table numbers").execute(&mut other).await.unwrap();
    let locked = join_all((0..20).map(|n| database.write(Insert(n))));
    let free = database.write(Run("insert into free values (1)"));
    let (locked, free) = futures_util::future::join(locked, free).await;
    assert!(
        locked.iter().all(|outcome| matches!(outcome, Err(DatabaseError::Unavailable { .. }))),
        "{locked:?}"
    );
    assert_eq!(free, Ok(1));
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    database.write(Insert(20)).await.unwrap();
    assert_eq!(database.read(Numbers).await.unwrap(), [20]);
}
