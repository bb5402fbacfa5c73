//! The statements of the mirror: many documents in a few statements, each written where SQL has nothing higher.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::database::{Connection, Job, one_by_one};
use crate::store::replication::{MirrorOutcome, SqlCopy};
use crate::store::sql::leadership::{LEADERSHIP, LeadershipRow, read_leadership};
use crate::store::{StoreError, StoredSession, document};
use crate::{execute, fetch_optional, on};
use session::SessionKey;

const INTO: &str = "
    insert into sessions
        (bot, chat, owner, epoch, version, commit_id, schema, document, due_at, kept_until, updated_at,
         replicated_epoch, replicated_version)";

const OVER: &str = "
    on conflict (bot, chat, owner) do update
    set epoch = excluded.epoch, version = excluded.version, commit_id = excluded.commit_id,
        schema = excluded.schema, document = excluded.document, due_at = excluded.due_at,
        kept_until = excluded.kept_until, updated_at = excluded.updated_at,
        replicated_epoch = excluded.replicated_epoch, replicated_version = excluded.replicated_version";

/// A row after its retention gives way to any document: Redis has dropped its own, and the session began anew with low
/// versions. The clocks of the two may differ by a minute.
const UPWARDS: &str = "
    where sessions.epoch < excluded.epoch
        or (sessions.epoch = excluded.epoch and sessions.version < excluded.version)
        or sessions.kept_until <= excluded.updated_at + 60000";

/// The number of values of one row.
const VALUES: usize = 11;

/// The statement that writes `rows` documents and returns the sessions that it wrote. It writes none whose epoch is
/// over while Redis is the primary: they would have missed the copy. On PostgreSQL it holds the leadership row, so that
/// a change of it waits for the transaction.
fn statement(rows: usize, lock: &str) -> String {
    let row = |row: usize| {
        let value = |number: usize| format!("${}", row * VALUES + number);
        let values: Vec<String> = (1..=VALUES).chain([4, 5]).map(value).collect();
        format!("({})", values.join(", "))
    };
    let epoch = rows * VALUES + 1;
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "{INTO} select * from (values {}) as given
        where exists
            (select 1 from leadership where bot = $1 and (epoch <= ${epoch} or primary_store = 'sql'){lock})
        {OVER}{UPWARDS}
        returning chat, owner",
        rows.join(", "),
    )
}

const COPY: &str = "
    select epoch, version, commit_id, replicated_epoch, replicated_version from sessions
    where bot = $1 and chat = $2 and owner = $3 and (kept_until is null or kept_until > $4 + 60000)";

pub(super) const INSERT_CONFLICT: &str = "
    insert into conflicts (bot, chat, owner, epoch, version, commit_id, document, reason, found_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";

/// A document as it is bound to the statement.
pub(super) struct MirroredDocument {
    key: SessionKey,
    epoch: i64,
    version: i64,
    commit: i64,
    schema: i64,
    document: String,
    due_at: Option<i64>,
    kept_until: Option<i64>,
}

impl MirroredDocument {
    pub(super) fn new(stored: &StoredSession) -> Result<Self, StoreError> {
        let session = &stored.session;
        Ok(Self {
            key: session.key,
            epoch: session.epoch.cast_signed(),
            version: session.version.cast_signed(),
            commit: session.commit.cast_signed(),
            schema: i64::from(session.schema),
            document: document::encode(session)?,
            due_at: stored.due_at.map(|at| at.0),
            kept_until: stored.kept_until.map(|until| until.0),
        })
    }
}

/// Epoch, version and commit id of a row, and what the mirror last wrote to it.
type CopyRow = (i64, i64, i64, i64, i64);

/// Writes what Redis has committed, each where SQL has nothing higher.
pub(super) struct Mirror {
    pub(super) bot: i64,
    pub(super) documents: Vec<MirroredDocument>,
    pub(super) epoch: i64,
    pub(super) now: i64,
}

impl Mirror {
    /// Whether all are of one epoch, and no session comes twice: one statement cannot write both.
    fn may_go_together(jobs: &[&Self]) -> bool {
        let mut keys = BTreeSet::new();
        let is_alike = jobs.windows(2).all(|pair| match pair {
            [one, other] => (one.bot, one.epoch) == (other.bot, other.epoch),
            _ => true,
        });
        is_alike && jobs.iter().flat_map(|job| &job.documents).all(|document| keys.insert(document.key))
    }
}

impl Job for Mirror {
    type Output = Vec<MirrorOutcome>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<MirrorOutcome>, sqlx::Error> {
        let documents: Vec<&MirroredDocument> = self.documents.iter().collect();
        self.mirror(connection, &documents).await
    }

    async fn run_all(
        jobs: &[&Self],
        connection: &mut Connection,
    ) -> Result<Vec<Vec<MirrorOutcome>>, sqlx::Error> {
        let (Some(first), true) = (jobs.first(), Self::may_go_together(jobs)) else {
            return one_by_one(jobs, connection).await;
        };
        let documents: Vec<&MirroredDocument> = jobs.iter().flat_map(|job| &job.documents).collect();
        let mut outcomes = first.mirror(connection, &documents).await?.into_iter();
        Ok(jobs.iter().map(|job| outcomes.by_ref().take(job.documents.len()).collect()).collect())
    }
}

/// A statement for each engine.
struct Statements {
    sqlite: String,
    postgres: String,
}

/// The next documents that one statement writes, and that statement. There are statements for three numbers of rows
/// only, so that few are prepared.
fn part_of<'d>(
    documents: &'d [&'d MirroredDocument],
) -> Option<(&'d [&'d MirroredDocument], &'static Statements)> {
    static STATEMENTS: LazyLock<[(usize, Statements); 3]> = LazyLock::new(|| {
        [16, 4, 1].map(|rows| {
            (rows, Statements { sqlite: statement(rows, ""), postgres: statement(rows, " for share") })
        })
    });
    STATEMENTS.iter().find_map(|(rows, statements)| Some((documents.get(..*rows)?, statements)))
}

