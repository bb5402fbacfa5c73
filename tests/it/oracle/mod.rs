//! One oracle for every scenario: it compares Telegram, the history of commits, SQL and Redis at the end with the
//! promises of `docs/PROMISES.md`. It knows the promises and the layouts of rows and documents, and not how the bot works.
//!
//! A [`Harness`](harness::Harness) is a simulated Telegram with private servers, and runs bots as processes that may be
//! killed; [`personas`] talk to them; [`lineage`], [`promises`], [`answers`] and [`repeats`] find violations;
//! [`seeded`] breaks each promise on purpose and sees it found.

mod answers;
mod evidence;
pub(crate) mod harness;
mod lineage;
pub(crate) mod personas;
mod promises;
mod repeats;
mod seeded;
mod updates;

use depot_bot::clock::Timestamp;

pub(crate) use evidence::Evidence;

/// The result of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The violations, each with the promise that it breaks.
    pub(crate) violations: Vec<String>,
    /// Messages that a user saw twice without a question in between.
    pub(crate) duplicates: usize,
    /// Deposits that a user saw confirmed.
    pub(crate) confirmed: usize,
    /// Commits that were applied, and those of them that were lost with a store before their acknowledgement.
    pub(crate) commits: usize,
    pub(crate) lost: usize,
    /// How often another store became the primary, or the same one anew.
    pub(crate) changes: u64,
    /// When nothing was left to do, unless something still was after a minute.
    pub(crate) quiet_at: Option<Timestamp>,
}

impl Report {
    pub(crate) fn broken(&mut self, promise: &str, what: impl std::fmt::Display) {
        self.violations.push(format!("{promise}: {what}"));
    }

    /// Nothing is broken, or all that is.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.violations.is_empty(),
            "{} violations:\n{}",
            self.violations.len(),
            self.violations[..self.violations.len().min(20)].join("\n")
        );
        Ok(())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} deposits, {} commits, ", self.confirmed, self.commits)?;
        write!(f, "{} of them lost before an acknowledgement, ", self.lost)?;
        write!(f, "{} repeated messages, {} changes of store", self.duplicates, self.changes)
    }
}

/// The measurements of a run, for `docs/RELIABILITY.md`: shown by `--nocapture`.
#[expect(clippy::print_stdout, reason = "the output of a test, asked for by --nocapture")]
pub(crate) fn measured(line: &str) {
    println!("{line}");
}

/// The seed of everything random in a run: `DEPOT_SEED`, or a new one; its user prints it.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
pub(crate) fn seed() -> u64 {
    std::env::var("DEPOT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random)
}

/// Whether the long runs are asked for, by `DEPOT_SOAK=1`.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
pub(crate) fn soaks() -> bool {
    std::env::var("DEPOT_SOAK").is_ok_and(|soak| soak == "1")
}

/// Judges the evidence.
pub(crate) fn judge(evidence: &Evidence) -> Report {
    let mut report = Report::default();
    lineage::judge(evidence, &mut report);
    promises::judge(evidence, &mut report);
    repeats::judge(evidence, &mut report);
    report
}
