//! One suite for all stores: memory (the oracle), SQLite, PostgreSQL and Redis, each on a real private engine.

use std::sync::Arc;
use std::time::Duration;

use crate::memory::MemoryStore;
use depot_bot::store::{Commit, Committed, SessionStore, Statistics, StoreError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use session::{DOCUMENT_BYTES_MAX, Session, SessionKey};

use crate::stores::{BOT, Engine, NOW, OTHER_BOT, Subject, after, key, session};

macro_rules! for_each_store {
    ($($test:ident)*) => {
        for_each_store! { @engine memory: $($test)* }
        for_each_store! { @engine model: $($test)* }
        for_each_store! { @engine sqlite: $($test)* }
        for_each_store! { @engine postgres: $($test)* }
        for_each_store! { @engine redis: $($test)* }
    };
    (@engine $engine:ident: $($test:ident)*) => {
        mod $engine {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::stores::Subject::$engine().await).await;
                }
            )*

            #[test]
            fn any_sequence_of_commits_has_the_outcome_that_memory_has() {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let subject = runtime.block_on(crate::stores::Subject::$engine());
                super::any_sequence_of_commits_has_the_outcome_that_memory_has(&runtime, &subject);
            }
        }
    };
}

for_each_store! {
    nothing_is_there_before_the_first_commit
    a_commit_is_loaded_as_it_was
    a_commit_on_another_version_changes_nothing_and_learns_the_current_one
    a_commit_of_another_epoch_changes_nothing
    a_repeated_commit_is_applied_once
    of_racing_commits_one_wins_and_no_loser_overwrites
    due_documents_come_in_order_and_go_when_they_are_settled
    a_document_with_an_expiry_goes_by_itself
    an_unreadable_document_is_left_alone
    a_corrupt_document_is_discarded_if_it_is_unchanged
    a_document_that_is_too_large_is_refused
    two_bots_do_not_see_each_other
    page_by_page_every_conversation_is_found
}

async fn nothing_is_there_before_the_first_commit(subject: Subject) {
    let store = &subject.store;
    store.ping().await.unwrap();
    assert_eq!(store.load(key(7)).await.unwrap(), None);
    assert_eq!(store.due(NOW, 10).await.unwrap(), []);
    assert_eq!(store.purge(NOW).await.unwrap(), 0);
    let session = session(key(7), 5);
    assert_eq!(store.commit(&after(4, &session)).await.unwrap(), Committed::Conflict(None));
    assert_eq!(store.load(key(7)).await.unwrap(), None);
    let Statistics { active, overdue, memory_bytes } = store.statistics(NOW).await.unwrap();
    assert_eq!((active, overdue, memory_bytes.is_some()), (0, 0, matches!(subject.engine, Engine::Redis(_))));
}

async fn a_commit_is_loaded_as_it_was(subject: Subject) {
    let store = &subject.store;
    let mut first = session(key(-100_123), 1);
    first.seen.updates = vec![i64::MAX, i64::MIN, 0];
    assert_eq!(store.commit(&after(0, &first)).await.unwrap(), Committed::Applied);
    assert_eq!(store.load(first.key).await.unwrap(), Some(first.clone()));
    let mut second = session(first.key, 2);
    second.language = session::Language::En;
    assert_eq!(store.commit(&after(1, &second)).await.unwrap(), Committed::Applied);
    assert_eq!(store.load(first.key).await.unwrap(), Some(second));
}

async fn a_commit_on_another_version_changes_nothing_and_learns_the_current_one(subject: Subject) {
    let store = &subject.store;
    let current = session(key(7), 3);
    let _ = store.commit(&after(0, &session(key(7), 1))).await.unwrap();
    let _ = store.commit(&after(1, &current)).await.unwrap();
    for (expected, version) in [(0, 1), (0, 4), (1, 2), (2, 3), (4, 5)] {
        let mut late = session(key(7), version);
        late.commit = 99;
        let commit = Commit { due_at: Some(NOW), ..after(expected, &late) };
        let conflict = Committed::Conflict(Some(Box::new(current.clone())));
        assert_eq!(store.commit(&commit).await.unwrap(), conflict, "{expected} → {version}");
    }
    assert_eq!(store.load(key(7)).await.unwrap(), Some(current));
    assert_eq!(store.due(NOW, 10).await.unwrap(), []);
}

