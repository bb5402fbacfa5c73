//! Whose database this is: several bots may share one, and a token that was swapped by mistake must not pass unnoticed.

use crate::database::{Connection, Job};
use crate::deposit::BotId;
use crate::ledger::{Ledger, LedgerError};
use crate::{fetch_one, fetch_optional};

impl Ledger {
    /// Another bot whose rows are here, where none of this bot are: `None` for a new database and for one of ours.
    ///
    /// Deposits, people, conversations and the note of the last intake tell; an invitation does not, because it can be
    /// made before the first start. Costs a few index look-ups however large the ledger is.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn owned_by_another(&self) -> Result<Option<BotId>, LedgerError> {
        Ok(self.read(Another { bot: self.bot.0 }).await?.map(BotId))
    }
}

struct Another {
    bot: i64,
}

impl Job for Another {
    type Output = Option<i64>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<i64>, sqlx::Error> {
        let ours = "
            select count(*) from (
                select 1 where exists (select 1 from deposits where bot = $1)
                    or exists (select 1 from members where bot = $1)
                    or exists (select 1 from sessions where bot = $1)
                    or exists (select 1 from intake where bot = $1)) as found";
        let (ours,): (i64,) = fetch_one!(&mut *connection, ours, self.bot)?;
        if ours > 0 {
            return Ok(None);
        }
        // Nothing is ours, so the first row of each table is somebody else's.
        let theirs = "
            select bot from (select bot from deposits union all select bot from members
                union all select bot from sessions union all select bot from intake) as found
            where bot <> $1 limit 1";
        let found: Option<(i64,)> = fetch_optional!(connection, theirs, self.bot)?;
        Ok(found.map(|(bot,)| bot))
    }
}
