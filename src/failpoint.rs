//! Named points of the flow at which a test kills the process: `FAILPOINT=<name>` in a build with feature `failpoints`.
//!
//! The process ends as by `kill -9`: no destructor runs, nothing is flushed. Without the feature there are no points.
//! `name:1:panic` is a panic instead, whose message holds the bot's token: the worst that can be said in one.

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
#[expect(clippy::panic, reason = "planted, and absent from every release build")]
pub fn reached(name: &str) {
    match action(name) {
        Some(Action::Abort) => std::process::abort(),
        Some(Action::Panic(message)) => std::panic::panic_any(message),
        None => {}
    }
}

#[cfg(feature = "failpoints")]
enum Action {
    Abort,
    Panic(String),
}

/// Aborts in the middle of `work`, a moment after it has begun, if `FAILPOINT` names this point.
#[cfg(feature = "failpoints")]
pub async fn during<T>(name: &str, work: impl Future<Output = T>) -> T {
    if action(name).is_some() {
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
fn action(name: &str) -> Option<Action> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let wanted = std::env::var("FAILPOINT").ok()?;
    let mut parts = wanted.split(':');
    let (point, nth) = (parts.next()?, parts.next().and_then(|nth| nth.parse().ok()).unwrap_or(1));
    if point != name || REACHED.fetch_add(1, Ordering::SeqCst) + 1 != nth {
        return None;
    }
    let token = || std::env::var("TELEGRAM_BOT_TOKEN").unwrap_or_default();
    Some(parts.next().map_or(Action::Abort, |_| Action::Panic(format!("a planted panic with {}", token()))))
}
