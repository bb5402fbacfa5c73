//! Dead letters: updates that could not be handled, stored for an operator, so that acknowledging them loses nothing.

use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::database::{Connection, Database, DatabaseError, job, storable_text};
use crate::digest::sha256_hex;
use crate::{execute, fetch_all, fetch_one, fetch_optional};
use deposit::BotId;

/// An update that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id of the update, or 0 where even that could not be read.
    pub update_id: i64,
    /// SHA-256 of `raw`, as 64 hexadecimal digits: update ids restart.
    pub sha256: String,
    /// Why it could not be handled.
    pub reason: String,
    /// The update as Telegram sent it; holds users' words, so it is for operators only.
    pub raw: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it is to be replayed; `None` until an operator asks for it.
    pub replay_at: Option<Timestamp>,
}

/// How many digits of the hash stand beside the update id in [`DeadLetter::name`].
const NAME_DIGITS: usize = 12;

impl DeadLetter {
    /// The name by which an operator asks for its replay.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.update_id, self.sha256.get(..NAME_DIGITS).unwrap_or_default())
    }
}

/// The update id and the leading digits of the hash in a [`DeadLetter::name`].
fn parse_name(name: &str) -> Option<(i64, String)> {
    let (update_id, digits) = name.rsplit_once('-')?;
    let is_hash = digits.len() == NAME_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hash.then_some((update_id.parse().ok()?, digits.to_owned()))
}

/// The table `dead_letters` of one bot; a clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    database: Database,
    bot: BotId,
    clock: Clock,
}

