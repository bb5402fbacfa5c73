//! Asking for access and deciding about it, one at a time per bot.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::deposit::UserId;
use crate::ledger::deliveries::{DeliveryKind, add};
use crate::ledger::members::{Grant, Granted, Role, grant, read_role, set_role};
use crate::ledger::names::clean_name;
use crate::ledger::requests::{AccessRequestRef, Settled, count_open, settle, show_to_admins};
use crate::ledger::{Ledger, LedgerError, Turn, wait_turn};
use crate::session::Language;
use crate::{execute, fetch_optional};

/// How many requests may wait for a decision at once.
pub const OPEN_REQUESTS_MAX: i64 = 20;

/// What became of asking for access.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRequest {
    /// Every admin is told; an admin made later is told then.
    Asked,
    /// They have asked before and nobody has decided.
    AlreadyAsked,
    /// They have asked before and were refused; an invitation can change that.
    Refused,
    /// [`OPEN_REQUESTS_MAX`] others wait.
    Full,
    /// They have access.
    AlreadyMember,
}

/// What became of a decision about access.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It counts: the person and all admins are told, the one who decided too (their card is settled by the same edit).
    Done {
        /// Who had asked.
        person: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
        /// Whether they have access now.
        accepted: bool,
    },
    /// It had been decided before, by another admin or by this tap when it came the first time.
    AlreadyDecided {
        /// Who had asked.
        person: UserId,
        /// Their name, cleaned, perhaps empty; not escaped.
        name: String,
        /// Who decided; `None` for an invitation or the configuration.
        by: Option<UserId>,
        /// How.
        accepted: bool,
    },
    /// Whoever tapped is not an admin at this moment.
    NotAllowed,
    /// No request has this name.
    NotFound,
}

impl Ledger {
    /// Asks for access, once per person; `name` is what they call themselves, and is cleaned here.
    ///
    /// # Crash
    /// Before: nothing is there. After: the request and what tells the admins are there, and a repetition answers
    /// [`AccessRequest::AlreadyAsked`].
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn request_access(
        &self,
        person: UserId,
        name: &str,
        language: Language,
    ) -> Result<AccessRequest, LedgerError> {
        let asking = Ask {
            bot: self.bot.0,
            person,
            name: clean_name(name),
            language,
            request: AccessRequestRef(rand::random()),
            now: self.now(),
        };
        let asked = self.write(asking).await?;
        self.added.notify_one();
        Ok(asked)
    }

    /// Decides a request; the role of `by` is read in the same transaction. The first decision counts.
    ///
    /// # Crash
    /// Before: it is open. After: the role, the message to the person and the edits of the admins' cards are there, and
    /// a repetition answers [`Decision::AlreadyDecided`].
    ///
    /// # Errors
    /// After `Unknown` repeat it.
    pub async fn decide(
        &self,
        request: AccessRequestRef,
        by: UserId,
        accept: bool,
    ) -> Result<Decision, LedgerError> {
        let decided = self.write(Decide { bot: self.bot.0, request, by, accept, now: self.now() }).await?;
        self.added.notify_one();
        Ok(decided)
    }
}

struct Ask {
    bot: i64,
    person: UserId,
    name: String,
    language: Language,
    request: AccessRequestRef,
    now: Timestamp,
}

impl Job for Ask {
    type Output = AccessRequest;

    async fn run(&self, connection: &mut Connection) -> Result<AccessRequest, sqlx::Error> {
        let Self { bot, person, name, language, request, now } = self;
        wait_turn(connection, Turn::Members, *bot).await?;
        match read_role(connection, *bot, person.0).await? {
            Role::Volunteer | Role::Manager | Role::Admin => return Ok(AccessRequest::AlreadyMember),
            Role::Refused => return Ok(AccessRequest::Refused),
            Role::Pending => return Ok(AccessRequest::AlreadyAsked),
            Role::Visitor => {}
        }
        if count_open(connection, *bot).await? >= OPEN_REQUESTS_MAX {
            return Ok(AccessRequest::Full);
        }
        let sql = "
            insert into access_requests (bot, reference, person, name, language, asked_at)
            values ($1, $2, $3, $4, $5, $6)";
        execute!(&mut *connection, sql, *bot, request.to_string(), person.0, name, language.code(), now.0)?;
        let (role, granted) = (Role::Pending, Granted::Request);
        let (bot, now) = (*bot, *now);
        grant(connection, &Grant { bot, person: person.0, role, granted, name, language: *language, now })
            .await?;
        show_to_admins(connection, bot, *request, *person, name, now).await?;
        Ok(AccessRequest::Asked)
    }
}

fn answer_subject(request: AccessRequestRef) -> String {
    format!("access:{request}:answer")
}

struct Decide {
    bot: i64,
    request: AccessRequestRef,
    by: UserId,
    accept: bool,
    now: Timestamp,
}

/// Person, name, language, when it was decided, by whom, and whether it was accepted.
type RequestRow = (i64, String, String, Option<i64>, Option<i64>, Option<i64>);

impl Job for Decide {
    type Output = Decision;

    async fn run(&self, connection: &mut Connection) -> Result<Decision, sqlx::Error> {
        let Self { bot, request, by, accept, now } = *self;
        wait_turn(connection, Turn::Members, bot).await?;
        if read_role(connection, bot, by.0).await? < Role::Admin {
            return Ok(Decision::NotAllowed);
        }
        let sql = "
            select person, name, language, decided_at, decided_by, accepted
            from access_requests where bot = $1 and reference = $2";
        let row: Option<RequestRow> = fetch_optional!(&mut *connection, sql, bot, request.to_string())?;
        let Some((person, name, code, decided_at, decided_by, accepted)) = row else {
            return Ok(Decision::NotFound);
        };
        let person = UserId(person);
        if decided_at.is_some() {
            let (by, accepted) = (decided_by.map(UserId), accepted == Some(1));
            return Ok(Decision::AlreadyDecided { person, name, by, accepted });
        }
        let settled = Settled { request, person, name: &name, by: Some(by), accepted: accept };
        settle(connection, bot, &settled, now).await?;
        let language = Language::from_code(Some(&code));
        let (role, kind) = match accept {
            true => (Role::Volunteer, DeliveryKind::AccessGranted),
            false => (Role::Refused, DeliveryKind::AccessRefused),
        };
        let granted = Granted::Request;
        set_role(connection, &Grant { bot, person: person.0, role, granted, name: &name, language, now })
            .await?;
        add(connection, bot, &answer_subject(request), (person.0, language), &kind, now).await?;
        Ok(Decision::Done { person, name, accepted: accept })
    }
}
