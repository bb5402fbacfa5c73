//! Reading deposits: by the name on their buttons, by their owner, and by status.

use crate::database::{Connection, job};
use crate::ledger::entry::LedgerEntry;
use crate::ledger::rows::{DepositRow, RevisionRows, entry, read_lines};
use crate::ledger::{Ledger, LedgerError};
use crate::{fetch_all, fetch_optional};
use deposit::{DepositRef, Draft, Status, UserId};

impl Ledger {
    /// The latest revision of the deposit that a button names.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn by_reference(&self, reference: DepositRef) -> Result<Option<LedgerEntry>, LedgerError> {
        let read = job((self.bot.0, reference.to_string()), |(bot, reference), connection| {
            Box::pin(read_by_reference(connection, *bot, reference))
        });
        self.database.read(read).await?.map(RevisionRows::into_entry).transpose()
    }

    /// The draft that ▶️ resumes: its owner's, and only while it is expired. Its revision is the next to record.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn resumable(
        &self,
        reference: DepositRef,
        owner: UserId,
    ) -> Result<Option<Draft>, LedgerError> {
        let entry = self.by_reference(reference).await?;
        Ok(entry
            .filter(|entry| entry.status == Status::Expired && entry.owner.user == owner)
            .map(|entry| Draft { revision: entry.draft.revision.saturating_add(1), ..entry.draft }))
    }

    /// The deposits that `owner` opened last, newest first, each by its latest revision; at most `limit`, which is small.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn latest_of(&self, owner: UserId, limit: u32) -> Result<Vec<LedgerEntry>, LedgerError> {
        let read = job((self.bot.0, owner.0, i64::from(limit)), |(bot, owner, limit), connection| {
            Box::pin(read_latest_of(connection, *bot, *owner, *limit))
        });
        self.database.read(read).await?.into_iter().map(RevisionRows::into_entry).collect()
    }

    /// How many deposits have which status, by their latest revision; statuses without any are left out.
    ///
    /// It reads an index of the whole ledger, so it is not for every update or scrape.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn count_by_status(&self) -> Result<Vec<(Status, u64)>, LedgerError> {
        let count = job(self.bot.0, |bot, connection| {
            Box::pin(async move { fetch_all!(connection, COUNT_BY_STATUS, *bot) })
        });
        let counts: Vec<(String, i64)> = self.database.read(count).await?;
        Ok(counts
            .into_iter()
            .filter_map(|(status, count)| Some((Status::parse(&status)?, u64::try_from(count).ok()?)))
            .collect())
    }
}

/// A revision counts under its status and no longer under the one before: no revision has to be compared with another.
const COUNT_BY_STATUS: &str = "
    select status, cast(sum(many) as bigint) from (
        select status, count(*) as many from deposits where bot = $1 group by status
        union all
        select was, -count(*) from deposits where bot = $1 and was is not null group by was) counts
    group by status having sum(many) > 0 order by status";

/// The latest revision of a deposit by its name on buttons.
pub(super) async fn read_by_reference(
    connection: &mut Connection,
    bot: i64,
    reference: &str,
) -> Result<Option<RevisionRows>, sqlx::Error> {
    let sql = entry!("where bot = $1 and reference = $2 order by revision desc limit 1");
    match fetch_optional!(&mut *connection, sql, bot, reference)? {
        Some(deposit) => read_lines(connection, deposit).await.map(Some),
        None => Ok(None),
    }
}

async fn read_latest_of(
    connection: &mut Connection,
    bot: i64,
    owner: i64,
    limit: i64,
) -> Result<Vec<RevisionRows>, sqlx::Error> {
    let sql = entry!(
        "where bot = $1 and owner = $2
            and not exists (select 1 from deposits later where later.id = d.id and later.revision > d.revision)
         order by id desc limit $3"
    );
    let deposits: Vec<DepositRow> = fetch_all!(&mut *connection, sql, bot, owner, limit)?;
    let mut revisions = Vec::with_capacity(deposits.len());
    for deposit in deposits {
        revisions.push(read_lines(connection, deposit).await?);
    }
    Ok(revisions)
}
