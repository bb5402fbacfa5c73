//! Deliveries: claimed by one, under a lease, and always as the facts are now.

use std::time::Duration;

use depot_bot::deposit::{ChatId, MessageId, UserId};
use depot_bot::ledger::{AccessRequest, AccessRequestRef, Decision, Delivery, DeliveryKind, Ledger};
use depot_bot::session::Language;

use crate::ledger::{ANNE, Ground, NOW, on_both_engines};

const LEASE: Duration = Duration::from_secs(15);
const PAUL: UserId = UserId(20);
const MESSAGE: MessageId = MessageId(100);

on_both_engines!(
    what_is_claimed_is_nobody_elses_until_the_lease_ends,
    two_instances_never_claim_the_same,
    a_deferred_delivery_comes_back_when_it_is_due,
    a_late_holder_is_not_heard,
    a_repeated_outcome_counts_the_same,
    a_decision_before_the_card_was_sent_is_all_that_is_sent,
    a_decision_while_the_card_is_sent_becomes_an_edit,
    a_decision_while_the_card_is_deferred_waits_as_long,
    a_failed_card_is_not_tried_again,
    a_closed_chat_loses_only_its_own,
    an_unreadable_payload_is_put_aside,
);

/// Asks for access for `people` while Paul is the admin: a card for him each.
async fn cards_for_paul(ground: &Ground, people: std::ops::Range<i64>) {
    ground.ledger.ensure_admins(&[PAUL]).await.unwrap();
    for person in people {
        let asked = ground.ledger.request_access(UserId(person), "Anne", Language::Fr).await.unwrap();
        assert_eq!(asked, AccessRequest::Asked);
    }
}

async fn claim(ledger: &Ledger) -> Vec<Delivery> {
    ledger.claim_deliveries(100, LEASE).await.unwrap()
}

async fn claim_one(ledger: &Ledger) -> Delivery {
    let mut claimed = claim(ledger).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

fn request_of(delivery: &Delivery) -> AccessRequestRef {
    match delivery.kind {
        DeliveryKind::AccessRequested { request, .. } => request,
        ref other => panic!("{other:?}"),
    }
}

async fn accept(ground: &Ground, request: AccessRequestRef) {
    assert!(matches!(ground.other.decide(request, PAUL, true).await.unwrap(), Decision::Done { .. }));
}

/// Claims and settles what is told to the person who asked, so that only the card is left.
fn card(deliveries: Vec<Delivery>) -> Option<Delivery> {
    deliveries.into_iter().find(|delivery| delivery.destination == ChatId(PAUL.0))
}

async fn what_is_claimed_is_nobody_elses_until_the_lease_ends(ground: &Ground) {
    assert_eq!(ground.ledger.next_delivery_due().await.unwrap(), None);
    cards_for_paul(ground, 100..103).await;
    assert_eq!(ground.other.next_delivery_due().await.unwrap(), Some(NOW));
    let first = ground.ledger.claim_deliveries(2, LEASE).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(first[0].id < first[1].id, "in the order they were written");
    assert_eq!(claim(&ground.other).await.len(), 1);
    assert_eq!(claim(&ground.other).await, []);
    assert_eq!(ground.other.next_delivery_due().await.unwrap(), Some(NOW.after(LEASE)));
    assert!(ground.ledger.delivered(&first[0], MESSAGE).await.unwrap());
    ground.clock.advance(LEASE);
    assert_eq!(ground.of_other_bot().claim_deliveries(9, LEASE).await.unwrap(), []);
    let again = claim(&ground.other).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|delivery| delivery.attempts == 0), "a crash counts no attempt");
}

