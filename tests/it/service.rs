//! The operations of `ValidationSessionService`, each of them one commit on a store.

use std::sync::Arc;
use std::time::Duration;

use crate::memory::MemoryStore;
use deposit::{BotId, Destination, Line, MessageId, Proposal, Status, UserId};
use depot_bot::clock::{Clock, Timestamp};
use depot_bot::rng::Rng;
use depot_bot::service::ValidationSessionService;
use depot_bot::store::replication::DurableStore as _;
use depot_bot::store::replication::ReplicatedStore;
use session::{Cause, Event, Lane, Language, Note, State, Tap, TapAnswer, Understanding, Verb, Verdict};

const TTL: Duration = Duration::from_secs(300);

fn service(clock: &Clock) -> ValidationSessionService {
    let service =
        ValidationSessionService::new(Arc::new(MemoryStore::new(BotId(1))), clock.clone(), BotId(1), TTL);
    service.allow_expiry();
    service
}

fn update(id: i64) -> Cause {
    Cause::Update { id, message: Some(MessageId(id)), sent_at: None, language: Language::Fr }
}

fn note(text: &str) -> Event {
    Event::NoteReceived(Note { text: text.to_owned(), ..Note::default() })
}

#[tokio::test]
async fn a_session_is_created_read_and_cancelled() {
    let clock = Clock::manual(Timestamp(1_000_000));
    let service = service(&clock);
    let key = service.key(UserId(7));
    assert!(service.get(key).await.unwrap().is_none());
    let created = service.create(key, update(1)).await.unwrap();
    assert_eq!(created.verdict, Verdict::Changed);
    assert!(created.chat.is_some(), "the commit that has something to show takes the lane");
    assert_eq!(service.get(key).await.unwrap().unwrap().version, 1);
    assert!(service.get(key).await.unwrap().unwrap().is_open());
    assert!(service.get(service.key(UserId(8))).await.unwrap().is_none());
    assert_eq!(service.statistics().await.unwrap().active, 1);
    let again = service.create(key, update(1)).await.unwrap();
    assert_eq!(again.verdict, Verdict::Duplicate, "the same update again");
    let cancelled = service.cancel(key, update(2)).await.unwrap();
    assert!(
        matches!(&cancelled.session.state, State::Recording { leaving } if leaving.status == Status::Cancelled)
    );
    assert!(!service.get(key).await.unwrap().unwrap().is_open());
}

#[tokio::test]
async fn a_session_is_completed_by_the_tap_on_its_view() {
    let clock = Clock::manual(Timestamp(1_000_000));
    let service = service(&clock);
    let key = service.key(UserId(7));
    let noted = service.update(key, update(1), &note("une bouilloire")).await.unwrap();
    let token = noted.compute.unwrap();
    let (effect, ..) = noted.session.next_effect(Lane::Compute, clock.now()).unwrap();
    let proposal = Proposal {
        category: "small_equipment".into(),
        confidence: 0.9,
        alternatives: Vec::new(),
        model: "test".to_owned(),
    };
    let line = Line {
        object: "bouilloire".to_owned(),
        quantity: Some(1),
        weight: None,
        destination: Destination::Magasin,
        proposal,
        chosen: None,
    };
    let understood = Understanding { lines: vec![line], total_weight: None };
    let settled =
        service.settle(key, Lane::Compute, token, &[(effect, Event::Understood(understood))]).await.unwrap();
    let draft = settled.session.draft().unwrap().clone();
    let tap =
        Tap { reference: draft.reference, step: draft.step, verb: Verb::Validate, message: MessageId(9) };
    let completed = service.complete(key, update(2), tap.clone()).await.unwrap();
    assert_eq!(completed.answer, Some(TapAnswer::Done));
    let repeated = service.complete(key, update(3), tap).await.unwrap();
    assert_eq!((repeated.verdict, repeated.answer), (Verdict::Unchanged, Some(TapAnswer::Recording)));
}

