//! PostgreSQL only: a commit that is in flight while the leadership row changes.

use std::sync::Arc;

use depot_bot::database::{Connection, Database, Job};
use depot_bot::store::Committed;
use depot_bot::store::replication::Leadership;
use depot_bot::{execute, fetch_one};
use tokio::sync::Notify;

use super::{Durable, connected, document};
use crate::servers::postgres_database;
use crate::stores::{NOW, after, key};

/// Locks the row of a document, so that its next writer waits, and leaves no trace.
struct Hold(Arc<Notify>, Arc<Notify>);

impl Job for Hold {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let insert = "insert into sessions
            (bot, chat, owner, epoch, version, commit_id, schema, document, updated_at)
            values ($1, $2, $3, 0, 0, 0, 0, '', 0)";
        let key = key(7);
        execute!(&mut *connection, insert, key.bot.0, key.chat.0, key.user.0)?;
        self.0.notify_one();
        self.1.notified().await;
        execute!(connection, "delete from sessions where chat = $1", key.chat.0).map(|_| ())
    }
}

struct CountWaiting;

impl Job for CountWaiting {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let sql = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let (count,): (i64,) = fetch_one!(connection, sql)?;
        Ok(count)
    }
}

async fn until(watcher: &Database, enough: impl Fn(i64) -> bool) {
    while !enough(watcher.read(CountWaiting).await.unwrap()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_for_what_is_in_flight() {
    let url = postgres_database();
    let subject = Durable::sql(&url, None).await;
    let (holder, watcher) = (connected(&url).await, connected(&url).await);
    let first = Leadership::sql(1);
    subject.store.change_leadership(None, &first, NOW).await.unwrap();

    let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = Hold(Arc::clone(&held), Arc::clone(&release));
    let holding = tokio::spawn(async move { holder.write(hold).await });
    held.notified().await;
    let store = Arc::clone(&subject.store);
    let committing = tokio::spawn(async move {
        let session = document(key(7), 1, 1);
        store.commit(&after(0, &session)).await
    });
    until(&watcher, |waiting| waiting >= 1).await;
    let beside = Arc::clone(&subject.beside);
    let changing = tokio::spawn(async move {
        beside.change_leadership(Some(&first), &Leadership::redis(2, "first"), NOW).await.unwrap();
        beside.load(key(7)).await.unwrap()
    });
    until(&watcher, |waiting| waiting >= 2 || changing.is_finished()).await;
    release.notify_one();
    holding.await.unwrap().unwrap();
    let seen = changing.await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), Committed::Applied);
    assert_eq!(seen, Some(document(key(7), 1, 1)), "committed, and not seen by a read after the change");
}
