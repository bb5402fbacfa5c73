//! The row of authority, the instances, and the mirror's way into SQL.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::{ChatId, UserId};
use crate::session::SessionKey;
use crate::store::authority::{Authority, Branch, DurableStore, InCharge, Mirrored, Page, Row, Stored};
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

pub(super) const AUTHORITY: &str = "select epoch, store, run_id, opened from authority where bot = $1";

const OTHERS: &str = "
    select instance, seen_at from instances where bot = $1 and instance <> $2 and seen_at > $3 limit 100";

const APPOINT: &str = "
    insert into authority (bot, epoch, store, run_id, opened, changed_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (bot) do nothing";

const CHANGE: &str = "
    update authority set epoch = $2, store = $3, run_id = $4, opened = $5, changed_at = $6
    where bot = $1 and epoch = $7 and opened = $8";

const SIGN_ON: &str = "
    insert into instances (bot, instance, started_at, seen_at) values ($1, $2, $3, $3)
    on conflict (bot, instance) do update set seen_at = excluded.seen_at";

const FORGET: &str = "delete from instances where bot = $1 and seen_at < $2";

const SIGN_OFF: &str = "delete from instances where bot = $1 and instance = $2";

const REMOVE: &str = "delete from sessions where bot = $1 and chat = $2 and owner = $3";

const STORED: &str = "
    select chat, owner, document, due_at, kept_until, mirrored_epoch, mirrored_version from sessions
    where bot = $1 and (chat > $2 or (chat = $2 and owner > $3))
    order by chat, owner limit $4";

impl SqlStore {
    /// What [`DurableStore::mirror`] does, for a transaction that does more.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn mirroring(
        &self,
        documents: &[Stored],
        epoch: u64,
        now: Timestamp,
    ) -> Result<impl Job<Output = Vec<Mirrored>> + use<>, StoreError> {
        let documents = documents.iter().map(Copied::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Mirror { bot: self.bot.0, documents, epoch: epoch.cast_signed(), now: now.0 })
    }

    /// Takes charge without Redis, for good: the embedded default, or an operator who has taken Redis away.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another instance runs that uses Redis: both would work on conversations of their own.
    pub async fn take_charge(&self, now: Timestamp) -> Result<(), StoreError> {
        let row = self.authority(rand::random(), now).await?;
        let (alone, authority) = (row.is_alone(), row.authority);
        let to = match authority {
            None => Authority::sql(1),
            Some(authority) if authority.store == InCharge::Sql => {
                DurableStore::serve(self, authority.epoch);
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
                Authority::sql(before.epoch + 1)
            }
        };
        let appointed = self.change_authority(authority.as_ref(), &to, now).await?;
        DurableStore::serve(self, appointed.unwrap_or(to).epoch);
        Ok(())
    }
}

#[async_trait]
impl DurableStore for SqlStore {
    async fn authority(&self, instance: i64, now: Timestamp) -> Result<Row, StoreError> {
        let since = now.before(SEEN_LATELY).0;
        let read = ReadRow { bot: self.bot.0, instance, since };
        self.database.with_deadline(READ_WITHIN).read(read).await.map_err(|error| self.failure(error))
    }

    async fn change_authority(
        &self,
        from: Option<&Authority>,
        to: &Authority,
        now: Timestamp,
    ) -> Result<Option<Authority>, StoreError> {
        self.write(Change { bot: self.bot.0, from: from.cloned(), to: to.clone(), now: now.0 }).await
    }

    async fn sign_on(&self, instance: i64, now: Timestamp) -> Result<(), StoreError> {
        let long_gone = now.before(SEEN_LATELY * 60).0;
        let sign_on = SignOn { bot: self.bot.0, instance, now: now.0, long_gone };
        self.database.with_deadline(SAID_WITHIN).write(sign_on).await.map_err(|error| self.failure(error))
    }

    async fn sign_off(&self, instance: i64) -> Result<(), StoreError> {
        self.write(SignOff { bot: self.bot.0, instance }).await
    }

    async fn mirror(
        &self,
        documents: &[Stored],
        epoch: u64,
        now: Timestamp,
    ) -> Result<Vec<Mirrored>, StoreError> {
        self.write(self.mirroring(documents, epoch, now)?).await
    }

