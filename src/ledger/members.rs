//! The members and their roles: one row per user, read anew for every decision.

use crate::clock::{Clock, Timestamp};
use crate::database::{Connection, Database, DatabaseError, Job, job};
use crate::ledger::display_name::clean_name;
use crate::ledger::request_cards::{close_open_request, retry_missed_cards, show_open_requests};
use crate::ledger::role::Role;
use crate::ledger::transaction_lock::TransactionLock;
use crate::operations::Deliveries;
use crate::{execute, fetch_all, fetch_optional};
use deposit::{BotId, UserId};
use session::Language;

/// The members, access requests and invitations of one bot; a clone is cheap and shares the connections.
///
/// A decision tells other chats by deliveries, which are written in its transaction.
#[derive(Clone, Debug)]
pub struct Members {
    pub(super) database: Database,
    pub(super) bot: BotId,
    pub(super) clock: Clock,
    deliveries: Deliveries,
}

impl Members {
    /// The members of `bot` in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock, deliveries: &Deliveries) -> Self {
        Self { database: database.clone(), bot, clock: clock.clone(), deliveries: deliveries.clone() }
    }

    /// The role of a user at this moment, straight from SQL; a role this release does not know counts as none.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn role(&self, user: UserId) -> Result<Role, DatabaseError> {
        let read =
            job((self.bot.0, user.0), |(bot, user), connection| Box::pin(read_role(connection, *bot, *user)));
        self.database.read(read).await
    }

    /// Whether there is an admin, who can decide about access.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn has_admin(&self) -> Result<bool, DatabaseError> {
        Ok(!self.admins().await?.is_empty())
    }

    /// All admins.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn admins(&self) -> Result<Vec<UserId>, DatabaseError> {
        let read = job(self.bot.0, |bot, connection| {
            Box::pin(async move {
                let sql = "select user_id from members where bot = $1 and role = 'admin' order by user_id";
                let rows: Vec<(i64,)> = fetch_all!(connection, sql, *bot)?;
                Ok(rows.into_iter().map(|(user,)| UserId(user)).collect())
            })
        });
        self.database.read(read).await
    }

    /// Stores a member's name and language, for the cards they get and sign, and sends an admin the cards of requests that
    /// could not reach them; about strangers nothing is stored. For `/start`, which opens or reopens the chat to the bot, not
    /// for every update.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be left to the next time.
    pub async fn introduce(&self, user: UserId, name: &str, language: Language) -> Result<(), DatabaseError> {
        let parameters = (self.bot.0, user.0, clean_name(name), language, self.clock.now().0);
        let introduce = job(parameters, |(bot, user, name, language, now), connection| {
            Box::pin(async move {
                let sql = "
                    update members set name = $3, language = $4
                    where bot = $1 and user_id = $2 and (name <> $3 or language <> $4)";
                execute!(&mut *connection, sql, *bot, *user, name, language.code())?;
                retry_missed_cards(connection, *bot, *user, *language, *now).await
            })
        });
        self.write_with_deliveries(introduce).await
    }

    /// Makes the configured users admins, and takes that role from those who have it from an earlier configuration only.
    ///
    /// A new admin gets the cards of the open requests. Called at start; of several instances with different configurations
    /// the last one counts.
    ///
    /// # Crash
    /// Before: all stays as it was. After: done, and a repetition changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`]; may be repeated.
    pub async fn ensure_admins(&self, configured: &[UserId]) -> Result<(), DatabaseError> {
        let configured = configured.iter().map(|user| user.0).collect();
        self.write_with_deliveries(EnsureAdmins { bot: self.bot.0, configured, now: self.clock.now() }).await
    }

    /// Writes in a transaction that may add deliveries, and wakes their sender.
    pub(super) async fn write_with_deliveries<J: Job>(&self, job: J) -> Result<J::Output, DatabaseError> {
        let output = self.database.write(job).await?;
        self.deliveries.notify_added();
        Ok(output)
    }
}

pub(super) async fn read_role(connection: &mut Connection, bot: i64, user: i64) -> Result<Role, sqlx::Error> {
    let sql = "select role from members where bot = $1 and user_id = $2";
    let row: Option<(String,)> = fetch_optional!(connection, sql, bot, user)?;
    Ok(row.and_then(|(word,)| Role::parse(&word)).unwrap_or(Role::Visitor))
}

/// How a role came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantSource {
    Request,
    Invite,
    Configuration,
}

impl GrantSource {
    fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Invite => "invite",
            Self::Configuration => "configuration",
        }
    }
}

/// A role that is given to a user.
pub(super) struct Grant<'a> {
    pub(super) bot: i64,
    pub(super) user: i64,
    pub(super) role: Role,
    pub(super) source: GrantSource,
    /// Empty where it is not known: the stored one stays.
    pub(super) name: &'a str,
    pub(super) language: Language,
    pub(super) now: Timestamp,
}

/// Gives a user a role, never a lower one than they have, and what follows from it: their open request is closed, and a new
/// admin gets the cards of the other requests. Returns the role they have now. Under [`TransactionLock::Members`].
pub(super) async fn grant(connection: &mut Connection, grant: &Grant<'_>) -> Result<Role, sqlx::Error> {
    let before = read_role(connection, grant.bot, grant.user).await?;
    if before >= grant.role {
        return Ok(before);
    }
    set_role(connection, grant).await?;
    if grant.role.is_member() {
        close_open_request(connection, grant.bot, grant.user, grant.now).await?;
    }
    if grant.role == Role::Admin {
        show_open_requests(connection, grant.bot, grant.user, grant.now).await?;
    }
    Ok(grant.role)
}

/// Writes a role as it is given.
pub(super) async fn set_role(connection: &mut Connection, grant: &Grant<'_>) -> Result<(), sqlx::Error> {
    let sql = "
        insert into members (bot, user_id, role, granted, name, language, since) values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (bot, user_id) do update set role = excluded.role, granted = excluded.granted,
            name = case when excluded.name = '' then members.name else excluded.name end,
            language = case when excluded.name = '' then members.language else excluded.language end,
            since = excluded.since";
    let Grant { bot, user, role, source, name, language, now } = grant;
    let (role, source) = (role.as_str(), source.as_str());
    execute!(connection, sql, *bot, *user, role, source, *name, language.code(), now.0).map(drop)
}

struct EnsureAdmins {
    bot: i64,
    configured: Vec<i64>,
    now: Timestamp,
}

impl Job for EnsureAdmins {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        TransactionLock::Members.acquire(connection, self.bot).await?;
        let sql =
            "select user_id from members where bot = $1 and role = 'admin' and granted = 'configuration'";
        let by_configuration: Vec<(i64,)> = fetch_all!(&mut *connection, sql, self.bot)?;
        for (user,) in by_configuration {
            if !self.configured.contains(&user) {
                let sql = "update members set role = 'volunteer', since = $3 where bot = $1 and user_id = $2";
                execute!(&mut *connection, sql, self.bot, user, self.now.0)?;
            }
        }
        for user in &self.configured {
            let admin = Grant {
                bot: self.bot,
                user: *user,
                role: Role::Admin,
                source: GrantSource::Configuration,
                name: "",
                language: Language::default(),
                now: self.now,
            };
            grant(connection, &admin).await?;
        }
        Ok(())
    }
}
