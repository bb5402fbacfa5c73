//! Members: asking once, deciding once, invitations that work once.

use std::time::Duration;

use deposit::{BotId, ChatId, MessageId, UserId};
use depot_bot::app::Tables;
use depot_bot::database::DatabaseError;
use depot_bot::ledger::invites::INVITE_TTL;
use depot_bot::ledger::{AccessRequest, Decision, Role};
use depot_bot::operations::{AccessRequestRef, Delivery, DeliveryKind};
use secrecy::{ExposeSecret, SecretString};
use session::Language;

use crate::ledger::{ANNE, Ground, on_both_engines};

const LEASE: Duration = Duration::from_secs(15);
const PAUL: UserId = UserId(20);
const RITA: UserId = UserId(21);

on_both_engines!(
    a_person_asks_once_and_every_admin_is_told,
    a_decision_reaches_the_person_and_every_card,
    of_many_decisions_at_once_one_counts,
    the_role_of_the_decider_is_read_again,
    of_many_requests_at_once_twenty_are_open,
    a_decision_makes_room_for_a_request,
    members_sign_with_the_name_they_go_by,
    a_new_admin_gets_the_open_requests,
    the_configuration_gives_and_takes_the_role_of_admin,
    an_invitation_works_once_and_for_a_while,
    of_many_concurrent_redemptions_one_is_admitted,
    an_invitation_settles_an_open_request,
);

async fn ask(tables: &Tables, person: UserId) -> AccessRequest {
    tables.members.request_access(person, "Anne\u{202e}  <b>", Language::En).await.unwrap()
}

pub(super) async fn redeem(
    tables: &Tables,
    token: &SecretString,
    person: UserId,
) -> Result<Option<Role>, DatabaseError> {
    tables.members.redeem_invite(token.expose_secret(), person, "Paul", Language::Fr).await
}

/// Leases the due deliveries and marks them as sent, as messages 100, 101, …; returns them by destination.
async fn deliver(ground: &Ground) -> Vec<Delivery> {
    let mut leased = ground.tables.deliveries.lease(100, LEASE).await.unwrap();
    leased.sort_by_key(|delivery| delivery.destination.0);
    for (message, delivery) in (100..).zip(&leased) {
        let message = delivery.message.unwrap_or(MessageId(message));
        assert!(ground.tables.deliveries.mark_sent(delivery, message).await.unwrap());
    }
    leased
}

/// The request that the cards among `deliveries` are about.
fn request_of(deliveries: &[Delivery]) -> AccessRequestRef {
    let request = deliveries.iter().find_map(|delivery| match &delivery.kind {
        DeliveryKind::AccessRequested { request, .. } => Some(*request),
        _ => None,
    });
    request.expect("no card asks for a decision")
}

async fn a_person_asks_once_and_every_admin_is_told(ground: &Ground) {
    assert_eq!(ground.tables.members.role(ANNE).await.unwrap(), Role::Visitor);
    assert!(!ground.tables.members.has_admin().await.unwrap());
    ground.tables.members.ensure_admins(&[PAUL, RITA]).await.unwrap();
    assert!(ground.other.members.has_admin().await.unwrap());
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Asked);
    assert_eq!(ask(&ground.other, ANNE).await, AccessRequest::AlreadyAsked);
    assert_eq!(ask(&ground.tables, PAUL).await, AccessRequest::AlreadyMember);
    assert_eq!(ground.tables.members.role(ANNE).await.unwrap(), Role::Pending);
    assert_eq!(ground.of_other_bot().members.role(ANNE).await.unwrap(), Role::Visitor);

    ground.tables.deliveries.added().await;
    let cards = deliver(ground).await;
    let request = request_of(&cards);
    let kind = DeliveryKind::AccessRequested { request, user: ANNE, name: "Anne <b>".to_owned() };
    assert_eq!(cards.iter().map(|card| card.destination).collect::<Vec<_>>(), [ChatId(20), ChatId(21)]);
    assert!(cards.iter().all(|card| card.kind == kind && card.message.is_none()));
    assert!(deliver(ground).await.is_empty());
}

