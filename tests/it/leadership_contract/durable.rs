//! The contract of SQL: it holds the leadership row, takes what the mirror brings, and gives everything back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use depot_bot::store::replication::{Branch, DurableStore, Leadership, MirrorOutcome};
use depot_bot::store::{Commit, Committed, StoreError, StoredSession};
use futures_util::future::join_all;
use session::SessionKey;

use super::{Durable, document, due, stored};
use crate::stores::{NOW, after, key};

macro_rules! for_each_store {
    ($($test:ident)*) => {
        for_each_store! { @engine memory: $($test)* }
        for_each_store! { @engine model: $($test)* }
        for_each_store! { @engine sqlite: $($test)* }
        for_each_store! { @engine postgres: $($test)* }
    };
    (@engine $engine:ident: $($test:ident)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(super::Durable::$engine().await).await;
                }
            )*

            #[test]
            fn any_sequence_has_the_outcome_that_memory_has() {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let subject = runtime.block_on(super::Durable::$engine());
                crate::leadership_contract::random::durable(&runtime, &subject);
            }
        }
    };
}

for_each_store! {
    of_racing_changers_one_wins
    a_commit_of_an_epoch_that_is_over_is_refused
    a_commit_that_was_applied_is_seen_after_the_change
    only_a_higher_document_is_mirrored
    a_session_after_its_retention_gives_way_to_one_that_began_anew
    documents_mirrored_together_end_as_if_each_had_come_alone
    a_late_document_is_mirrored_while_sql_is_the_primary
    a_late_document_is_lost_once_redis_is_the_primary
    everything_is_given_back_in_pages
    a_conflict_is_stored_once
    an_instance_without_other_heartbeats_is_the_sole_member
}

async fn change(store: &dyn DurableStore, from: Option<&Leadership>, to: &Leadership) -> Leadership {
    let now = store.change_leadership(from, to, NOW).await.unwrap().expect("there is a row");
    if now == *to {
        store.serve(to.epoch);
    }
    now
}

/// SQL as the primary under its first epoch.
async fn sql_elected(subject: &Durable) -> Leadership {
    change(&*subject.store, None, &Leadership::sql(1)).await
}

/// Redis as the primary under `epoch`, with everything copied.
async fn redis_elected(subject: &Durable, from: &Leadership, epoch: u64) -> Leadership {
    let closed = change(&*subject.store, Some(from), &Leadership::redis(epoch, "first")).await;
    let opened = Leadership { opened: true, ..closed.clone() };
    change(&*subject.store, Some(&closed), &opened).await
}

fn superseded(committed: &Result<Committed, StoreError>) -> bool {
    matches!(committed, Err(StoreError::Superseded { .. }))
}

async fn of_racing_changers_one_wins(subject: Durable) {
    let read = async || subject.store.read_cluster(1, NOW).await.unwrap().leadership;
    assert_eq!(read().await, None);
    let mut from = None;
    for round in 0..6_u64 {
        let racers = (0..6_u64).map(|racer| {
            let store = Arc::clone(if racer % 2 == 0 { &subject.store } else { &subject.beside });
            let from = from.clone();
            let epoch = 10 * round + racer + 1;
            let to = if racer < 3 {
                Leadership::sql(epoch)
            } else {
                Leadership::redis(epoch, &format!("{racer}"))
            };
            tokio::spawn(async move { (to.clone(), change(&*store, from.as_ref(), &to).await) })
        });
        let ended = join_all(racers.collect::<Vec<_>>()).await;
        let ended: Vec<(Leadership, Leadership)> = ended.into_iter().map(Result::unwrap).collect();
        let won = ended.iter().filter(|(to, now)| to == now).count();
        assert_eq!(won, 1, "{ended:?}");
        from = read().await;
        assert!(ended.iter().all(|(_, now)| Some(now) == from.as_ref()), "{ended:?} but {from:?}");
    }
    // Whether all documents are copied is a part of the comparison.
    let closed = change(&*subject.store, from.as_ref(), &Leadership::redis(100, "first")).await;
    let opened = Leadership { opened: true, ..closed.clone() };
    assert_eq!(change(&*subject.store, Some(&closed), &opened).await, opened);
    let late = change(&*subject.beside, Some(&closed), &Leadership::sql(101)).await;
    assert_eq!(late, opened, "who saw it closed must look again");
}

