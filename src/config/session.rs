//! How long conversations live.

use std::time::Duration;

use crate::config::{MergedLayers, Noted};

/// The longest life of a session: a day, so that a draft of yesterday is never validated by accident.
const TTL_MAX: u32 = 86_400;
/// Below this many seconds a user has no time to answer.
const TTL_GOOD: u32 = 30;

/// How long conversations live.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// How long an open one lives without activity, in whole seconds.
    pub ttl: Duration,
}

pub(super) fn session(settings: &mut MergedLayers) -> Result<SessionSettings, Noted> {
    let seconds = settings.number::<1, TTL_MAX>("SESSION_TTL_SECONDS")?;
    if seconds < TTL_GOOD {
        settings.warn(format!("SESSION_TTL_SECONDS is under {TTL_GOOD}: too short for a person to answer"));
    }
    Ok(SessionSettings { ttl: Duration::from_secs(u64::from(seconds)) })
}
