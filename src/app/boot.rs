//! The checks before the bot starts, which `depot-bot check` makes again: one implementation of each.

use std::time::Duration;

use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Database, DatabaseError, Engine};
use crate::diagnostic::{Diagnostic, Severity, StartRefused};
use crate::operations::database_owner::other_owner;
use crate::store::redis::RedisStore;
use crate::telegram::client::{Client, Me};

/// Checks the stores and returns its findings; refuses everything at once that the bot must not work with.
///
/// A Redis that does not answer is a warning: the bot starts without it. Nothing of this bot has been written before.
///
/// # Errors
/// [`StartRefused`], or a database that cannot be read.
pub(super) async fn admit(
    config: &Config,
    database: &Database,
    redis: Option<&RedisStore>,
    clock: &Clock,
) -> anyhow::Result<()> {
    let mut diagnostics = look_at_database(config, database, clock).await?;
    if let Some(redis) = redis {
        diagnostics.extend(redis.inspect(clock).await);
    }
    let (refused, others): (Vec<_>, Vec<_>) =
        diagnostics.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Fatal);
    others.iter().for_each(Diagnostic::log);
    if refused.is_empty() { Ok(()) } else { Err(StartRefused(refused).into()) }
}

/// Whose database it is, and whether its clock is ours.
///
/// # Errors
/// A database that cannot be read.
pub async fn look_at_database(
    config: &Config,
    database: &Database,
    clock: &Clock,
) -> Result<Vec<Diagnostic>, DatabaseError> {
    let mut diagnostics = Vec::new();
    if let Some(other) = other_owner(database, config.telegram.bot).await? {
        let what =
            format!("holds what belongs to bot {} and nothing of bot {}", other.0, config.telegram.bot.0);
        diagnostics.push(another_bots(database.engine(), config.database.may_be_another_bots, what));
    }
    let asked = clock.now();
    if let Some(theirs) = database.server_time().await? {
        let theirs = crate::clock::Timestamp(theirs);
        diagnostics.push(Diagnostic::clock("the database", (asked, clock.now()), theirs, Duration::ZERO));
    }
    Ok(diagnostics)
}

/// A file beside the bot has one owner, a server has many: there it is a first start among others, or a mistake that is
/// worth a line.
fn another_bots(engine: Engine, allowed: bool, what: String) -> Diagnostic {
    let fix =
        "was TELEGRAM_BOT_TOKEN swapped? Put the other token back, or give this bot another DATABASE_URL";
    match engine {
        _ if allowed => Diagnostic::new(Severity::Info, "database", what, ""),
        Engine::Sqlite => {
            let fix = format!("{fix}; if both are to share the file, start once with ALLOW_ANOTHER_BOT=true");
            Diagnostic::new(Severity::Fatal, "database", what, fix)
        }
        Engine::Postgres => Diagnostic::new(Severity::Warning, "database", what, fix),
    }
}

/// Compares the clock with Telegram's, where Telegram answers; where it does not, the intake reports it.
pub(super) async fn look_at_telegram(client: Client, clock: Clock) {
    let asked = clock.now();
    if let Ok(me) = client.get_me().await {
        telegrams_clock(&me, (asked, clock.now())).log();
    }
}

/// Whether Telegram's clock is ours, by an answer that came between these two instants.
#[must_use]
pub fn telegrams_clock(
    me: &Me,
    asked_and_answered: (crate::clock::Timestamp, crate::clock::Timestamp),
) -> Diagnostic {
    match me.server_time {
        Some(theirs) => Diagnostic::clock("Telegram", asked_and_answered, theirs, Duration::from_secs(1)),
        None => {
            let what = "the Bot API server does not say what time it is";
            Diagnostic::new(Severity::Warning, "clock", what, "let this machine keep time by NTP")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use deposit::BotId;

    #[test]
    fn a_file_of_another_bot_is_refused_unless_it_is_allowed_and_a_server_is_a_warning() {
        let severity = |engine, allowed| another_bots(engine, allowed, String::new()).severity;
        assert_eq!(severity(Engine::Sqlite, false), Severity::Fatal);
        assert_eq!(severity(Engine::Sqlite, true), Severity::Info);
        assert_eq!(severity(Engine::Postgres, false), Severity::Warning);
        assert_eq!(severity(Engine::Postgres, true), Severity::Info);
    }

    #[test]
    fn telegrams_clock_is_told_to_the_second() {
        let at = |server_time| Me { id: BotId(1), username: "Bot".into(), server_time };
        let now = Timestamp(1_780_000_000_900);
        let severity = |me: &Me| telegrams_clock(me, (now, now)).severity;
        assert_eq!(severity(&at(Some(Timestamp(1_780_000_000_000)))), Severity::Ok);
        assert_eq!(severity(&at(Some(Timestamp(1_779_999_990_000)))), Severity::Warning);
        assert_eq!(severity(&at(None)), Severity::Warning);
    }
}
