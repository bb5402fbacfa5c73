//! Updates that could not be understood: kept for an operator, so that acknowledging them loses nothing.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::ledger::rows::make_storable;
use crate::ledger::{Ledger, LedgerError, sha256_hex};
use crate::{execute, fetch_all, fetch_optional};

/// An update that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its id, or 0 where even that could not be read.
    pub update_id: i64,
    /// SHA-256 of `raw`, as 64 hexadecimal digits: update ids restart.
    pub sha256: String,
    /// Why it was put aside.
    pub reason: String,
    /// What Telegram sent; holds what people said, so it is for operators only.
    pub raw: String,
    /// When.
    pub parked_at: Timestamp,
    /// When it is to be handled again; `None` as long as no operator has asked for it.
    pub replay_at: Option<Timestamp>,
}

/// How many digits of its hash name an update beside its number.
const DIGITS: usize = 12;

impl Parked {
    /// What an operator calls it by.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.update_id, self.sha256.get(..DIGITS).unwrap_or_default())
    }
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
        Ok(rows.into_iter().map(parked).collect())
    }

    /// Asks that a parked update be handled again, or all of them, by whichever bot looks next; returns how many it is.
    ///
    /// `name` is a [`Parked::name`]; one that names nothing changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`]; may be repeated.
    pub async fn ask_replay(&self, name: Option<&str>) -> Result<u64, LedgerError> {
        let named = name.map(|name| {
            let (update_id, digits) = name.rsplit_once('-').unwrap_or_default();
            let is_hash = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            update_id.parse().ok().filter(|_| is_hash).map(|update_id| (update_id, digits.to_owned()))
        });
        match named {
            Some(None) => Ok(0),
            named => {
                self.write(AskReplay { bot: self.bot.0, named: named.flatten(), now: self.now().0 }).await
            }
        }
    }

    /// Takes the update that was parked first among those that are to be handled again, for as long as `lease`.
    ///
    /// # Crash
    /// After: it is to be handled again when the lease ends; what was committed of it is recognised by its id.
    ///
    /// # Errors
    /// [`LedgerError`]; after `Unknown` it waits for the end of its lease.
    pub async fn claim_replay(&self, lease: Duration) -> Result<Option<Parked>, LedgerError> {
        let now = self.now();
        if self.read(FirstReplay { bot: self.bot.0, now: now.0 }).await?.is_none() {
            return Ok(None);
        }
        let claimed =
            self.write(ClaimReplay { bot: self.bot.0, now: now.0, until: now.after(lease).0 }).await?;
        Ok(claimed.map(parked))
    }

    /// It was handled: nothing is left to keep.
    ///
    /// # Crash
    /// Before: it is handled once more, which changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`]; may be repeated.
    pub async fn unpark(&self, parked: &Parked) -> Result<(), LedgerError> {
        self.write(EndReplay::of(self, parked, DELETE)).await
    }

    /// Nothing could be made of it this time either: it waits for an operator again.
    ///
    /// # Errors
    /// [`LedgerError`]; may be repeated.
    pub async fn leave_parked(&self, parked: &Parked) -> Result<(), LedgerError> {
        self.write(EndReplay::of(self, parked, LEAVE)).await
    }
}

type Columns = (i64, String, String, String, i64, Option<i64>);

fn parked((update_id, sha256, reason, raw, parked_at, replay_at): Columns) -> Parked {
    let (parked_at, replay_at) = (Timestamp(parked_at), replay_at.map(Timestamp));
    Parked { update_id, sha256, reason, raw, parked_at, replay_at }
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
    type Output = Vec<Columns>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        let sql = "
            select update_id, sha256, reason, raw, parked_at, replay_at from parked_updates where bot = $1
            order by parked_at desc, update_id desc limit $2";
        fetch_all!(connection, sql, self.bot, self.limit)
    }
}

struct AskReplay {
    bot: i64,
    named: Option<(i64, String)>,
    now: i64,
}

impl Job for AskReplay {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        const ALL: &str = "update parked_updates set replay_at = $2 where bot = $1 and replay_at is null";
        const ONE: &str = "
            update parked_updates set replay_at = $2
            where bot = $1 and update_id = $3 and substr(sha256, 1, length($4)) = $4";
        match &self.named {
            None => execute!(connection, ALL, self.bot, self.now),
            Some((update_id, digits)) => {
                execute!(connection, ONE, self.bot, self.now, *update_id, digits.as_str())
            }
        }
    }
}

struct FirstReplay {
    bot: i64,
    now: i64,
}

const FIRST: &str = "
    select update_id, sha256, reason, raw, parked_at, replay_at from parked_updates
    where bot = $1 and replay_at <= $2 order by parked_at, update_id, sha256 limit 1";

impl Job for FirstReplay {
    type Output = Option<Columns>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        fetch_optional!(connection, FIRST, self.bot, self.now)
    }
}

struct ClaimReplay {
    bot: i64,
    now: i64,
    until: i64,
}

impl Job for ClaimReplay {
    type Output = Option<Columns>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        let first: Option<Columns> = fetch_optional!(&mut *connection, FIRST, self.bot, self.now)?;
        let Some(first) = first else { return Ok(None) };
        // Of two instances that found it one takes it.
        let sql = "
            update parked_updates set replay_at = $5
            where bot = $1 and update_id = $2 and sha256 = $3 and replay_at = $4";
        let (update_id, sha256, .., replay_at) = &first;
        let taken = execute!(connection, sql, self.bot, *update_id, sha256, *replay_at, self.until)?;
        Ok(Some(first).filter(|_| taken == 1))
    }
}

struct EndReplay {
    bot: i64,
    update_id: i64,
    sha256: String,
    sql: &'static str,
}

const DELETE: &str = "delete from parked_updates where bot = $1 and update_id = $2 and sha256 = $3";
const LEAVE: &str =
    "update parked_updates set replay_at = null where bot = $1 and update_id = $2 and sha256 = $3";

impl EndReplay {
    fn of(ledger: &Ledger, parked: &Parked, sql: &'static str) -> Self {
        Self { bot: ledger.bot.0, update_id: parked.update_id, sha256: parked.sha256.clone(), sql }
    }
}

impl Job for EndReplay {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, self.sql, self.bot, self.update_id, &self.sha256).map(|_| ())
    }
}
