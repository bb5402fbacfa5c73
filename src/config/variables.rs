//! The table of all variables: the program reads them, `.env.example` explains them, the packaging test compares the two.

use std::collections::BTreeSet;

use crate::config::layers::Layers;

/// One environment variable of the program.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value that stands for it while it is unset; `None` when unset means off, or a mistake.
    pub default: Option<&'static str>,
    /// Whether its value is never shown; a secret may come from the file that `<name>_FILE` names.
    pub secret: bool,
    /// Its meaning, in one sentence.
    pub about: &'static str,
}

const fn setting(name: &'static str, default: Option<&'static str>, about: &'static str) -> Variable {
    Variable { name, default, secret: false, about }
}

const fn secret(name: &'static str, default: Option<&'static str>, about: &'static str) -> Variable {
    Variable { name, default, secret: true, about }
}

/// Every variable that is read, in the order in which the documents explain them.
pub const VARIABLES: [Variable; 38] = [
    secret("TELEGRAM_BOT_TOKEN", None, "The bot's token, as @BotFather gave it."),
    setting("TELEGRAM_API_URL", Some(TELEGRAM_API_URL), "The Bot API server that is talked to."),
    setting("TELEGRAM_WEBHOOK_URL", None, "The address Telegram posts updates to; unset means long polling."),
    secret("TELEGRAM_WEBHOOK_SECRET", None, "The secret that Telegram proves itself with at the webhook."),
    secret("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", None, "The former webhook secret, accepted while rotating."),
    setting("WEBHOOK_BIND", Some("127.0.0.1:8443"), "Where the webhook listens."),
    setting("HTTP_BIND", Some("127.0.0.1:8080"), "Where health and metrics listen."),
    secret("REDIS_URL", None, "The Redis that holds conversations; unset means that the SQL database does."),
    secret("REDIS_PASSWORD", None, "The password of Redis, when it is not in its URL."),
    setting("REDIS_DB", None, "The number of the Redis database, when it is not in its URL."),
    setting("REDIS_CA_FILE", None, "The certificate authorities that a rediss:// server is known by."),
    setting("REDIS_KEY_PREFIX", Some("depot:"), "The beginning of each Redis key."),
    setting(
        "REDIS_POOL_SIZE",
        Some("4"),
        "How many connections to Redis the pool has, beside that of commits.",
    ),
    setting(
        "REDIS_TIMEOUT_MS",
        Some("500"),
        "How long one call through that pool may take, in milliseconds.",
    ),
    secret("DATABASE_URL", Some("sqlite://data/depot.db"), "The SQL database: the ledger, and the members."),
    setting(
        "ALLOW_ANOTHER_BOT",
        Some("false"),
        "Whether to start on a database that belongs to another bot.",
    ),
    setting("SESSION_TTL_SECONDS", Some("300"), "How long a session lives without activity."),
    setting("ACCESS_MODE", Some("approval"), "The users that may deposit: approval, allowlist or open."),
    setting("ADMIN_TELEGRAM_IDS", None, "The numeric Telegram ids of the first admins."),
    setting("ALLOWED_TELEGRAM_IDS", None, "The numeric Telegram ids that the allowlist admits."),
    setting(
        "RATE_LIMIT_PER_MINUTE",
        Some("60"),
        "How many updates of one person are taken per minute; 0 is off.",
    ),
    setting("RETAIN_DEAD_LETTERS_DAYS", Some("30"), "How many days dead letters are kept; 0 is for ever."),
    setting(
        "RETAIN_CONFLICTS_DAYS",
        Some("30"),
        "How many days documents that lost are kept; 0 is for ever.",
    ),
    setting(
        "RETAIN_QUARANTINE_DAYS",
        Some("90"),
        "How many days unreadable documents are kept; 0 is for ever.",
    ),
    setting("RETAIN_DRAFTS_DAYS", Some("365"), "How many days the texts of drafts are kept; 0 is for ever."),
    setting(
        "RETAIN_DELIVERIES_DAYS",
        Some("90"),
        "How many days settled deliveries are kept; 0 is for ever.",
    ),
    setting("TAXONOMY_FILE", None, "The categories, in place of those that are compiled in."),
    setting("STT_BASE_URL", None, "The server that listens to voice notes; unset means that none does."),
    secret("STT_API_KEY", None, "The key that the server that listens knows the bot by."),
    setting("STT_MODEL", Some("whisper-1"), "The model of that server that listens."),
    setting("STT_PATH", Some("/audio/transcriptions"), "Where below STT_BASE_URL recordings are posted to."),
    setting("LLM_BASE_URL", None, "The chat model that reads notes; unset means that the embedded one does."),
    secret("LLM_API_KEY", None, "The key that the server of the chat model knows the bot by."),
    setting("LLM_MODEL", None, "The model of that server that reads."),
    setting("LLM_VISION", Some("false"), "Whether it looks at photos that come without words."),
    setting("LLM_DAILY_CALLS", Some("1000"), "How many notes a day it reads at most; 0 is without limit."),
    setting("LOG_FORMAT", Some("auto"), "How the log looks: auto, pretty or json."),
    setting("RUST_LOG", Some("info"), "The filter of the log, in the language of `tracing`."),
];

