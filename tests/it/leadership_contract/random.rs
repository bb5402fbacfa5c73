//! Random sequences of everything that the stores do for failover, compared with memory step by step.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::memory::MemoryStore;
use depot_bot::store::replication::{DurableStore as _, Leadership, Primary, VolatileStore};
use depot_bot::store::{SessionStore, StoreError, StoredSession};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use session::{Session, SessionKey};
use tokio::runtime::Runtime;

use super::{Durable, Volatile, document};
use crate::stores::{BOT, NOW, after, key};

/// A document relative to where things stand.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// Which conversation of three.
    whose: i64,
    /// How many epochs it is behind.
    epochs_behind: u64,
    /// Its version relative to the stored one.
    ahead: i64,
    /// Which committer it is of.
    commit: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Wanted),
    /// To Redis or not, opened or not.
    Change(bool, bool),
    Mirror(Vec<Wanted>, u64),
    Open(u64),
    Restore(Vec<Wanted>),
    MarkReplicated(Wanted),
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (0_i64..3, prop_oneof![4 => Just(0), 2 => 0_u64..3], -1_i64..3, 0_u64..2)
        .prop_map(|(whose, epochs_behind, ahead, commit)| Wanted { whose, epochs_behind, ahead, commit })
}

fn several() -> impl Strategy<Value = Vec<Wanted>> {
    proptest::collection::vec(wanted(), 1..4)
}

fn durable_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => wanted().prop_map(Step::Commit),
        2 => any::<(bool, bool)>().prop_map(|(redis, opened)| Step::Change(redis, opened)),
        4 => (several(), 0_u64..3).prop_map(|(documents, behind)| Step::Mirror(documents, behind)),
    ];
    proptest::collection::vec(step, 1..25)
}

fn volatile_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => wanted().prop_map(Step::Commit),
        1 => (0_u64..3).prop_map(Step::Open),
        2 => several().prop_map(Step::Restore),
        2 => wanted().prop_map(Step::MarkReplicated),
    ];
    proptest::collection::vec(step, 1..25)
}

/// Three conversations of one case, and the epoch it has come to.
struct Case {
    oracle: MemoryStore,
    first: i64,
    epoch: u64,
}

impl Case {
    fn key(&self, whose: i64) -> SessionKey {
        key(self.first + whose)
    }

    async fn stored(&self, whose: i64) -> Option<Session> {
        self.oracle.load(self.key(whose)).await.unwrap()
    }

    async fn document(&self, wanted: Wanted) -> Session {
        let there = self.stored(wanted.whose).await.map_or(0, |session| session.version);
        let version = there.saturating_add_signed(wanted.ahead).max(1);
        let epoch = self.epoch.saturating_sub(wanted.epochs_behind);
        let mut session = document(self.key(wanted.whose), epoch, version);
        session.commit = session.commit.wrapping_add(wanted.commit);
        session
    }

    async fn documents(&self, wanted: &[Wanted]) -> Vec<StoredSession> {
        let mut documents = Vec::new();
        for wanted in wanted {
            let session = Arc::new(self.document(*wanted).await);
            let replicated = (session.epoch, session.version.saturating_sub(wanted.commit));
            documents.push(StoredSession { session, due_at: Some(NOW), kept_until: None, replicated });
        }
        documents
    }

    async fn commit(&self, store: &dyn SessionStore, wanted: Wanted) {
        let session = self.document(wanted).await;
        let commit = after(session.version - 1, &session);
        let (one, other) = (store.commit(&commit).await, self.oracle.commit(&commit).await);
        assert_eq!(plain(one), plain(other), "{session:?}");
    }

    async fn compare(&self, store: &dyn SessionStore, step: &Step) {
        for whose in 0..3 {
            let there = store.load(self.key(whose)).await.unwrap();
            assert_eq!(there, self.stored(whose).await, "after {step:?}");
        }
    }
}

/// The outcomes that a caller distinguishes.
fn plain<T>(outcome: Result<T, StoreError>) -> Result<T, String> {
    outcome.map_err(|error| match error {
        StoreError::Superseded { .. } => "superseded".to_owned(),
        other => format!("{other:?}"),
    })
}

fn run_all(strategy: &impl Strategy<Value = Vec<Step>>, run: impl FnMut(Vec<Step>, i64)) {
    let run = RefCell::new((run, 0_i64));
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(strategy, |steps| {
            let (run, case) = &mut *run.borrow_mut();
            *case += 10;
            run(steps, *case);
            Ok(())
        })
        .unwrap();
}

