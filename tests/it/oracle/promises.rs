//! The confirmations, compared with the ledger (P1, P2), and whether each user was answered (P4) and told once (P6).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::oracle::Report;
use crate::oracle::answers::unanswered;
use crate::oracle::evidence::{Deposit, Evidence};
use crate::oracle::updates::updates;

const EXPIRED: &str = "La session a expiré";

pub(super) fn judge(evidence: &Evidence, report: &mut Report) {
    confirmations(evidence, report);
    once(evidence, report);
    for update in unanswered(&evidence.telegram, &evidence.deaths) {
        report.broken("P4", format!("{update:?} has no visible outcome"));
    }
    endings(evidence, report);
    if evidence.undelivered > 0 {
        report.broken("P12", format!("{} deliveries were never told as sent", evidence.undelivered));
    }
}

/// The number in a confirmation.
pub(super) fn number_in(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("Dépôt n°\u{a0}")?;
    rest.split_once(" enregistré")?.0.parse().ok()
}

/// P1: each confirmed deposit is in the ledger, as the card showed it; and no user waits for a confirmation.
fn confirmations(evidence: &Evidence, report: &mut Report) {
    let mut seen: BTreeSet<(i64, u64)> = BTreeSet::new();
    for (_, chat, _, text) in evidence.shown() {
        let Some(number) = number_in(text) else { continue };
        seen.insert((chat, number));
        match evidence.cards.get(&number) {
            None => report.broken("P1", format!("person {chat} saw n° {number}, which is not in the ledger")),
            Some(card) if card != text => {
                report.broken("P1", format!("person {chat} saw «{text}», and the ledger has «{card}»"));
            }
            Some(_) => {}
        }
    }
    report.confirmed = seen.len();
    let recorded: BTreeSet<(i64, u64)> = evidence
        .deposits
        .iter()
        .filter(|deposit| deposit.status == "completed")
        .filter_map(|deposit| Some((deposit.owner, u64::try_from(deposit.number?).ok()?)))
        .collect();
    for (person, number) in seen.difference(&recorded) {
        report.broken("P1", format!("n° {number} was confirmed to person {person} and is not theirs"));
    }
    for (person, number) in recorded.difference(&seen) {
        report.broken("P4", format!("n° {number} of person {person} was recorded and never confirmed"));
    }
}

/// P2: no deposit is there twice.
fn once(evidence: &Evidence, report: &mut Report) {
    let completed = evidence.deposits.iter().filter(|deposit| deposit.status == "completed");
    let (mut references, mut numbers) = (HashMap::new(), HashMap::new());
    for deposit in completed {
        for (what, known) in [
            ("card", references.insert(deposit.reference.clone(), deposit.id.clone())),
            ("number", numbers.insert(deposit.number, deposit.id.clone())),
        ] {
            if known.is_some_and(|known| known != deposit.id) {
                report.broken("P2", format!("two deposits of one {what}: {deposit:?}"));
            }
        }
    }
}

/// P6: a deposit ends once, an expired one with a notice, and none ends while its answer was waiting.
fn endings(evidence: &Evidence, report: &mut Report) {
    let mut before: Option<&Deposit> = None;
    for deposit in &evidence.deposits {
        let was = before.filter(|before| before.id == deposit.id).map(|before| before.status.as_str());
        let may_follow = match was {
            None => true,
            Some("completed") => deposit.status == "reversed",
            Some("expired") => matches!(deposit.status.as_str(), "completed" | "cancelled" | "expired"),
            Some(_) => false,
        };
        if !may_follow {
            report.broken("P6", format!("{deposit:?} ended a second time, after {before:?}"));
        }
        before = Some(deposit);
    }
    let mut expired: BTreeMap<i64, usize> = BTreeMap::new();
    for deposit in evidence.deposits.iter().filter(|deposit| deposit.status == "expired") {
        *expired.entry(deposit.owner).or_default() += 1;
        let waited = updates(&evidence.telegram).into_iter().find(|update| {
            let delivered = update.delivered.and_then(|number| {
                evidence.telegram.iter().find(|entry| entry.number == number).map(|entry| entry.at.0)
            });
            update.chat == deposit.owner
                && update.enqueued_at.0 < deposit.decided_at
                && delivered.is_some_and(|delivered| delivered > deposit.decided_at)
        });
        if let Some(update) = waited {
            report.broken("P6", format!("{deposit:?} expired while {update:?} waited in Telegram"));
        }
    }
    let mut notices: BTreeMap<i64, HashSet<i64>> = BTreeMap::new();
    for (_, chat, message, text) in evidence.shown() {
        if text.contains(EXPIRED) {
            notices.entry(chat).or_default().insert(message);
        }
    }
    for (person, count) in expired {
        let told = notices.get(&person).map_or(0, HashSet::len);
        if told < count {
            report.broken("P6", format!("person {person}: {count} sessions expired, and {told} were told"));
        }
    }
}