async fn a_decision_reaches_the_person_and_every_card(ground: &Ground) {
    ground.tables.members.ensure_admins(&[PAUL, RITA]).await.unwrap();
    for (user, accept, role, told) in [
        (ANNE, true, Role::Volunteer, DeliveryKind::AccessGranted),
        (UserId(8), false, Role::Refused, DeliveryKind::AccessRefused),
    ] {
        assert_eq!(ask(&ground.tables, user).await, AccessRequest::Asked);
        let request = request_of(&deliver(ground).await);
        let decided = ground.other.members.decide(request, PAUL, accept).await.unwrap();
        let name = "Anne <b>".to_owned();
        assert_eq!(decided, Decision::Done { user, name: name.clone(), accepted: accept });
        assert_eq!(ground.tables.members.role(user).await.unwrap(), role);

        let said = deliver(ground).await;
        let by = Some(PAUL);
        let card = DeliveryKind::AccessDecided { user, name, accepted: accept, by, by_name: String::new() };
        let expected = [
            (ChatId(user.0), None, Language::En, told),
            (ChatId(20), Some(MessageId(100)), Language::Fr, card.clone()),
            (ChatId(21), Some(MessageId(101)), Language::Fr, card),
        ];
        let seen = said.into_iter().map(|said| (said.destination, said.message, said.language, said.kind));
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }
    assert_eq!(ask(&ground.tables, UserId(8)).await, AccessRequest::Refused);
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::AlreadyMember);
    assert!(deliver(ground).await.is_empty());
}

