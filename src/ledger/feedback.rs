//! Feedback: the categories that members chose for their objects, and the names for which it was taken back.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::database::{Connection, Database, DatabaseError, job};
use crate::{execute, fetch_all};
use deposit::{BotId, Choice, UserId};

/// How many choices are read at most, the newest: a site that corrects ten lines a day makes them in five years.
const CHOICES_MAX: i64 = 20_000;
/// How many retracted names are read at most.
const RETRACTED_MAX: i64 = 10_000;

/// The feedback of a site's members on proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteFeedback {
    /// The categories they chose, newest deposit first.
    pub choices: Vec<Choice>,
    /// Names of which only later choices count, and since when.
    pub retracted: Vec<(String, Timestamp)>,
}

/// The feedback in one bot's deposits, and the table of retracted names; clones are cheap, and share the connections and the
/// notification of changes.
#[derive(Clone, Debug)]
pub struct Feedback {
    database: Database,
    bot: BotId,
    clock: Clock,
    changed: Arc<Notify>,
}

impl Feedback {
    /// The feedback for `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone(), changed: Arc::default() }
    }

    /// The feedback within one taxonomy, from deposits that are validated and not undone.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn read(&self, taxonomy: &str) -> Result<SiteFeedback, DatabaseError> {
        let read = job((self.bot.0, taxonomy.to_owned()), |(bot, taxonomy), connection| {
            Box::pin(read(connection, *bot, taxonomy))
        });
        self.database.read(read).await
    }

    /// Retracts the choices made so far for `name`: they teach nothing any more. `by` is `None` where the operator decides.
    ///
    /// # Crash
    /// Before: nothing has changed. After: they are retracted, and a repetition also retracts those made in between.
    ///
    /// # Errors
    /// [`DatabaseError`]; after an unknown outcome: repeat it.
    pub async fn retract(&self, name: &str, by: Option<UserId>) -> Result<(), DatabaseError> {
        let parameters = (self.bot.0, name.to_owned(), self.clock.now().0, by.map(|by| by.0));
        let retract = job(parameters, |(bot, name, now, by), connection| {
            Box::pin(async move {
                let sql = "
                    insert into retracted_names (bot, name, retracted_at, retracted_by) values ($1, $2, $3, $4)
                    on conflict (bot, name) do update
                        set retracted_at = excluded.retracted_at, retracted_by = excluded.retracted_by";
                execute!(connection, sql, *bot, name, *now, *by)
            })
        });
        self.database.write(retract).await?;
        self.notify_changed();
        Ok(())
    }

    /// Waits until this instance has changed the feedback since the last call; changes of other instances wake nothing here.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Wakes the call of [`Feedback::changed`].
    pub(super) fn notify_changed(&self) {
        self.changed.notify_one();
    }
}

async fn read(connection: &mut Connection, bot: i64, taxonomy: &str) -> Result<SiteFeedback, sqlx::Error> {
    let sql = "
        select l.object, l.chosen, d.decided_at from lines l
        join deposits d on d.id = l.deposit_id and d.revision = l.revision
        where l.chosen is not null and d.bot = $1 and d.taxonomy = $2 and d.status = 'completed'
            and not exists (select 1 from deposits later where later.id = d.id and later.revision > d.revision)
        order by l.deposit_id desc limit $3";
    let choices: Vec<(String, String, i64)> = fetch_all!(&mut *connection, sql, bot, taxonomy, CHOICES_MAX)?;
    let sql = "
        select name, retracted_at from retracted_names where bot = $1
        order by retracted_at desc limit $2";
    let retracted: Vec<(String, i64)> = fetch_all!(connection, sql, bot, RETRACTED_MAX)?;
    let choice = |(object, category, at): (String, String, i64)| Choice {
        object,
        category: category.as_str().into(),
        at: Timestamp(at),
    };
    Ok(SiteFeedback {
        choices: choices.into_iter().map(choice).collect(),
        retracted: retracted.into_iter().map(|(name, at)| (name, Timestamp(at))).collect(),
    })
}
