//! Retries of a store's calls: a call that was certainly not executed a few times, a commit with an unknown outcome as
//! the very same commit.

use std::time::Duration;

use tokio::time::Instant;

use crate::rng::Rng;
use crate::store::{Commit, Committed, SessionStore, StoreError};
use session::{Session, SessionKey};

/// How often a call that was certainly not executed is tried.
const TRIES: u32 = 3;
/// The wait before the second try, at most; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// How long a commit whose outcome is unknown is repeated.
const DEADLINE: Duration = Duration::from_secs(2);

/// Commits, and repeats the same commit while that can help.
///
/// # Errors
/// The last failure; [`StoreError::Unknown`] if any try may have been executed, whatever came after it.
pub async fn commit(
    store: &dyn SessionStore,
    commit: &Commit<'_>,
    rng: &Rng,
) -> Result<Committed, StoreError> {
    let began = Instant::now();
    let mut refusals = 0;
    let mut unknown = false;
    loop {
        let error = match store.commit(commit).await {
            Ok(committed) => return Ok(committed),
            Err(error) => error,
        };
        match error {
            StoreError::Unknown { .. } => unknown = true,
            _ => refusals += 1,
        }
        match wait(&error, refusals, began.elapsed(), rng.fraction()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None if unknown => return Err(StoreError::Unknown { store: store.name() }),
            None => return Err(error),
        }
    }
}

/// Reads a document, and tries again where that may work a moment later: a read may be repeated at will.
///
/// # Errors
/// The last failure.
pub async fn load(
    store: &dyn SessionStore,
    key: SessionKey,
    rng: &Rng,
) -> Result<Option<Session>, StoreError> {
    let began = Instant::now();
    let mut refusals = 0;
    loop {
        let error = match store.load(key).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        refusals += 1;
        match wait(&error, refusals, began.elapsed(), rng.fraction()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(error),
        }
    }
}

/// How long to wait before the next try, if there is to be one; `jitter` is between 0 and 1.
fn wait(error: &StoreError, refusals: u32, spent: Duration, jitter: f64) -> Option<Duration> {
    let jitter = 0.5 + jitter.clamp(0.0, 1.0) / 2.0;
    match error {
        _ if spent >= DEADLINE => None,
        StoreError::Unavailable { .. } if refusals < TRIES => {
            Some(FIRST_WAIT.mul_f64(jitter) * 2_u32.saturating_pow(refusals.saturating_sub(1)))
        }
        StoreError::Unknown { .. } => Some(FIRST_WAIT.mul_f64(jitter)),
        StoreError::Unavailable { .. }
        | StoreError::Refused { .. }
        | StoreError::Superseded { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Newer { .. }
        | StoreError::TooLarge { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::Timestamp;
    use crate::store::{Replicated, SessionInspection, SessionPage, Statistics};
    use deposit::{BotId, ChatId, UserId};

    const NO_TIME: Duration = Duration::ZERO;

    fn unavailable() -> StoreError {
        StoreError::Unavailable { store: "memory", reason: "loading".to_owned() }
    }

    /// A store that is away for the next few reads.
    #[derive(Debug)]
    struct Away(AtomicU32);

    #[async_trait]
    impl SessionStore for Away {
        async fn load(&self, _: SessionKey) -> Result<Option<Session>, StoreError> {
            let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
            left.map_or(Ok(None), |_| Err(unavailable()))
        }

        fn epoch(&self) -> u64 {
            1
        }

        async fn commit(&self, _: &Commit<'_>) -> Result<Committed, StoreError> {
            Err(unavailable())
        }

        async fn due(&self, _: Timestamp, _: usize) -> Result<Vec<SessionKey>, StoreError> {
            Err(unavailable())
        }
    }

    impl Replicated for Away {}

    #[async_trait]
    impl SessionInspection for Away {
        async fn unreadable(&self, _: SessionKey) -> Result<Option<Vec<u8>>, StoreError> {
            Err(unavailable())
        }

        async fn discard(&self, _: SessionKey, _: &[u8]) -> Result<bool, StoreError> {
            Err(unavailable())
        }

        async fn statistics(&self, _: Timestamp) -> Result<Statistics, StoreError> {
            Err(unavailable())
        }

        async fn purge(&self, _: Timestamp) -> Result<u64, StoreError> {
            Err(unavailable())
        }

        async fn page(&self, _: Option<&str>, _: usize) -> Result<SessionPage, StoreError> {
            Err(unavailable())
        }

        async fn ping(&self) -> Result<(), StoreError> {
            Err(unavailable())
        }

        fn name(&self) -> &'static str {
            "memory"
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_tried_three_times() {
        let key = SessionKey { bot: BotId(1), chat: ChatId(2), user: UserId(2) };
        assert!(load(&Away(AtomicU32::new(2)), key, &Rng::system()).await.is_ok());
        assert!(load(&Away(AtomicU32::new(3)), key, &Rng::system()).await.is_err());
    }

    #[test]
    fn a_call_that_was_not_executed_is_tried_three_times_with_growing_waits() {
        let millis = |refusals| wait(&unavailable(), refusals, NO_TIME, 1.0).map(|wait| wait.as_millis());
        assert_eq!((millis(1), millis(2), millis(3)), (Some(50), Some(100), None));
        assert_eq!(wait(&unavailable(), 1, NO_TIME, 0.0), Some(Duration::from_millis(25)));
    }

    #[test]
    fn an_unknown_outcome_is_repeated_until_the_deadline() {
        let unknown = StoreError::Unknown { store: "memory" };
        assert!(wait(&unknown, 0, DEADLINE - Duration::from_millis(1), 0.5).is_some());
        assert!(wait(&unknown, 0, DEADLINE, 0.5).is_none());
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        let refused = StoreError::Refused { store: "memory", reason: "full".to_owned() };
        assert!(wait(&refused, 1, NO_TIME, 0.5).is_none());
    }
}