async fn of_many_decisions_at_once_one_counts(ground: &Ground) {
    ground.tables.members.ensure_admins(&[PAUL, RITA]).await.unwrap();
    for round in 100..110 {
        assert_eq!(ask(&ground.tables, UserId(round)).await, AccessRequest::Asked);
        let request = request_of(&deliver(ground).await);
        let tasks = [(PAUL, true), (RITA, false), (PAUL, true), (RITA, false)].map(|(by, accept)| {
            let tables = ground.instance(by.0 as usize);
            tokio::spawn(async move { (accept, tables.members.decide(request, by, accept).await.unwrap()) })
        });
        let (mut done, mut answers) = (Vec::new(), Vec::new());
        for task in tasks {
            match task.await.unwrap() {
                (accept, Decision::Done { accepted, .. }) => {
                    assert_eq!(accept, accepted);
                    done.push(accepted);
                }
                (_, Decision::AlreadyDecided { by, accepted, .. }) => {
                    assert_eq!(by, Some(if accepted { PAUL } else { RITA }));
                    answers.push(accepted);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(done.len(), 1);
        assert!(answers.iter().all(|accepted| *accepted == done[0]));
        let role = if done[0] { Role::Volunteer } else { Role::Refused };
        assert_eq!(ground.tables.members.role(UserId(round)).await.unwrap(), role);
        assert_eq!(deliver(ground).await.len(), 3);
    }
}

async fn the_role_of_the_decider_is_read_again(ground: &Ground) {
    ground.tables.members.ensure_admins(&[PAUL, RITA]).await.unwrap();
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Asked);
    let request = request_of(&deliver(ground).await);
    ground.other.members.ensure_admins(&[PAUL]).await.unwrap();
    assert_eq!(ground.tables.members.role(RITA).await.unwrap(), Role::Volunteer);
    assert_eq!(ground.tables.members.decide(request, RITA, true).await.unwrap(), Decision::NotAllowed);
    assert_eq!(ground.tables.members.decide(request, ANNE, true).await.unwrap(), Decision::NotAllowed);
    assert_eq!(ground.tables.members.role(ANNE).await.unwrap(), Role::Pending);
    assert_eq!(
        ground.tables.members.decide(AccessRequestRef(1), PAUL, true).await.unwrap(),
        Decision::NotFound
    );
    assert!(matches!(
        ground.tables.members.decide(request, PAUL, true).await.unwrap(),
        Decision::Done { .. }
    ));
}

async fn of_many_requests_at_once_twenty_are_open(ground: &Ground) {
    // Of each of several bots, so that the instances meet often.
    for bot in 50..60 {
        let instances = [ground.tables_of(BotId(bot)), ground.other_of(BotId(bot))];
        let tasks = (100..125).map(|person| {
            let tables = instances[person % 2].clone();
            tokio::spawn(async move { ask(&tables, UserId(person as i64)).await })
        });
        let (mut asked, mut full) = (0, 0);
        for task in tasks.collect::<Vec<_>>() {
            match task.await.unwrap() {
                AccessRequest::Asked => asked += 1,
                AccessRequest::Full => full += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((asked, full), (20, 5));
    }
}

async fn a_decision_makes_room_for_a_request(ground: &Ground) {
    ground.tables.members.ensure_admins(&[PAUL]).await.unwrap();
    for person in 100..120 {
        assert_eq!(ask(&ground.tables, UserId(person)).await, AccessRequest::Asked);
    }
    assert_eq!(ground.tables.members.count_open_requests().await.unwrap(), 20);
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Full);
    assert_eq!(ground.tables.members.role(ANNE).await.unwrap(), Role::Visitor);
    let cards = deliver(ground).await;
    assert_eq!(cards.len(), 20);
    let decided = ground.tables.members.decide(request_of(&cards), PAUL, false).await.unwrap();
    assert!(matches!(decided, Decision::Done { .. }));
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Asked);
}

async fn members_sign_with_the_name_they_go_by(ground: &Ground) {
    ground.tables.members.ensure_admins(&[PAUL]).await.unwrap();
    ground.tables.members.introduce(PAUL, "Paul\n\u{202e}Durand", Language::En).await.unwrap();
    ground.tables.members.introduce(ANNE, "Anne", Language::En).await.unwrap();
    assert_eq!(ground.number("select count(*) from members").await, 1, "nothing is noted about strangers");
    // The configuration knows no names: it does not take the known one away.
    ground.other.members.ensure_admins(&[]).await.unwrap();
    ground.other.members.ensure_admins(&[PAUL]).await.unwrap();
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Asked);
    let cards = deliver(ground).await;
    assert_eq!(cards[0].language, Language::En);
    let decided = ground.tables.members.decide(request_of(&cards), PAUL, true).await.unwrap();
    assert!(matches!(decided, Decision::Done { .. }));
    let signed = deliver(ground).await.into_iter().any(
        |said| matches!(said.kind, DeliveryKind::AccessDecided { by_name, .. } if by_name == "Paul Durand"),
    );
    assert!(signed);
}

async fn a_new_admin_gets_the_open_requests(ground: &Ground) {
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Asked);
    assert_eq!(ask(&ground.tables, RITA).await, AccessRequest::Asked);
    assert!(deliver(ground).await.is_empty(), "there is nobody to tell");
    let token = ground.tables.members.create_invite(Role::Admin).await.unwrap();
    assert_eq!(redeem(&ground.tables, &token, PAUL).await.unwrap(), Some(Role::Admin));
    let cards = deliver(ground).await;
    assert_eq!(cards.len(), 2);
    assert!(cards.iter().all(|card| card.destination == ChatId(20)));
    // One who asked becomes an admin: their own request is settled, and they get the other.
    ground.tables.members.ensure_admins(&[RITA]).await.unwrap();
    let said = deliver(ground).await;
    assert!(matches!(&said[0].kind, DeliveryKind::AccessDecided { user, by: None, .. } if *user == RITA));
    assert!(matches!(&said[1].kind, DeliveryKind::AccessRequested { user, .. } if *user == ANNE));
    assert_eq!((said[1].destination, said[1].language, said.len()), (ChatId(21), Language::En, 2));
}

