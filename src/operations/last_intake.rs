//! When updates were last fetched and committed by any instance, so that a start knows of the intake gap before it.

use crate::clock::Timestamp;
use crate::database::{Database, DatabaseError, job};
use crate::{execute, fetch_optional};
use deposit::BotId;

/// The row of one bot in the table `intake`; a clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct LastIntake {
    database: Database,
    bot: BotId,
}

impl LastIntake {
    /// The row of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId) -> Self {
        Self { database: database.clone(), bot }
    }

    /// When any instance last completed an iteration of its intake; `None` before the first one.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn seen_at(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let seen_at = job(self.bot.0, |bot, connection| {
            Box::pin(async move {
                let sql = "select seen_at from intake where bot = $1";
                let row: Option<(i64,)> = fetch_optional!(connection, sql, *bot)?;
                Ok(row.map(|(seen_at,)| Timestamp(seen_at)))
            })
        });
        self.database.read(seen_at).await
    }

    /// Notes that an iteration was completed at `at`; an earlier instant than the stored one changes nothing.
    ///
    /// # Crash
    /// Before: the gap seems longer than it was, and open questions may be asked once more than needed.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be left to the next iteration.
    pub async fn record(&self, at: Timestamp) -> Result<(), DatabaseError> {
        let record = job((self.bot.0, at.0), |(bot, at), connection| {
            Box::pin(async move {
                let sql = "
                    insert into intake (bot, seen_at) values ($1, $2)
                    on conflict (bot) do update set seen_at = excluded.seen_at where excluded.seen_at > intake.seen_at";
                execute!(connection, sql, *bot, *at)
            })
        });
        self.database.write(record).await.map(drop)
    }
}
