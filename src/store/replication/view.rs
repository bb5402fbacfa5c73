//! The leader view of this instance, which callers and the monitor share, and the lease on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::store::StoreError;
use crate::store::replication::{Leadership, Primary};

/// How long Redis may be used after a read of the leadership row, counted from before the read was sent.
pub(super) const LEASE: Duration = Duration::from_secs(1);

/// The leadership as this instance knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderView {
    /// The row, as it was last read or written here.
    pub leadership: Leadership,
    /// Whether the primary takes commits from this instance; callers wait while it does not.
    pub is_open: bool,
}

impl LeaderView {
    /// Before the row was read: no store takes commits.
    #[must_use]
    pub fn unknown() -> Self {
        Self { leadership: Leadership::sql(0), is_open: false }
    }

    /// Whether Redis is the primary and takes commits.
    pub(super) fn is_redis_open(&self) -> bool {
        self.is_open && self.leadership.is_redis()
    }
}

/// The right to use Redis without another read of the row: no other instance acts on a change of it before the lease
/// has expired.
#[derive(Clone, Copy, Debug, Default)]
struct LeadershipLease {
    /// When the row was last read, taken before the read was sent.
    read_at: Option<Instant>,
    /// Whether this instance was the sole member then.
    is_sole_member: bool,
}

/// The view, shared by the callers of the store and the monitor.
pub(super) struct Leader {
    view: RwLock<LeaderView>,
    lease: Mutex<LeadershipLease>,
    /// How many failures callers have reported, and how many of the reports were answered by an iteration of the
    /// monitor.
    reports: watch::Sender<u64>,
    answered: AtomicU64,
    /// The view changed, or an iteration of the monitor ended.
    changed: Notify,
}

impl Leader {
    pub(super) fn new() -> Self {
        Self {
            view: RwLock::new(LeaderView::unknown()),
            lease: Mutex::default(),
            reports: watch::Sender::new(0),
            answered: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    pub(super) fn view(&self) -> LeaderView {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn publish_view(&self, view: LeaderView) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        self.changed.notify_waiters();
    }

    pub(super) fn renew_lease(&self, read_at: Option<Instant>, is_sole_member: bool) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) =
            LeadershipLease { read_at, is_sole_member };
    }

    pub(super) fn is_leased(&self) -> bool {
        let lease = *self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.is_sole_member || lease.read_at.is_some_and(|read_at| read_at.elapsed() < LEASE)
    }

    /// The view, as soon as its primary takes commits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it takes none until `deadline`.
    pub(super) async fn open_view(&self, deadline: Instant) -> Result<LeaderView, StoreError> {
        let open = || Some(self.view()).filter(|view| view.is_open);
        self.wait(deadline, open).await.ok_or_else(|| unavailable("the primary is changing"))
    }

    /// Reports that the primary of `view` failed, waits for the iteration of the monitor that answers, and says whether
    /// another try is worth while: the view has changed.
    pub(super) async fn report_failure(&self, view: &LeaderView, deadline: Instant) -> bool {
        let mut number = 0;
        self.reports.send_modify(|reports| {
            *reports += 1;
            number = *reports;
        });
        let answered = || (self.answered.load(Ordering::Relaxed) >= number).then_some(());
        let _late = self.wait(deadline, answered).await;
        self.view() != *view
    }

    /// The number of failure reports, which also wakes the monitor.
    pub(super) fn reports(&self) -> watch::Receiver<u64> {
        self.reports.subscribe()
    }

    /// All failure reports up to this number are answered.
    pub(super) fn answer(&self, reports: u64) {
        self.answered.store(reports, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether `epoch` is that of a Redis which every instance still reads.
    pub(super) fn is_redis_primary_of(&self, epoch: u64) -> bool {
        let view = self.view();
        view.is_redis_open() && view.leadership.epoch == epoch && self.is_leased()
    }

    /// Whether SQL is where a document of `epoch` was committed.
    pub(super) fn is_sql_primary_of(&self, epoch: u64) -> bool {
        let view = self.view();
        view.leadership.primary == Primary::Sql && view.leadership.epoch == epoch
    }

    /// Waits until `found` finds something, or for `deadline`; callers go on in the order in which they began to wait.
    async fn wait<T>(&self, deadline: Instant, found: impl Fn() -> Option<T>) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = found() {
                return Some(found);
            }
            tokio::time::timeout_at(deadline, changed).await.ok()?;
        }
    }
}

pub(super) fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { store: "sessions", reason: reason.to_owned() }
}
