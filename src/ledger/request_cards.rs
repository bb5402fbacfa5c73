//! The admins' cards about access requests; all under [`TransactionLock::Members`](super::transaction_lock).

use crate::clock::Timestamp;
use crate::database::Connection;
use crate::operations::deliveries::{enqueue, replace_view};
use crate::operations::{AccessRequestRef, DeliveryKind};
use crate::{execute, fetch_all, fetch_one, fetch_optional};
use deposit::UserId;
use session::Language;

/// How many requests may be undecided at once.
pub(super) const OPEN_REQUESTS_MAX: i64 = 20;

fn card_subject(request: AccessRequestRef) -> String {
    format!("access:{request}")
}

/// How many requests are undecided.
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
    user: UserId,
    name: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let card = DeliveryKind::AccessRequested { request, user, name: name.to_owned() };
    let sql = "select user_id, language from members where bot = $1 and role = 'admin' order by user_id";
    let admins: Vec<(i64, String)> = fetch_all!(&mut *connection, sql, bot)?;
    for (admin, code) in admins {
        let reader = (admin, Language::from_code(Some(&code)));
        enqueue(connection, bot, &card_subject(request), reader, &card, now).await?;
    }
    Ok(())
}

/// A decision as it is stored and shown.
pub(super) struct DecidedRequest<'a> {
    pub(super) request: AccessRequestRef,
    pub(super) user: UserId,
    pub(super) name: &'a str,
    pub(super) by: Option<UserId>,
    pub(super) accepted: bool,
}

/// Stores a decision and gives the admins' cards its view.
pub(super) async fn close_request(
    connection: &mut Connection,
    bot: i64,
    decided: &DecidedRequest<'_>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let DecidedRequest { request, user, name, by, accepted } = *decided;
    let sql = "
        update access_requests set decided_at = $3, decided_by = $4, accepted = $5
        where bot = $1 and reference = $2 and decided_at is null";
    let decided_by = by.map(|by| by.0);
    execute!(&mut *connection, sql, bot, request.to_string(), now.0, decided_by, i64::from(accepted))?;
    let by_name = match by {
        Some(by) => name_of(connection, bot, by.0).await?,
        None => String::new(),
    };
    let card = DeliveryKind::AccessDecided { user, name: name.to_owned(), accepted, by, by_name };
    replace_view(connection, bot, &card_subject(request), &card, now).await
}

/// Closes the open request of a user who got access in another way.
pub(super) async fn close_open_request(
    connection: &mut Connection,
    bot: i64,
    user: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql =
        "select reference, name from access_requests where bot = $1 and user_id = $2 and decided_at is null";
    let row: Option<(String, String)> = fetch_optional!(&mut *connection, sql, bot, user)?;
    if let Some((reference, name)) = row
        && let Ok(request) = reference.parse()
    {
        let decided = DecidedRequest { request, user: UserId(user), name: &name, by: None, accepted: true };
        close_request(connection, bot, &decided, now).await?;
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
        select reference, user_id, name from access_requests where bot = $1 and decided_at is null
        order by asked_at limit $2";
    let open: Vec<(String, i64, String)> = fetch_all!(&mut *connection, sql, bot, OPEN_REQUESTS_MAX)?;
    for (reference, user, name) in open {
        if let Ok(request) = reference.parse() {
            let card = DeliveryKind::AccessRequested { request, user: UserId(user), name };
            enqueue(connection, bot, &card_subject(request), reader, &card, now).await?;
        }
    }
    Ok(())
}

/// Makes the cards of open requests due again that did not get through to an admin, whose chat was closed to the bot; also
/// those that are being tried at this moment, by another view number.
pub(super) async fn retry_missed_cards(
    connection: &mut Connection,
    bot: i64,
    admin: i64,
    language: Language,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "
        update deliveries set status = 'pending', attempts = 0, reason = null, language = $3, view_number = view_number + 1,
            due_at = case when token is null then $4 else due_at end
        where bot = $1 and destination = $2 and status in ('pending', 'failed', 'closed')
            and subject in (select 'access:' || reference from access_requests where bot = $1 and decided_at is null)
            and exists (select 1 from members where bot = $1 and user_id = $2 and role = 'admin')";
    execute!(connection, sql, bot, admin, language.code(), now).map(|_| ())
}

async fn name_of(connection: &mut Connection, bot: i64, user: i64) -> Result<String, sqlx::Error> {
    let sql = "select name from members where bot = $1 and user_id = $2";
    let row: Option<(String,)> = fetch_optional!(connection, sql, bot, user)?;
    Ok(row.map(|(name,)| name).unwrap_or_default())
}

/// The language a member reads.
async fn language_of(connection: &mut Connection, bot: i64, user: i64) -> Result<Language, sqlx::Error> {
    let sql = "select language from members where bot = $1 and user_id = $2";
    let row: Option<(String,)> = fetch_optional!(connection, sql, bot, user)?;
    Ok(Language::from_code(row.as_ref().map(|(code,)| code.as_str())))
}