async fn a_commit_of_an_epoch_that_is_over_is_refused(subject: Durable) {
    let store = &subject.store;
    let commit = async |epoch, version| {
        let session = document(key(7), epoch, version);
        store.commit(&after(version - 1, &session)).await
    };
    assert!(superseded(&commit(1, 1).await), "no store is the primary");
    let first = sql_elected(&subject).await;
    assert_eq!((store.epoch(), commit(1, 1).await.unwrap()), (1, Committed::Applied));
    let second = change(&*subject.beside, Some(&first), &Leadership::redis(2, "first")).await;
    assert!(superseded(&commit(1, 2).await) && superseded(&commit(2, 2).await), "Redis is the primary");
    assert_eq!(commit(1, 1).await.unwrap(), Committed::Applied, "what was applied stays so");
    change(&*subject.beside, Some(&second), &Leadership::sql(3)).await;
    assert!(superseded(&commit(1, 2).await) && superseded(&commit(2, 2).await));
    assert_eq!(commit(3, 2).await.unwrap(), Committed::Applied);
    assert_eq!(store.load(key(7)).await.unwrap(), Some(document(key(7), 3, 2)));
}

/// All keys that can be read, page by page.
async fn all_keys(store: &dyn DurableStore) -> BTreeSet<SessionKey> {
    let (mut keys, mut place) = (BTreeSet::new(), None);
    loop {
        let page = store.sessions_after(place, 64).await.unwrap();
        keys.extend(page.documents.iter().map(|stored| stored.session.key));
        place = page.last;
        if place.is_none() {
            return keys;
        }
    }
}

async fn a_commit_that_was_applied_is_seen_after_the_change(subject: Durable) {
    let mut leadership = sql_elected(&subject).await;
    for round in 0..8_i64 {
        let epoch = leadership.epoch;
        let committers = (0..8_i64).map(|chat| {
            let store = Arc::clone(if chat % 2 == 0 { &subject.store } else { &subject.beside });
            tokio::spawn(async move {
                let mut applied = BTreeSet::new();
                for step in 0..300 {
                    tokio::task::yield_now().await;
                    let key = key(1_000_000 * (8 * round + chat) + step);
                    let session = document(key, epoch, 1);
                    match store.commit(&after(0, &session)).await {
                        Ok(Committed::Applied) => applied.insert(key),
                        Err(StoreError::Superseded { .. }) => break,
                        other => panic!("{other:?}"),
                    };
                }
                applied
            })
        });
        let committers: Vec<_> = committers.collect();
        while all_keys(&*subject.store).await.range(key(8_000_000 * round)..).next().is_none() {
            tokio::task::yield_now().await;
        }
        leadership = change(&*subject.beside, Some(&leadership), &Leadership::sql(epoch + 1)).await;
        let seen = all_keys(&*subject.beside).await;
        for committer in committers {
            let applied = committer.await.unwrap();
            let missed: Vec<_> = applied.difference(&seen).collect();
            assert!(missed.is_empty(), "committed under epoch {epoch} and not seen after it: {missed:?}");
        }
        assert_eq!(all_keys(&*subject.store).await, seen, "something entered after the change");
    }
}

async fn mirror_versions(subject: &Durable, epoch: u64, versions: &[(u64, u64)]) -> Vec<MirrorOutcome> {
    let documents: Vec<_> =
        versions.iter().map(|(epoch, version)| stored(key(7), *epoch, *version)).collect();
    subject.store.mirror(&documents, epoch, NOW).await.unwrap()
}

async fn stamp(subject: &Durable, chat: i64) -> Option<(u64, u64)> {
    subject.store.load(key(chat)).await.unwrap().map(|session| (session.epoch, session.version))
}

async fn only_a_higher_document_is_mirrored(subject: Durable) {
    let first = sql_elected(&subject).await;
    redis_elected(&subject, &first, 2).await;
    assert_eq!(mirror_versions(&subject, 2, &[(2, 2)]).await, [MirrorOutcome::Written]);
    assert_eq!(
        mirror_versions(&subject, 2, &[(2, 2), (2, 1), (1, 9)]).await,
        [MirrorOutcome::Written; 3],
        "descendants are there"
    );
    assert_eq!(stamp(&subject, 7).await, Some((2, 2)));
    assert_eq!(mirror_versions(&subject, 2, &[(2, 3), (2, 5), (2, 4)]).await, [MirrorOutcome::Written; 3]);
    assert_eq!(stamp(&subject, 7).await, Some((2, 5)));
    assert_eq!(subject.conflicts().await, 0);
    // The same version with another commit id is another branch.
    let mut twin = document(key(7), 2, 5);
    twin.commit = 99;
    let twin = StoredSession { session: Arc::new(twin), ..stored(key(7), 2, 5) };
    assert_eq!(subject.store.mirror(&[twin], 2, NOW).await.unwrap(), [MirrorOutcome::Lost]);
    assert_eq!(subject.conflicts().await, 1);
    assert_eq!(subject.store.load(key(7)).await.unwrap(), Some(document(key(7), 2, 5)));
}

