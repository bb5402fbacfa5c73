//! The database: group commit, failures that stay with whom they belong to, and what a caller who left does not break.

use std::time::Duration;

use depot_bot::database::{Connection, Database, DatabaseError, Job};
use depot_bot::{execute, fetch_all, fetch_one};
use secrecy::SecretString;

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

struct Numbers;

impl Job for Numbers {
    type Output = Vec<i64>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<i64>, sqlx::Error> {
        let rows: Vec<(i64,)> = fetch_all!(connection, "select n from numbers order by n limit 1000")?;
        let (count,): (i64,) = fetch_one!(connection, "select count(*) from numbers")?;
        assert_eq!(rows.len() as i64, count);
        Ok(rows.into_iter().map(|(n,)| n).collect())
    }
}

async fn sqlite(folder: &tempfile::TempDir) -> Database {
    let url = format!("sqlite://{}/made/on/demand/depot.db", folder.path().display());
    let database = Database::connect(&SecretString::from(url)).await.unwrap();
    database.migrate().await.unwrap();
    database.migrate().await.unwrap();
    database.write(Run("create table numbers (n bigint primary key)")).await.unwrap();
    database
}

#[tokio::test]
async fn one_failing_job_does_not_take_its_neighbours_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = sqlite(&folder).await;
    let jobs = [1, 2, 3, 2, 4, 5].map(|n| {
        let database = database.clone();
        tokio::spawn(async move { database.write(Insert(n)).await })
    });
    let mut refused = 0;
    for job in jobs {
        match job.await.unwrap() {
            Ok(()) => {}
            Err(DatabaseError::Failed { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 1);
    assert_eq!(database.read(Numbers).await.unwrap(), [1, 2, 3, 4, 5]);
    database.close().await;
    assert!(matches!(database.write(Insert(9)).await, Err(DatabaseError::Unavailable { .. })));
    assert!(matches!(
        database.with_deadline(Duration::from_secs(9)).read(Numbers).await,
        Err(DatabaseError::Unavailable { .. })
    ));
}
