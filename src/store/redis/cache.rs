//! The cache of paid answers, and the count of paid calls a day: plain keys that expire, reached through the pool.

use std::time::Duration;

use redis::pipe;

use crate::store::StoreError;
use crate::store::keys::CALLS_KEPT;
use crate::store::redis::link::{Call, Route};
use crate::store::redis::{RedisStore, without_effect};

impl RedisStore {
    /// The answer that is kept under `key`.
    ///
    /// # Errors
    /// The store's; nothing is changed.
    pub async fn cached(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.cache(key));
        self.query_on(Route::Cache, "cached", get).await
    }

    /// Keeps an answer for `kept_for`; may be repeated.
    ///
    /// # Errors
    /// The store's; the answer may be kept or not.
    pub async fn keep(&self, key: &str, answer: &str, kept_for: Duration) -> Result<(), StoreError> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys.cache(key)).arg(answer).arg("PX");
        set.arg(u64::try_from(kept_for.as_millis()).unwrap_or(u64::MAX).max(1));
        self.query_on(Route::Cache, "keep", set).await
    }

    /// Counts one more call of `kind` on `day`, over all instances.
    ///
    /// # Errors
    /// The store's; it may be counted or not.
    pub async fn count(&self, kind: &str, day: i64) -> Result<u64, StoreError> {
        let key = self.keys.calls(kind, day);
        let mut counted = pipe();
        counted.incr(&key, 1).expire(&key, CALLS_KEPT).ignore();
        let counted = &counted;
        let asked = |mut call: Call| async move { counted.query_async(&mut call.connection).await };
        let (calls,): (u64,) =
            self.observed_on(Route::Cache, "count", asked).await.map_err(without_effect)?;
        Ok(calls)
    }
}
