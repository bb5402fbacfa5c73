//! Named points of the flow at which a test kills the process: `FAILPOINT=<name>` in a build with feature `failpoints`.
//!
//! The process ends as by `kill -9`: no destructor runs, nothing is flushed. Without the feature the macro is nothing.

/// Ends the process here if the environment names this point.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name);
    };
}

/// Aborts if `FAILPOINT` names this point; `name:3` skips the first two times it is reached.
#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's switch, not configuration; absent from every release build"
)]
pub fn reached(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("FAILPOINT") else { return };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point == name && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == nth.parse().unwrap_or(1) {
        std::process::abort();
    }
}
