//! The contract of Redis: it is elected, filled, tells its backlog, and is left.

use std::sync::Arc;
use std::time::Duration;

use depot_bot::store::keys::{Keys, PREFIX};
use depot_bot::store::replication::{Branch, Probe};
use depot_bot::store::{Commit, Committed, StoreError, StoredSession};

use super::{Volatile, document, due, stored};
use crate::stores::{BOT, Engine, NOW, after, key};

macro_rules! for_each_store {
    ($($test:ident)*) => {
        for_each_store! { @engine memory: $($test)* }
        for_each_store! { @engine model: $($test)* }
        for_each_store! { @engine redis: $($test)* }
    };
    (@engine $engine:ident: $($test:ident)*) => {
        mod $engine {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::Volatile::$engine().await).await;
                }
            )*

            #[test]
            fn any_sequence_has_the_outcome_that_memory_has() {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let subject = runtime.block_on(super::Volatile::$engine());
                crate::leadership_contract::random::volatile(&runtime, &subject);
            }
        }
    };
}

for_each_store! {
    only_the_epoch_that_is_open_is_served
    a_probe_tells_the_run_the_epoch_and_the_backlog
    a_commit_is_dirty_until_it_is_replicated_as_it_still_is
    only_a_higher_document_is_restored
    a_server_of_another_run_is_not_available
    a_server_emptied_during_the_copy_is_not_opened
}

async fn commit(subject: &Volatile, epoch: u64, version: u64) -> Result<Committed, StoreError> {
    let session = document(key(7), epoch, version);
    subject.store.commit(&after(version - 1, &session)).await
}

async fn dirty(subject: &Volatile) -> Vec<i64> {
    let keys = subject.beside.backlog(Duration::ZERO, 100).await.unwrap();
    keys.into_iter().map(|key| key.chat.0).collect()
}

async fn only_the_epoch_that_is_open_is_served(subject: Volatile) {
    let superseded = |committed| matches!(committed, Err(StoreError::Superseded { .. }));
    assert!(superseded(commit(&subject, 1, 1).await), "no epoch is open");
    subject.open(1).await;
    assert_eq!(subject.store.epoch(), 1);
    assert!(superseded(commit(&subject, 2, 1).await));
    assert_eq!(commit(&subject, 1, 1).await.unwrap(), Committed::Applied);
    subject.open(3).await;
    assert!(superseded(commit(&subject, 1, 2).await));
    assert_eq!(commit(&subject, 1, 1).await.unwrap(), Committed::Applied, "what was applied stays so");
    let lower = subject.beside.open(2).await;
    assert!(matches!(lower, Err(StoreError::Superseded { .. })), "{lower:?}");
    subject.beside.open(3).await.unwrap();
    assert_eq!(subject.store.probe().await.unwrap().epoch, Some(3));
    assert_eq!(commit(&subject, 3, 2).await.unwrap(), Committed::Applied);
}

async fn a_probe_tells_the_run_the_epoch_and_the_backlog(subject: Volatile) {
    let probe = subject.store.probe().await.unwrap();
    assert!(!probe.run_id.is_empty(), "{probe:?}");
    let nothing = Probe { epoch: None, backlog: 0, lag: Duration::ZERO, ..probe.clone() };
    assert_eq!(probe, nothing);
    subject.store.check_eligibility().await.unwrap();
    subject.open(5).await;
    for chat in 1..=3 {
        let session = document(key(chat), 5, 1);
        assert_eq!(subject.store.commit(&after(0, &session)).await.unwrap(), Committed::Applied);
    }
    let aged = async {
        loop {
            let seen = subject.beside.probe().await.unwrap();
            assert_eq!((&seen.run_id, seen.epoch, seen.backlog), (&probe.run_id, Some(5), 3));
            if seen.lag >= Duration::from_millis(5) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), aged).await.expect("what is dirty grows old");
}

