//! The contracts of the stores, kept by the model.

use std::time::Duration;

use crate::memory::MemoryStore;
use async_trait::async_trait;
use depot_bot::clock::Timestamp;
use depot_bot::store::replication::{
    Branch, ClusterState, CopyPage, DurableStore, Leadership, MirrorOutcome, Probe, VolatileStore,
};
use depot_bot::store::{
    Commit, Committed, Replicated, SessionInspection, SessionPage, SessionStore, Statistics, StoreError,
    StoredSession,
};
use futures_util::FutureExt as _;
use session::{Session, SessionKey};
use tokio::time::sleep_until;

use super::model::{Kind, Model, failure};
use super::world::Mutation;

/// Memory answers at once.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory waits for nobody")
}

impl Model {
    async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        act: impl FnOnce(&MemoryStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call(what, false, act).await.map_err(|lost| failure(self.engine.kind, false, lost))?
    }

    async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        act: impl FnOnce(&MemoryStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let is_unknown = self.engine.kind == Kind::Sql || what == "commit";
        self.call(what, true, act).await.map_err(|lost| failure(self.engine.kind, is_unknown, lost))?
    }

    /// One commit, where the store is.
    fn apply(&self, memory: &MemoryStore, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let key = commit.session.key;
        let before = memory.stamp(key);
        let stamp = (commit.session.epoch, commit.session.version, commit.session.commit);
        let mut commit = *commit;
        if self.is_mutated(Mutation::IgnoresVersions) {
            commit.expected = before.map_or(0, |(_, version, _)| version);
        }
        let committed = now(memory.commit(&commit));
        if matches!(committed, Ok(Committed::Applied)) && before != Some(stamp) {
            self.note_commit(key, before, stamp);
        }
        committed
    }
}

#[async_trait]
impl SessionStore for Model {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.read("load", move |memory| now(memory.load(key))).await
    }

    fn epoch(&self) -> u64 {
        self.memory.epoch()
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let (model, session) = (self.clone(), commit.session.clone());
        let Commit { expected, due_at, kept_for, now, .. } = *commit;
        self.write("commit", move |memory| {
            model.apply(memory, &Commit { expected, session: &session, due_at, kept_for, now })
        })
        .await
    }

    async fn due(&self, at: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.read("due", move |memory| now(memory.due(at, limit))).await
    }
}

impl Replicated for Model {}

#[async_trait]
impl SessionInspection for Model {
    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("unreadable", move |memory| now(memory.unreadable(key))).await
    }

    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        let document = document.to_vec();
        self.write("discard", move |memory| now(memory.discard(key, &document))).await
    }

    async fn statistics(&self, at: Timestamp) -> Result<Statistics, StoreError> {
        self.read("statistics", move |memory| now(memory.statistics(at))).await
    }

    async fn purge(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.write("purge", move |memory| now(memory.purge(at))).await
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError> {
        let after = after.map(str::to_owned);
        self.read("page", move |memory| now(memory.page(after.as_deref(), limit))).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read("ping", |memory| now(memory.ping())).await
    }

    fn name(&self) -> &'static str {
        self.engine.kind.name()
    }
}

#[async_trait]
impl DurableStore for Model {
    async fn read_cluster(&self, instance: i64, at: Timestamp) -> Result<ClusterState, StoreError> {
        let row = self.read("read cluster", move |memory| now(memory.read_cluster(instance, at))).await;
        let alone = self.is_mutated(Mutation::WaitsForNobody);
        row.map(|row| if alone { ClusterState { other_members: Vec::new(), ..row } } else { row })
    }

    async fn change_leadership(
        &self,
        from: Option<&Leadership>,
        to: &Leadership,
        at: Timestamp,
    ) -> Result<Option<Leadership>, StoreError> {
        let (from, to, model) = (from.cloned(), to.clone(), self.clone());
        self.write("change", move |memory| {
            let changed = now(memory.change_leadership(from.as_ref(), &to, at))?;
            let (instance, to) = (model.instance, &to);
            model.world.note(format_args!("{instance} wants {to:?}, the row is {changed:?}"));
            Ok(changed)
        })
        .await
    }