/// The token of `depot-bot demo`: of valid shape, and public.
pub const DEMO_TOKEN: &str = "700000001:AAtelegramBotApiSimulatorToken_pub1";

/// Telegram's own server.
pub const TELEGRAM_API_URL: &str = "https://api.telegram.org";

/// The suffix that names the file which holds a secret.
pub const FILE_SUFFIX: &str = "_FILE";

/// Prefixes that are ours alone: an unknown name that begins with one is most likely a mistake.
const PREFIXES: [&str; 8] =
    ["TELEGRAM_", "WEBHOOK_", "REDIS_", "SESSION_", "DATABASE_", "RETAIN_", "STT_", "LLM_"];
/// Names that begin like ours and belong to others: those of the X session, and of Kubernetes for a service called redis.
const FOREIGN: [&str; 5] =
    ["SESSION_MANAGER", "REDIS_PORT", "REDIS_SERVICE_", "DATABASE_PORT", "DATABASE_SERVICE_"];
/// How many letters may differ for a name to count as a misspelling.
const TYPO: usize = 2;

/// The variable of this name.
#[must_use]
pub fn variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// A sentence for each name that resembles one of ours and is not read, in alphabetical order.
pub(super) fn misspelled(layers: &Layers) -> Vec<String> {
    let names: BTreeSet<&str> = layers.names().filter(|name| !is_read(name)).collect();
    names.into_iter().filter_map(suspicion).collect()
}

fn is_read(name: &str) -> bool {
    let of_secret = name.strip_suffix(FILE_SUFFIX).and_then(variable).is_some_and(|variable| variable.secret);
    of_secret || variable(name).is_some()
}

fn suspicion(name: &str) -> Option<String> {
    if let Some(variable) = name.strip_suffix(FILE_SUFFIX).and_then(variable) {
        return Some(format!("{name} is not read: {} is not a secret and has no file twin", variable.name));
    }
    let near = VARIABLES
        .iter()
        .map(|known| (distance(name, known.name), known.name))
        .min()
        .filter(|(letters, _)| *letters <= TYPO);
    let ours = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let foreign = FOREIGN.iter().any(|prefix| name.starts_with(prefix));
    match near {
        Some((_, meant)) => Some(format!("{name} is not read: did you mean {meant}?")),
        None if ours && !foreign => Some(format!("{name} is not read: no variable has this name")),
        None => None,
    }
}

/// The Levenshtein distance, in bytes: names are ASCII.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((b, diagonal), above) in right.bytes().zip(&row).zip(row.iter().skip(1)) {
            let before = next.last().copied().unwrap_or(i);
            next.push((diagonal + usize::from(a != b)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_letters() {
        assert_eq!(distance("REDIS_URL", "REDIS_URL"), 0);
        assert_eq!(distance("REDIS_UR", "REDIS_URL"), 1);
        assert_eq!(distance("REDSI_URL", "REDIS_URL"), 2);
        assert_eq!(distance("", "RED"), 3);
        assert_eq!(distance("PATH", "REDIS_URL"), 9);
    }
}
