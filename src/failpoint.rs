//! The hooks that tests have into a build with feature `failpoints`, and into no other: named points of the flow at
//! which the process ends, stands still or panics, and a clock that runs quicker.
//!
//! | variable | what it does |
//! |---|---|
//! | `FAILPOINT=name:3` | the process ends there the third time, as by `kill -9`: no destructor runs, nothing is flushed |
//! | `FREEZE=name:3` | it stops there as by SIGSTOP, and goes on after SIGCONT |
//! | `PANIC=name:3` | a task panics there, and the message holds the bot's token: the worst that can be said in one |
//! | `DEPOT_HISTORY=file` | one JSON line for each commit that is sent or applied, and for what is known to be replicated |
//! | `DEPOT_CLOCK=since:times` | from `since` (ms since 1970) on, time passes so many times as quickly |

/// Ends or stops the process here if the environment names this point.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name);
    };
}

#[cfg(not(feature = "failpoints"))]
pub use switched_off::clock;
#[cfg(feature = "failpoints")]
pub use switched_on::{clock, during, reached, variable};

/// The same in a release: the machine's clock, and no hooks.
#[cfg(not(feature = "failpoints"))]
mod switched_off {
    use crate::clock::Clock;

    /// The machine's clock.
    #[must_use]
    pub fn clock() -> Clock {
        Clock::system()
    }
}

#[cfg(feature = "failpoints")]
mod switched_on {
    use std::process::{abort, id};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use crate::clock::{Clock, Timestamp};

    /// A named point, and the hit that triggers it.
    struct Point {
        name: String,
        nth: u32,
        reached: AtomicU32,
    }

    impl Point {
        fn read(switch: &str) -> Option<Self> {
            let wanted = variable(switch)?;
            let (name, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
            let (name, nth) = (name.to_owned(), nth.parse().unwrap_or(1));
            Some(Self { name, nth, reached: AtomicU32::new(0) })
        }

        fn is_now(&self, name: &str) -> bool {
            self.name == name && self.reached.fetch_add(1, Ordering::SeqCst) + 1 == self.nth
        }
    }

    /// Ends or stops the process, or panics, if the environment names this point.
    #[expect(clippy::panic, reason = "on purpose, and absent from every release build")]
    pub fn reached(name: &str) {
        static FREEZE: OnceLock<Option<Point>> = OnceLock::new();
        static PANIC: OnceLock<Option<Point>> = OnceLock::new();
        if ends_at(name) {
            abort();
        }
        if FREEZE.get_or_init(|| Point::read("FREEZE")).as_ref().is_some_and(|point| point.is_now(name)) {
            // The holder of a lock that others need releases it meanwhile.
            std::thread::sleep(Duration::from_millis(300));
            let _it_is_there = std::process::Command::new("kill").args(["-STOP", &id().to_string()]).status();
        }
        if PANIC.get_or_init(|| Point::read("PANIC")).as_ref().is_some_and(|point| point.is_now(name)) {
            std::panic::panic_any(format!(
                "on purpose: {}",
                variable("TELEGRAM_BOT_TOKEN").unwrap_or_default()
            ));
        }
    }

    /// Ends the process in the middle of `work`, a moment after it has begun, if `FAILPOINT` names this point.
    pub async fn during<T>(name: &str, work: impl Future<Output = T>) -> T {
        if ends_at(name) {
            let moment = Duration::from_millis(rand::random_range(1..20));
            let _begun = tokio::time::timeout(moment, work).await;
            abort();
        }
        work.await
    }

    fn ends_at(name: &str) -> bool {
        static END: OnceLock<Option<Point>> = OnceLock::new();
        END.get_or_init(|| Point::read("FAILPOINT")).as_ref().is_some_and(|point| point.is_now(name))
    }

    /// The machine's clock, hastened if the environment asks for it.
    #[must_use]
    pub fn clock() -> Clock {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        let read = || {
            let haste = variable("DEPOT_CLOCK")?;
            let (since, times) = haste.split_once(':')?;
            Some(Clock::hastened(Timestamp(since.parse().ok()?), times.parse().ok()?))
        };
        CLOCK.get_or_init(|| read().unwrap_or_default()).clone()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test's switch, not configuration; absent from every release build"
    )]
    /// The value of this environment variable.
    #[must_use]
    pub fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
