//! Deliveries: leased by one instance at a time, and always as the facts are now.

use std::time::Duration;

use deposit::{ChatId, MessageId, UserId};
use depot_bot::app::Tables;
use depot_bot::ledger::{AccessRequest, Decision};
use depot_bot::operations::{AccessRequestRef, Delivery, DeliveryKind};
use session::Language;

use crate::ledger::{ANNE, Ground, NOW, on_both_engines};

const LEASE: Duration = Duration::from_secs(15);
const PAUL: UserId = UserId(20);
const MESSAGE: MessageId = MessageId(100);

on_both_engines!(
    a_leased_delivery_is_no_other_instances_until_the_lease_ends,
    two_instances_never_lease_the_same,
    a_deferred_delivery_comes_back_when_it_is_due,
    a_late_holder_is_not_heard,
    a_repeated_outcome_counts_the_same,
    a_decision_before_the_card_was_sent_is_all_that_is_sent,
    a_decision_while_the_card_is_sent_becomes_an_edit,
    a_decision_while_the_card_is_deferred_waits_as_long,
    a_failed_card_is_not_tried_again,
    a_closed_chat_loses_only_its_own,
    an_unreadable_payload_is_marked_as_failed,
);

/// Requests access for `people` while Paul is the admin: a card for him each.
async fn cards_for_paul(ground: &Ground, people: std::ops::Range<i64>) {
    ground.tables.members.ensure_admins(&[PAUL]).await.unwrap();
    for person in people {
        let asked = ground.tables.members.request_access(UserId(person), "Anne", Language::Fr).await.unwrap();
        assert_eq!(asked, AccessRequest::Asked);
    }
}

async fn lease(tables: &Tables) -> Vec<Delivery> {
    tables.deliveries.lease(100, LEASE).await.unwrap()
}

async fn lease_one(tables: &Tables) -> Delivery {
    let mut leased = lease(tables).await;
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

fn request_of(delivery: &Delivery) -> AccessRequestRef {
    match delivery.kind {
        DeliveryKind::AccessRequested { request, .. } => request,
        ref other => panic!("{other:?}"),
    }
}

async fn accept(ground: &Ground, request: AccessRequestRef) {
    assert!(matches!(ground.other.members.decide(request, PAUL, true).await.unwrap(), Decision::Done { .. }));
}

/// Leases and marks as sent the message to the user who asked, so that only the card is left.
fn card(deliveries: Vec<Delivery>) -> Option<Delivery> {
    deliveries.into_iter().find(|delivery| delivery.destination == ChatId(PAUL.0))
}

async fn a_leased_delivery_is_no_other_instances_until_the_lease_ends(ground: &Ground) {
    assert_eq!(ground.tables.deliveries.next_due().await.unwrap(), None);
    cards_for_paul(ground, 100..103).await;
    assert_eq!(ground.other.deliveries.next_due().await.unwrap(), Some(NOW));
    let first = ground.tables.deliveries.lease(2, LEASE).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(first[0].id < first[1].id, "in the order they were written");
    assert_eq!(lease(&ground.other).await.len(), 1);
    assert_eq!(lease(&ground.other).await, []);
    assert_eq!(ground.other.deliveries.next_due().await.unwrap(), Some(NOW.after(LEASE)));
    assert!(ground.tables.deliveries.mark_sent(&first[0], MESSAGE).await.unwrap());
    ground.clock.advance(LEASE);
    assert_eq!(ground.of_other_bot().deliveries.lease(9, LEASE).await.unwrap(), []);
    let again = lease(&ground.other).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|delivery| delivery.attempts == 0), "a crash counts no attempt");
}