async fn a_commit_is_dirty_until_it_is_replicated_as_it_still_is(subject: Volatile) {
    subject.open(1).await;
    assert!(dirty(&subject).await.is_empty());
    for chat in [7, 8] {
        let session = document(key(chat), 1, 1);
        let _ = subject.store.commit(&after(0, &session)).await.unwrap();
    }
    let _ = commit(&subject, 1, 2).await.unwrap();
    let mut both = dirty(&subject).await;
    both.sort_unstable();
    assert_eq!(both, [7, 8]);
    assert_eq!(subject.store.backlog(Duration::ZERO, 1).await.unwrap().len(), 1);
    assert_eq!(subject.store.backlog(Duration::from_secs(3600), 100).await.unwrap(), []);
    // Version 1 is replicated, but version 2 is there.
    subject.beside.mark_replicated(&[stored(key(7), 1, 1), stored(key(8), 1, 1)]).await.unwrap();
    assert_eq!(dirty(&subject).await, [7]);
    let mut twin = document(key(7), 1, 2);
    twin.commit = 99;
    subject
        .store
        .mark_replicated(&[StoredSession { session: Arc::new(twin), ..stored(key(7), 1, 2) }])
        .await
        .unwrap();
    assert_eq!(dirty(&subject).await, [7], "another branch was replicated");
    subject.store.mark_replicated(&[stored(key(7), 1, 2)]).await.unwrap();
    assert!(dirty(&subject).await.is_empty());
    // A repeated commit leaves no new marker, a new one does.
    assert_eq!(commit(&subject, 1, 2).await.unwrap(), Committed::Applied);
    assert!(dirty(&subject).await.is_empty());
    assert_eq!(commit(&subject, 1, 3).await.unwrap(), Committed::Applied);
    assert_eq!(dirty(&subject).await, [7]);
}

async fn only_a_higher_document_is_restored(subject: Volatile) {
    subject.open(1).await;
    for (chat, version) in [(1, 3), (2, 3), (3, 3), (4, 3)] {
        let session = document(key(chat), 1, version);
        let commit = Commit { due_at: Some(NOW), ..after(0, &session) };
        let first = document(key(chat), 1, 1);
        let _ = subject.store.commit(&after(0, &first)).await.unwrap();
        let commit = Commit { expected: 1, ..commit };
        assert_eq!(subject.store.commit(&commit).await.unwrap(), Committed::Applied);
    }
    subject.store.mark_replicated(&[stored(key(4), 1, 3)]).await.unwrap();
    let later = NOW.after(Duration::from_secs(60));
    let copies = [
        stored(key(1), 1, 2),                                                     // lower: kept
        stored(key(2), 1, 3),                                                     // the same: kept
        StoredSession { replicated: (1, 2), ..due(stored(key(3), 2, 3), later) }, // another branch, which lacks version 3
        stored(key(4), 2, 4),             // goes on from what was replicated
        due(stored(key(5), 1, 1), later), // new
    ];
    let lost = subject.beside.restore(&copies, NOW).await.unwrap();
    let [Branch { key: whose, document: text, stamp }] = lost.as_slice() else { panic!("{lost:?}") };
    let third = document(key(3), 1, 3);
    assert_eq!((*whose, *stamp), (key(3), (1, 3, third.commit)));
    assert_eq!(serde_json::from_str::<session::Session>(text).unwrap(), third);
    let stamp = async |chat| {
        let session = subject.store.load(key(chat)).await.unwrap().unwrap();
        (session.epoch, session.version)
    };
    for (chat, expected) in [(1, (1, 3)), (2, (1, 3)), (3, (2, 3)), (4, (2, 4)), (5, (1, 1))] {
        assert_eq!(stamp(chat).await, expected, "{chat}");
    }
    let mut due = subject.store.due(NOW, 10).await.unwrap();
    due.sort_unstable();
    assert_eq!(due, [key(1), key(2)], "what was replaced is due as SQL has it");
    assert_eq!(subject.store.due(later, 10).await.unwrap().len(), 4);
    let mut owing = dirty(&subject).await;
    owing.sort_unstable();
    assert_eq!(owing, [1, 2], "what was copied is not dirty");
    assert_eq!(subject.store.restore(&copies, NOW).await.unwrap(), [], "again: nothing changes");
}

