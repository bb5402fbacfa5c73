//! The leadership row, the instances, and the mirror's way into SQL.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::{ChatId, UserId};
use crate::session::SessionKey;
use crate::store::replication::{
    Branch, ClusterState, CopyPage, DurableStore, Leadership, MirrorOutcome, Primary, StoredSession,
};
use crate::store::sql::SqlStore;
use crate::store::sql::mirror::{CONFLICT, Copied, Mirror};
use crate::store::{SessionStore as _, StoreError, document};
use crate::{execute, fetch_all, fetch_optional};

/// Who was not seen for so long runs no more.
const SEEN_LATELY: Duration = Duration::from_secs(10);
/// How long one read of the row may take: a second without it and Redis may not be used.
const READ_WITHIN: Duration = Duration::from_millis(700);
/// How long one word that this instance runs may take: it says so again, and looks at Redis wait behind it.
const SAID_WITHIN: Duration = Duration::from_millis(700);

pub(super) const LEADERSHIP: &str =
    "select epoch, primary_store, redis_run_id, opened from leadership where bot = $1";

const OTHERS: &str = "
    select instance, heartbeat_at from instances where bot = $1 and instance <> $2 and heartbeat_at > $3 limit 100";

const ELECT: &str = "
    insert into leadership (bot, epoch, primary_store, redis_run_id, opened, changed_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (bot) do nothing";

const CHANGE: &str = "
    update leadership set epoch = $2, primary_store = $3, redis_run_id = $4, opened = $5, changed_at = $6
    where bot = $1 and epoch = $7 and opened = $8";

const HEARTBEAT: &str = "
    insert into instances (bot, instance, started_at, heartbeat_at) values ($1, $2, $3, $3)
    on conflict (bot, instance) do update set heartbeat_at = excluded.heartbeat_at";

const FORGET: &str = "delete from instances where bot = $1 and heartbeat_at < $2";

const DEREGISTER: &str = "delete from instances where bot = $1 and instance = $2";

const REMOVE: &str = "delete from sessions where bot = $1 and chat = $2 and owner = $3";

const STORED: &str = "
    select chat, owner, document, due_at, kept_until, replicated_epoch, replicated_version from sessions
    where bot = $1 and (chat > $2 or (chat = $2 and owner > $3))
    order by chat, owner limit $4";

impl SqlStore {
    /// What [`DurableStore::mirror`] does, for a transaction that does more.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn mirroring(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<impl Job<Output = Vec<MirrorOutcome>> + use<>, StoreError> {
        let documents = documents.iter().map(Copied::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Mirror { bot: self.bot.0, documents, epoch: epoch.cast_signed(), now: now.0 })
    }

    /// Takes charge without Redis, for good: the embedded default, or an operator who has taken Redis away.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another instance runs that uses Redis: both would work on conversations of their own.
    pub async fn become_primary(&self, now: Timestamp) -> Result<(), StoreError> {
        let row = self.read_cluster(rand::random(), now).await?;
        let (alone, leadership) = (row.is_sole_member(), row.leadership);
        let to = match leadership {
            None => Leadership::sql(1),
            Some(leadership) if leadership.primary == Primary::Sql => {
                DurableStore::serve(self, leadership.epoch);
                return Ok(());
            }
            Some(_) if !alone => {
                let reason = "another instance keeps sessions in Redis: set REDIS_URL here too".to_owned();
                return Err(StoreError::Refused { store: self.name(), reason });
            }
            Some(ref before) => {
                tracing::warn!(
                    "sessions were in Redis and go on from the database: REDIS_URL is not set any more"
                );
                Leadership::sql(before.epoch + 1)
            }
        };
        let elected = self.change_leadership(leadership.as_ref(), &to, now).await?;
        DurableStore::serve(self, elected.unwrap_or(to).epoch);
        Ok(())
    }
}

#[async_trait]
impl DurableStore for SqlStore {
    async fn read_cluster(&self, instance: i64, now: Timestamp) -> Result<ClusterState, StoreError> {
        let since = now.before(SEEN_LATELY).0;
        let read = ReadRow { bot: self.bot.0, instance, since };
        self.database.with_deadline(READ_WITHIN).read(read).await.map_err(|error| self.failure(error))
    }

    async fn change_leadership(
        &self,
        from: Option<&Leadership>,
        to: &Leadership,
        now: Timestamp,
    ) -> Result<Option<Leadership>, StoreError> {
        self.write(Change { bot: self.bot.0, from: from.cloned(), to: to.clone(), now: now.0 }).await
    }

    async fn heartbeat(&self, instance: i64, now: Timestamp) -> Result<(), StoreError> {
        let long_gone = now.before(SEEN_LATELY * 60).0;
        let heartbeat = Heartbeat { bot: self.bot.0, instance, now: now.0, long_gone };
        self.database.with_deadline(SAID_WITHIN).write(heartbeat).await.map_err(|error| self.failure(error))
    }

    async fn deregister(&self, instance: i64) -> Result<(), StoreError> {
        self.write(Deregister { bot: self.bot.0, instance }).await
    }

