//! Admission of users: roles, read from the ledger and cached for five seconds; rate limits; and the hourly notices to
//! users who are not admitted.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::clock::{Clock, Timestamp};
use crate::config::{self, AccessMode};
use crate::database::DatabaseError;
use crate::ledger::{Members, Role};
use deposit::UserId;

/// How long a cached role is used without reading the ledger again.
const ROLE_TTL: Duration = Duration::from_secs(5);
/// The least time between two equal notices to one user.
const NOTICE_INTERVAL: Duration = Duration::from_secs(3600);
/// How many users an instance remembers for each purpose.
const USERS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// The admission of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The user may make deposits.
    Member(Role),
    /// The user may not, or not yet.
    Stranger(Role),
    /// The user, of whatever role, exceeded the rate limit.
    OverLimit,
}

/// The access rules of one bot.
#[derive(Debug)]
pub struct AccessRules {
    mode: AccessMode,
    admins: HashSet<UserId>,
    allowed: HashSet<UserId>,
    /// Updates that a user may send within a minute; 0 for no limit.
    per_minute: u32,
    members: Members,
    clock: Clock,
    roles: Mutex<LruCache<UserId, (Role, Timestamp)>>,
    rates: Mutex<LruCache<UserId, Bucket>>,
    notices: Mutex<LruCache<(UserId, AccessNotice), Timestamp>>,
}

/// The notices to users who are not admitted, each once an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessNotice {
    /// The reason: a stranger, over the rate limit, a group.
    Refusal,
    /// The invitation is invalid: sent also to a stranger who had a refusal within the hour.
    Invitation,
}

/// A token bucket: it holds the tokens of a minute and refills evenly.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Timestamp,
}

impl AccessRules {
    /// The rules as configured, over `members`.
    #[must_use]
    pub fn new(config: &config::AccessSettings, members: Members, clock: Clock) -> Self {
        Self {
            mode: config.mode,
            admins: config.admins.iter().copied().collect(),
            allowed: config.allowed.iter().copied().collect(),
            per_minute: config.rate_per_minute.map_or(0, std::num::NonZeroU32::get),
            members,
            clock,
            roles: Mutex::new(LruCache::new(USERS_MAX)),
            rates: Mutex::new(LruCache::new(USERS_MAX)),
            notices: Mutex::new(LruCache::new(USERS_MAX)),
        }
    }

    /// The admission of an update of `user`; takes a token of the rate limit.
    ///
    /// # Errors
    /// The database's, if the role is not cached.
    pub async fn admit(&self, user: UserId) -> Result<Admission, DatabaseError> {
        if !self.takes_token(user) {
            return Ok(Admission::OverLimit);
        }
        let role = self.role(user).await?;
        Ok(if role.is_member() { Admission::Member(role) } else { Admission::Stranger(role) })
    }

    /// The role as the ledger has it now: for decisions, which never use a cached role.
    ///
    /// # Errors
    /// The database's.
    pub async fn role_now(&self, user: UserId) -> Result<Role, DatabaseError> {
        let role = self.configured(user, self.members.role(user).await?);
        lock(&self.roles).put(user, (role, self.clock.now()));
        Ok(role)
    }

    /// Drops the cached role of `user`, which has just changed.
    pub fn forget(&self, user: UserId) {
        lock(&self.roles).pop(&user);
    }

    /// Returns the token of an update that Telegram delivers again: the user sent it only once.
    pub fn give_back(&self, user: UserId) {
        let full = f64::from(self.per_minute);
        if let Some(bucket) = lock(&self.rates).get_mut(&user) {
            bucket.tokens = (bucket.tokens + 1.0).min(full);
        }
    }

    /// Whether strangers may request access.
    #[must_use]
    pub fn takes_requests(&self) -> bool {
        self.mode == AccessMode::Approval
    }

    /// Whether this notice to `user` is due: true once an hour.
    #[must_use]
    pub fn may_notify(&self, user: UserId, notice: AccessNotice) -> bool {
        let now = self.clock.now();
        let mut notices = lock(&self.notices);
        let due = notices.get(&(user, notice)).is_none_or(|last| now.since(*last) >= NOTICE_INTERVAL);
        if due {
            notices.put((user, notice), now);
        }
        due
    }

    async fn role(&self, user: UserId) -> Result<Role, DatabaseError> {
        let known = lock(&self.roles).get(&user).copied();
        match known {
            Some((role, read_at)) if self.clock.now().since(read_at) < ROLE_TTL => Ok(role),
            // While the database is unavailable an expired role is used; a user without one waits.
            Some((role, _)) => Ok(self.role_now(user).await.unwrap_or(role)),
            None => self.role_now(user).await,
        }
    }

    /// The role of the ledger, raised by the configuration.
    fn configured(&self, user: UserId, recorded: Role) -> Role {
        if self.admins.contains(&user) {
            return Role::Admin;
        }
        let let_in = match self.mode {
            AccessMode::Open => recorded != Role::Refused,
            AccessMode::Allowlist => self.allowed.contains(&user),
            AccessMode::Approval => false,
        };
        if let_in && !recorded.is_member() { Role::Volunteer } else { recorded }
    }

    fn takes_token(&self, user: UserId) -> bool {
        if self.per_minute == 0 {
            return true;
        }
        let (now, full) = (self.clock.now(), f64::from(self.per_minute));
        let mut rates = lock(&self.rates);
        let bucket = rates.get_or_insert_mut(user, || Bucket { tokens: full, filled_at: now });
        let refill = now.since(bucket.filled_at).as_secs_f64() * full / 60.0;
        *bucket = Bucket { tokens: (bucket.tokens + refill).min(full), filled_at: now };
        let takes = bucket.tokens >= 1.0;
        bucket.tokens -= f64::from(u8::from(takes));
        takes
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