    async fn stored_after(&self, after: Option<SessionKey>, limit: usize) -> Result<Page, StoreError> {
        let (chat, owner) = after.map_or((i64::MIN, i64::MIN), |key| (key.chat.0, key.user.0));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.read(ReadStored { bot: self.bot.0, chat, owner, limit }).await?;
        let key = |row: &StoredRow| SessionKey { bot: self.bot, chat: ChatId(row.0), user: UserId(row.1) };
        let last = rows.last().map(key);
        let documents = rows.into_iter().filter_map(|row| stored(key(&row), row)).collect();
        Ok(Page { documents, last })
    }

    async fn forget(&self, key: SessionKey) -> Result<(), StoreError> {
        self.write(Remove(key)).await
    }

    async fn keep_conflicts(&self, branches: &[Branch], now: Timestamp) -> Result<(), StoreError> {
        if branches.is_empty() {
            return Ok(());
        }
        self.write(KeepConflicts { branches: branches.to_vec(), now: now.0 }).await
    }

    fn serve(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }
}

pub(super) type AuthorityRow = (i64, String, Option<String>, i64);

pub(super) fn read_authority((epoch, store, run_id, opened): AuthorityRow) -> Authority {
    let store = match (store.as_str(), run_id) {
        ("redis", run_id) => InCharge::Redis { run_id: run_id.unwrap_or_default() },
        _ => InCharge::Sql,
    };
    Authority { epoch: epoch.cast_unsigned(), store, opened: opened != 0 }
}

struct ReadRow {
    bot: i64,
    instance: i64,
    since: i64,
}

impl Job for ReadRow {
    type Output = Row;

    async fn run(&self, connection: &mut Connection) -> Result<Row, sqlx::Error> {
        let row: Option<AuthorityRow> = fetch_optional!(&mut *connection, AUTHORITY, self.bot)?;
        let others: Vec<(i64, i64)> = fetch_all!(connection, OTHERS, self.bot, self.instance, self.since)?;
        let others = others.into_iter().map(|(instance, seen_at)| (instance, Timestamp(seen_at))).collect();
        Ok(Row { authority: row.map(read_authority), others })
    }
}

struct Change {
    bot: i64,
    from: Option<Authority>,
    to: Authority,
    now: i64,
}

impl Job for Change {
    type Output = Option<Authority>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Authority>, sqlx::Error> {
        let (epoch, store) = (self.to.epoch.cast_signed(), self.to.store.name());
        let opened = i64::from(self.to.opened);
        let run_id = match &self.to.store {
            InCharge::Redis { run_id } => Some(run_id.as_str()),
            InCharge::Sql => None,
        };
        match &self.from {
            None => execute!(&mut *connection, APPOINT, self.bot, epoch, store, run_id, opened, self.now)?,
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
        let row: Option<AuthorityRow> = fetch_optional!(connection, AUTHORITY, self.bot)?;
        Ok(row.map(read_authority))
    }
}

struct SignOn {
    bot: i64,
    instance: i64,
    now: i64,
    long_gone: i64,
}

impl Job for SignOn {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(&mut *connection, FORGET, self.bot, self.long_gone)?;
        execute!(connection, SIGN_ON, self.bot, self.instance, self.now).map(|_| ())
    }
}

struct SignOff {
    bot: i64,
    instance: i64,
}

impl Job for SignOff {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, SIGN_OFF, self.bot, self.instance).map(|_| ())
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
fn stored(key: SessionKey, row: StoredRow) -> Option<Stored> {
    let (_, _, text, due_at, kept_until, epoch, version) = row;
    match document::decode(key, text.as_bytes()) {
        Ok(session) => Some(Stored {
            session: Arc::new(session),
            due_at: due_at.map(Timestamp),
            kept_until: kept_until.map(Timestamp),
            mirrored: (epoch.cast_unsigned(), version.cast_unsigned()),
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

struct KeepConflicts {
    branches: Vec<Branch>,
    now: i64,
}

impl Job for KeepConflicts {
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