async fn a_server_of_another_run_is_not_available(mut subject: Volatile) {
    subject.open(1).await;
    assert_eq!(commit(&subject, 1, 1).await.unwrap(), Committed::Applied);
    let before = subject.store.probe().await.unwrap();
    subject.restart();
    // On the connection that broke, it may have been executed.
    let broken = commit(&subject, 1, 2).await;
    assert!(matches!(broken, Err(StoreError::Unavailable { .. } | StoreError::Unknown { .. })), "{broken:?}");
    let refused = commit(&subject, 1, 2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let refused = subject.store.load(key(7)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let refused = subject.store.open(2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let probe = subject.store.probe().await.unwrap();
    assert_ne!(probe.run_id, before.run_id);
    assert_eq!((probe.epoch, probe.backlog), (Some(1), 1), "it kept everything");
    subject.open(2).await;
    assert_eq!(commit(&subject, 2, 2).await.unwrap(), Committed::Applied);
}

async fn a_server_emptied_during_the_copy_is_not_opened(subject: Volatile) {
    let run_id = subject.store.probe().await.unwrap().run_id;
    subject.store.serve(2, &run_id);
    subject.beside.serve(2, &run_id);
    subject.store.begin_copy().await.unwrap();
    assert_eq!(subject.store.restore(&[stored(key(7), 1, 1)], NOW).await.unwrap(), []);
    subject.empty();
    // Another instance that begins afterwards copies all documents itself, and does not vouch for others.
    subject.beside.begin_copy().await.unwrap();
    let refused = subject.store.open(2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert_eq!(subject.store.probe().await.unwrap().epoch, None);
    assert_eq!(subject.beside.restore(&[stored(key(7), 1, 1)], NOW).await.unwrap(), []);
    subject.beside.open(2).await.unwrap();
    assert_eq!(subject.store.probe().await.unwrap().epoch, Some(2));
}

#[tokio::test]
async fn a_probe_fails_where_nothing_can_be_written() {
    let subject = Volatile::redis().await;
    let Engine::Redis(server) = &subject.engine else { unreachable!() };
    subject.store.probe().await.unwrap();
    for (break_it, mend_it) in [
        (["REPLICAOF", "127.0.0.1", "1"].as_slice(), ["REPLICAOF", "NO", "ONE"].as_slice()),
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]),
    ] {
        server.command::<()>(break_it);
        let probe = subject.store.probe().await;
        assert!(matches!(probe, Err(StoreError::Refused { .. })), "{break_it:?}: {probe:?}");
        server.command::<()>(mend_it);
        subject.store.probe().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_unfit_says_why() {
    let subject = Volatile::redis().await;
    let Engine::Redis(server) = &subject.engine else { unreachable!() };
    server.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let unfit = subject.store.check_eligibility().await.unwrap_err().to_string();
    assert!(unfit.contains("allkeys-lru"), "{unfit}");
    server.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let unfit = subject.store.check_eligibility().await.unwrap_err().to_string();
    assert!(unfit.contains("replica"), "{unfit}");
}

#[tokio::test]
async fn a_key_of_another_type_is_replaced_by_what_sql_has() {
    let subject = Volatile::redis().await;
    let Engine::Redis(server) = &subject.engine else { unreachable!() };
    subject.open(1).await;
    server.command::<()>(&["RPUSH", &Keys::new(PREFIX, BOT).session(key(7)), "a list"]);
    assert_eq!(subject.store.restore(&[stored(key(7), 1, 2)], NOW).await.unwrap(), []);
    assert_eq!(subject.store.load(key(7)).await.unwrap(), Some(document(key(7), 1, 2)));
}