async fn a_commit_of_another_epoch_changes_nothing(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.epoch(), 1);
    let first = session(key(7), 1);
    let _ = store.commit(&after(0, &first)).await.unwrap();
    for epoch in [0, 2, 3] {
        let mut fenced = session(key(7), 2);
        fenced.epoch = epoch;
        let refused = store.commit(&after(1, &fenced)).await;
        assert!(matches!(refused, Err(StoreError::Superseded { .. })), "{epoch}: {refused:?}");
    }
    assert_eq!(store.load(key(7)).await.unwrap(), Some(first));
}

async fn a_repeated_commit_is_applied_once(subject: Subject) {
    let store = &subject.store;
    let first = session(key(7), 1);
    for _ in 0..3 {
        assert_eq!(store.commit(&after(0, &first)).await.unwrap(), Committed::Applied);
    }
    let second = session(key(7), 2);
    for _ in 0..3 {
        assert_eq!(store.commit(&after(1, &second)).await.unwrap(), Committed::Applied);
    }
    // The same version of another committer is not the same commit.
    let mut twin = session(key(7), 2);
    twin.commit = 5;
    let conflict = Committed::Conflict(Some(Box::new(second)));
    assert_eq!(store.commit(&after(1, &twin)).await.unwrap(), conflict);
}

