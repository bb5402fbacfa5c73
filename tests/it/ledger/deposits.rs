//! Deposits: recorded once, numbered without gaps, undone once, taken up again.

use std::time::Duration;

use deposit::{DepositRef, Draft, Leaving, Status, UserId};
use depot_bot::database::{Connection, Job};
use depot_bot::ledger::{LedgerEntry, Reversal, Role, UndoRight};

use crate::ledger::{ANNE, Ground, NOW, TAXONOMY, WINDOW, draft, leaving, on_both_engines, owner};

const OWN: UndoRight = UndoRight::Owner { window: WINDOW };

on_both_engines!(
    recording_twice_is_recording_once,
    a_deposit_behind_a_decision_that_has_lost_is_not_recorded,
    a_recorded_deposit_is_read_back_unchanged,
    many_at_once_are_numbered_without_gap_or_double,
    the_same_deposit_from_two_instances_at_once_takes_one_number,
    only_completed_deposits_are_numbered,
    an_undo_is_a_new_revision_and_happens_once,
    of_many_undos_at_once_one_counts,
    an_undo_needs_the_right_and_the_time,
    an_expired_draft_is_taken_up_again_as_the_next_revision,
    the_latest_of_an_owner_come_newest_first,
    nothing_recorded_can_be_changed,
    counts_follow_the_latest_revisions,
    a_deposit_of_twenty_lines_keeps_their_order,
    deposits_recorded_together_are_as_if_each_had_come_alone,
);

async fn recording_twice_is_recording_once(ground: &Ground) {
    let completed = leaving(draft(1), Status::Completed);
    let first = ground.tables.ledger.record(&completed, &owner(ANNE), TAXONOMY).await.unwrap();
    assert_eq!(first.number, Some(1));
    let again = ground.other.ledger.record(&completed, &owner(ANNE), TAXONOMY).await.unwrap();
    assert_eq!(first, again);
    // Under the same id and revision the answer is always the row of the ledger.
    let differs = leaving(Draft { lines: Vec::new(), ..draft(1) }, Status::Cancelled);
    assert_eq!(ground.tables.ledger.record(&differs, &owner(ANNE), TAXONOMY).await.unwrap(), first);
    assert_eq!(ground.number("select count(*) from deposits").await, 1);
    assert_eq!(ground.number("select count(*) from lines").await, 2);
    let next = ground
        .tables
        .ledger
        .record(&leaving(draft(2), Status::Completed), &owner(ANNE), TAXONOMY)
        .await
        .unwrap();
    assert_eq!(next.number, Some(2));
}

/// A decision that comes out well or not.
struct Decision(bool);

impl Job for Decision {
    type Output = bool;

    async fn run(&self, _connection: &mut Connection) -> Result<bool, sqlx::Error> {
        Ok(self.0)
    }
}

async fn a_deposit_behind_a_decision_that_has_lost_is_not_recorded(ground: &Ground) {
    let completed = leaving(draft(1), Status::Completed);
    let after = async |kept| {
        ground.tables.ledger.record_after(Decision(kept), &completed, &owner(ANNE), TAXONOMY).await
    };
    assert_eq!(after(false).await.unwrap(), None);
    assert_eq!(ground.number("select count(*) from deposits").await, 0);
    let recorded = after(true).await.unwrap().unwrap();
    assert_eq!(recorded.number, Some(1));
    assert_eq!(ground.tables.ledger.record(&completed, &owner(ANNE), TAXONOMY).await.unwrap(), recorded);
}

