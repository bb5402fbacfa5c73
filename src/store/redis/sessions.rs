//! The contract of session stores over Redis: one script per commit, one round trip per call.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use redis::{RedisResult, pipe};
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::store::keys::Keys;
use crate::store::redis::error::LinkError;
use crate::store::redis::link::{Call, Route};
use crate::store::redis::{NAME, RedisStore, field, unavailable, without_effect, wrong_type};
use crate::store::{
    Commit, Committed, FoundSession, SessionInspection, SessionPage, SessionStore, Statistics, StoreError,
    document, no_such_cursor,
};
use session::{Session, SessionKey};

/// The verdict of `commit.lua`, Redis' time in ms, and the document as it is now.
type Reply = (String, i64, Option<Vec<u8>>);

impl RedisStore {
    /// The stored value of a session.
    async fn value(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.session(key));
        let get = &get;
        let asked = |mut call: Call| async move { get.query_async(&mut call.connection).await };
        self.observed("load", asked).await.map_err(|error| match error {
            LinkError::WrongType => wrong_type(key),
            other => without_effect(other),
        })
    }

    /// The documents of these sessions, without those that are gone meanwhile.
    async fn found(&self, keys: &[SessionKey]) -> Result<Vec<FoundSession>, StoreError> {
        // An empty pipeline would have no reply to wait for.
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut gets = pipe();
        // One document of another type must not hide the others.
        gets.ignore_errors();
        for key in keys {
            gets.get(self.keys.session(*key));
        }
        let gets = &gets;
        let asked = |mut call: Call| async move { gets.query_async(&mut call.connection).await };
        let values: Vec<RedisResult<Option<Vec<u8>>>> =
            self.observed_on(Route::Bulk, "page", asked).await.map_err(without_effect)?;
        let mut found = Vec::with_capacity(keys.len());
        for (&key, value) in keys.iter().zip(values) {
            let session = match value.map_err(|error| LinkError::after_sending(&error)) {
                Ok(None) => continue,
                Ok(Some(value)) => Self::read(key, &value),
                Err(LinkError::WrongType) => Err(wrong_type(key)),
                Err(error) => return Err(without_effect(error)),
            };
            found.push(FoundSession { key, session });
        }
        Ok(found)
    }

    /// Takes the head off a stored value and reads the document behind it.
    fn read(key: SessionKey, value: &[u8]) -> Result<Session, StoreError> {
        let corrupt = || StoreError::Corrupt { key, reason: "its head is missing".to_owned() };
        let document = value.splitn(4, |byte| *byte == b':').nth(3).ok_or_else(corrupt)?;
        document::decode(key, document)
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.value(key).await?.map(|value| Self::read(key, &value)).transpose()
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        let session = commit.session;
        let key = session.key;
        let keys = [
            self.keys.session(key),
            self.keys.due().to_owned(),
            self.keys.dirty().to_owned(),
            self.keys.epoch().to_owned(),
        ];
        let arguments = [
            commit.expected.to_string(),
            session.epoch.to_string(),
            session.version.to_string(),
            session.commit.to_string(),
            document::encode(session)?,
            Keys::member(key),
            commit.due_at.map_or_else(String::new, |at| at.0.to_string()),
            commit.kept_for.map_or_else(String::new, |kept| kept.as_millis().max(1).to_string()),
        ];
        let (keys, arguments) = (&keys, &arguments);
        let run = |mut call: Call| async move {
            let mut invocation = self.scripts.commit.key(keys);
            let sent = Instant::now();
            let reply: Reply =
                invocation.arg(arguments).arg(call.deadline).invoke_async(&mut call.connection).await?;
            self.link.offset.learn(reply.1, sent, Instant::now());
            Ok(reply)
        };
        let (verdict, _, value) = self.observed("commit", run).await.map_err(|error| match error {
            LinkError::Unknown | LinkError::Broken => StoreError::Unknown { store: NAME },
            other => without_effect(other),
        })?;
        match verdict.as_str() {
            "applied" => Ok(Committed::Applied),
            "conflict" => {
                let current = value.map(|value| Self::read(key, &value)).transpose()?;
                Ok(Committed::Conflict(current.map(Box::new)))
            }
            "epoch" => Err(StoreError::Superseded { store: NAME }),
            "foreign" => Err(wrong_type(key)),
            _ => Err(unavailable("it was too late when Redis came to it")),
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let mut invocation = self.scripts.due.key(self.keys.due());
        invocation.arg(now.0).arg(limit).arg(self.keys.sessions());
        let invocation = &invocation;
        let run = |mut call: Call| async move { invocation.invoke_async(&mut call.connection).await };
        let members: Vec<String> = self.observed("due", run).await.map_err(without_effect)?;
        Ok(members.iter().filter_map(|member| self.keys.session_of(member)).collect())
    }
}

#[async_trait]
impl SessionInspection for RedisStore {
    async fn unreadable(&self, key: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
        let value = match self.value(key).await {
            // Of another type: as Redis itself would write it down.
            Err(StoreError::Corrupt { .. }) => {
                let mut dump = redis::cmd("DUMP");
                dump.arg(self.keys.session(key));
                return self.query("unreadable", dump).await;
            }
            value => value?,
        };
        Ok(value.and_then(|value| document::if_corrupt(&Self::read(key, &value), value)))
    }

    async fn discard(&self, key: SessionKey, document: &[u8]) -> Result<bool, StoreError> {
        let mut invocation = self.scripts.discard.key(self.keys.session(key));
        invocation.key(self.keys.due()).key(self.keys.dirty()).arg(document).arg(Keys::member(key));
        let invocation = &invocation;
        let run = |mut call: Call| async move { invocation.invoke_async(&mut call.connection).await };
        self.observed("discard", run).await.map_err(|error| match error {
            LinkError::Unknown | LinkError::Broken => StoreError::Unknown { store: NAME },
            LinkError::WrongType => wrong_type(key),
            other => without_effect(other),
        })
    }

    async fn statistics(&self, now: Timestamp) -> Result<Statistics, StoreError> {
        let mut counts = pipe();
        counts.zcard(self.keys.due()).zcount(self.keys.due(), "-inf", now.0).cmd("INFO").arg("memory");
        let counts = &counts;
        let asked = |mut call: Call| async move { counts.query_async(&mut call.connection).await };
        let (active, overdue, memory): (u64, u64, String) =
            self.observed_on(Route::Bulk, "statistics", asked).await.map_err(without_effect)?;
        let memory_bytes = field(&memory, "used_memory").and_then(|bytes| bytes.parse().ok());
        Ok(Statistics { active, overdue, memory_bytes })
    }

    /// Redis expires documents by itself.
    async fn purge(&self, _now: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// One `SCAN`, whose cursor is that of the page, and one round trip for the documents that it found.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<SessionPage, StoreError> {
        let cursor: u64 = after.map_or(Ok(0), str::parse).map_err(|_| no_such_cursor(NAME))?;
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.keys.pattern()).arg("COUNT").arg(limit.max(1));
        let (cursor, names): (u64, Vec<String>) = self.query_on(Route::Bulk, "page", scan).await?;
        let keys: Vec<SessionKey> = names
            .iter()
            .filter_map(|name| self.keys.session_of(name.strip_prefix(self.keys.sessions())?))
            .collect();
        Ok(SessionPage { found: self.found(&keys).await?, next: (cursor != 0).then(|| cursor.to_string()) })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.query("ping", redis::cmd("PING")).await
    }

    fn name(&self) -> &'static str {
        NAME
    }
}
