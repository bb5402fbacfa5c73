//! Redis as a primary: becoming it, serving an epoch, and giving it up again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::{RedisResult, Script, pipe};
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::diagnostic::Severity;
use crate::store::keys::{COPYING_KEPT, Keys, PROBE_KEPT};
use crate::store::redis::link::{Call, Route};
use crate::store::redis::{NAME, RedisStore, unavailable, without_effect};
use crate::store::replication::{Branch, Probe, VolatileStore};
use crate::store::{StoreError, StoredSession, document};
use session::SessionKey;

/// The reply of `probe.lua`: Redis time, the epoch served, the backlog, and the oldest dirty marker.
type ProbeReply = (i64, String, u64, i64);
/// The verdict of `restore.lua`, and the document that it replaced.
type Restored = (String, Option<Vec<u8>>);

#[async_trait]
impl VolatileStore for RedisStore {
    async fn probe(&self) -> Result<Probe, StoreError> {
        let probe = |mut call: Call| async move {
            let sent = Instant::now();
            let reply: ProbeReply = self
                .scripts
                .probe
                .key(self.keys.probe())
                .key(self.keys.epoch())
                .key(self.keys.dirty())
                .key(self.keys.due())
                .arg(PROBE_KEPT.as_millis())
                .invoke_async(&mut call.connection)
                .await?;
            self.link.offset.learn(reply.0, sent, Instant::now());
            Ok((call.run_id, reply))
        };
        let probed: Result<(Arc<str>, ProbeReply), _> =
            self.observed_on(Route::Inspection, "probe", probe).await;
        let (run_id, (now, epoch, backlog, since)) = probed.map_err(without_effect)?;
        let lag = if since == 0 { Duration::ZERO } else { Timestamp(now).since(Timestamp(since)) };
        Ok(Probe { run_id: run_id.to_string(), epoch: epoch.parse().ok(), backlog, lag })
    }

    async fn check_eligibility(&self) -> Result<(), StoreError> {
        let refused =
            self.describe().await?.diagnostics().into_iter().find(|it| it.severity == Severity::Fatal);
        refused
            .map_or(Ok(()), |diagnostic| Err(StoreError::Refused { store: NAME, reason: diagnostic.message }))
    }

    fn serve(&self, epoch: u64, run_id: &str) {
        self.epoch.store(epoch, Ordering::Relaxed);
        self.link.set_primary(run_id);
    }