async fn a_recorded_deposit_is_read_back_unchanged(ground: &Ground) {
    let decided_at = NOW.after(Duration::from_secs(9));
    ground.clock.advance(Duration::from_secs(10));
    let completed = Leaving { decided_at, ..leaving(draft(1), Status::Completed) };
    let recorded = ground.tables.ledger.record(&completed, &owner(ANNE), TAXONOMY).await.unwrap();
    let entry = ground.other.ledger.by_reference(draft(1).reference).await.unwrap().unwrap();
    let expected = LedgerEntry {
        draft: draft(1),
        owner: owner(ANNE),
        number: Some(1),
        status: Status::Completed,
        decided_at,
        decided_by: Some(ANNE),
        recorded_at: NOW.after(Duration::from_secs(10)),
        taxonomy: TAXONOMY.to_owned(),
    };
    assert_eq!(entry, expected);
    assert_eq!(entry.recorded(), recorded);
    assert_eq!(ground.tables.ledger.by_reference(DepositRef(1)).await.unwrap(), None);
    assert_eq!(ground.of_other_bot().ledger.by_reference(draft(1).reference).await.unwrap(), None);
    assert_eq!(ground.number("select count(*) from lines where category = 'kitchenware'").await, 1);
}

async fn many_at_once_are_numbered_without_gap_or_double(ground: &Ground) {
    let tasks = (1..=50).map(|number| {
        let tables = ground.instance(number);
        tokio::spawn(async move {
            let completed = leaving(draft(number as u64), Status::Completed);
            tables
                .ledger
                .record(&completed, &owner(UserId(number as i64)), TAXONOMY)
                .await
                .unwrap()
                .number
                .unwrap()
        })
    });
    let mut numbers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    let of_other_bot = ground.of_other_bot();
    let first = of_other_bot
        .ledger
        .record(&leaving(draft(99), Status::Completed), &owner(ANNE), TAXONOMY)
        .await
        .unwrap();
    assert_eq!(first.number, Some(1), "each bot counts for itself");
}

async fn the_same_deposit_from_two_instances_at_once_takes_one_number(ground: &Ground) {
    for round in 1..=10 {
        let tasks = [0, 1, 2, 3].map(|number| {
            let tables = ground.instance(number);
            tokio::spawn(async move {
                tables
                    .ledger
                    .record(&leaving(draft(round), Status::Completed), &owner(ANNE), TAXONOMY)
                    .await
                    .unwrap()
            })
        });
        for task in tasks {
            assert_eq!(task.await.unwrap().number, Some(round));
        }
    }
    assert_eq!(ground.number("select count(*) from deposits").await, 10);
}

async fn only_completed_deposits_are_numbered(ground: &Ground) {
    for (number, status) in [(1, Status::Cancelled), (2, Status::Expired), (3, Status::ClassificationFailed)]
    {
        let recorded = ground
            .tables
            .ledger
            .record(&leaving(draft(number), status), &owner(ANNE), TAXONOMY)
            .await
            .unwrap();
        assert_eq!((recorded.number, recorded.status), (None, status));
        let entry = ground.tables.ledger.by_reference(draft(number).reference).await.unwrap().unwrap();
        assert_eq!(entry.decided_by, (status == Status::Cancelled).then_some(ANNE));
    }
    let recorded = ground
        .tables
        .ledger
        .record(&leaving(draft(4), Status::Completed), &owner(ANNE), TAXONOMY)
        .await
        .unwrap();
    assert_eq!(recorded.number, Some(1));
}

async fn an_undo_is_a_new_revision_and_happens_once(ground: &Ground) {
    ground.tables.ledger.record(&leaving(draft(1), Status::Completed), &owner(ANNE), TAXONOMY).await.unwrap();
    ground.clock.advance(WINDOW);
    let Reversal::Reversed(reversed) =
        ground.tables.ledger.reverse(draft(1).reference, ANNE, OWN).await.unwrap()
    else {
        panic!("not reversed");
    };
    assert_eq!((reversed.revision, reversed.status, reversed.number), (1, Status::Reversed, Some(1)));
    assert_eq!(reversed.lines, draft(1).lines);
    assert_eq!(reversed.decided_at, NOW.after(WINDOW));
    let again = ground.other.ledger.reverse(draft(1).reference, ANNE, OWN).await.unwrap();
    assert_eq!(again, Reversal::AlreadyReversed(reversed));
    // The effect that recorded it may come once more: it finds its own revision.
    let late = ground
        .tables
        .ledger
        .record(&leaving(draft(1), Status::Completed), &owner(ANNE), TAXONOMY)
        .await
        .unwrap();
    assert_eq!((late.revision, late.status), (0, Status::Completed));
    assert_eq!(ground.number("select count(*) from deposits").await, 2);
    let next = ground
        .tables
        .ledger
        .record(&leaving(draft(2), Status::Completed), &owner(ANNE), TAXONOMY)
        .await
        .unwrap();
    assert_eq!(next.number, Some(2), "an undone number is not given again");
    let sql = "select count(*) from history where what = 'reversed' and was = 'completed' and who = 7";
    assert_eq!(ground.number(sql).await, 1);
}

