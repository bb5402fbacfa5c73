//! The mistakes of a configuration: reported all at once, each with its fix.

use std::fmt;

/// One mistake in the configuration: the variable, the mistake in it, and its remedy.
///
/// It never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The name of the variable, or of the file that was read.
    pub name: String,
    /// The mistake, as the rest of a sentence that begins with the name.
    pub wrong: String,
    /// The remedy.
    pub fix: String,
}

impl Mistake {
    pub(super) fn new(name: &str, wrong: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.to_owned(), wrong: wrong.into(), fix: fix.into() }
    }
}

/// Every mistake of a configuration at once; printed as a list that can be worked through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "The configuration has 1 mistake:")?,
            mistakes => writeln!(f, "The configuration has {mistakes} mistakes:")?,
        }
        for mistake in &self.0 {
            write!(f, "\n  {} {}.\n    Fix: {}.\n", mistake.name, mistake.wrong, mistake.fix)?;
        }
        Ok(())
    }
}
