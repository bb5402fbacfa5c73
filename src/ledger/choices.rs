//! What humans chose for the objects of their deposits, and what was taken back of what that taught.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::{Choice, UserId};
use crate::ledger::{Ledger, LedgerError};
use crate::{execute, fetch_all};

/// How many choices are read at most, the newest: a site that corrects ten lines a day makes them in five years.
const CHOICES_MAX: i64 = 20_000;
/// How many names that were taken back are read at most.
const FORGOTTEN_MAX: i64 = 10_000;

/// What a site's people chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// The choices, newest deposit first.
    pub made: Vec<Choice>,
    /// Names of which only later choices count, and since when.
    pub forgotten: Vec<(String, Timestamp)>,
}

impl Ledger {
    /// What was chosen within one taxonomy, for deposits that are validated and not undone.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn choices(&self, taxonomy: &str) -> Result<Choices, LedgerError> {
        self.read(Read { bot: self.bot.0, taxonomy: taxonomy.to_owned() }).await
    }

    /// What was chosen so far for `name` teaches nothing any more; `by` is nobody where the operator decides.
    ///
    /// # Crash
    /// Before: nothing has changed. After: it is forgotten, and a repetition forgets as well what came in between.
    ///
    /// # Errors
    /// [`LedgerError`]; after an unknown outcome: repeat it.
    pub async fn forget(&self, name: &str, by: Option<UserId>) -> Result<(), LedgerError> {
        let forgetting =
            Forget { bot: self.bot.0, name: name.to_owned(), at: self.now().0, by: by.map(|by| by.0) };
        self.write(forgetting).await?;
        self.taught.notify_one();
        Ok(())
    }

    /// Resolves when something was chosen or forgotten here since the last call resolved; other instances do so unheard.
    pub async fn taught(&self) {
        self.taught.notified().await;
    }
}

struct Read {
    bot: i64,
    taxonomy: String,
}

impl Job for Read {
    type Output = Choices;

    async fn run(&self, connection: &mut Connection) -> Result<Choices, sqlx::Error> {
        const MADE: &str = "
            select l.object, l.chosen, d.decided_at from lines l
            join deposits d on d.id = l.deposit_id and d.revision = l.revision
            where l.chosen is not null and d.bot = $1 and d.taxonomy = $2 and d.status = 'completed'
                and not exists (select 1 from deposits later where later.id = d.id and later.revision > d.revision)
            order by l.deposit_id desc limit $3";
        const FORGOTTEN: &str =
            "select name, forgotten_at from forgotten where bot = $1 order by forgotten_at desc limit $2";
        let made: Vec<(String, String, i64)> =
            fetch_all!(&mut *connection, MADE, self.bot, &self.taxonomy, CHOICES_MAX)?;
        let forgotten: Vec<(String, i64)> = fetch_all!(connection, FORGOTTEN, self.bot, FORGOTTEN_MAX)?;
        let choice = |(object, category, at): (String, String, i64)| Choice {
            object,
            category: category.as_str().into(),
            at: Timestamp(at),
        };
        Ok(Choices {
            made: made.into_iter().map(choice).collect(),
            forgotten: forgotten.into_iter().map(|(name, at)| (name, Timestamp(at))).collect(),
        })
    }
}

struct Forget {
    bot: i64,
    name: String,
    at: i64,
    by: Option<i64>,
}

impl Job for Forget {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        const FORGET: &str = "
            insert into forgotten (bot, name, forgotten_at, forgotten_by) values ($1, $2, $3, $4)
            on conflict (bot, name) do update
                set forgotten_at = excluded.forgotten_at, forgotten_by = excluded.forgotten_by";
        execute!(connection, FORGET, self.bot, &self.name, self.at, self.by).map(drop)
    }
}
