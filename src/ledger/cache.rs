//! What a paid server answered before, and how many calls a day had, where there is no Redis to keep it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::ledger::rows::make_storable;
use crate::ledger::{Ledger, LedgerError};
use crate::{execute, fetch_one, fetch_optional};

/// How many days of calls are remembered.
const DAYS_KEPT: i64 = 7;

impl Ledger {
    /// The answer that is kept under `key`, if its time is not over.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn cached(&self, key: &str) -> Result<Option<String>, LedgerError> {
        self.read(Find { bot: self.bot.0, key: key.to_owned(), now: self.now() }).await
    }

    /// Keeps an answer for `kept_for`; may be repeated.
    ///
    /// # Errors
    /// [`LedgerError`]; the answer may be kept or not.
    pub async fn keep(&self, key: &str, answer: &str, kept_for: Duration) -> Result<(), LedgerError> {
        let mut answer = answer.to_owned();
        make_storable(&mut answer);
        let until = self.now().after(kept_for);
        self.write(Keep { bot: self.bot.0, key: key.to_owned(), answer, until }).await
    }

    /// Counts one more call of `kind` on `day` (days since 1970, UTC), over all instances.
    ///
    /// # Errors
    /// [`LedgerError`]; it may be counted or not.
    pub async fn count(&self, kind: &str, day: i64) -> Result<u64, LedgerError> {
        let calls = self.write(Count { bot: self.bot.0, kind: kind.to_owned(), day }).await?;
        Ok(u64::try_from(calls).unwrap_or_default())
    }
}

struct Find {
    bot: i64,
    key: String,
    now: Timestamp,
}

impl Job for Find {
    type Output = Option<String>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<String>, sqlx::Error> {
        let sql = "select answer from cache where bot = $1 and asked = $2 and kept_until > $3";
        let found: Option<(String,)> = fetch_optional!(connection, sql, self.bot, &self.key, self.now.0)?;
        Ok(found.map(|(answer,)| answer))
    }
}

struct Keep {
    bot: i64,
    key: String,
    answer: String,
    until: Timestamp,
}

impl Job for Keep {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let keep = "
            insert into cache (bot, asked, answer, kept_until) values ($1, $2, $3, $4)
            on conflict (bot, asked) do update set answer = excluded.answer, kept_until = excluded.kept_until";
        execute!(connection, keep, self.bot, &self.key, &self.answer, self.until.0).map(|_| ())
    }
}

struct Count {
    bot: i64,
    kind: String,
    day: i64,
}

impl Job for Count {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let over = "delete from paid_calls where bot = $1 and day < $2";
        execute!(&mut *connection, over, self.bot, self.day - DAYS_KEPT)?;
        let count = "
            insert into paid_calls (bot, kind, day, calls) values ($1, $2, $3, 1)
            on conflict (bot, kind, day) do update set calls = paid_calls.calls + 1
            returning calls";
        let (calls,): (i64,) = fetch_one!(connection, count, self.bot, &self.kind, self.day)?;
        Ok(calls)
    }
}