async fn a_session_after_its_retention_gives_way_to_one_that_began_anew(subject: Durable) {
    let first = sql_elected(&subject).await;
    redis_elected(&subject, &first, 2).await;
    let closed =
        StoredSession { kept_until: Some(NOW.after(Duration::from_secs(3_600))), ..stored(key(7), 2, 40) };
    assert_eq!(subject.store.mirror(&[closed], 2, NOW).await.unwrap(), [MirrorOutcome::Written]);
    // Redis drops the document when its time is over; here it waits to be purged.
    let later = NOW.after(Duration::from_secs(3_601));
    let anew = subject.store.mirror(&[stored(key(7), 2, 1)], 2, later).await.unwrap();
    assert_eq!((anew, stamp(&subject, 7).await), (vec![MirrorOutcome::Written], Some((2, 1))));
    assert_eq!(subject.conflicts().await, 0);
}

async fn documents_mirrored_together_end_as_if_each_had_come_alone(subject: Durable) {
    let first = sql_elected(&subject).await;
    redis_elected(&subject, &first, 2).await;
    let mirror = async |documents: Vec<StoredSession>, epoch| {
        subject.store.mirror(&documents, epoch, NOW).await.unwrap()
    };
    let alone = (0..90).map(|chat| mirror(vec![stored(key(chat), 2, 3)], 2));
    assert_eq!(join_all(alone).await.concat(), [MirrorOutcome::Written; 90]);
    // Now some come twice, some are there already, some belong to another branch, and some come under another epoch.
    let newer = (0..30).map(|chat| (vec![stored(key(chat), 2, 4), stored(key(chat + 60), 2, 5)], 2));
    let again = (0..30).map(|chat| (vec![stored(key(chat), 2, 5), stored(key(chat + 30), 2, 3)], 2));
    let late = (90..100).map(|chat| (vec![stored(key(chat), 1, 9)], 1));
    let branches = (30..35).map(|chat| {
        let mut branch = document(key(chat), 2, 3);
        branch.commit = 99;
        (vec![StoredSession { session: Arc::new(branch), ..stored(key(chat), 2, 3) }], 2)
    });
    let all =
        newer.chain(again).chain(late).chain(branches).map(|(documents, epoch)| mirror(documents, epoch));
    let outcomes = join_all(all).await;
    let (kept, lost) = outcomes.split_at(60);
    assert_eq!(kept.concat(), [MirrorOutcome::Written; 120]);
    assert_eq!(lost.concat(), [MirrorOutcome::Lost; 15]);
    assert_eq!(subject.conflicts().await, 15);
    for chat in 0..100 {
        let there = match chat {
            0..30 | 60..90 => Some((2, 5)),
            30..60 => Some((2, 3)),
            _ => None,
        };
        assert_eq!(stamp(&subject, chat).await, there, "{chat}");
    }
}

async fn a_late_document_is_mirrored_while_sql_is_the_primary(subject: Durable) {
    let first = sql_elected(&subject).await;
    let redis = redis_elected(&subject, &first, 2).await;
    assert_eq!(mirror_versions(&subject, 2, &[(2, 1)]).await, [MirrorOutcome::Written]);
    change(&*subject.beside, Some(&redis), &Leadership::sql(3)).await;
    assert_eq!(mirror_versions(&subject, 2, &[(2, 5)]).await, [MirrorOutcome::Written]);
    assert_eq!(stamp(&subject, 7).await, Some((2, 5)));
    let sixth = document(key(7), 3, 6);
    assert_eq!(subject.store.commit(&after(5, &sixth)).await.unwrap(), Committed::Applied);
    assert_eq!(
        mirror_versions(&subject, 2, &[(2, 4), (2, 5)]).await,
        [MirrorOutcome::Written; 2],
        "what SQL went on from"
    );
    assert_eq!(subject.conflicts().await, 0);
    assert_eq!(
        mirror_versions(&subject, 2, &[(2, 6), (2, 7)]).await,
        [MirrorOutcome::Lost; 2],
        "SQL went on without them"
    );
    assert_eq!(subject.conflicts().await, 2);
    assert_eq!(subject.store.load(key(7)).await.unwrap(), Some(sixth));
}

