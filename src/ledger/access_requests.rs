//! Requesting access and deciding requests, one transaction at a time per bot.

use crate::clock::Timestamp;
use crate::database::{Connection, DatabaseError, Job, job};
use crate::ledger::display_name::clean_name;
use crate::ledger::members::{Grant, GrantSource, Members, grant, read_role, set_role};
use crate::ledger::request_cards::{
    DecidedRequest, OPEN_REQUESTS_MAX, close_request, count_open, show_to_admins,
};
use crate::ledger::role::Role;
use crate::ledger::transaction_lock::TransactionLock;
use crate::operations::deliveries::enqueue;
use crate::operations::{AccessRequestRef, DeliveryKind};
use crate::{execute, fetch_optional};
use deposit::UserId;
use session::Language;

/// The outcome of asking for access.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRequest {
    /// The request is stored and every admin gets its card; an admin made later gets it then.
    Asked,
    /// There is an undecided request of this user.
    AlreadyAsked,
    /// An earlier request was refused; an invitation can change that.
    Refused,
    /// Too many others are open.
    Full,
    /// They have access.
    AlreadyMember,
}

/// The outcome of a decision about access.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It counts: the user and all admins get messages, the one who decided too (the same edit changes their card).
    Done {
        /// The user who asked.
        user: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
        /// Whether they have access now.
        accepted: bool,
    },
    /// It had been decided before, by another admin or by this tap when it came the first time.
    AlreadyDecided {
        /// The user who asked.
        user: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
        /// The admin who decided; `None` for an invitation or the configuration.
        by: Option<UserId>,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// The user who tapped is not an admin at this moment.
    NotAllowed,
    /// No request has this name.
    NotFound,
}

impl Members {
    /// Asks for access, once per user; `name` is what they call themselves, and is cleaned here.
    ///
    /// # Crash
    /// Before: nothing is there. After: the request and the messages to the admins are there, and a repetition answers
    /// [`AccessRequest::AlreadyAsked`].
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn request_access(
        &self,
        user: UserId,
        name: &str,
        language: Language,
    ) -> Result<AccessRequest, DatabaseError> {
        let request = RequestAccess {
            bot: self.bot.0,
            user,
            name: clean_name(name),
            language,
            request: AccessRequestRef(rand::random()),
            now: self.clock.now(),
        };
        self.write_with_deliveries(request).await
    }

    /// Decides a request; the role of `by` is read in the same transaction. The first decision counts.
    ///
    /// # Crash
    /// Before: it is open. After: the role, the message to the user and the edits of the admins' cards are there, and a
    /// repetition answers [`Decision::AlreadyDecided`].
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn decide(
        &self,
        request: AccessRequestRef,
        by: UserId,
        accept: bool,
    ) -> Result<Decision, DatabaseError> {
        let decide = DecideRequest { bot: self.bot.0, request, by, accept, now: self.clock.now() };
        self.write_with_deliveries(decide).await
    }

    /// How many requests are undecided.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing is changed.
    pub async fn count_open_requests(&self) -> Result<u64, DatabaseError> {
        let count = job(self.bot.0, |bot, connection| Box::pin(count_open(connection, *bot)));
        Ok(u64::try_from(self.database.read(count).await?).unwrap_or_default())
    }
}

struct RequestAccess {
    bot: i64,
    user: UserId,
    name: String,
    language: Language,
    request: AccessRequestRef,
    now: Timestamp,
}

impl Job for RequestAccess {
    type Output = AccessRequest;

    async fn run(&self, connection: &mut Connection) -> Result<AccessRequest, sqlx::Error> {
        let Self { bot, user, language, request, now, .. } = *self;
        let name = &self.name;
        TransactionLock::Members.acquire(connection, bot).await?;
        match read_role(connection, bot, user.0).await? {
            Role::Volunteer | Role::Manager | Role::Admin => return Ok(AccessRequest::AlreadyMember),
            Role::Refused => return Ok(AccessRequest::Refused),
            Role::Pending => return Ok(AccessRequest::AlreadyAsked),
            Role::Visitor => {}
        }
        if count_open(connection, bot).await? >= OPEN_REQUESTS_MAX {
            return Ok(AccessRequest::Full);
        }
        let sql = "
            insert into access_requests (bot, reference, user_id, name, language, asked_at)
            values ($1, $2, $3, $4, $5, $6)";
        execute!(&mut *connection, sql, bot, request.to_string(), user.0, name, language.code(), now.0)?;
        let (role, source) = (Role::Pending, GrantSource::Request);
        grant(connection, &Grant { bot, user: user.0, role, source, name, language, now }).await?;
        show_to_admins(connection, bot, request, user, name, now).await?;
        Ok(AccessRequest::Asked)
    }
}

fn answer_subject(request: AccessRequestRef) -> String {
    format!("access:{request}:answer")
}

struct DecideRequest {
    bot: i64,
    request: AccessRequestRef,
    by: UserId,
    accept: bool,
    now: Timestamp,
}

/// User, name, language, when it was decided, by which admin, and whether it was accepted.
type RequestRow = (i64, String, String, Option<i64>, Option<i64>, Option<i64>);

impl Job for DecideRequest {
    type Output = Decision;

    async fn run(&self, connection: &mut Connection) -> Result<Decision, sqlx::Error> {
        let Self { bot, request, by, accept, now } = *self;
        TransactionLock::Members.acquire(connection, bot).await?;
        if read_role(connection, bot, by.0).await? < Role::Admin {
            return Ok(Decision::NotAllowed);
        }
        let sql = "
            select user_id, name, language, decided_at, decided_by, accepted
            from access_requests where bot = $1 and reference = $2";
        let row: Option<RequestRow> = fetch_optional!(&mut *connection, sql, bot, request.to_string())?;
        let Some((user, name, code, decided_at, decided_by, accepted)) = row else {
            return Ok(Decision::NotFound);
        };
        let user = UserId(user);
        if decided_at.is_some() {
            let (by, accepted) = (decided_by.map(UserId), accepted == Some(1));
            return Ok(Decision::AlreadyDecided { user, name, by, accepted });
        }
        let decided = DecidedRequest { request, user, name: &name, by: Some(by), accepted: accept };
        close_request(connection, bot, &decided, now).await?;
        let language = Language::from_code(Some(&code));
        let (role, kind) = match accept {
            true => (Role::Volunteer, DeliveryKind::AccessGranted),
            false => (Role::Refused, DeliveryKind::AccessRefused),
        };
        let source = GrantSource::Request;
        set_role(connection, &Grant { bot, user: user.0, role, source, name: &name, language, now }).await?;
        enqueue(connection, bot, &answer_subject(request), (user.0, language), &kind, now).await?;
        Ok(Decision::Done { user, name, accepted: accept })
    }
}
