//! Invitations: a link that makes whoever opens it first a member. Only the hash of its token is stored.

use std::fmt::Write as _;
use std::time::Duration;

use secrecy::SecretString;

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::UserId;
use crate::ledger::members::{Grant, Granted, Role, grant, read_role};
use crate::ledger::names::clean_name;
use crate::ledger::{Ledger, LedgerError, Turn, sha256_hex, wait_turn};
use crate::session::Language;
use crate::{execute, fetch_optional};

/// How long an invitation can be used.
pub const INVITE_KEPT: Duration = Duration::from_secs(15 * 60);

impl Ledger {
    /// Makes a token that gives `role` to the first person who redeems it within [`INVITE_KEPT`].
    ///
    /// It is 32 hexadecimal digits, 128 bits from the system's generator, which fits the parameter of `/start`.
    ///
    /// # Errors
    /// [`LedgerError`]; make another one.
    pub async fn create_invite(&self, role: Role) -> Result<SecretString, LedgerError> {
        let token = rand::random::<[u8; 16]>().iter().fold(String::with_capacity(32), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let (now, hash) = (self.now(), sha256_hex(&token));
        self.write(Create { bot: self.bot.0, hash, role, now: now.0, expires_at: now.after(INVITE_KEPT).0 })
            .await?;
        Ok(SecretString::from(token))
    }

    /// Redeems a token: the role that the person has now, which is never lower than before. `None` if the token is
    /// unknown, over, or was used by somebody else.
    ///
    /// # Crash
    /// Before: it can still be used. After: the role is there, and a repetition by the same person answers it again
    /// but gives nothing anew.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn redeem_invite(
        &self,
        token: &str,
        person: UserId,
        name: &str,
        language: Language,
    ) -> Result<Option<Role>, LedgerError> {
        let (hash, name) = (sha256_hex(token), clean_name(name));
        let redeemed = self
            .write(Redeem { bot: self.bot.0, hash, person: person.0, name, language, now: self.now() })
            .await?;
        self.added.notify_one();
        Ok(redeemed)
    }
}

struct Create {
    bot: i64,
    hash: String,
    role: Role,
    now: i64,
    expires_at: i64,
}

impl Job for Create {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            insert into invites (bot, token_sha256, role, created_at, expires_at) values ($1, $2, $3, $4, $5)
            on conflict (bot, token_sha256) do nothing";
        let role = self.role.as_str();
        execute!(connection, sql, self.bot, &self.hash, role, self.now, self.expires_at).map(|_| ())
    }
}

struct Redeem {
    bot: i64,
    hash: String,
    person: i64,
    name: String,
    language: Language,
    now: Timestamp,
}

impl Job for Redeem {
    type Output = Option<Role>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Role>, sqlx::Error> {
        let Self { bot, person, now, language, .. } = *self;
        wait_turn(connection, Turn::Members, bot).await?;
        let sql = "select role, expires_at, used_by from invites where bot = $1 and token_sha256 = $2";
        let row: Option<(String, i64, Option<i64>)> =
            fetch_optional!(&mut *connection, sql, bot, &self.hash)?;
        let Some((word, expires_at, used_by)) = row else { return Ok(None) };
        let Some(role) = Role::parse(&word) else { return Ok(None) };
        if used_by == Some(person) {
            let role = read_role(connection, bot, person).await?;
            return Ok(role.is_member().then_some(role));
        }
        if used_by.is_some() || now.0 >= expires_at {
            return Ok(None);
        }
        let sql = "update invites set used_at = $3, used_by = $4 where bot = $1 and token_sha256 = $2";
        execute!(&mut *connection, sql, bot, &self.hash, now.0, person)?;
        let invited = Grant { bot, person, role, granted: Granted::Invite, name: &self.name, language, now };
        grant(connection, &invited).await.map(Some)
    }
}
