//! The statements of a copy to Redis: the sessions page by page, and the conflicts that it finds.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::store::replication::{Branch, CopyPage};
use crate::store::sql::mirror::INSERT_CONFLICT;
use crate::store::{StoredSession, document};
use crate::{execute, fetch_all};
use deposit::{BotId, ChatId, UserId};
use session::SessionKey;

const REMOVE: &str = "delete from sessions where bot = $1 and chat = $2 and owner = $3";

const COPIES: &str = "
    select chat, owner, document, due_at, kept_until, replicated_epoch, replicated_version from sessions
    where bot = $1 and (chat > $2 or (chat = $2 and owner > $3))
    order by chat, owner limit $4";

type CopyRow = (i64, i64, String, Option<i64>, Option<i64>, i64, i64);

pub(super) struct ReadCopies {
    pub(super) bot: BotId,
    pub(super) after: Option<SessionKey>,
    pub(super) limit: i64,
}

impl Job for ReadCopies {
    type Output = CopyPage;

    async fn run(&self, connection: &mut Connection) -> Result<CopyPage, sqlx::Error> {
        let (chat, owner) = self.after.map_or((i64::MIN, i64::MIN), |key| (key.chat.0, key.user.0));
        let rows: Vec<CopyRow> = fetch_all!(connection, COPIES, self.bot.0, chat, owner, self.limit)?;
        let key = |row: &CopyRow| SessionKey { bot: self.bot, chat: ChatId(row.0), user: UserId(row.1) };
        let last = rows.last().map(key);
        let documents = rows.into_iter().filter_map(|row| stored(key(&row), row)).collect();
        Ok(CopyPage { documents, last })
    }
}

/// A row that can be read; one that cannot is left where it is.
fn stored(key: SessionKey, row: CopyRow) -> Option<StoredSession> {
    let (_, _, text, due_at, kept_until, epoch, version) = row;
    match document::decode(key, text.as_bytes()) {
        Ok(session) => Some(StoredSession {
            session: Arc::new(session),
            due_at: due_at.map(Timestamp),
            kept_until: kept_until.map(Timestamp),
            replicated: (epoch.cast_unsigned(), version.cast_unsigned()),
        }),
        Err(error) => {
            tracing::warn!(
                %error,
                "an unreadable session stays in the database and is not copied to Redis: its user begins anew there; keep the \
                 row for a report"
            );
            None
        }
    }
}

pub(super) struct Remove(pub(super) SessionKey);

impl Job for Remove {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let SessionKey { bot, chat, user } = self.0;
        execute!(connection, REMOVE, bot.0, chat.0, user.0).map(|_| ())
    }
}

pub(super) struct RecordConflicts {
    pub(super) branches: Vec<Branch>,
    pub(super) now: i64,
}

impl Job for RecordConflicts {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        for Branch { key, document, stamp } in &self.branches {
            execute!(
                &mut *connection,
                INSERT_CONFLICT,
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