async fn of_many_undos_at_once_one_counts(ground: &Ground) {
    for round in 1..=10 {
        ground
            .tables
            .ledger
            .record(&leaving(draft(round), Status::Completed), &owner(ANNE), TAXONOMY)
            .await
            .unwrap();
        let tasks = [0, 1, 2, 3].map(|number| {
            let tables = ground.instance(number);
            tokio::spawn(
                async move { tables.ledger.reverse(draft(round).reference, ANNE, OWN).await.unwrap() },
            )
        });
        let mut reversed = 0;
        for task in tasks {
            match task.await.unwrap() {
                Reversal::Reversed(_) => reversed += 1,
                Reversal::AlreadyReversed(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(reversed, 1);
    }
    assert_eq!(ground.number("select count(*) from deposits").await, 20);
    assert_eq!(ground.number("select count(*) from lines").await, 40);
}

async fn an_undo_needs_the_right_and_the_time(ground: &Ground) {
    let (stranger, manager, admin) = (UserId(8), UserId(9), UserId(10));
    let reference = draft(1).reference;
    ground.tables.ledger.record(&leaving(draft(1), Status::Completed), &owner(ANNE), TAXONOMY).await.unwrap();
    ground.tables.ledger.record(&leaving(draft(2), Status::Cancelled), &owner(ANNE), TAXONOMY).await.unwrap();
    assert_eq!(ground.tables.ledger.reverse(reference, stranger, OWN).await.unwrap(), Reversal::NotAllowed);
    assert_eq!(ground.tables.ledger.reverse(DepositRef(5), ANNE, OWN).await.unwrap(), Reversal::NotFound);
    let not_completed = ground.tables.ledger.reverse(draft(2).reference, ANNE, OWN).await.unwrap();
    assert!(
        matches!(not_completed, Reversal::NotCompleted(recorded) if recorded.status == Status::Cancelled)
    );

    ground.clock.advance(WINDOW + Duration::from_millis(1));
    let late = ground.tables.ledger.reverse(reference, ANNE, OWN).await.unwrap();
    assert!(matches!(late, Reversal::TooLate(recorded) if recorded.status == Status::Completed));

    assert_eq!(
        ground.tables.ledger.reverse(reference, manager, UndoRight::Manager).await.unwrap(),
        Reversal::NotAllowed
    );
    ground.tables.members.ensure_admins(&[admin]).await.unwrap();
    let token = ground.tables.members.create_invite(Role::Manager).await.unwrap();
    super::access::redeem(&ground.tables, &token, manager).await.unwrap();
    let undone = ground.tables.ledger.reverse(reference, manager, UndoRight::Manager).await.unwrap();
    assert!(matches!(undone, Reversal::Reversed(_)));
    let entry = ground.tables.ledger.by_reference(reference).await.unwrap().unwrap();
    assert_eq!((entry.decided_by, entry.owner.user), (Some(manager), ANNE));
}

async fn an_expired_draft_is_taken_up_again_as_the_next_revision(ground: &Ground) {
    let reference = draft(1).reference;
    assert_eq!(ground.tables.ledger.resumable(reference, ANNE).await.unwrap(), None);
    ground.tables.ledger.record(&leaving(draft(1), Status::Expired), &owner(ANNE), TAXONOMY).await.unwrap();
    assert_eq!(ground.tables.ledger.resumable(reference, UserId(8)).await.unwrap(), None);
    let resumed = ground.other.ledger.resumable(reference, ANNE).await.unwrap().unwrap();
    assert_eq!(resumed, Draft { revision: 1, ..draft(1) });

    // It expires again, and is then validated with one line less.
    let expired = leaving(resumed, Status::Expired);
    assert_eq!(ground.tables.ledger.record(&expired, &owner(ANNE), TAXONOMY).await.unwrap().revision, 1);
    let mut resumed = ground.tables.ledger.resumable(reference, ANNE).await.unwrap().unwrap();
    assert_eq!(resumed.revision, 2);
    resumed.lines.pop();
    let completed = leaving(resumed.clone(), Status::Completed);
    let recorded = ground.tables.ledger.record(&completed, &owner(ANNE), TAXONOMY).await.unwrap();
    assert_eq!((recorded.revision, recorded.number, recorded.lines.len()), (2, Some(1), 1));
    assert_eq!(ground.tables.ledger.resumable(reference, ANNE).await.unwrap(), None);
    let sql = "select count(*) from history where was = 'expired' and what = 'completed'";
    assert_eq!(ground.number(sql).await, 1);
    let Reversal::Reversed(reversed) = ground.tables.ledger.reverse(reference, ANNE, OWN).await.unwrap()
    else {
        panic!("not reversed");
    };
    assert_eq!((reversed.revision, reversed.number), (3, Some(1)));
    assert_eq!(reversed.lines, resumed.lines);
}

async fn the_latest_of_an_owner_come_newest_first(ground: &Ground) {
    for number in 1..=12 {
        ground
            .tables
            .ledger
            .record(&leaving(draft(number), Status::Completed), &owner(ANNE), TAXONOMY)
            .await
            .unwrap();
        let theirs = leaving(draft(100 + number), Status::Completed);
        ground.tables.ledger.record(&theirs, &owner(UserId(8)), TAXONOMY).await.unwrap();
    }
    let undone = ground.tables.ledger.reverse(draft(11).reference, ANNE, OWN).await.unwrap();
    assert!(matches!(undone, Reversal::Reversed(_)));
    let latest = ground.tables.ledger.latest_of(ANNE, 10).await.unwrap();
    let seen: Vec<_> = latest.iter().map(|entry| (entry.draft.reference, entry.status)).collect();
    let status = |number| if number == 11 { Status::Reversed } else { Status::Completed };
    let expected: Vec<_> = (3..=12).rev().map(|number| (draft(number).reference, status(number))).collect();
    assert_eq!(seen, expected);
    assert!(latest.iter().all(|entry| entry.draft.lines == draft(1).lines));
    assert_eq!(ground.tables.ledger.latest_of(UserId(99), 10).await.unwrap(), []);
    assert_eq!(ground.of_other_bot().ledger.latest_of(ANNE, 10).await.unwrap(), []);
}

async fn nothing_recorded_can_be_changed(ground: &Ground) {
    ground.tables.ledger.record(&leaving(draft(1), Status::Completed), &owner(ANNE), TAXONOMY).await.unwrap();
    for sql in [
        "update deposits set status = 'cancelled'",
        "update deposits set weight_grams = 1",
        "delete from deposits",
        "update lines set chosen = 'toys'",
        "delete from lines",
    ] {
        let error = ground.execute(sql).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    // The user's words may be erased; the deposit stands without them.
    ground.execute("update deposits set draft = '{}'").await.unwrap();
    let entry = ground.tables.ledger.by_reference(draft(1).reference).await.unwrap().unwrap();
    assert!(entry.draft.said.is_empty() && entry.draft.attachments.is_empty());
    assert_eq!(entry.draft.lines, draft(1).lines);
}

async fn counts_follow_the_latest_revisions(ground: &Ground) {
    assert_eq!(ground.tables.ledger.count_by_status().await.unwrap(), []);
    for (number, status) in
        [(1, Status::Completed), (2, Status::Completed), (3, Status::Cancelled), (4, Status::Expired)]
    {
        ground.tables.ledger.record(&leaving(draft(number), status), &owner(ANNE), TAXONOMY).await.unwrap();
    }
    assert!(matches!(
        ground.tables.ledger.reverse(draft(1).reference, ANNE, OWN).await.unwrap(),
        Reversal::Reversed(_)
    ));
    let resumed = ground.tables.ledger.resumable(draft(4).reference, ANNE).await.unwrap().unwrap();
    ground.tables.ledger.record(&leaving(resumed, Status::Cancelled), &owner(ANNE), TAXONOMY).await.unwrap();
    let counts = [(Status::Cancelled, 2), (Status::Completed, 1), (Status::Reversed, 1)];
    assert_eq!(ground.tables.ledger.count_by_status().await.unwrap(), counts);
    assert_eq!(ground.of_other_bot().ledger.count_by_status().await.unwrap(), []);
}

async fn a_deposit_of_twenty_lines_keeps_their_order(ground: &Ground) {
    let mut full = draft(1);
    full.lines = (0..20).map(|number| crate::ledger::line(&format!("objet {number}"))).collect();
    full.lines[3].object = "nul\0".to_owned();
    let recorded = ground
        .tables
        .ledger
        .record(&leaving(full.clone(), Status::Completed), &owner(ANNE), TAXONOMY)
        .await
        .unwrap();
    full.lines[3].object = "nul\u{fffd}".to_owned();
    let entry = ground.tables.ledger.by_reference(full.reference).await.unwrap().unwrap();
    assert_eq!(entry.draft, full);
    assert_eq!(recorded.lines, full.lines);
}

/// Deposits of none to four lines, each with objects of its own, every third of them cancelled.
fn of_a_crowd(number: u64) -> Leaving {
    let mut draft = draft(number);
    draft.lines =
        (0..number % 5).map(|line| crate::ledger::line(&format!("objet {number}.{line}"))).collect();
    leaving(draft, if number.is_multiple_of(3) { Status::Cancelled } else { Status::Completed })
}

async fn deposits_recorded_together_are_as_if_each_had_come_alone(ground: &Ground) {
    let leavings: Vec<Leaving> = (1..=40).map(of_a_crowd).collect();
    let is_lost = |leaving: &Leaving| leaving.draft.reference.0.is_multiple_of(7);
    let tables = &ground.tables;
    // Each is brought twice, and behind a decision, of which some have lost.
    let record = async |leaving: &Leaving| {
        let decision = Decision(!is_lost(leaving));
        tables.ledger.record_after(decision, leaving, &owner(ANNE), TAXONOMY).await.unwrap()
    };
    let twice = leavings.iter().chain(&leavings).map(record);
    let recorded = futures_util::future::join_all(twice).await;
    let (first, second) = recorded.split_at(leavings.len());
    assert_eq!(first, second, "a repetition is answered with what is there");
    let mut numbers = Vec::new();
    for (leaving, recorded) in leavings.iter().zip(first) {
        let entry = tables.ledger.by_reference(leaving.draft.reference).await.unwrap();
        assert_eq!(entry.is_none(), is_lost(leaving));
        assert_eq!(entry.as_ref().map(LedgerEntry::recorded), *recorded);
        let Some(entry) = entry else { continue };
        assert_eq!((&entry.draft, entry.status), (&leaving.draft, leaving.status));
        numbers.extend(entry.number);
    }
    numbers.sort_unstable();
    let completed = leavings.iter().filter(|it| it.status == Status::Completed && !is_lost(it)).count();
    assert_eq!(numbers, (1..=completed as u64).collect::<Vec<_>>());
}