    async fn heartbeat(&self, instance: i64, at: Timestamp) -> Result<(), StoreError> {
        self.write("heartbeat", move |memory| now(memory.heartbeat(instance, at))).await
    }

    async fn deregister(&self, instance: i64) -> Result<(), StoreError> {
        self.write("deregister", move |memory| now(memory.deregister(instance))).await
    }

    async fn mirror(
        &self,
        documents: &[StoredSession],
        epoch: u64,
        at: Timestamp,
    ) -> Result<Vec<MirrorOutcome>, StoreError> {
        let (documents, model) = (documents.to_vec(), self.clone());
        self.write("mirror", move |memory| {
            if model.is_mutated(Mutation::MirrorLies) {
                return Ok(vec![MirrorOutcome::Written; documents.len()]);
            }
            let outcomes = now(memory.mirror(&documents, epoch, at))?;
            for (stored, outcome) in documents.iter().zip(&outcomes) {
                let session = &stored.session;
                let (chat, at, version) = (session.key.chat.0, session.epoch, session.version);
                let instance = model.instance;
                model.world.note(format_args!(
                    "{instance} mirrors {chat} {at}.{version} under {epoch}: {outcome:?}"
                ));
            }
            Ok(outcomes)
        })
        .await
    }

    async fn sessions_after(&self, after: Option<SessionKey>, limit: usize) -> Result<CopyPage, StoreError> {
        self.read("copy page", move |memory| now(memory.sessions_after(after, limit))).await
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.write("remove", move |memory| now(memory.remove(key))).await
    }

    async fn record_conflicts(&self, branches: &[Branch], at: Timestamp) -> Result<(), StoreError> {
        let branches = branches.to_vec();
        self.write("conflicts", move |memory| now(memory.record_conflicts(&branches, at))).await
    }

    fn serve(&self, epoch: u64) {
        DurableStore::serve(&self.memory, epoch);
    }
}

#[async_trait]
impl VolatileStore for Model {
    async fn probe(&self) -> Result<Probe, StoreError> {
        self.write("probe", |memory| now(memory.probe())).await
    }

    async fn check_eligibility(&self) -> Result<(), StoreError> {
        self.read("check eligibility", |memory| now(memory.check_eligibility())).await
    }

    fn serve(&self, epoch: u64, run_id: &str) {
        VolatileStore::serve(&self.memory, epoch, run_id);
    }

    async fn restore(&self, documents: &[StoredSession], at: Timestamp) -> Result<Vec<Branch>, StoreError> {
        let (documents, model) = (documents.to_vec(), self.clone());
        self.write("restore", move |memory| {
            let lost = now(memory.restore(&documents, at))?;
            for Branch { key, stamp, .. } in &lost {
                model.world.note(format_args!("{} loses {} {stamp:?}", model.instance, key.chat.0));
            }
            Ok(lost)
        })
        .await
    }

    async fn begin_copy(&self) -> Result<(), StoreError> {
        self.write("begin copy", |memory| now(memory.begin_copy())).await
    }

    async fn open(&self, epoch: u64) -> Result<(), StoreError> {
        let model = self.clone();
        self.write("open", move |memory| {
            model.world.note(format_args!("{} opens {epoch}", model.instance));
            now(memory.open(epoch))
        })
        .await
    }

    async fn backlog(&self, age: Duration, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.read("backlog", move |memory| now(memory.backlog(age, limit))).await
    }

    async fn mark_replicated(&self, documents: &[StoredSession]) -> Result<(), StoreError> {
        let documents = documents.to_vec();
        self.write("mark_replicated", move |memory| now(memory.mark_replicated(&documents))).await
    }

    async fn drain(&self) {
        let until = *self.busy_until.lock().unwrap();
        if !self.is_mutated(Mutation::WaitsForNobody) {
            sleep_until(until).await;
        }
    }
}
