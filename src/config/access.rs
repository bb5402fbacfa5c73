//! The users that may talk to the bot, and how much.

use std::num::NonZeroU32;

use serde::Deserialize;

use crate::config::{MergedLayers, Noted};
use deposit::UserId;

/// The most updates per minute and user that a limit can name.
const RATE_MAX: u32 = 10_000;
/// The most ids that one list holds; beyond that, users are admitted from within.
const IDS_MAX: usize = 1_000;
/// Ids that Telegram gives to many users at once: posts of linked channels, and anonymous admins of groups.
const SHARED_IDS: [i64; 2] = [777_000, 1_087_968_824];

/// The users that may talk to the bot, and how much.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// How strangers are treated.
    pub mode: AccessMode,
    /// The first admins; more are named from within.
    pub admins: Vec<UserId>,
    /// The users that the allowlist admits.
    pub allowed: Vec<UserId>,
    /// How many updates of one user are taken per minute; `None` is without limit.
    pub rate_per_minute: Option<NonZeroU32>,
}

/// How strangers are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AccessMode {
    /// They may ask once, and an admin decides.
    Approval,
    /// They are refused unless they are on the list.
    Allowlist,
    /// They may deposit at once.
    Open,
}

impl TryFrom<String> for AccessMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "approval" => Ok(Self::Approval),
            "allowlist" => Ok(Self::Allowlist),
            "open" => Ok(Self::Open),
            other => Err(format!("is unknown: {other:?}")),
        }
    }
}

/// Ids of users, each once, in the order in which they are written.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct UserIds(Vec<UserId>);

impl TryFrom<String> for UserIds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words = text.split([',', ';', ' ', '\n', '\t']).filter(|word| !word.is_empty());
        let mut ids: Vec<UserId> = Vec::new();
        for word in words {
            match word.parse() {
                Ok(id) if SHARED_IDS.contains(&id) => {
                    return Err(format!("holds an id that Telegram shares among many people: {id}"));
                }
                Ok(id) if id > 0 => {
                    if !ids.contains(&UserId(id)) {
                        ids.push(UserId(id));
                    }
                }
                Ok(_) | Err(_) => return Err(format!("holds what is not a person's id: {word:?}")),
            }
        }
        Ok(Self(ids))
    }
}

pub(super) fn access(settings: &mut MergedLayers) -> Result<AccessSettings, Noted> {
    let mode = settings.get("ACCESS_MODE", "choose approval, allowlist or open");
    let admins = ids(settings, "ADMIN_TELEGRAM_IDS");
    let allowed = ids(settings, "ALLOWED_TELEGRAM_IDS");
    let rate = settings.number::<0, RATE_MAX>("RATE_LIMIT_PER_MINUTE");
    let (mode, admins, allowed) = (mode?, admins?, allowed?);
    if mode != AccessMode::Allowlist && !allowed.is_empty() {
        settings.warn("ALLOWED_TELEGRAM_IDS has no effect unless ACCESS_MODE is allowlist");
    }
    if mode == AccessMode::Allowlist && allowed.is_empty() && admins.is_empty() {
        return Err(settings.mistake(
            "ALLOWED_TELEGRAM_IDS",
            "is empty while ACCESS_MODE is allowlist: nobody could use the bot",
            "list the numeric Telegram ids of those who may, with commas between them",
        ));
    }
    Ok(AccessSettings { mode, admins, allowed, rate_per_minute: NonZeroU32::new(rate?) })
}

fn ids(settings: &mut MergedLayers, name: &str) -> Result<Vec<UserId>, Noted> {
    let fix = "write numbers with commas between them; the bot tells everybody their own";
    let UserIds(ids) = settings.optional(name, fix)?.unwrap_or_default();
    if ids.len() > IDS_MAX {
        let fix = "keep the admins, and let them admit the others from within the bot";
        return Err(settings.mistake(name, format!("holds more than {IDS_MAX} ids"), fix));
    }
    Ok(ids)
}