pub(super) fn durable(runtime: &Runtime, subject: &Durable) {
    let oracle = MemoryStore::new(BOT);
    oracle.empty();
    run_all(&durable_steps(), |steps, first| {
        runtime.block_on(durable_case(subject, &oracle, first, steps));
    });
}

async fn durable_case(subject: &Durable, oracle: &MemoryStore, first: i64, steps: Vec<Step>) {
    let store = &subject.store;
    let row = async || oracle.read_cluster(1, NOW).await.unwrap().leadership;
    let epoch = row().await.map_or(0, |row| row.epoch);
    let mut case = Case { oracle: oracle.clone(), first, epoch };
    for step in steps {
        let conflicts = (subject.conflicts().await, oracle.conflicts().len());
        match &step {
            Step::Commit(wanted) => case.commit(&**store, *wanted).await,
            Step::Change(redis, opened) => {
                let from = row().await;
                let to = match &from {
                    Some(from) if *opened && !from.opened => Leadership { opened: true, ..from.clone() },
                    _ if *redis => Leadership::redis(case.epoch + 1, "first"),
                    _ => Leadership::sql(case.epoch + 1),
                };
                let now = store.change_leadership(from.as_ref(), &to, NOW).await.unwrap();
                assert_eq!(now, oracle.change_leadership(from.as_ref(), &to, NOW).await.unwrap());
                case.epoch = to.epoch;
            }
            Step::Mirror(wanted, behind) => {
                let documents = case.documents(wanted).await;
                let epoch = case.epoch.saturating_sub(*behind);
                let outcomes = store.mirror(&documents, epoch, NOW).await.unwrap();
                let expected = oracle.mirror(&documents, epoch, NOW).await.unwrap();
                assert_eq!(outcomes, expected, "{step:?} under {epoch} of {:?}: {documents:?}", row().await);
            }
            Step::Open(_) | Step::Restore(_) | Step::MarkReplicated(_) => unreachable!("Redis does that"),
        }
        case.compare(&**store, &step).await;
        assert_eq!(store.read_cluster(1, NOW).await.unwrap().leadership, row().await);
        let more = (subject.conflicts().await - conflicts.0, oracle.conflicts().len() - conflicts.1);
        assert_eq!(more.0, more.1, "kept as conflicts after {step:?}");
        assert!(row().await.is_none_or(|row| row.primary != Primary::Sql || row.opened));
    }
}

pub(super) fn volatile(runtime: &Runtime, subject: &Volatile) {
    let oracle = MemoryStore::new(BOT);
    oracle.empty();
    run_all(&volatile_steps(), |steps, first| {
        runtime.block_on(volatile_case(&*subject.store, &oracle, first, steps));
    });
}

async fn volatile_case(store: &dyn VolatileStore, oracle: &MemoryStore, first: i64, steps: Vec<Step>) {
    let epoch = oracle.probe().await.unwrap().epoch.unwrap_or(0);
    let mut case = Case { oracle: oracle.clone(), first, epoch };
    for step in steps {
        match &step {
            Step::Commit(wanted) => case.commit(store, *wanted).await,
            Step::Open(behind) => {
                case.epoch += 1;
                let epoch = case.epoch.saturating_sub(*behind).max(1);
                assert_eq!(plain(store.open(epoch).await), plain(oracle.open(epoch).await), "{step:?}");
            }
            Step::Restore(wanted) => {
                let documents = case.documents(wanted).await;
                let lost = store.restore(&documents, NOW).await.unwrap();
                assert_eq!(lost, oracle.restore(&documents, NOW).await.unwrap(), "{step:?}: {documents:?}");
            }
            Step::MarkReplicated(wanted) => {
                let documents = case.documents(&[*wanted]).await;
                store.mark_replicated(&documents).await.unwrap();
                oracle.mark_replicated(&documents).await.unwrap();
            }
            Step::Change(..) | Step::Mirror(..) => unreachable!("SQL does that"),
        }
        case.compare(store, &step).await;
        let dirty = |keys: Vec<SessionKey>| keys.into_iter().collect::<BTreeSet<_>>();
        let (one, other) =
            (store.backlog(Duration::ZERO, 10_000).await, oracle.backlog(Duration::ZERO, 10_000).await);
        assert_eq!(dirty(one.unwrap()), dirty(other.unwrap()), "dirty after {step:?}");
        let (one, other) = (store.probe().await.unwrap(), oracle.probe().await.unwrap());
        assert_eq!((one.epoch, one.backlog), (other.epoch, other.backlog), "after {step:?}");
    }
}