impl Mirror {
    /// Writes documents of this epoch; returns the outcome of each.
    async fn mirror(
        &self,
        connection: &mut Connection,
        documents: &[&MirroredDocument],
    ) -> Result<Vec<MirrorOutcome>, sqlx::Error> {
        let mut outcomes = Vec::with_capacity(documents.len());
        let mut rest = documents;
        while let Some((part, statements)) = part_of(rest) {
            rest = rest.get(part.len()..).unwrap_or_default();
            let written = self.write(connection, part, statements).await?;
            if written.len() == part.len() {
                outcomes.extend(part.iter().map(|_| MirrorOutcome::Written));
                continue;
            }
            let is_late = self.is_late(connection).await?;
            for document in part {
                outcomes.push(if written.contains(&(document.key.chat.0, document.key.user.0)) {
                    MirrorOutcome::Written
                } else {
                    self.compare(connection, document, is_late).await?
                });
            }
        }
        Ok(outcomes)
    }

    /// Writes some documents; returns the chat and user of those that were written.
    async fn write(
        &self,
        connection: &mut Connection,
        part: &[&MirroredDocument],
        statements: &'static Statements,
    ) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        let statement = match connection {
            Connection::Sqlite(_) => &statements.sqlite,
            Connection::Postgres(_) => &statements.postgres,
        };
        on!(connection, c => {
            let mut query = sqlx::query_as(statement.as_str());
            for document in part {
                let SessionKey { bot, chat, user } = document.key;
                query = query
                    .bind(bot.0)
                    .bind(chat.0)
                    .bind(user.0)
                    .bind(document.epoch)
                    .bind(document.version)
                    .bind(document.commit)
                    .bind(document.schema)
                    .bind(document.document.as_str())
                    .bind(document.due_at)
                    .bind(document.kept_until)
                    .bind(self.now);
            }
            query.bind(self.epoch).fetch_all(c).await
        })
    }

    /// Whether the epoch of the documents is over.
    async fn is_late(&self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        let leadership: Option<LeadershipRow> = fetch_optional!(connection, LEADERSHIP, self.bot)?;
        Ok(leadership.map(read_leadership).is_some_and(|row| row.is_past(self.epoch.cast_unsigned())))
    }

    /// The outcome of a document that the statement has not written.
    async fn compare(
        &self,
        connection: &mut Connection,
        document: &MirroredDocument,
        is_late: bool,
    ) -> Result<MirrorOutcome, sqlx::Error> {
        let SessionKey { bot, chat, user } = document.key;
        let there: Option<CopyRow> =
            fetch_optional!(&mut *connection, COPY, bot.0, chat.0, user.0, self.now)?;
        let there = there.map(|(epoch, version, commit, replicated_epoch, replicated_version)| SqlCopy {
            stamp: (epoch.cast_unsigned(), version.cast_unsigned()),
            commit: commit.cast_unsigned(),
            replicated: (replicated_epoch.cast_unsigned(), replicated_version.cast_unsigned()),
        });
        let stamp = (document.epoch.cast_unsigned(), document.version.cast_unsigned());
        // The statement has written every document that it may: one above the row was refused because its epoch is
        // over.
        let outcome = MirrorOutcome::of(stamp, document.commit.cast_unsigned(), there, is_late);
        if outcome == Some(MirrorOutcome::Written) {
            return Ok(MirrorOutcome::Written);
        }
        let reason = "replicated too late";
        execute!(
            connection,
            INSERT_CONFLICT,
            bot.0,
            chat.0,
            user.0,
            document.epoch,
            document.version,
            document.commit,
            document.document.as_str(),
            reason,
            self.now,
        )?;
        Ok(MirrorOutcome::Lost)
    }
}