async fn of_racing_commits_one_wins_and_no_loser_overwrites(subject: Subject) {
    const RACERS: u64 = 8;
    const LAPS: u64 = 12;
    let racers = (0..RACERS).map(|racer| {
        let store = Arc::clone(&subject.store);
        tokio::spawn(async move {
            let mut current = store.load(key(7)).await.unwrap();
            let mut laps = 0;
            while laps < LAPS {
                let expected = current.as_ref().map_or(0, |session| session.version);
                let mut next = current.take().unwrap_or_else(|| Session::new(key(7), NOW));
                next.version = expected + 1;
                next.commit = racer << 32 | laps;
                next.next_effect += 1;
                match store.commit(&after(expected, &next)).await.unwrap() {
                    Committed::Applied => {
                        laps += 1;
                        current = Some(next);
                    }
                    Committed::Conflict(newer) => current = newer.map(|newer| *newer),
                }
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    let last = subject.store.load(key(7)).await.unwrap().unwrap();
    assert_eq!((last.version, u64::from(last.next_effect)), (RACERS * LAPS, RACERS * LAPS + 1));
}

async fn due_documents_come_in_order_and_go_when_they_are_settled(subject: Subject) {
    let store = &subject.store;
    for (chat, seconds) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let session = session(key(chat), 1);
        let due_at = Some(NOW.after(Duration::from_secs(seconds)));
        let _ = store.commit(&Commit { due_at, ..after(0, &session) }).await.unwrap();
    }
    let _ = store.commit(&after(0, &session(key(5), 1))).await.unwrap();
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    assert_eq!(store.due(at(9), 10).await.unwrap(), []);
    assert_eq!(store.due(at(10), 10).await.unwrap(), [key(2)]);
    assert_eq!(store.due(at(35), 10).await.unwrap(), [key(2), key(3), key(1)]);
    assert_eq!(store.due(at(35), 2).await.unwrap(), [key(2), key(3)]);
    let Statistics { active, overdue, .. } = store.statistics(at(35)).await.unwrap();
    assert_eq!((active, overdue), (4, 3));
    // Settled, and put off.
    let _ = store.commit(&after(1, &session(key(2), 2))).await.unwrap();
    let put_off = session(key(3), 2);
    let _ = store.commit(&Commit { due_at: Some(at(50)), ..after(1, &put_off) }).await.unwrap();
    assert_eq!(store.due(at(60), 10).await.unwrap(), [key(1), key(4), key(3)]);
    assert_eq!(store.statistics(at(35)).await.unwrap().active, 3);
}

async fn a_document_with_an_expiry_goes_by_itself(subject: Subject) {
    let store = &subject.store;
    let closed = session(key(7), 1);
    let _ = store
        .commit(&Commit { kept_for: Some(Duration::from_millis(50)), ..after(0, &closed) })
        .await
        .unwrap();
    // Taken up again before its time: then it stays.
    let reopened = session(key(8), 1);
    let kept_for = Some(Duration::from_millis(50));
    let _ = store.commit(&Commit { kept_for, ..after(0, &reopened) }).await.unwrap();
    let _ = store.commit(&after(1, &session(key(8), 2))).await.unwrap();
    let long = session(key(9), 1);
    let kept_for = Some(Duration::from_secs(3600));
    let _ = store.commit(&Commit { kept_for, ..after(0, &long) }).await.unwrap();

    assert_eq!(store.purge(NOW.after(Duration::from_millis(49))).await.unwrap(), 0);
    let purged = store.purge(NOW.after(Duration::from_millis(50))).await.unwrap();
    if let Engine::Redis(_) = &subject.engine {
        // Its own clock does it.
        let gone = async {
            while store.load(key(7)).await.unwrap().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    } else {
        assert_eq!(purged, 1);
    }
    assert_eq!(store.load(key(7)).await.unwrap(), None);
    assert_eq!(store.load(key(8)).await.unwrap().unwrap().version, 2);
    assert_eq!(store.load(key(9)).await.unwrap().unwrap().version, 1);
}

async fn an_unreadable_document_is_left_alone(subject: Subject) {
    let store = &subject.store;
    let _ = store.commit(&after(0, &session(key(7), 1))).await.unwrap();
    subject.spoil(key(7), r#"{"schema":1,"key":"#).await;
    let corrupt = |error: &StoreError| matches!(error, StoreError::Corrupt { key: of, .. } if *of == key(7));
    for _ in 0..2 {
        assert!(corrupt(&store.load(key(7)).await.unwrap_err()));
        assert!(corrupt(&store.commit(&after(0, &session(key(7), 9))).await.unwrap_err()));
    }
    subject.spoil(key(7), r#"{"schema":1000,"something":"else"}"#).await;
    for _ in 0..2 {
        assert!(matches!(store.load(key(7)).await, Err(StoreError::Newer { schema: 1000, .. })));
        let commit = store.commit(&after(0, &session(key(7), 9))).await;
        assert!(matches!(commit, Err(StoreError::Newer { schema: 1000, .. })));
    }
}

async fn a_corrupt_document_is_discarded_if_it_is_unchanged(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.unreadable(key(7)).await.unwrap(), None);
    for chat in [7, 8] {
        let first = session(key(chat), 1);
        let _ = store.commit(&Commit { due_at: Some(NOW), ..after(0, &first) }).await.unwrap();
    }
    assert_eq!(store.unreadable(key(7)).await.unwrap(), None, "it can be read");
    subject.spoil(key(7), r#"{"schema":1000,"something":"else"}"#).await;
    assert_eq!(store.unreadable(key(7)).await.unwrap(), None, "a newer release can read it");
    subject.spoil(key(7), "é?").await;
    let seen = store.unreadable(key(7)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&seen).ends_with("é?"), "{seen:?}");
    assert_eq!(subject.other.unreadable(SessionKey { bot: OTHER_BOT, ..key(7) }).await.unwrap(), None);
    subject.spoil(key(7), "other rubbish").await;
    assert!(!store.discard(key(7), &seen).await.unwrap(), "it is not what was seen any more");
    let seen = store.unreadable(key(7)).await.unwrap().unwrap();
    assert!(store.discard(key(7), &seen).await.unwrap());
    assert!(!store.discard(key(7), &seen).await.unwrap());
    assert_eq!(store.load(key(7)).await.unwrap(), None);
    assert_eq!(store.due(NOW, 10).await.unwrap(), [key(8)]);
    assert_eq!(store.statistics(NOW).await.unwrap().active, 1);
    assert_eq!(store.commit(&after(0, &session(key(7), 1))).await.unwrap(), Committed::Applied);
}

async fn a_document_that_is_too_large_is_refused(subject: Subject) {
    let store = &subject.store;
    let mut session = session(key(7), 1);
    session.seen.messages = vec![i64::MAX; DOCUMENT_BYTES_MAX / 20];
    let refused = store.commit(&after(0, &session)).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { bytes, .. }) if bytes > DOCUMENT_BYTES_MAX));
    assert_eq!(store.load(key(7)).await.unwrap(), None);
}

async fn two_bots_do_not_see_each_other(subject: Subject) {
    let (store, other) = (&subject.store, &subject.other);
    let session = session(key(7), 1);
    let commit = Commit { due_at: Some(NOW), kept_for: Some(Duration::from_secs(60)), ..after(0, &session) };
    assert_eq!(store.commit(&commit).await.unwrap(), Committed::Applied);
    assert_eq!(other.load(SessionKey { bot: OTHER_BOT, ..key(7) }).await.unwrap(), None);
    assert_eq!(other.due(NOW, 10).await.unwrap(), []);
    assert_eq!(other.statistics(NOW).await.unwrap().active, 0);
    assert_eq!(other.purge(NOW.after(Duration::from_secs(61))).await.unwrap(), 0);
    assert_eq!(store.load(key(7)).await.unwrap(), Some(session));
}

/// A step of a random sequence: which version it expects relative to the stored one, and what it writes.
#[derive(Clone, Debug)]
struct Step {
    behind: i64,
    ahead: u64,
    mark: u64,
    due_in: Option<u64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let behind = prop_oneof![6 => Just(0), 2 => -1_i64..=3];
    let step = (behind, 1_u64..3, 0_u64..3, proptest::option::of(0_u64..100));
    let step = step.prop_map(|(behind, ahead, mark, due_in)| Step { behind, ahead, mark, due_in });
    proptest::collection::vec(step, 1..20)
}

fn any_sequence_of_commits_has_the_outcome_that_memory_has(
    runtime: &tokio::runtime::Runtime,
    subject: &Subject,
) {
    let oracle = MemoryStore::new(BOT);
    let mut chat = 0;
    let run = |steps: Vec<Step>| {
        chat += 1;
        runtime.block_on(compare(&*subject.store, &oracle, key(chat), steps));
        Ok(())
    };
    let run = std::cell::RefCell::new(run);
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&steps(), |steps| (run.borrow_mut())(steps)).unwrap();
}

async fn compare(store: &dyn SessionStore, oracle: &MemoryStore, key: SessionKey, steps: Vec<Step>) {
    let mut last = (0, 0);
    for step in steps {
        let stored = oracle.load(key).await.unwrap().map_or(0, |session| session.version);
        let expected = stored.saturating_add_signed(-step.behind);
        let mut session = session(key, expected + step.ahead);
        session.commit = step.mark;
        let due_at = step.due_in.map(|seconds| NOW.after(Duration::from_secs(seconds)));
        let commit = Commit { due_at, ..after(expected, &session) };
        assert_eq!(store.commit(&commit).await.unwrap(), oracle.commit(&commit).await.unwrap(), "{step:?}");
        let loaded = store.load(key).await.unwrap();
        assert_eq!(loaded, oracle.load(key).await.unwrap(), "{step:?}");
        if let Some(session) = loaded {
            assert!((session.epoch, session.version) >= last, "went back from {last:?}");
            last = (session.epoch, session.version);
        }
    }
    let at = NOW.after(Duration::from_secs(50));
    let mut due = store.due(at, 10_000).await.unwrap();
    let mut expected = oracle.due(at, 10_000).await.unwrap();
    due.sort_unstable();
    expected.sort_unstable();
    assert_eq!(due, expected);
}

async fn page_by_page_every_conversation_is_found(subject: Subject) {
    let store = &subject.store;
    let empty = store.page(None, 10).await.unwrap();
    assert!(empty.found.is_empty() && empty.next.is_none());
    let mut expected = Vec::new();
    for chat in (-12..=12).chain([i64::MIN + 1, i64::MAX]) {
        expected.push(key(chat));
        let _ = store.commit(&after(0, &session(key(chat), 1))).await.unwrap();
    }
    let mut foreign = session(key(99), 1);
    foreign.key.bot = OTHER_BOT;
    let _ = subject.other.commit(&after(0, &foreign)).await.unwrap();
    subject.spoil(key(3), "what somebody said").await;
    let (mut found, mut spoilt, mut place) = (std::collections::BTreeSet::new(), 0, None::<String>);
    loop {
        let page = store.page(place.as_deref(), 7).await.unwrap();
        for item in page.found {
            match item.session {
                Ok(session) => assert_eq!(session, self::session(item.key, 1)),
                Err(error) => {
                    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
                    assert_eq!(item.key, key(3));
                    spoilt += 1;
                }
            }
            found.insert(item.key);
        }
        place = page.next;
        if place.is_none() {
            break;
        }
    }
    expected.sort_unstable();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    assert!(spoilt >= 1);
    let refused = store.page(Some("nowhere"), 7).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
}