async fn two_instances_never_lease_the_same(ground: &Ground) {
    cards_for_paul(ground, 100..120).await;
    for _lease in 0..60 {
        let tasks = [0, 1].map(|number| {
            let tables = ground.instance(number);
            tokio::spawn(async move { tables.deliveries.lease(10, LEASE).await.unwrap() })
        });
        let mut ids = Vec::new();
        for task in tasks {
            let leased = task.await.unwrap();
            assert!(leased.len() <= 10);
            ids.extend(leased.into_iter().map(|delivery| delivery.id));
        }
        ids.extend(lease(&ground.tables).await.into_iter().map(|delivery| delivery.id));
        ids.sort_unstable();
        assert_eq!(ids.len(), 20, "all of them, none twice: {ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 20, "leased twice");
        ground.clock.advance(LEASE);
    }
}

async fn a_deferred_delivery_comes_back_when_it_is_due(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let delivery = lease_one(&ground.tables).await;
    let until = NOW.after(Duration::from_secs(40));
    assert!(ground.tables.deliveries.defer(&delivery, until).await.unwrap());
    assert_eq!(ground.tables.deliveries.next_due().await.unwrap(), Some(until));
    ground.clock.advance(Duration::from_secs(39));
    assert_eq!(lease(&ground.tables).await, []);
    ground.clock.advance(Duration::from_secs(1));
    let again = lease_one(&ground.other).await;
    assert_eq!(again.attempts, 1);
    assert!(ground.other.deliveries.mark_sent(&again, MESSAGE).await.unwrap());
    assert_eq!(ground.tables.deliveries.next_due().await.unwrap(), None);
}

async fn a_late_holder_is_not_heard(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let late = lease_one(&ground.tables).await;
    ground.clock.advance(LEASE);
    let holder = lease_one(&ground.other).await;
    assert!(!ground.tables.deliveries.mark_sent(&late, MessageId(99)).await.unwrap());
    assert!(!ground.tables.deliveries.defer(&late, NOW.after(LEASE * 9)).await.unwrap());
    assert!(!ground.tables.deliveries.mark_failed(&late, "late").await.unwrap());
    assert!(ground.other.deliveries.mark_sent(&holder, MESSAGE).await.unwrap());
    assert!(!ground.tables.deliveries.mark_sent(&late, MessageId(99)).await.unwrap());
    accept(ground, request_of(&holder)).await;
    let edit = card(lease(&ground.tables).await).unwrap();
    assert_eq!(edit.message, Some(MESSAGE));
}

async fn a_repeated_outcome_counts_the_same(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let delivery = lease_one(&ground.tables).await;
    // After the lease, but before another instance took it, the outcome still counts.
    ground.clock.advance(LEASE * 2);
    assert!(ground.tables.deliveries.mark_sent(&delivery, MESSAGE).await.unwrap());
    assert!(ground.tables.deliveries.mark_sent(&delivery, MESSAGE).await.unwrap());
    assert_eq!(lease(&ground.tables).await, []);
    accept(ground, request_of(&delivery)).await;
    // The repetition comes late: it does not undo the new view.
    assert!(ground.tables.deliveries.mark_sent(&delivery, MESSAGE).await.unwrap());
    let edit = card(lease(&ground.tables).await).unwrap();
    assert!(matches!(edit.kind, DeliveryKind::AccessDecided { .. }));
}

async fn a_decision_before_the_card_was_sent_is_all_that_is_sent(ground: &Ground) {
    let rita = UserId(21);
    ground.tables.members.ensure_admins(&[PAUL, rita]).await.unwrap();
    assert_eq!(
        ground.tables.members.request_access(ANNE, "Anne", Language::Fr).await.unwrap(),
        AccessRequest::Asked
    );
    let cards = ground.tables.deliveries.lease(1, LEASE).await.unwrap();
    assert_eq!(cards[0].destination, ChatId(PAUL.0));
    assert!(ground.tables.deliveries.mark_sent(&cards[0], MESSAGE).await.unwrap());
    accept(ground, request_of(&cards[0])).await;
    let mut said = lease(&ground.tables).await;
    said.sort_by_key(|delivery| delivery.destination.0);
    let seen: Vec<_> = said.iter().map(|said| (said.destination.0, said.message)).collect();
    assert_eq!(seen, [(ANNE.0, None), (PAUL.0, Some(MESSAGE)), (rita.0, None)]);
    assert!(said[1..].iter().all(|said| matches!(said.kind, DeliveryKind::AccessDecided { .. })));
}

async fn a_decision_while_the_card_is_sent_becomes_an_edit(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let sending = lease_one(&ground.tables).await;
    accept(ground, request_of(&sending)).await;
    assert!(card(lease(&ground.other).await).is_none(), "it is being sent");
    assert!(ground.tables.deliveries.mark_sent(&sending, MESSAGE).await.unwrap());
    let edit = card(lease(&ground.other).await).unwrap();
    assert_eq!(edit.message, Some(MESSAGE));
    assert!(matches!(edit.kind, DeliveryKind::AccessDecided { accepted: true, .. }));
    assert!(ground.other.deliveries.mark_sent(&edit, MESSAGE).await.unwrap());
    assert!(card(lease(&ground.other).await).is_none());
}

async fn a_decision_while_the_card_is_deferred_waits_as_long(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let sending = lease_one(&ground.tables).await;
    accept(ground, request_of(&sending)).await;
    let until = NOW.after(Duration::from_secs(40));
    assert!(ground.tables.deliveries.defer(&sending, until).await.unwrap());
    assert!(card(lease(&ground.tables).await).is_none(), "Telegram said when");
    ground.clock.advance(Duration::from_secs(40));
    let decided = card(lease(&ground.tables).await).unwrap();
    assert_eq!(decided.message, None);
    assert!(matches!(decided.kind, DeliveryKind::AccessDecided { .. }));
}

async fn a_failed_card_is_not_tried_again(ground: &Ground) {
    cards_for_paul(ground, 100..102).await;
    let [first, second] = lease(&ground.tables).await.try_into().unwrap();
    assert!(ground.tables.deliveries.mark_failed(&first, "bad request").await.unwrap());
    accept(ground, request_of(&first)).await;
    assert!(card(lease(&ground.tables).await).is_none());
    // The old view failed: the new one is tried.
    accept(ground, request_of(&second)).await;
    assert!(ground.tables.deliveries.mark_failed(&second, "bad request").await.unwrap());
    let decided = card(lease(&ground.tables).await).unwrap();
    assert!(matches!(decided.kind, DeliveryKind::AccessDecided { .. }));
}

async fn a_closed_chat_loses_only_its_own(ground: &Ground) {
    let rita = UserId(21);
    ground.tables.members.ensure_admins(&[PAUL, rita]).await.unwrap();
    for person in 100..103 {
        let asked = ground.tables.members.request_access(UserId(person), "Anne", Language::Fr).await.unwrap();
        assert_eq!(asked, AccessRequest::Asked);
    }
    let held = ground.tables.deliveries.lease(1, LEASE).await.unwrap().remove(0);
    assert_eq!(held.destination, ChatId(PAUL.0));
    assert_eq!(ground.tables.deliveries.close_destination(ChatId(PAUL.0)).await.unwrap(), 3);
    assert_eq!(ground.tables.deliveries.close_destination(ChatId(PAUL.0)).await.unwrap(), 0);
    assert!(!ground.tables.deliveries.mark_failed(&held, "blocked").await.unwrap());
    let left = lease(&ground.tables).await;
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|delivery| delivery.destination == ChatId(rita.0)));
    assert_eq!(ground.tables.deliveries.count_pending().await.unwrap(), 3);
}

async fn an_unreadable_payload_is_marked_as_failed(ground: &Ground) {
    cards_for_paul(ground, 100..102).await;
    let sql = "update deliveries set payload = '{\"kind\":\"of a newer release\"}'
        where id = (select min(id) from deliveries)";
    ground.execute(sql).await.unwrap();
    assert_eq!(lease(&ground.tables).await.len(), 1);
    assert_eq!(ground.number("select count(*) from deliveries where status = 'failed'").await, 1);
}
