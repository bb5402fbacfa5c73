//! How long what is not for ever is kept.

use std::time::Duration;

use crate::config::Retention;
use crate::config::reader::{Noted, Reader};

/// Ten years.
const DAYS_MAX: u32 = 3_650;

pub(in crate::config) fn retention(reader: &mut Reader) -> Result<Retention, Noted> {
    let mut days = |name: &str| {
        let days = reader.number(name, 0, DAYS_MAX, 30)?;
        Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400)))
    };
    let (parked, conflicts) = (days("RETAIN_PARKED_DAYS"), days("RETAIN_CONFLICTS_DAYS"));
    let (quarantine, drafts) = (days("RETAIN_QUARANTINE_DAYS"), days("RETAIN_DRAFTS_DAYS"));
    let deliveries = days("RETAIN_DELIVERIES_DAYS");
    Ok(Retention {
        parked: parked?,
        conflicts: conflicts?,
        quarantine: quarantine?,
        drafts: drafts?,
        deliveries: deliveries?,
    })
}
