//! One delivery at a time per chat, within this instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as ChatLock, OwnedMutexGuard};

/// The chats that deliveries work on or wait for: never more than there are deliveries.
#[derive(Default)]
pub(super) struct ChatLocks(Mutex<HashMap<i64, Arc<ChatLock<()>>>>);

/// The right to work on a chat until it is dropped.
pub(super) struct ChatGuard<'a> {
    locks: &'a ChatLocks,
    chat: i64,
    held: Option<OwnedMutexGuard<()>>,
}

impl ChatLocks {
    /// Waits for the chat, in the order of asking.
    pub(super) async fn enter(&self, chat: i64) -> ChatGuard<'_> {
        let lock = self.locks().entry(chat).or_default().clone();
        // Made before the wait, so that a wait which is given up leaves nothing behind either.
        let mut guard = ChatGuard { locks: self, chat, held: None };
        guard.held = Some(lock.lock_owned().await);
        guard
    }

    fn locks(&self) -> MutexGuard<'_, HashMap<i64, Arc<ChatLock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ChatGuard<'_> {
    fn drop(&mut self) {
        let mut locks = self.locks.locks();
        self.held = None;
        if locks.get(&self.chat).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.chat);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_in_order_and_nothing_is_left_behind() {
        let locks = ChatLocks::default();
        let first = locks.enter(7).await;
        let _other_chat = locks.enter(8).await;
        let impatient = timeout(Duration::from_secs(1), locks.enter(7)).await;
        assert!(impatient.is_err());
        let (second, ()) = tokio::join!(locks.enter(7), async { drop(first) });
        assert_eq!(locks.locks().len(), 2);
        drop(second);
        assert_eq!(locks.locks().len(), 1);
    }
}