    async fn mirror(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<MirrorOutcome>, StoreError> {
        self.write(self.mirroring(documents, epoch, now)?).await
    }

    async fn sessions_after(&self, after: Option<SessionKey>, limit: usize) -> Result<CopyPage, StoreError> {
        let (chat, owner) = after.map_or((i64::MIN, i64::MIN), |key| (key.chat.0, key.user.0));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.read(ReadStored { bot: self.bot.0, chat, owner, limit }).await?;
        let key = |row: &StoredRow| SessionKey { bot: self.bot, chat: ChatId(row.0), user: UserId(row.1) };
        let last = rows.last().map(key);
        let documents = rows.into_iter().filter_map(|row| stored(key(&row), row)).collect();
        Ok(CopyPage { documents, last })
    }

    async fn forget(&self, key: SessionKey) -> Result<(), StoreError> {
        self.write(Remove(key)).await
    }

    async fn record_conflicts(&self, branches: &[Branch], now: Timestamp) -> Result<(), StoreError> {
        if branches.is_empty() {
            return Ok(());
        }
        self.write(RecordConflicts { branches: branches.to_vec(), now: now.0 }).await
    }

    fn serve(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }
}

pub(super) type LeadershipRow = (i64, String, Option<String>, i64);

pub(super) fn read_leadership((epoch, primary, run_id, opened): LeadershipRow) -> Leadership {
    let primary = match (primary.as_str(), run_id) {
        ("redis", run_id) => Primary::Redis { run_id: run_id.unwrap_or_default() },
        _ => Primary::Sql,
    };
    Leadership { epoch: epoch.cast_unsigned(), primary, opened: opened != 0 }
}

struct ReadRow {
    bot: i64,
    instance: i64,
    since: i64,
}

impl Job for ReadRow {
    type Output = ClusterState;

    async fn run(&self, connection: &mut Connection) -> Result<ClusterState, sqlx::Error> {
        let row: Option<LeadershipRow> = fetch_optional!(&mut *connection, LEADERSHIP, self.bot)?;
        let others: Vec<(i64, i64)> = fetch_all!(connection, OTHERS, self.bot, self.instance, self.since)?;
        let others = others.into_iter().map(|(instance, seen_at)| (instance, Timestamp(seen_at))).collect();
        Ok(ClusterState { leadership: row.map(read_leadership), other_members: others })
    }
}

struct Change {
    bot: i64,
    from: Option<Leadership>,
    to: Leadership,
    now: i64,
}

impl Job for Change {
    type Output = Option<Leadership>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Leadership>, sqlx::Error> {
        let (epoch, store) = (self.to.epoch.cast_signed(), self.to.primary.name());
        let opened = i64::from(self.to.opened);
        let run_id = match &self.to.primary {
            Primary::Redis { run_id } => Some(run_id.as_str()),
            Primary::Sql => None,
        };
        match &self.from {
            None => execute!(&mut *connection, ELECT, self.bot, epoch, store, run_id, opened, self.now)?,
            Some(from) => execute!(
                &mut *connection,
                CHANGE,
                self.bot,
                epoch,
                store,
                run_id,
                opened,
                self.now,
                from.epoch.cast_signed(),
                i64::from(from.opened),
            )?,
        };
        let row: Option<LeadershipRow> = fetch_optional!(connection, LEADERSHIP, self.bot)?;
        Ok(row.map(read_leadership))
    }
}

struct Heartbeat {
    bot: i64,
    instance: i64,
    now: i64,
    long_gone: i64,
}

impl Job for Heartbeat {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(&mut *connection, FORGET, self.bot, self.long_gone)?;
        execute!(connection, HEARTBEAT, self.bot, self.instance, self.now).map(|_| ())
    }
}

struct Deregister {
    bot: i64,
    instance: i64,
}

impl Job for Deregister {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, DEREGISTER, self.bot, self.instance).map(|_| ())
    }
}

type StoredRow = (i64, i64, String, Option<i64>, Option<i64>, i64, i64);

struct ReadStored {
    bot: i64,
    chat: i64,
    owner: i64,
    limit: i64,
}

impl Job for ReadStored {
    type Output = Vec<StoredRow>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<StoredRow>, sqlx::Error> {
        fetch_all!(connection, STORED, self.bot, self.chat, self.owner, self.limit)
    }
}

/// A row that can be read; one that cannot is left where it is.
fn stored(key: SessionKey, row: StoredRow) -> Option<StoredSession> {
    let (_, _, text, due_at, kept_until, epoch, version) = row;
    match document::decode(key, text.as_bytes()) {
        Ok(session) => Some(StoredSession {
            session: Arc::new(session),
            due_at: due_at.map(Timestamp),
            kept_until: kept_until.map(Timestamp),
            replicated: (epoch.cast_unsigned(), version.cast_unsigned()),
        }),
        Err(error) => {
            tracing::warn!(%error, "a session is not copied to Redis");
            None
        }
    }
}

struct Remove(SessionKey);

impl Job for Remove {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let SessionKey { bot, chat, user } = self.0;
        execute!(connection, REMOVE, bot.0, chat.0, user.0).map(|_| ())
    }
}

struct RecordConflicts {
    branches: Vec<Branch>,
    now: i64,
}

impl Job for RecordConflicts {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        for Branch { key, document, stamp } in &self.branches {
            execute!(
                &mut *connection,
                CONFLICT,
                key.bot.0,
                key.chat.0,
                key.user.0,
                stamp.0.cast_signed(),
                stamp.1.cast_signed(),
                stamp.2.cast_signed(),
                document.as_str(),
                "overtaken while Redis was away",
                self.now,
            )?;
        }
        Ok(())
    }
}
