//! Answers of paid servers, and how many calls each day had; used where there is no Redis for them.

use std::time::Duration;

use crate::clock::Clock;
use crate::database::{Database, DatabaseError, job, storable_text};
use crate::{execute, fetch_one, fetch_optional};
use deposit::BotId;

/// For how many days the number of calls is stored.
const DAYS_STORED: i64 = 7;

/// The tables `cache` and `paid_calls` of one bot; a clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct AnswerCache {
    database: Database,
    bot: BotId,
    clock: Clock,
}

impl AnswerCache {
    /// The cache of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone() }
    }

    /// The answer stored under `key`, unless it has expired.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn find(&self, key: &str) -> Result<Option<String>, DatabaseError> {
        let parameters = (self.bot.0, key.to_owned(), self.clock.now().0);
        let find = job(parameters, |(bot, key, now), connection| {
            Box::pin(async move {
                let sql = "select answer from cache where bot = $1 and key = $2 and expires_at > $3";
                let found: Option<(String,)> = fetch_optional!(connection, sql, *bot, key, *now)?;
                Ok(found.map(|(answer,)| answer))
            })
        });
        self.database.read(find).await
    }

    /// Stores an answer for `ttl`; may be repeated.
    ///
    /// # Errors
    /// [`DatabaseError`]; the answer may be stored or not.
    pub async fn store(&self, key: &str, answer: &str, ttl: Duration) -> Result<(), DatabaseError> {
        let answer = storable_text(answer.to_owned());
        let parameters = (self.bot.0, key.to_owned(), answer, self.clock.now().after(ttl).0);
        let store = job(parameters, |(bot, key, answer, expires_at), connection| {
            Box::pin(async move {
                let sql = "
                    insert into cache (bot, key, answer, expires_at) values ($1, $2, $3, $4)
                    on conflict (bot, key) do update
                        set answer = excluded.answer, expires_at = excluded.expires_at";
                execute!(connection, sql, *bot, key, answer, *expires_at)
            })
        });
        self.database.write(store).await.map(drop)
    }

    /// Counts one more call of `kind` on `day` (days since 1970, UTC), over all instances; returns the day's calls.
    ///
    /// # Errors
    /// [`DatabaseError`]; the call may be counted or not.
    pub async fn count_call(&self, kind: &str, day: i64) -> Result<u64, DatabaseError> {
        let count = job((self.bot.0, kind.to_owned(), day), |(bot, kind, day), connection| {
            Box::pin(async move {
                let purge = "delete from paid_calls where bot = $1 and day < $2";
                execute!(&mut *connection, purge, *bot, *day - DAYS_STORED)?;
                let count = "
                    insert into paid_calls (bot, kind, day, calls) values ($1, $2, $3, 1)
                    on conflict (bot, kind, day) do update set calls = paid_calls.calls + 1
                    returning calls";
                let (calls,): (i64,) = fetch_one!(connection, count, *bot, kind, *day)?;
                Ok(u64::try_from(calls).unwrap_or_default())
            })
        });
        self.database.write(count).await
    }
}