async fn the_configuration_gives_and_takes_the_role_of_admin(ground: &Ground) {
    let token = ground.tables.members.create_invite(Role::Admin).await.unwrap();
    redeem(&ground.tables, &token, ANNE).await.unwrap();
    ground.tables.members.ensure_admins(&[PAUL, RITA, ANNE]).await.unwrap();
    ground.tables.members.ensure_admins(&[PAUL, RITA, ANNE]).await.unwrap();
    assert_eq!(ground.tables.members.admins().await.unwrap(), [ANNE, PAUL, RITA]);
    ground.tables.members.ensure_admins(&[RITA]).await.unwrap();
    assert_eq!(ground.tables.members.admins().await.unwrap(), [ANNE, RITA], "an invited admin stays one");
    assert_eq!(ground.tables.members.role(PAUL).await.unwrap(), Role::Volunteer);
    ground.tables.members.ensure_admins(&[]).await.unwrap();
    assert_eq!(ground.tables.members.admins().await.unwrap(), [ANNE]);
    assert!(!ground.of_other_bot().members.has_admin().await.unwrap());
}

async fn an_invitation_works_once_and_for_a_while(ground: &Ground) {
    let token = ground.tables.members.create_invite(Role::Volunteer).await.unwrap();
    let text = token.expose_secret();
    assert!(text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit()));
    let sql = "select count(*) from invites where length(token_sha256) = 64 and used_at is null";
    assert_eq!(ground.number(sql).await, 1);
    assert_eq!(redeem(&ground.of_other_bot(), &token, ANNE).await.unwrap(), None);
    assert_eq!(redeem(&ground.tables, &SecretString::from("0".repeat(32)), ANNE).await.unwrap(), None);
    assert_eq!(redeem(&ground.tables, &token, ANNE).await.unwrap(), Some(Role::Volunteer));
    assert_eq!(
        redeem(&ground.other, &token, ANNE).await.unwrap(),
        Some(Role::Volunteer),
        "the same tap again"
    );
    assert_eq!(redeem(&ground.tables, &token, RITA).await.unwrap(), None);
    assert_eq!(ground.tables.members.role(RITA).await.unwrap(), Role::Visitor);

    let token = ground.tables.members.create_invite(Role::Admin).await.unwrap();
    ground.clock.advance(INVITE_TTL - Duration::from_millis(1));
    assert_eq!(redeem(&ground.tables, &token, ANNE).await.unwrap(), Some(Role::Admin));
    let token = ground.tables.members.create_invite(Role::Volunteer).await.unwrap();
    assert_eq!(redeem(&ground.tables, &token, ANNE).await.unwrap(), Some(Role::Admin), "never a lower one");
    let token = ground.tables.members.create_invite(Role::Admin).await.unwrap();
    ground.clock.advance(INVITE_TTL);
    assert_eq!(redeem(&ground.tables, &token, RITA).await.unwrap(), None);
}

async fn of_many_concurrent_redemptions_one_is_admitted(ground: &Ground) {
    for round in 0..10_i64 {
        let token = ground.tables.members.create_invite(Role::Volunteer).await.unwrap();
        let tasks = (0..4).map(|number| {
            let (tables, token) = (ground.instance(number), token.clone());
            let person = UserId(1_000 + round * 10 + number as i64);
            tokio::spawn(async move { redeem(&tables, &token, person).await.unwrap() })
        });
        let mut let_in = 0;
        for task in tasks.collect::<Vec<_>>() {
            let_in += usize::from(task.await.unwrap().is_some());
        }
        assert_eq!(let_in, 1);
    }
}

async fn an_invitation_settles_an_open_request(ground: &Ground) {
    ground.tables.members.ensure_admins(&[PAUL]).await.unwrap();
    assert_eq!(ask(&ground.tables, ANNE).await, AccessRequest::Asked);
    let request = request_of(&deliver(ground).await);
    let token = ground.tables.members.create_invite(Role::Volunteer).await.unwrap();
    redeem(&ground.tables, &token, ANNE).await.unwrap();
    let said = deliver(ground).await;
    assert_eq!(said.len(), 1);
    assert!(matches!(said[0].kind, DeliveryKind::AccessDecided { accepted: true, by: None, .. }));
    let late = ground.tables.members.decide(request, PAUL, false).await.unwrap();
    assert!(matches!(late, Decision::AlreadyDecided { by: None, accepted: true, .. }));
    assert_eq!(ground.tables.members.role(ANNE).await.unwrap(), Role::Volunteer);
}
