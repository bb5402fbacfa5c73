//! One at a time per chat, within this instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turnstile, OwnedMutexGuard};

/// The chats that somebody is working on or waits for: never more than there are deliveries.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<i64, Arc<Turnstile<()>>>>);

/// The right to work on a chat; ends when it is dropped.
pub(super) struct Turn<'a> {
    lanes: &'a Lanes,
    lane: i64,
    held: Option<OwnedMutexGuard<()>>,
}

impl Lanes {
    /// Waits for a turn, in the order of asking.
    pub(super) async fn enter(&self, lane: i64) -> Turn<'_> {
        let turnstile = self.lanes().entry(lane).or_default().clone();
        // Made before the wait, so that one which is given up leaves nothing behind either.
        let mut turn = Turn { lanes: self, lane, held: None };
        turn.held = Some(turnstile.lock_owned().await);
        turn
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<i64, Arc<Turnstile<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lanes();
        self.held = None;
        if lanes.get(&self.lane).is_some_and(|turnstile| Arc::strong_count(turnstile) == 1) {
            lanes.remove(&self.lane);
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
        let lanes = Lanes::default();
        let first = lanes.enter(7).await;
        let _other_chat = lanes.enter(8).await;
        let impatient = timeout(Duration::from_secs(1), lanes.enter(7)).await;
        assert!(impatient.is_err());
        let (second, ()) = tokio::join!(lanes.enter(7), async { drop(first) });
        assert_eq!(lanes.lanes().len(), 2);
        drop(second);
        assert_eq!(lanes.lanes().len(), 1);
    }
}