impl DeadLetters {
    /// The dead letters of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone() }
    }

    /// Stores an update as it came, once; `reason` is for an operator and carries nothing of its content.
    ///
    /// # Crash
    /// Before: Telegram sends it again. After: it is stored, and may be acknowledged.
    ///
    /// # Errors
    /// [`DatabaseError`]; it must not be acknowledged then.
    pub async fn add(&self, update_id: i64, raw: &str, reason: &str) -> Result<(), DatabaseError> {
        let raw = storable_text(raw.to_owned());
        let now = self.clock.now().0;
        let parameters = (self.bot.0, update_id, sha256_hex(&raw), reason.to_owned(), raw, now);
        let add = job(parameters, |(bot, update_id, sha256, reason, raw, now), connection| {
            Box::pin(async move {
                let sql = "
                    insert into dead_letters (bot, update_id, sha256, reason, raw, created_at)
                    values ($1, $2, $3, $4, $5, $6)
                    on conflict (bot, update_id, sha256) do nothing";
                execute!(connection, sql, *bot, *update_id, sha256, reason, raw, *now)
            })
        });
        self.database.write(add).await.map(drop)
    }

    /// The dead letters, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn list(&self, limit: u32) -> Result<Vec<DeadLetter>, DatabaseError> {
        let list = job((self.bot.0, i64::from(limit)), |(bot, limit), connection| {
            Box::pin(async move {
                let sql = "
                    select update_id, sha256, reason, raw, created_at, replay_at from dead_letters where bot = $1
                    order by created_at desc, update_id desc limit $2";
                let rows: Vec<Columns> = fetch_all!(connection, sql, *bot, *limit)?;
                Ok(rows.into_iter().map(DeadLetter::from).collect())
            })
        });
        self.database.read(list).await
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn count(&self) -> Result<u64, DatabaseError> {
        let count = job(self.bot.0, |bot, connection| {
            Box::pin(async move {
                let sql = "select count(*) from dead_letters where bot = $1";
                let (count,): (i64,) = fetch_one!(connection, sql, *bot)?;
                Ok(u64::try_from(count).unwrap_or_default())
            })
        });
        self.database.read(count).await
    }

    /// Asks for the replay of one dead letter by its [`DeadLetter::name`], or of all; returns how many it is.
    ///
    /// The bot that polls the table next replays them. An unknown name changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be repeated.
    pub async fn request_replay(&self, name: Option<&str>) -> Result<u64, DatabaseError> {
        let (bot, now) = (self.bot.0, self.clock.now().0);
        let Some(name) = name else {
            let request_all = job((bot, now), |(bot, now), connection| {
                Box::pin(async move {
                    let sql = "update dead_letters set replay_at = $2 where bot = $1 and replay_at is null";
                    execute!(connection, sql, *bot, *now)
                })
            });
            return self.database.write(request_all).await;
        };
        let Some((update_id, digits)) = parse_name(name) else { return Ok(0) };
        let request = job((bot, now, update_id, digits), |(bot, now, update_id, digits), connection| {
            Box::pin(async move {
                let sql = "
                    update dead_letters set replay_at = $2
                    where bot = $1 and update_id = $3 and substr(sha256, 1, length($4)) = $4";
                execute!(connection, sql, *bot, *now, *update_id, digits.as_str())
            })
        });
        self.database.write(request).await
    }

    /// Leases the oldest of those to be replayed, for as long as `lease`.
    ///
    /// # Crash
    /// After: it is replayed again when the lease ends; what was committed of it is recognised by its id.
    ///
    /// # Errors
    /// [`DatabaseError`]; after `Unknown` it waits for the end of its lease.
    pub async fn lease_replay(&self, lease: Duration) -> Result<Option<DeadLetter>, DatabaseError> {
        let now = self.clock.now();
        let find = job((self.bot.0, now.0), |(bot, now), connection| {
            Box::pin(first_to_replay(connection, *bot, *now))
        });
        // A read first: it costs no commit, and there is rarely anything to replay.
        if self.database.read(find).await?.is_none() {
            return Ok(None);
        }
        let lease = job((self.bot.0, now.0, now.after(lease).0), |(bot, now, until), connection| {
            Box::pin(async move {
                let first = first_to_replay(&mut *connection, *bot, *now).await?;
                let Some(first) = first else { return Ok(None) };
                // Of two instances that found it one takes it.
                let sql = "
                    update dead_letters set replay_at = $5
                    where bot = $1 and update_id = $2 and sha256 = $3 and replay_at = $4";
                let (update_id, sha256, .., replay_at) = &first;
                let taken = execute!(connection, sql, *bot, *update_id, sha256, *replay_at, *until)?;
                Ok((taken == 1).then(|| DeadLetter::from(first)))
            })
        });
        self.database.write(lease).await
    }

    /// Removes a dead letter after it was handled.
    ///
    /// # Crash
    /// Before: it is handled once more, which changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be repeated.
    pub async fn remove(&self, letter: &DeadLetter) -> Result<(), DatabaseError> {
        let remove = job(self.key(letter), |(bot, update_id, sha256), connection| {
            Box::pin(async move {
                let sql = "delete from dead_letters where bot = $1 and update_id = $2 and sha256 = $3";
                execute!(connection, sql, *bot, *update_id, sha256)
            })
        });
        self.database.write(remove).await.map(drop)
    }

    /// Ends the replay of a dead letter that still could not be handled: it waits for an operator again.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be repeated.
    pub async fn end_replay(&self, letter: &DeadLetter) -> Result<(), DatabaseError> {
        let end = job(self.key(letter), |(bot, update_id, sha256), connection| {
            Box::pin(async move {
                let sql = "
                    update dead_letters set replay_at = null
                    where bot = $1 and update_id = $2 and sha256 = $3";
                execute!(connection, sql, *bot, *update_id, sha256)
            })
        });
        self.database.write(end).await.map(drop)
    }

    fn key(&self, letter: &DeadLetter) -> (i64, i64, String) {
        (self.bot.0, letter.update_id, letter.sha256.clone())
    }
}

type Columns = (i64, String, String, String, i64, Option<i64>);

impl From<Columns> for DeadLetter {
    fn from((update_id, sha256, reason, raw, created_at, replay_at): Columns) -> Self {
        let (created_at, replay_at) = (Timestamp(created_at), replay_at.map(Timestamp));
        Self { update_id, sha256, reason, raw, created_at, replay_at }
    }
}

async fn first_to_replay(
    connection: &mut Connection,
    bot: i64,
    now: i64,
) -> Result<Option<Columns>, sqlx::Error> {
    let sql = "
        select update_id, sha256, reason, raw, created_at, replay_at from dead_letters
        where bot = $1 and replay_at <= $2 order by created_at, update_id, sha256 limit 1";
    fetch_optional!(connection, sql, bot, now)
}
