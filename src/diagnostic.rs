//! Diagnostics of the environment, each with its remedy: made at the start, by `depot-bot check`, and each time a Redis
//! comes back.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;

/// How far clocks may differ without a warning.
pub const SKEW_MAX: Duration = Duration::from_secs(2);

/// How much a diagnostic matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Info,
    /// Worth mending; the bot works.
    Warning,
    /// The component does not answer or refuses the bot, which goes on without it until it does.
    Unavailable,
    /// The bot must not work with this.
    Fatal,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// The component that was checked: `redis`, `database`, `clock` …
    pub component: &'static str,
    /// The state of the component; no values that are secret.
    pub message: String,
    /// The remedy; empty if there is nothing to do.
    pub fix: String,
}

impl Diagnostic {
    /// A diagnostic with its remedy.
    #[must_use]
    pub fn new(
        severity: Severity,
        component: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity, component, message: message.into(), fix: fix.into() }
    }

    /// A component that is as it should be.
    #[must_use]
    pub fn ok(component: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Ok, component, message, "")
    }

    /// Compares our clock with that of `whose`, which read `theirs` between `asked` and `answered` on ours; a clock that is
    /// read in whole steps (`step`) may be up to one step ahead of its reading.
    #[must_use]
    pub fn clock(
        whose: &str,
        (asked, answered): (Timestamp, Timestamp),
        theirs: Timestamp,
        step: Duration,
    ) -> Self {
        let apart = asked.since(theirs.after(step)).max(theirs.since(answered));
        if apart <= SKEW_MAX {
            return Self::ok("clock", format!("agrees with that of {whose}"));
        }
        let message = format!("differs by {} s from that of {whose}", apart.as_secs());
        Self::new(Severity::Warning, "clock", message, "let both machines keep time by NTP")
    }

    /// Writes it to the log as one line, whose level follows the severity.
    pub fn log(&self) {
        let Self { severity, component, message, fix } = self;
        match severity {
            Severity::Ok => tracing::debug!("{component}: {message}"),
            Severity::Info => tracing::info!("{component}: {message}"),
            Severity::Warning => tracing::warn!(fix, "{component}: {message}"),
            Severity::Unavailable => {
                tracing::warn!(fix, "{component}: {message}; the bot goes on without it");
            }
            Severity::Fatal => tracing::error!(fix, "{component}: {message}; the bot does not work with it"),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fix.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.message, self.fix)
        }
    }
}

/// The fatal diagnostics that keep the bot from starting, all at once; printed as a list to work through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct StartRefused(pub Vec<Diagnostic>);

impl fmt::Display for StartRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bot does not start:")?;
        for Diagnostic { component, message, fix, .. } in &self.0 {
            write!(f, "\n\n  {component}: {message}.\n    Fix: {fix}.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_within_the_time_that_asking_took_and_two_seconds() {
        let (asked, answered) = (Timestamp(100_000), Timestamp(100_400));
        let severity = |theirs: i64, step: u64| {
            let step = Duration::from_millis(step);
            Diagnostic::clock("Redis", (asked, answered), Timestamp(theirs), step).severity
        };
        assert_eq!(severity(100_200, 0), Severity::Ok);
        assert_eq!(severity(98_000, 0), Severity::Ok);
        assert_eq!(severity(97_999, 0), Severity::Warning);
        assert_eq!(severity(97_000, 1_000), Severity::Ok, "told to the second");
        assert_eq!(severity(102_400, 0), Severity::Ok);
        assert_eq!(severity(102_401, 1_000), Severity::Warning);
        let ahead = Diagnostic::clock("Redis", (asked, answered), Timestamp(3_700_000), Duration::ZERO);
        assert!(ahead.to_string().contains("differs by 3599 s"), "{ahead}");
    }

    #[test]
    fn fatal_diagnostics_are_listed_with_their_fixes() {
        let first = Diagnostic::new(Severity::Fatal, "redis", "is a replica", "name the primary");
        let second = Diagnostic::new(Severity::Fatal, "database", "is another bot's", "name another");
        let text = StartRefused(vec![first, second]).to_string();
        assert!(text.contains("redis: is a replica.\n    Fix: name the primary."), "{text}");
        assert!(text.contains("database: is another bot's.\n    Fix: name another."), "{text}");
    }
}
