//! The earlier answers of a paid server: kept by a hash of the question, for a time by kind. Everything works without.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

/// Keeps answers; an error is a miss, and is the keeper's to log.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The answer kept under `key`, if its time is not over.
    async fn get(&self, key: &str) -> Option<String>;

    /// Keeps an answer for `kept_for`.
    ///
    /// # Crash
    /// Before or after: the next question is a miss or a hit, and nothing else changes.
    async fn put(&self, key: &str, answer: &str, kept_for: Duration);

    /// Counts one call of `kind` on `day` (days since 1970, UTC) over all instances; `None` where there is no count.
    async fn count(&self, kind: &str, day: i64) -> Option<u64>;
}

/// The kinds of answers that are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text of a recording: it comes again when an outcome was lost, or when it is forwarded.
    Transcription,
    /// A model's lines of a note: the same few words come every day.
    Lines,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Transcription => "transcription",
            Self::Lines => "lines",
        }
    }

    fn kept_for(self) -> Duration {
        match self {
            Self::Transcription => Duration::from_secs(24 * 3600),
            Self::Lines => Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// The cache of one kind of answer; without a keeper, nothing is ever found.
#[derive(Clone)]
pub(crate) struct CachedAnswers {
    kind: Kind,
    cache: Option<Arc<dyn Cache>>,
}

impl CachedAnswers {
    pub(crate) fn new(kind: Kind, cache: Option<Arc<dyn Cache>>) -> Self {
        Self { kind, cache }
    }

    /// The key of an answer to these parts of a question.
    pub(crate) fn key(&self, parts: &[&[u8]]) -> String {
        let mut hash = Sha256::new();
        for part in parts {
            // The lengths mark where one part ends and the next begins.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{hex}", self.kind.as_str())
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        let cache = self.cache.as_ref()?;
        let found = cache.get(key).await;
        let outcome = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("depot_cache_total", "kind" => self.kind.as_str(), "outcome" => outcome)
            .increment(1);
        found
    }

    pub(crate) async fn put(&self, key: &str, answer: &str) {
        if let Some(cache) = &self.cache {
            cache.put(key, answer, self.kind.kept_for()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_tells_the_keys_apart() {
        let kept = CachedAnswers::new(Kind::Lines, None);
        assert_eq!(kept.key(&[b"ab", b"c"]), kept.key(&[b"ab", b"c"]));
        assert_ne!(kept.key(&[b"ab", b"c"]), kept.key(&[b"a", b"bc"]));
        assert!(kept.key(&[]).starts_with("lines:"));
        assert_ne!(kept.key(&[b"a"]), CachedAnswers::new(Kind::Transcription, None).key(&[b"a"]));
    }
}
