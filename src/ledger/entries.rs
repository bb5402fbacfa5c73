//! Reading deposits: by their name on a button, by their owner, and page by page.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::{ChatId, DepositRef, Draft, Recorded, Status, UserId};
use crate::ledger::rows::{EntryRow, Rows, entry, read_rows};
use crate::ledger::{Ledger, LedgerError};
use crate::{fetch_all, fetch_one, fetch_optional};

/// Whose deposit it is, and where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The private chat.
    pub chat: ChatId,
    /// The person.
    pub user: UserId,
}

/// One revision of a deposit as the ledger holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it consists of; `draft.revision` is this revision.
    pub draft: Draft,
    /// Whose it is.
    pub owner: Owner,
    /// The short human number; only validated deposits have one.
    pub number: Option<u64>,
    /// Where it stands.
    pub status: Status,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Who decided; `None` for the clock.
    pub decided_by: Option<UserId>,
    /// When it was written.
    pub recorded_at: Timestamp,
    /// The taxonomy that its categories belong to.
    pub taxonomy: String,
}

impl Entry {
    /// What a card shows of it.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        Recorded {
            id: self.draft.id,
            reference: self.draft.reference,
            revision: self.draft.revision,
            number: self.number,
            status: self.status,
            lines: self.draft.lines.clone(),
            total_weight: self.draft.total_weight,
            decided_at: self.decided_at,
        }
    }
}

/// Counts of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How many deposits stand where, by their latest revision; statuses without any are left out.
    pub deposits: Vec<(Status, u64)>,
    /// Messages to other people's chats that are still to be sent or edited.
    pub deliveries_pending: u64,
    /// Requests for access that nobody has decided.
    pub requests_open: u64,
    /// Updates that are kept because they could not be understood.
    pub updates_parked: u64,
}

impl Ledger {
    /// The latest revision of the deposit that a button names.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn by_reference(&self, reference: DepositRef) -> Result<Option<Entry>, LedgerError> {
        let rows = self.read(ByReference { bot: self.bot.0, reference: reference.to_string() }).await?;
        rows.map(Rows::into_entry).transpose()
    }

    /// The draft that ▶️ takes up again: its owner's, and only while it is expired. Its revision is the next to record.
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
    pub async fn latest_of(&self, owner: UserId, limit: u32) -> Result<Vec<Entry>, LedgerError> {
        let rows = self.read(LatestOf { bot: self.bot.0, owner: owner.0, limit: i64::from(limit) }).await?;
        rows.into_iter().map(Rows::into_entry).collect()
    }

    /// Counts all deposits: it reads an index of the whole ledger, so not for every update or scrape.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn statistics(&self) -> Result<Statistics, LedgerError> {
        let (counts, pending, open, parked) = self.read(Count { bot: self.bot.0 }).await?;
        let deposits = counts
            .into_iter()
            .filter_map(|(status, count)| Some((Status::parse(&status)?, unsigned(count))))
            .collect();
        Ok(Statistics {
            deposits,
            deliveries_pending: unsigned(pending),
            requests_open: unsigned(open),
            updates_parked: unsigned(parked),
        })
    }
}

/// The latest revision of a deposit by its name on buttons.
pub(super) async fn read_by_reference(
    connection: &mut Connection,
    bot: i64,
    reference: &str,
) -> Result<Option<Rows>, sqlx::Error> {
    let sql = entry!("where bot = $1 and reference = $2 order by revision desc limit 1");
    match fetch_optional!(&mut *connection, sql, bot, reference)? {
        Some(entry) => read_rows(connection, entry).await.map(Some),
        None => Ok(None),
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

struct ByReference {
    bot: i64,
    reference: String,
}

impl Job for ByReference {
    type Output = Option<Rows>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Rows>, sqlx::Error> {
        read_by_reference(connection, self.bot, &self.reference).await
    }
}

struct LatestOf {
    bot: i64,
    owner: i64,
    limit: i64,
}

impl Job for LatestOf {
    type Output = Vec<Rows>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<Rows>, sqlx::Error> {
        let sql = entry!(
            "where bot = $1 and owner = $2
                and not exists (select 1 from deposits later where later.id = d.id and later.revision > d.revision)
             order by id desc limit $3"
        );
        let entries: Vec<EntryRow> = fetch_all!(&mut *connection, sql, self.bot, self.owner, self.limit)?;
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            rows.push(read_rows(connection, entry).await?);
        }
        Ok(rows)
    }
}

struct Count {
    bot: i64,
}

impl Job for Count {
    type Output = (Vec<(String, i64)>, i64, i64, i64);

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        // A revision counts where it stands and no longer where it was: no revision has to be compared with another.
        let by_status = "
            select status, cast(sum(many) as bigint) from (
                select status, count(*) as many from deposits where bot = $1 group by status
                union all
                select was, -count(*) from deposits where bot = $1 and was is not null group by was) counts
            group by status having sum(many) > 0 order by status";
        let counts = fetch_all!(&mut *connection, by_status, self.bot)?;
        let sql = "select count(*) from deliveries where bot = $1 and status = 'pending'";
        let (deliveries,): (i64,) = fetch_one!(&mut *connection, sql, self.bot)?;
        let sql = "select count(*) from access_requests where bot = $1 and decided_at is null";
        let (requests,): (i64,) = fetch_one!(&mut *connection, sql, self.bot)?;
        let sql = "select count(*) from parked_updates where bot = $1";
        let (parked,): (i64,) = fetch_one!(&mut *connection, sql, self.bot)?;
        Ok((counts, deliveries, requests, parked))
    }
}
