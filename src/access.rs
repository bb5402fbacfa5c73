//! Who may: roles, read from the ledger and kept for five seconds; rates; and the one notice an hour for everybody else.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::clock::{Clock, Timestamp};
use crate::config::{self, AccessMode};
use crate::deposit::UserId;
use crate::ledger::{Ledger, LedgerError, Role};

/// How long a role may be relied on without asking the ledger again.
const ROLE_KEPT: Duration = Duration::from_secs(5);
/// How often somebody who may not is told so.
const NOTICE_EVERY: Duration = Duration::from_secs(3600);
/// How many people an instance remembers for each purpose.
const PEOPLE: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What a person may do right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Makes deposits.
    Member(Role),
    /// Does not, or not yet.
    Stranger(Role),
    /// Sent too much within a minute, whoever it is.
    OverLimit,
}

/// The rules of one bot about its people.
#[derive(Debug)]
pub struct Access {
    mode: AccessMode,
    admins: HashSet<UserId>,
    allowed: HashSet<UserId>,
    /// Updates a person may send within a minute; 0 for no limit.
    per_minute: u32,
    ledger: Ledger,
    clock: Clock,
    roles: Mutex<LruCache<UserId, (Role, Timestamp)>>,
    rates: Mutex<LruCache<UserId, Bucket>>,
    notices: Mutex<LruCache<(UserId, Notice), Timestamp>>,
}

/// What somebody who may not is told, each once an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// What they are to the bot: a stranger, too quick, a group.
    Standing,
    /// That an invitation is worth nothing: also to a stranger who was told that they are one.
    Invitation,
}

/// A token bucket: it holds a minute's worth and fills evenly.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Timestamp,
}

impl Access {
    /// The rules as configured, over the members of `ledger`.
    #[must_use]
    pub fn new(config: &config::Access, ledger: Ledger, clock: Clock) -> Self {
        Self {
            mode: config.mode,
            admins: config.admins.iter().copied().collect(),
            allowed: config.allowed.iter().copied().collect(),
            per_minute: config.rate_per_minute.map_or(0, std::num::NonZeroU32::get),
            ledger,
            clock,
            roles: Mutex::new(LruCache::new(PEOPLE)),
            rates: Mutex::new(LruCache::new(PEOPLE)),
            notices: Mutex::new(LruCache::new(PEOPLE)),
        }
    }

    /// What `user` may do right now; counts against the limit.
    ///
    /// # Errors
    /// The ledger's, when nothing was ever known of the role.
    pub async fn standing(&self, user: UserId) -> Result<Standing, LedgerError> {
        if !self.takes_token(user) {
            return Ok(Standing::OverLimit);
        }
        let role = self.role(user).await?;
        Ok(if role.is_member() { Standing::Member(role) } else { Standing::Stranger(role) })
    }

    /// The role as the ledger has it now: for decisions, which never rely on what was true before.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn role_now(&self, user: UserId) -> Result<Role, LedgerError> {
        let role = self.configured(user, self.ledger.role(user).await?);
        lock(&self.roles).put(user, (role, self.clock.now()));
        Ok(role)
    }

    /// Forgets what was read of `user`, whose role has just changed.
    pub fn forget(&self, user: UserId) {
        lock(&self.roles).pop(&user);
    }

    /// Takes back what an update of `user` cost: it was none of their doing that it came once more, or will.
    pub fn give_back(&self, user: UserId) {
        let full = f64::from(self.per_minute);
        if let Some(bucket) = lock(&self.rates).get_mut(&user) {
            bucket.tokens = (bucket.tokens + 1.0).min(full);
        }
    }

    /// Whether strangers may ask to be let in.
    #[must_use]
    pub fn takes_requests(&self) -> bool {
        self.mode == AccessMode::Approval
    }

    /// Whether this notice to `user` is due: true once an hour.
    #[must_use]
    pub fn may_notify(&self, user: UserId, notice: Notice) -> bool {
        let now = self.clock.now();
        let mut notices = lock(&self.notices);
        let due = notices.get(&(user, notice)).is_none_or(|last| now.since(*last) >= NOTICE_EVERY);
        if due {
            notices.put((user, notice), now);
        }
        due
    }

    async fn role(&self, user: UserId) -> Result<Role, LedgerError> {
        let known = lock(&self.roles).get(&user).copied();
        match known {
            Some((role, read_at)) if self.clock.now().since(read_at) < ROLE_KEPT => Ok(role),
            // While the database is away what was known last is relied on; who is not known waits.
            Some((role, _)) => Ok(self.role_now(user).await.unwrap_or(role)),
            None => self.role_now(user).await,
        }
    }

    /// What the configuration adds to the role of the ledger.
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
