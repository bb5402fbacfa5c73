//! What a look at the real thing came to, and what to do about it: at the start, in `depot-bot check`, and each time a
//! Redis comes back.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;

/// How far clocks may differ before it is worth a word.
pub const SKEW_MAX: Duration = Duration::from_secs(2);

/// How much a finding matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// As it should be.
    Good,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Worth mending; the bot works.
    Warning,
    /// It does not answer, or does not let us in: the bot goes without it until it does.
    Away,
    /// The bot must not work with this.
    Refused,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What was looked at: `redis`, `database` or `clock`.
    pub about: &'static str,
    /// What was found; no values that are secret.
    pub what: String,
    /// What to do about it; empty if nothing is to be done.
    pub fix: String,
}

impl Finding {
    /// A finding with what to do about it.
    #[must_use]
    pub fn new(weight: Weight, about: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { weight, about, what: what.into(), fix: fix.into() }
    }

    /// That something is as it should be.
    #[must_use]
    pub fn good(about: &'static str, what: impl Into<String>) -> Self {
        Self::new(Weight::Good, about, what, "")
    }

    /// Compares our clock with that of `whose`, which told `theirs` between `asked` and `answered` on ours; a clock that
    /// is told in whole steps (`step`) is up to one step further than it says.
    #[must_use]
    pub fn clock(
        whose: &str,
        (asked, answered): (Timestamp, Timestamp),
        theirs: Timestamp,
        step: Duration,
    ) -> Self {
        let apart = asked.since(theirs.after(step)).max(theirs.since(answered));
        if apart <= SKEW_MAX {
            return Self::good("clock", format!("agrees with that of {whose}"));
        }
        let what = format!("differs by {} s from that of {whose}", apart.as_secs());
        Self::new(Weight::Warning, "clock", what, "let both machines keep time by NTP")
    }

    /// Writes it to the log as one line, the level by its weight.
    pub fn tell(&self) {
        let Self { weight, about, what, fix } = self;
        match weight {
            Weight::Good => tracing::debug!("{about}: {what}"),
            Weight::Note => tracing::info!("{about}: {what}"),
            Weight::Warning => tracing::warn!(fix, "{about}: {what}"),
            Weight::Away => tracing::warn!(fix, "{about}: {what}; the bot goes on without it"),
            Weight::Refused => tracing::error!(fix, "{about}: {what}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fix.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.what, self.fix) }
    }
}

/// Whether anything in it must not be worked with.
#[must_use]
pub fn has_refusal(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.weight == Weight::Refused)
}

/// Everything that keeps the bot from starting, at once; printed as a list that can be worked through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusals(pub Vec<Finding>);

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bot does not start:")?;
        for Finding { about, what, fix, .. } in &self.0 {
            write!(f, "\n\n  {about}: {what}.\n    Fix: {fix}.")?;
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
        let weight = |theirs: i64, step: u64| {
            let step = Duration::from_millis(step);
            Finding::clock("Redis", (asked, answered), Timestamp(theirs), step).weight
        };
        assert_eq!(weight(100_200, 0), Weight::Good);
        assert_eq!(weight(98_000, 0), Weight::Good);
        assert_eq!(weight(97_999, 0), Weight::Warning);
        assert_eq!(weight(97_000, 1_000), Weight::Good, "told to the second");
        assert_eq!(weight(102_400, 0), Weight::Good);
        assert_eq!(weight(102_401, 1_000), Weight::Warning);
        let ahead = Finding::clock("Redis", (asked, answered), Timestamp(3_700_000), Duration::ZERO);
        assert!(ahead.to_string().contains("differs by 3599 s"), "{ahead}");
    }

    #[test]
    fn refusals_are_listed_with_their_fixes() {
        let first = Finding::new(Weight::Refused, "redis", "is a replica", "name the primary");
        let second = Finding::new(Weight::Refused, "database", "is another bot's", "name another");
        assert!(has_refusal(&[Finding::good("redis", "answers"), first.clone()]));
        let text = Refusals(vec![first, second]).to_string();
        assert!(text.contains("redis: is a replica.\n    Fix: name the primary."), "{text}");
        assert!(text.contains("database: is another bot's.\n    Fix: name another."), "{text}");
    }
}
