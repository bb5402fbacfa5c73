//! Named points of the flow at which a test kills the process: `FAILPOINT=<name>` in a build with feature `failpoints`.
//!
//! The process ends as by `kill -9`: no destructor runs, nothing is flushed. Without the feature there are no points.

/// Ends the process here if the environment names this point.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name);
    };
}

/// Aborts if `FAILPOINT` names this point; `name:3` lets it pass twice first.
#[cfg(feature = "failpoints")]
pub fn reached(name: &str) {
    if is_wanted(name) {
        std::process::abort();
    }
}

/// Aborts in the middle of `work`, a moment after it has begun, if `FAILPOINT` names this point.
#[cfg(feature = "failpoints")]
pub async fn during<T>(name: &str, work: impl Future<Output = T>) -> T {
    if is_wanted(name) {
        let _begun = tokio::time::timeout(std::time::Duration::from_millis(20), work).await;
        std::process::abort();
    }
    work.await
}

#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's switch, not configuration; absent from every release build"
)]
fn is_wanted(name: &str) -> bool {
    use std::sync::atomic::{AtomicU32, Ordering};
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("FAILPOINT") else { return false };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    point == name && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == nth.parse().unwrap_or(1)
}
