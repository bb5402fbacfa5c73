//! How long things are kept that are not for ever.

use std::time::Duration;

use crate::config::{MergedLayers, Noted};

/// Ten years.
const DAYS_MAX: u32 = 3_650;

/// How long things are kept that are not for ever, in whole days; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub struct RetentionSettings {
    /// Updates that could not be handled.
    pub dead_letters: Option<Duration>,
    /// Documents that lost against another branch of their conversation.
    pub conflicts: Option<Duration>,
    /// Documents that could not be read.
    pub quarantine: Option<Duration>,
    /// The texts and recordings of deposits, after the deposits were decided.
    pub drafts: Option<Duration>,
    /// Messages to other chats, after they were sent or given up.
    pub deliveries: Option<Duration>,
}

pub(super) fn retention(settings: &mut MergedLayers) -> Result<RetentionSettings, Noted> {
    let mut days = |name: &str| {
        let days = settings.number::<0, DAYS_MAX>(name)?;
        Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400)))
    };
    let (dead_letters, conflicts) = (days("RETAIN_DEAD_LETTERS_DAYS"), days("RETAIN_CONFLICTS_DAYS"));
    let (quarantine, drafts) = (days("RETAIN_QUARANTINE_DAYS"), days("RETAIN_DRAFTS_DAYS"));
    let deliveries = days("RETAIN_DELIVERIES_DAYS");
    Ok(RetentionSettings {
        dead_letters: dead_letters?,
        conflicts: conflicts?,
        quarantine: quarantine?,
        drafts: drafts?,
        deliveries: deliveries?,
    })
}
