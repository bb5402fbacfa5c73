//! Who may deposit, how long a session waits for them, and which categories they choose from.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::reader::{Noted, Reader};
use crate::config::{Access, AccessMode, Session};
use crate::deposit::UserId;

/// The longest life of a session: a day, so that a draft of yesterday is never validated by accident.
const TTL_MAX: u32 = 86_400;
/// Below this many seconds nobody has the time to answer.
const TTL_GOOD: u32 = 30;
/// The most updates per minute and person that a limit can name.
const RATE_MAX: u32 = 10_000;
/// The most ids that one list holds; beyond that, people are admitted from within.
const IDS_MAX: usize = 1_000;
/// Ids that Telegram gives to many people at once: posts of linked channels, and anonymous admins of groups.
const SHARED_IDS: [i64; 2] = [777_000, 1_087_968_824];

pub(in crate::config) fn session(reader: &mut Reader, warnings: &mut Vec<String>) -> Result<Session, Noted> {
    let seconds = reader.number("SESSION_TTL_SECONDS", 1, TTL_MAX, 300)?;
    if seconds < TTL_GOOD {
        warnings.push(format!("SESSION_TTL_SECONDS is under {TTL_GOOD}: too short for a person to answer"));
    }
    Ok(Session { ttl: Duration::from_secs(u64::from(seconds)) })
}

pub(in crate::config) fn access(reader: &mut Reader, warnings: &mut Vec<String>) -> Result<Access, Noted> {
    let mode = access_mode(reader);
    let admins = ids(reader, "ADMIN_TELEGRAM_IDS");
    let allowed = ids(reader, "ALLOWED_TELEGRAM_IDS");
    let rate = reader.number("RATE_LIMIT_PER_MINUTE", 0, RATE_MAX, 60);
    let (mode, admins, allowed) = (mode?, admins?, allowed?);
    if mode != AccessMode::Allowlist && !allowed.is_empty() {
        warnings.push("ALLOWED_TELEGRAM_IDS has no effect unless ACCESS_MODE is allowlist".to_owned());
    }
    if mode == AccessMode::Allowlist && allowed.is_empty() && admins.is_empty() {
        return Err(reader.fault(
            "ALLOWED_TELEGRAM_IDS",
            "is empty while ACCESS_MODE is allowlist: nobody could use the bot",
            "list the numeric Telegram ids of those who may, with commas between them",
        ));
    }
    Ok(Access { mode, admins, allowed, rate_per_minute: NonZeroU32::new(rate?) })
}

fn access_mode(reader: &mut Reader) -> Result<AccessMode, Noted> {
    match reader.text_or_default("ACCESS_MODE").to_ascii_lowercase().as_str() {
        "approval" => Ok(AccessMode::Approval),
        "allowlist" => Ok(AccessMode::Allowlist),
        "open" => Ok(AccessMode::Open),
        other => {
            let wrong = format!("is unknown: {other:?}");
            Err(reader.fault("ACCESS_MODE", wrong, "choose approval, allowlist or open"))
        }
    }
}

fn ids(reader: &mut Reader, name: &str) -> Result<Vec<UserId>, Noted> {
    let text = reader.text(name).unwrap_or_default();
    let words = text.split([',', ';', ' ', '\n', '\t']).filter(|word| !word.is_empty());
    let mut ids: Vec<UserId> = Vec::new();
    for word in words {
        let wrong = match word.parse() {
            Ok(id) if SHARED_IDS.contains(&id) => {
                format!("holds an id that Telegram shares among many people: {id}")
            }
            Ok(id) if id > 0 => {
                if !ids.contains(&UserId(id)) {
                    ids.push(UserId(id));
                }
                continue;
            }
            Ok(_) | Err(_) => format!("holds what is not a person's id: {word:?}"),
        };
        let fix = "write numbers with commas between them; the bot tells everybody their own";
        return Err(reader.fault(name, wrong, fix));
    }
    if ids.len() > IDS_MAX {
        let fix = "keep the admins, and let them admit the others from within the bot";
        return Err(reader.fault(name, format!("holds more than {IDS_MAX} ids"), fix));
    }
    Ok(ids)
}

/// The file of categories, if another than the built-in one is wanted; what is in it is read by `taxonomy`.
pub(in crate::config) fn taxonomy_file(reader: &mut Reader) -> Result<Option<PathBuf>, Noted> {
    let Some(path) = reader.text("TAXONOMY_FILE").map(PathBuf::from) else { return Ok(None) };
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(file) if file.is_file() => Ok(Some(path)),
        Ok(_) => Err(path.display().to_string()),
        Err(error) => Err(format!("{} ({})", path.display(), error.kind())),
    }
    .map_err(|found| {
        let wrong = format!("names a file that cannot be read: {found}");
        reader.fault("TAXONOMY_FILE", wrong, "give the path of a taxonomy file, or leave it out")
    })
}
