//! Invitations: a link that makes the first user who opens it a member. Only the hash of its token is stored.

use std::time::Duration;

use secrecy::SecretString;

use crate::clock::Timestamp;
use crate::database::{Connection, DatabaseError, Job, job};
use crate::digest::sha256_hex;
use crate::ledger::display_name::clean_name;
use crate::ledger::members::{Grant, GrantSource, Members, grant, read_role};
use crate::ledger::role::Role;
use crate::ledger::transaction_lock::TransactionLock;
use crate::{execute, fetch_optional};
use deposit::UserId;
use session::Language;

/// How long an invitation can be used.
pub const INVITE_TTL: Duration = Duration::from_secs(15 * 60);

impl Members {
    /// Makes a token that gives `role` to the first user who redeems it within [`INVITE_TTL`].
    ///
    /// It is 32 hexadecimal digits, 128 bits from the system's generator, which fits the parameter of `/start`.
    ///
    /// # Errors
    /// [`DatabaseError`]; make another one.
    pub async fn create_invite(&self, role: Role) -> Result<SecretString, DatabaseError> {
        let token = format!("{:032x}", rand::random::<u128>());
        let now = self.clock.now();
        let parameters = (self.bot.0, sha256_hex(&token), role, now.0, now.after(INVITE_TTL).0);
        let create = job(parameters, |(bot, hash, role, now, expires_at), connection| {
            Box::pin(async move {
                let sql = "
                    insert into invites (bot, token_sha256, role, created_at, expires_at)
                    values ($1, $2, $3, $4, $5)
                    on conflict (bot, token_sha256) do nothing";
                execute!(connection, sql, *bot, hash, role.as_str(), *now, *expires_at)
            })
        });
        self.database.write(create).await?;
        Ok(SecretString::from(token))
    }

    /// Redeems a token: the role that the user has now, which is never lower than before. `None` if the token is unknown,
    /// expired, or was used by another user.
    ///
    /// # Crash
    /// Before: it can still be used. After: the role is there, and a repetition by the same user answers it again but gives
    /// nothing anew.
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn redeem_invite(
        &self,
        token: &str,
        user: UserId,
        name: &str,
        language: Language,
    ) -> Result<Option<Role>, DatabaseError> {
        let redeem = RedeemInvite {
            bot: self.bot.0,
            hash: sha256_hex(token),
            user: user.0,
            name: clean_name(name),
            language,
            now: self.clock.now(),
        };
        self.write_with_deliveries(redeem).await
    }
}

struct RedeemInvite {
    bot: i64,
    hash: String,
    user: i64,
    name: String,
    language: Language,
    now: Timestamp,
}

impl Job for RedeemInvite {
    type Output = Option<Role>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Role>, sqlx::Error> {
        let Self { bot, user, now, language, .. } = *self;
        TransactionLock::Members.acquire(connection, bot).await?;
        let sql = "select role, expires_at, used_by from invites where bot = $1 and token_sha256 = $2";
        let row: Option<(String, i64, Option<i64>)> =
            fetch_optional!(&mut *connection, sql, bot, &self.hash)?;
        let Some((word, expires_at, used_by)) = row else { return Ok(None) };
        let Some(role) = Role::parse(&word) else { return Ok(None) };
        if used_by == Some(user) {
            let role = read_role(connection, bot, user).await?;
            return Ok(role.is_member().then_some(role));
        }
        if used_by.is_some() || now.0 >= expires_at {
            return Ok(None);
        }
        let sql = "update invites set used_at = $3, used_by = $4 where bot = $1 and token_sha256 = $2";
        execute!(&mut *connection, sql, bot, &self.hash, now.0, user)?;
        let source = GrantSource::Invite;
        grant(connection, &Grant { bot, user, role, source, name: &self.name, language, now }).await.map(Some)
    }
}
