//! Requests for access and the admins' cards about them; all within [`Turn::Members`](crate::ledger::Turn::Members).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::database::Connection;
use crate::deposit::UserId;
use crate::ledger::access::OPEN_REQUESTS_MAX;
use crate::ledger::deliveries::{DeliveryKind, add, repaint};
use crate::session::Language;
use crate::{execute, fetch_all, fetch_one, fetch_optional};

/// The 64-bit random name of a request on its buttons, written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AccessRequestRef(pub u64);

impl fmt::Display for AccessRequestRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for AccessRequestRef {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl From<AccessRequestRef> for String {
    fn from(reference: AccessRequestRef) -> Self {
        reference.to_string()
    }
}

impl TryFrom<String> for AccessRequestRef {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

fn card_subject(request: AccessRequestRef) -> String {
    format!("access:{request}")
}

/// How many requests wait for a decision.
pub(super) async fn count_open(connection: &mut Connection, bot: i64) -> Result<i64, sqlx::Error> {
    let sql = "select count(*) from access_requests where bot = $1 and decided_at is null";
    let (count,): (i64,) = fetch_one!(connection, sql, bot)?;
    Ok(count)
}

/// Sends a card to every admin.
pub(super) async fn show_to_admins(
    connection: &mut Connection,
    bot: i64,
    request: AccessRequestRef,
    person: UserId,
    name: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let card = DeliveryKind::AccessRequested { request, person, name: name.to_owned() };
    let sql = "select person, language from members where bot = $1 and role = 'admin' order by person";
    let admins: Vec<(i64, String)> = fetch_all!(&mut *connection, sql, bot)?;
    for (admin, code) in admins {
        let reader = (admin, Language::from_code(Some(&code)));
        add(connection, bot, &card_subject(request), reader, &card, now).await?;
    }
    Ok(())
}

/// A decision as it is written down and shown.
pub(super) struct Settled<'a> {
    pub(super) request: AccessRequestRef,
    pub(super) person: UserId,
    pub(super) name: &'a str,
    pub(super) by: Option<UserId>,
    pub(super) accepted: bool,
}

/// Writes a decision down and repaints the admins' cards.
pub(super) async fn settle(
    connection: &mut Connection,
    bot: i64,
    settled: &Settled<'_>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let Settled { request, person, name, by, accepted } = *settled;
    let sql = "
        update access_requests set decided_at = $3, decided_by = $4, accepted = $5
        where bot = $1 and reference = $2 and decided_at is null";
    let decided_by = by.map(|by| by.0);
    execute!(&mut *connection, sql, bot, request.to_string(), now.0, decided_by, i64::from(accepted))?;
    let by_name = match by {
        Some(by) => name_of(connection, bot, by.0).await?,
        None => String::new(),
    };
    let card = DeliveryKind::AccessDecided { person, name: name.to_owned(), accepted, by, by_name };
    repaint(connection, bot, &card_subject(request), &card, now).await
}

/// Settles the open request of somebody who got access in another way.
pub(super) async fn settle_open_request(
    connection: &mut Connection,
    bot: i64,
    person: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql =
        "select reference, name from access_requests where bot = $1 and person = $2 and decided_at is null";
    let row: Option<(String, String)> = fetch_optional!(&mut *connection, sql, bot, person)?;
    if let Some((reference, name)) = row
        && let Ok(request) = reference.parse()
    {
        let settled = Settled { request, person: UserId(person), name: &name, by: None, accepted: true };
        settle(connection, bot, &settled, now).await?;
    }
    Ok(())
}

/// Sends the cards of all open requests to a new admin.
pub(super) async fn show_open_requests(
    connection: &mut Connection,
    bot: i64,
    admin: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let reader = (admin, language_of(connection, bot, admin).await?);
    let sql = "
        select reference, person, name from access_requests where bot = $1 and decided_at is null
        order by asked_at limit $2";
    let open: Vec<(String, i64, String)> = fetch_all!(&mut *connection, sql, bot, OPEN_REQUESTS_MAX)?;
    for (reference, person, name) in open {
        if let Ok(request) = reference.parse() {
            let card = DeliveryKind::AccessRequested { request, person: UserId(person), name };
            add(connection, bot, &card_subject(request), reader, &card, now).await?;
        }
    }
    Ok(())
}

/// Tries the cards of open requests again that did not get through to an admin, whose chat was closed to the bot; also
/// those that are being tried at this moment, by another picture.
pub(super) async fn bring_missed_requests(
    connection: &mut Connection,
    bot: i64,
    admin: i64,
    language: Language,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "
        update deliveries set status = 'pending', attempts = 0, reason = null, language = $3, picture = picture + 1,
            due_at = case when token is null then $4 else due_at end
        where bot = $1 and destination = $2 and status in ('pending', 'failed', 'closed')
            and subject in (select 'access:' || reference from access_requests where bot = $1 and decided_at is null)
            and exists (select 1 from members where bot = $1 and person = $2 and role = 'admin')";
    execute!(connection, sql, bot, admin, language.code(), now).map(|_| ())
}

async fn name_of(connection: &mut Connection, bot: i64, person: i64) -> Result<String, sqlx::Error> {
    let sql = "select name from members where bot = $1 and person = $2";
    let row: Option<(String,)> = fetch_optional!(connection, sql, bot, person)?;
    Ok(row.map(|(name,)| name).unwrap_or_default())
}

/// The language a member reads.
async fn language_of(connection: &mut Connection, bot: i64, person: i64) -> Result<Language, sqlx::Error> {
    let sql = "select language from members where bot = $1 and person = $2";
    let row: Option<(String,)> = fetch_optional!(connection, sql, bot, person)?;
    Ok(Language::from_code(row.as_ref().map(|(code,)| code.as_str())))
}