async fn a_late_document_is_lost_once_redis_is_the_primary(subject: Durable) {
    let first = sql_elected(&subject).await;
    let redis = redis_elected(&subject, &first, 2).await;
    assert_eq!(mirror_versions(&subject, 2, &[(2, 3)]).await, [MirrorOutcome::Written]);
    let sql = change(&*subject.beside, Some(&redis), &Leadership::sql(3)).await;
    redis_elected(&subject, &sql, 4).await;
    assert_eq!(
        mirror_versions(&subject, 2, &[(2, 4)]).await,
        [MirrorOutcome::Lost],
        "it would not be copied"
    );
    assert_eq!(mirror_versions(&subject, 2, &[(2, 3), (2, 2)]).await, [MirrorOutcome::Written; 2]);
    assert_eq!((stamp(&subject, 7).await, subject.conflicts().await), (Some((2, 3)), 1));
    let unknown = stored(key(8), 2, 1);
    assert_eq!(subject.store.mirror(&[unknown], 2, NOW).await.unwrap(), [MirrorOutcome::Lost]);
    assert_eq!((stamp(&subject, 8).await, subject.conflicts().await), (None, 2));
    assert_eq!(
        mirror_versions(&subject, 4, &[(2, 4), (4, 5)]).await,
        [MirrorOutcome::Written; 2],
        "what Redis has now"
    );
    assert_eq!(stamp(&subject, 7).await, Some((4, 5)));
}

async fn everything_is_given_back_in_pages(subject: Durable) {
    let first = sql_elected(&subject).await;
    assert_eq!(all_keys(&*subject.store).await, BTreeSet::new());
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    for chat in [-5, 3, 9] {
        let session = document(key(chat), 1, 1);
        let commit =
            Commit { due_at: Some(at(5)), kept_for: Some(Duration::from_secs(9)), ..after(0, &session) };
        assert_eq!(subject.store.commit(&commit).await.unwrap(), Committed::Applied);
    }
    redis_elected(&subject, &first, 2).await;
    let copied = due(stored(key(9), 2, 4), at(7));
    assert_eq!(
        subject.store.mirror(std::slice::from_ref(&copied), 2, NOW).await.unwrap(),
        [MirrorOutcome::Written]
    );
    let page = subject.store.sessions_after(None, 2).await.unwrap();
    assert_eq!(page.documents.iter().map(|it| it.session.key).collect::<Vec<_>>(), [key(-5), key(3)]);
    let never = &page.documents[0];
    assert_eq!((never.due_at, never.kept_until, never.replicated), (Some(at(5)), Some(at(9)), (0, 0)));
    let page = subject.store.sessions_after(page.last, 2).await.unwrap();
    assert_eq!(page.documents, [copied]);
    subject.engine.spoil(key(3), "rubbish").await;
    assert_eq!(
        all_keys(&*subject.store).await,
        [key(-5), key(9)].into(),
        "what cannot be read stays where it is"
    );
}

async fn a_conflict_is_stored_once(subject: Durable) {
    let branch = |version| Branch { key: key(7), document: "{}".to_owned(), stamp: (2, version, u64::MAX) };
    subject.store.record_conflicts(&[], NOW).await.unwrap();
    subject.store.record_conflicts(&[branch(1), branch(2)], NOW).await.unwrap();
    assert_eq!(subject.conflicts().await, 2);
    subject.beside.record_conflicts(&[branch(2)], NOW).await.unwrap();
    assert_eq!(subject.conflicts().await, 2, "the same again");
}

async fn an_instance_without_other_heartbeats_is_the_sole_member(subject: Durable) {
    let (store, beside) = (&subject.store, &subject.beside);
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    let alone =
        async |instance, seconds| store.read_cluster(instance, at(seconds)).await.unwrap().is_sole_member();
    assert!(alone(1, 0).await);
    store.heartbeat(1, at(0)).await.unwrap();
    assert!(alone(1, 0).await, "itself is no other");
    assert!(!alone(2, 0).await);
    beside.heartbeat(2, at(4)).await.unwrap();
    assert!(!alone(1, 13).await && !alone(2, 9).await);
    assert!(alone(1, 14).await, "the other was not seen for ten seconds");
    beside.heartbeat(2, at(14)).await.unwrap();
    assert!(!alone(1, 14).await);
    beside.deregister(2).await.unwrap();
    assert!(alone(1, 14).await);
}
