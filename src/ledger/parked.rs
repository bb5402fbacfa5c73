//! Updates that could not be understood: kept for an operator, so that acknowledging them loses nothing.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::ledger::rows::make_storable;
use crate::ledger::{Ledger, LedgerError, sha256_hex};
use crate::{execute, fetch_all};

/// An update that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its id, or 0 where even that could not be read.
    pub update_id: i64,
    /// Why it was put aside.
    pub reason: String,
    /// What Telegram sent; holds what people said, so it is for operators only.
    pub raw: String,
    /// When.
    pub parked_at: Timestamp,
}

impl Ledger {
    /// Keeps an update as it came, once; `reason` is for an operator and carries nothing of its content.
    ///
    /// # Crash
    /// Before: Telegram sends it again. After: it is kept, and may be acknowledged.
    ///
    /// # Errors
    /// [`LedgerError`]; it must not be acknowledged then.
    pub async fn park(&self, update_id: i64, raw: &str, reason: &str) -> Result<(), LedgerError> {
        let (mut raw, reason) = (raw.to_owned(), reason.to_owned());
        make_storable(&mut raw);
        self.write(Park {
            bot: self.bot.0,
            update_id,
            sha256: sha256_hex(&raw),
            raw,
            reason,
            now: self.now().0,
        })
        .await
    }

    /// What was put aside last, newest first, at most `limit`; how many there are is in
    /// [`Ledger::statistics`].
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn parked(&self, limit: u32) -> Result<Vec<Parked>, LedgerError> {
        let rows = self.read(List { bot: self.bot.0, limit: i64::from(limit) }).await?;
        Ok(rows
            .into_iter()
            .map(|(update_id, reason, raw, at)| Parked { update_id, reason, raw, parked_at: Timestamp(at) })
            .collect())
    }
}

struct Park {
    bot: i64,
    update_id: i64,
    sha256: String,
    raw: String,
    reason: String,
    now: i64,
}

impl Job for Park {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            insert into parked_updates (bot, update_id, sha256, reason, raw, parked_at) values ($1, $2, $3, $4, $5, $6)
            on conflict (bot, update_id, sha256) do nothing";
        let Self { bot, update_id, sha256, raw, reason, now } = self;
        execute!(connection, sql, *bot, *update_id, sha256, reason, raw, *now).map(|_| ())
    }
}

struct List {
    bot: i64,
    limit: i64,
}

impl Job for List {
    type Output = Vec<(i64, String, String, i64)>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        let sql = "
            select update_id, reason, raw, parked_at from parked_updates where bot = $1
            order by parked_at desc, update_id desc limit $2";
        fetch_all!(connection, sql, self.bot, self.limit)
    }
}