#[tokio::test]
async fn sessions_expire_by_their_deadline_and_are_cleaned_up() {
    let clock = Clock::manual(Timestamp(1_000_000));
    let service = service(&clock);
    let key = service.key(UserId(7));
    let _created = service.create(key, update(1)).await.unwrap();
    let early = service.update(key, Cause::Deadline, &Event::DeadlinePassed).await.unwrap();
    assert_eq!(early.verdict, Verdict::Unchanged, "its time is not over");
    clock.advance(TTL);
    assert_eq!(service.due(10).await.unwrap(), [key]);
    let expired = service.update(key, Cause::Deadline, &Event::DeadlinePassed).await.unwrap();
    assert!(
        matches!(&expired.session.state, State::Recording { leaving } if leaving.status == Status::Expired)
    );
    let again = service.update(key, Cause::Deadline, &Event::DeadlinePassed).await.unwrap();
    assert_eq!(again.verdict, Verdict::Unchanged, "it expires once");
    assert_eq!(service.clean_up().await.unwrap(), 0, "what has something left to do is kept");
}

#[tokio::test]
async fn a_racing_instance_applies_its_event_to_the_document_of_the_other() {
    let clock = Clock::manual(Timestamp(1_000_000));
    let store = Arc::new(MemoryStore::new(BotId(1)));
    let one = ValidationSessionService::new(store.clone(), clock.clone(), BotId(1), TTL);
    let other = ValidationSessionService::new(store, clock.clone(), BotId(1), TTL);
    let key = one.key(UserId(7));
    let _first = one.update(key, update(1), &note("une bouilloire")).await.unwrap();
    let _second = other.update(key, update(2), &note("une chaise")).await.unwrap();
    // `one` still remembers version 1: the conflict brings it up to date.
    let third = one.update(key, update(3), &note("une table")).await.unwrap();
    assert_eq!(third.session.version, 3);
    assert_eq!(third.session.pending.len(), 3, "no note is lost");
}

/// Sends heartbeats of another instance twice a second for so long, and reads the due index as the loop of deadlines does.
async fn beside_another(
    sql: &MemoryStore,
    service: &ValidationSessionService,
    clock: &Clock,
    lasts: Duration,
) {
    let until = clock.now().after(lasts);
    while clock.now() < until {
        sql.heartbeat(99, clock.now()).await.unwrap();
        let _due = service.due(10).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_session_expires_while_another_instance_is_silent() {
    let clock = Clock::tokio(Timestamp(1_000_000));
    let (sql, redis) = (MemoryStore::new(BotId(1)), MemoryStore::new(BotId(1)));
    let (durable, volatile) = (Arc::new(sql.clone()), Arc::new(redis));
    let failover = ReplicatedStore::start(durable, volatile, clock.clone(), &Rng::seeded(7), TTL).await;
    let service = ValidationSessionService::new(Arc::new(failover.clone()), clock.clone(), BotId(1), TTL);
    service.allow_expiry();
    let key = service.key(UserId(7));
    let _created = service.create(key, update(1)).await.unwrap();
    let has_expired = async || {
        let _looked = service.update(key, Cause::Deadline, &Event::DeadlinePassed).await.unwrap();
        !service.get(key).await.unwrap().unwrap().is_open()
    };

    beside_another(&sql, &service, &clock, TTL + Duration::from_secs(1)).await;
    assert!(!has_expired().await, "what the other was brought before the end may still be on its way");
    // It is not heard of any more: it may hold an update that it cannot commit.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let _due = service.due(10).await.unwrap();
        assert!(!has_expired().await);
    }
    beside_another(&sql, &service, &clock, Duration::from_secs(8)).await;
    assert!(!has_expired().await, "what it held has its time to come again");
    beside_another(&sql, &service, &clock, Duration::from_secs(6)).await;
    assert!(has_expired().await, "the other is there all the time");
    failover.stop().await;
}
