//! Whose database this is: several bots may share one, and a token that was swapped by mistake must not pass unnoticed.

use crate::database::{Database, DatabaseError, job};
use crate::{fetch_one, fetch_optional};
use deposit::BotId;

/// Another bot with rows in a database that holds none of `bot`; `None` for a new database and for one of `bot`'s own.
///
/// Deposits, members, sessions and the last intake count; an invitation does not, because it can be made before the first
/// start. Costs a few index look-ups however large the database is.
///
/// # Errors
/// [`DatabaseError`]; nothing is changed.
pub async fn other_owner(database: &Database, bot: BotId) -> Result<Option<BotId>, DatabaseError> {
    let other_owner = job(bot.0, |bot, connection| {
        Box::pin(async move {
            let own = "
                select count(*) from (
                    select 1 where exists (select 1 from deposits where bot = $1)
                        or exists (select 1 from members where bot = $1)
                        or exists (select 1 from sessions where bot = $1)
                        or exists (select 1 from intake where bot = $1)) as found";
            let (own,): (i64,) = fetch_one!(&mut *connection, own, *bot)?;
            if own > 0 {
                return Ok(None);
            }
            // No row is this bot's, so the first row of each table belongs to another one.
            let others = "
                select bot from (select bot from deposits union all select bot from members
                    union all select bot from sessions union all select bot from intake) as found
                where bot <> $1 limit 1";
            let found: Option<(i64,)> = fetch_optional!(connection, others, *bot)?;
            Ok(found.map(|(bot,)| BotId(bot)))
        })
    });
    database.read(other_owner).await
}
