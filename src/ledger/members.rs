//! Who may do what: one row per person, read anew for every decision.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::UserId;
use crate::ledger::names::clean_name;
use crate::ledger::requests::{bring_missed_requests, settle_open_request, show_open_requests};
use crate::ledger::{Ledger, LedgerError, Turn, wait_turn};
use crate::session::Language;
use crate::{execute, fetch_all, fetch_optional};

/// What a person may do; each may do what the ones before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Asked for access and was refused.
    Refused,
    /// Unknown.
    Visitor,
    /// Asked for access; nobody has decided.
    Pending,
    /// Deposits, corrects, undoes and sees their own.
    Volunteer,
    /// Also undoes other people's deposits.
    Manager,
    /// Also decides who has access.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Refused, Self::Visitor, Self::Pending, Self::Volunteer, Self::Manager, Self::Admin];

    /// The word that the ledger carries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Visitor => "visitor",
            Self::Pending => "pending",
            Self::Volunteer => "volunteer",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the person may deposit.
    #[must_use]
    pub fn is_member(self) -> bool {
        self >= Self::Volunteer
    }
}

/// How a role came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granted {
    Request,
    Invite,
    Configuration,
}

impl Granted {
    fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Invite => "invite",
            Self::Configuration => "configuration",
        }
    }
}

impl Ledger {
    /// The role of a person at this moment, straight from SQL; a role this release does not know counts as none.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn role(&self, person: UserId) -> Result<Role, LedgerError> {
        self.read(ReadRole { bot: self.bot.0, person: person.0 }).await
    }

    /// Whether anybody can decide about access.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn has_admin(&self) -> Result<bool, LedgerError> {
        Ok(!self.admins().await?.is_empty())
    }

    /// All admins.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn admins(&self) -> Result<Vec<UserId>, LedgerError> {
        self.read(ReadAdmins { bot: self.bot.0 }).await
    }

    /// Notes what a member calls themselves and which language they read, for the cards they get and sign, and brings
    /// an admin the requests that could not reach them; about strangers nothing is noted. For `/start`, which opens or
    /// reopens the chat to the bot, not for every update.
    ///
    /// # Errors
    /// [`LedgerError`]; may be left to the next time.
    pub async fn introduce(&self, person: UserId, name: &str, language: Language) -> Result<(), LedgerError> {
        let (bot, person, name, now) = (self.bot.0, person.0, clean_name(name), self.now().0);
        self.write(Introduce { bot, person, name, language, now }).await?;
        self.added.notify_one();
        Ok(())
    }

    /// Makes the configured people admins, and takes that role from those whom only the configuration had given it.
    ///
    /// Who becomes an admin gets the cards of the requests that are open. Called at start; of several instances with
    /// different configurations the last one counts.
    ///
    /// # Crash
    /// Before: all stays as it was. After: done, and a repetition changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`]; may be repeated.
    pub async fn ensure_admins(&self, configured: &[UserId]) -> Result<(), LedgerError> {
        let configured = configured.iter().map(|person| person.0).collect();
        self.write(EnsureAdmins { bot: self.bot.0, configured, now: self.now() }).await?;
        self.added.notify_one();
        Ok(())
    }
}

struct ReadRole {
    bot: i64,
    person: i64,
}

impl Job for ReadRole {
    type Output = Role;

    async fn run(&self, connection: &mut Connection) -> Result<Role, sqlx::Error> {
        read_role(connection, self.bot, self.person).await
    }
}

pub(super) async fn read_role(
    connection: &mut Connection,
    bot: i64,
    person: i64,
) -> Result<Role, sqlx::Error> {
    let sql = "select role from members where bot = $1 and person = $2";
    let row: Option<(String,)> = fetch_optional!(connection, sql, bot, person)?;
    Ok(row.and_then(|(word,)| Role::parse(&word)).unwrap_or(Role::Visitor))
}

struct ReadAdmins {
    bot: i64,
}

impl Job for ReadAdmins {
    type Output = Vec<UserId>;

    async fn run(&self, connection: &mut Connection) -> Result<Vec<UserId>, sqlx::Error> {
        let sql = "select person from members where bot = $1 and role = 'admin' order by person";
        let rows: Vec<(i64,)> = fetch_all!(connection, sql, self.bot)?;
        Ok(rows.into_iter().map(|(person,)| UserId(person)).collect())
    }
}

struct Introduce {
    bot: i64,
    person: i64,
    name: String,
    language: Language,
    now: i64,
}

impl Job for Introduce {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            update members set name = $3, language = $4
            where bot = $1 and person = $2 and (name <> $3 or language <> $4)";
        execute!(&mut *connection, sql, self.bot, self.person, &self.name, self.language.code())?;
        bring_missed_requests(connection, self.bot, self.person, self.language, self.now).await
    }
}

/// Whom a role is given to, and why.
pub(super) struct Grant<'a> {
    pub(super) bot: i64,
    pub(super) person: i64,
    pub(super) role: Role,
    pub(super) granted: Granted,
    /// Empty where it is not known: what was known stays.
    pub(super) name: &'a str,
    pub(super) language: Language,
    pub(super) now: Timestamp,
}

/// Gives a person a role, never a lower one than they have, and what follows from it: an open request of theirs is
/// settled, and a new admin gets the cards of the others'. Returns the role they have now. In [`Turn::Members`].
pub(super) async fn grant(connection: &mut Connection, grant: &Grant<'_>) -> Result<Role, sqlx::Error> {
    let before = read_role(connection, grant.bot, grant.person).await?;
    if before >= grant.role {
        return Ok(before);
    }
    set_role(connection, grant).await?;
    if grant.role.is_member() {
        settle_open_request(connection, grant.bot, grant.person, grant.now).await?;
    }
    if grant.role == Role::Admin {
        show_open_requests(connection, grant.bot, grant.person, grant.now).await?;
    }
    Ok(grant.role)
}

/// Writes a role as it is given.
pub(super) async fn set_role(connection: &mut Connection, grant: &Grant<'_>) -> Result<(), sqlx::Error> {
    let sql = "
        insert into members (bot, person, role, granted, name, language, since) values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (bot, person) do update set role = excluded.role, granted = excluded.granted,
            name = case when excluded.name = '' then members.name else excluded.name end,
            language = case when excluded.name = '' then members.language else excluded.language end,
            since = excluded.since";
    let Grant { bot, person, role, granted, name, language, now } = grant;
    let (role, granted) = (role.as_str(), granted.as_str());
    execute!(connection, sql, *bot, *person, role, granted, *name, language.code(), now.0).map(|_| ())
}

struct EnsureAdmins {
    bot: i64,
    configured: Vec<i64>,
    now: Timestamp,
}

impl Job for EnsureAdmins {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        wait_turn(connection, Turn::Members, self.bot).await?;
        let sql =
            "select person from members where bot = $1 and role = 'admin' and granted = 'configuration'";
        let by_configuration: Vec<(i64,)> = fetch_all!(&mut *connection, sql, self.bot)?;
        for (person,) in by_configuration {
            if !self.configured.contains(&person) {
                let sql = "update members set role = 'volunteer', since = $3 where bot = $1 and person = $2";
                execute!(&mut *connection, sql, self.bot, person, self.now.0)?;
            }
        }
        for person in &self.configured {
            let admin = Grant {
                bot: self.bot,
                person: *person,
                role: Role::Admin,
                granted: Granted::Configuration,
                name: "",
                language: Language::default(),
                now: self.now,
            };
            grant(connection, &admin).await?;
        }
        Ok(())
    }
}