    async fn restore(&self, documents: &[StoredSession], now: Timestamp) -> Result<Vec<Branch>, StoreError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let copies =
            documents.iter().map(|stored| self.copy_of(stored, now)).collect::<Result<Vec<_>, _>>()?;
        let (restore, copies) = (&self.scripts.restore, &copies);
        let run = |call: Call| restore_all(restore, copies, call);
        let restored: Vec<Restored> =
            self.observed_on(Route::Bulk, "restore", run).await.map_err(without_effect)?;
        if restored.iter().any(|(verdict, _)| verdict == "late") {
            return Err(unavailable("it was too late when Redis came to it"));
        }
        let replaced = documents.iter().zip(restored);
        Ok(replaced.filter_map(|(stored, (_, there))| branch(stored, &there?)).collect())
    }

    async fn begin_copy(&self) -> Result<(), StoreError> {
        let copying = self.keys.copying(rand::random());
        let mut mark = redis::cmd("SET");
        mark.arg(&copying).arg(1).arg("PX").arg(COPYING_KEPT.as_millis());
        let mark = &mark;
        let run = |mut call: Call| async move { mark.query_async(&mut call.connection).await };
        self.observed("begin_copy", run).await.map(|(): ()| ()).map_err(without_effect)?;
        *self.copying.lock().unwrap_or_else(PoisonError::into_inner) = Some(copying);
        Ok(())
    }

    async fn open(&self, epoch: u64) -> Result<(), StoreError> {
        let copying = self.copying.lock().unwrap_or_else(PoisonError::into_inner).take();
        let copying = &copying;
        let run = |mut call: Call| async move {
            let mut open = self.scripts.open.key(self.keys.epoch());
            if let Some(copying) = copying {
                open.key(copying);
            }
            open.arg(epoch).arg(call.deadline).invoke_async(&mut call.connection).await
        };
        let verdict: String = self.observed("open", run).await.map_err(without_effect)?;
        match verdict.as_str() {
            "opened" => Ok(()),
            "higher" => Err(StoreError::Superseded { store: NAME }),
            "gone" => Err(unavailable("it was emptied while sessions were copied to it")),
            _ => Err(unavailable("it was too late when Redis came to it")),
        }
    }

    async fn backlog(&self, age: Duration, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let until =
            self.link.offset.in_redis_time(Instant::now()) - i64::try_from(age.as_millis()).unwrap_or(0);
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys.dirty()).arg("-inf").arg(until).arg("BYSCORE").arg("LIMIT").arg(0).arg(limit);
        let range = &range;
        let asked = |mut call: Call| async move { range.query_async(&mut call.connection).await };
        let members: Vec<String> = self.observed("backlog", asked).await.map_err(without_effect)?;
        Ok(members.iter().filter_map(|member| self.keys.session_of(member)).collect())
    }

    async fn mark_replicated(&self, documents: &[StoredSession]) -> Result<(), StoreError> {
        let mut invocation = self.scripts.replicated.key(self.keys.dirty());
        invocation.arg(self.keys.sessions());
        for stored in documents {
            let session = &stored.session;
            let head = format!("{}:{}:{}:", session.epoch, session.version, session.commit);
            invocation.arg(Keys::member(session.key)).arg(head);
        }
        let invocation = &invocation;
        let run = |mut call: Call| async move { invocation.invoke_async(&mut call.connection).await };
        self.observed("mark_replicated", run).await.map(|_: u64| ()).map_err(without_effect)
    }

    async fn drain(&self) {
        self.link.drain().await;
    }
}

/// The keys and arguments of `restore.lua` for one document.
struct CopyOf {
    keys: [String; 3],
    arguments: [String; 7],
}

impl RedisStore {
    fn copy_of(&self, stored: &StoredSession, now: Timestamp) -> Result<CopyOf, StoreError> {
        let session = &stored.session;
        let kept_for = stored.kept_until.map(|until| until.since(now).as_millis().max(1));
        Ok(CopyOf {
            keys: [self.keys.session(session.key), self.keys.due().to_owned(), self.keys.dirty().to_owned()],
            arguments: [
                session.epoch.to_string(),
                session.version.to_string(),
                session.commit.to_string(),
                document::encode(session)?,
                Keys::member(session.key),
                stored.due_at.map_or_else(String::new, |at| at.0.to_string()),
                kept_for.map_or_else(String::new, |kept| kept.to_string()),
            ],
        })
    }
}

/// Runs `restore.lua` for each document, all in one round trip.
async fn restore_all(script: &Script, copies: &[CopyOf], mut call: Call) -> RedisResult<Vec<Restored>> {
    script.prepare_invoke().load_async(&mut call.connection).await?;
    let mut batch = pipe();
    for CopyOf { keys, arguments } in copies {
        batch
            .cmd("EVALSHA")
            .arg(script.get_hash())
            .arg(keys.len())
            .arg(keys)
            .arg(arguments)
            .arg(call.deadline);
    }
    batch.query_async(&mut call.connection).await
}

/// The replaced document, if it was never replicated.
fn branch(stored: &StoredSession, there: &[u8]) -> Option<Branch> {
    let text = String::from_utf8_lossy(there);
    let mut parts = text.splitn(4, ':');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
    let stamp = (number()?, number()?, number()?);
    let document = parts.next()?.to_owned();
    ((stamp.0, stamp.1) > stored.replicated).then(|| Branch { key: stored.session.key, document, stamp })
}