async fn two_instances_never_claim_the_same(ground: &Ground) {
    cards_for_paul(ground, 100..120).await;
    for _lease in 0..60 {
        let tasks = [0, 1].map(|number| {
            let ledger = ground.instance(number);
            tokio::spawn(async move { ledger.claim_deliveries(10, LEASE).await.unwrap() })
        });
        let mut ids = Vec::new();
        for task in tasks {
            let claimed = task.await.unwrap();
            assert!(claimed.len() <= 10);
            ids.extend(claimed.into_iter().map(|delivery| delivery.id));
        }
        ids.extend(claim(&ground.ledger).await.into_iter().map(|delivery| delivery.id));
        ids.sort_unstable();
        assert_eq!(ids.len(), 20, "all of them, none twice: {ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 20, "claimed twice");
        ground.clock.advance(LEASE);
    }
}

async fn a_deferred_delivery_comes_back_when_it_is_due(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let delivery = claim_one(&ground.ledger).await;
    let until = NOW.after(Duration::from_secs(40));
    assert!(ground.ledger.defer_delivery(&delivery, until).await.unwrap());
    assert_eq!(ground.ledger.next_delivery_due().await.unwrap(), Some(until));
    ground.clock.advance(Duration::from_secs(39));
    assert_eq!(claim(&ground.ledger).await, []);
    ground.clock.advance(Duration::from_secs(1));
    let again = claim_one(&ground.other).await;
    assert_eq!(again.attempts, 1);
    assert!(ground.other.delivered(&again, MESSAGE).await.unwrap());
    assert_eq!(ground.ledger.next_delivery_due().await.unwrap(), None);
}

async fn a_late_holder_is_not_heard(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let late = claim_one(&ground.ledger).await;
    ground.clock.advance(LEASE);
    let holder = claim_one(&ground.other).await;
    assert!(!ground.ledger.delivered(&late, MessageId(99)).await.unwrap());
    assert!(!ground.ledger.defer_delivery(&late, NOW.after(LEASE * 9)).await.unwrap());
    assert!(!ground.ledger.fail_delivery(&late, "late").await.unwrap());
    assert!(ground.other.delivered(&holder, MESSAGE).await.unwrap());
    assert!(!ground.ledger.delivered(&late, MessageId(99)).await.unwrap());
    accept(ground, request_of(&holder)).await;
    let edit = card(claim(&ground.ledger).await).unwrap();
    assert_eq!(edit.message, Some(MESSAGE));
}

async fn a_repeated_outcome_counts_the_same(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let delivery = claim_one(&ground.ledger).await;
    // After the lease, but before anybody else took it, the outcome still counts.
    ground.clock.advance(LEASE * 2);
    assert!(ground.ledger.delivered(&delivery, MESSAGE).await.unwrap());
    assert!(ground.ledger.delivered(&delivery, MESSAGE).await.unwrap());
    assert_eq!(claim(&ground.ledger).await, []);
    accept(ground, request_of(&delivery)).await;
    // The repetition comes late: it does not undo the new view.
    assert!(ground.ledger.delivered(&delivery, MESSAGE).await.unwrap());
    let edit = card(claim(&ground.ledger).await).unwrap();
    assert!(matches!(edit.kind, DeliveryKind::AccessDecided { .. }));
}

async fn a_decision_before_the_card_was_sent_is_all_that_is_sent(ground: &Ground) {
    let rita = UserId(21);
    ground.ledger.ensure_admins(&[PAUL, rita]).await.unwrap();
    assert_eq!(ground.ledger.request_access(ANNE, "Anne", Language::Fr).await.unwrap(), AccessRequest::Asked);
    let cards = ground.ledger.claim_deliveries(1, LEASE).await.unwrap();
    assert_eq!(cards[0].destination, ChatId(PAUL.0));
    assert!(ground.ledger.delivered(&cards[0], MESSAGE).await.unwrap());
    accept(ground, request_of(&cards[0])).await;
    let mut said = claim(&ground.ledger).await;
    said.sort_by_key(|delivery| delivery.destination.0);
    let seen: Vec<_> = said.iter().map(|said| (said.destination.0, said.message)).collect();
    assert_eq!(seen, [(ANNE.0, None), (PAUL.0, Some(MESSAGE)), (rita.0, None)]);
    assert!(said[1..].iter().all(|said| matches!(said.kind, DeliveryKind::AccessDecided { .. })));
}

async fn a_decision_while_the_card_is_sent_becomes_an_edit(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let sending = claim_one(&ground.ledger).await;
    accept(ground, request_of(&sending)).await;
    assert!(card(claim(&ground.other).await).is_none(), "it is being sent");
    assert!(ground.ledger.delivered(&sending, MESSAGE).await.unwrap());
    let edit = card(claim(&ground.other).await).unwrap();
    assert_eq!(edit.message, Some(MESSAGE));
    assert!(matches!(edit.kind, DeliveryKind::AccessDecided { accepted: true, .. }));
    assert!(ground.other.delivered(&edit, MESSAGE).await.unwrap());
    assert!(card(claim(&ground.other).await).is_none());
}

async fn a_decision_while_the_card_is_deferred_waits_as_long(ground: &Ground) {
    cards_for_paul(ground, 100..101).await;
    let sending = claim_one(&ground.ledger).await;
    accept(ground, request_of(&sending)).await;
    let until = NOW.after(Duration::from_secs(40));
    assert!(ground.ledger.defer_delivery(&sending, until).await.unwrap());
    assert!(card(claim(&ground.ledger).await).is_none(), "Telegram said when");
    ground.clock.advance(Duration::from_secs(40));
    let decided = card(claim(&ground.ledger).await).unwrap();
    assert_eq!(decided.message, None);
    assert!(matches!(decided.kind, DeliveryKind::AccessDecided { .. }));
}

async fn a_failed_card_is_not_tried_again(ground: &Ground) {
    cards_for_paul(ground, 100..102).await;
    let [first, second] = claim(&ground.ledger).await.try_into().unwrap();
    assert!(ground.ledger.fail_delivery(&first, "bad request").await.unwrap());
    accept(ground, request_of(&first)).await;
    assert!(card(claim(&ground.ledger).await).is_none());
    // What failed was the old view: the new one is tried.
    accept(ground, request_of(&second)).await;
    assert!(ground.ledger.fail_delivery(&second, "bad request").await.unwrap());
    let decided = card(claim(&ground.ledger).await).unwrap();
    assert!(matches!(decided.kind, DeliveryKind::AccessDecided { .. }));
}

async fn a_closed_chat_loses_only_its_own(ground: &Ground) {
    let rita = UserId(21);
    ground.ledger.ensure_admins(&[PAUL, rita]).await.unwrap();
    for person in 100..103 {
        let asked = ground.ledger.request_access(UserId(person), "Anne", Language::Fr).await.unwrap();
        assert_eq!(asked, AccessRequest::Asked);
    }
    let held = ground.ledger.claim_deliveries(1, LEASE).await.unwrap().remove(0);
    assert_eq!(held.destination, ChatId(PAUL.0));
    assert_eq!(ground.ledger.close_destination(ChatId(PAUL.0)).await.unwrap(), 3);
    assert_eq!(ground.ledger.close_destination(ChatId(PAUL.0)).await.unwrap(), 0);
    assert!(!ground.ledger.fail_delivery(&held, "blocked").await.unwrap());
    let left = claim(&ground.ledger).await;
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|delivery| delivery.destination == ChatId(rita.0)));
    assert_eq!(ground.ledger.statistics().await.unwrap().deliveries_pending, 3);
}

async fn an_unreadable_payload_is_put_aside(ground: &Ground) {
    cards_for_paul(ground, 100..102).await;
    let sql = "update deliveries set payload = '{\"kind\":\"of a newer release\"}'
        where id = (select min(id) from deliveries)";
    ground.execute(sql).await.unwrap();
    assert_eq!(claim(&ground.ledger).await.len(), 1);
    assert_eq!(ground.number("select count(*) from deliveries where status = 'failed'").await, 1);
}
