//! Reading one variable after the other, and collecting every fault on the way instead of stopping at the first.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use config::{Config as Values, Environment};
use secrecy::SecretString;

use crate::config::variables::{FILE_SUFFIX, variable};

/// One mistake in the configuration: which variable, what is wrong with it, and what to do.
///
/// It never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the variable, or of the file that was read.
    pub name: String,
    /// What is wrong with it, as the rest of a sentence that begins with the name.
    pub wrong: String,
    /// What to do about it.
    pub fix: String,
}

/// Every mistake of a configuration at once; printed as a list that can be worked through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "The configuration has 1 mistake:")?,
            mistakes => writeln!(f, "The configuration has {mistakes} mistakes:")?,
        }
        for fault in &self.0 {
            write!(f, "\n  {} {}.\n    Fix: {}.\n", fault.name, fault.wrong, fault.fix)?;
        }
        Ok(())
    }
}

const BOTH_SET: &str = "keep one of the two; an empty one counts as unset";

/// That a fault was noted: what a section returns in place of a value, so that the next section is still read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted;

/// The values of an environment, and the faults found in them so far.
pub(super) struct Reader {
    values: Values,
    faults: Vec<Fault>,
    #[cfg(test)]
    pub(super) asked: std::collections::BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(environment: &HashMap<String, String>) -> Self {
        let source = Environment::default().source(Some(environment.clone())).ignore_empty(true);
        let mut reader = Self {
            values: Values::default(),
            faults: Vec::new(),
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        };
        match Values::builder().add_source(source).build() {
            Ok(values) => reader.values = values,
            Err(_) => {
                reader.fault("The environment", "cannot be read", "remove what is not text from it");
            }
        }
        reader
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, name: &str, wrong: impl Into<String>, fix: impl Into<String>) -> Noted {
        self.faults.push(Fault { name: name.to_owned(), wrong: wrong.into(), fix: fix.into() });
        Noted
    }

    /// What was read, unless a fault was noted on the way.
    pub(super) fn finish<T>(self, read: Result<T, Noted>) -> Result<T, Faults> {
        match read {
            Ok(read) if self.faults.is_empty() => Ok(read),
            Ok(_) | Err(Noted) => Err(Faults(self.faults)),
        }
    }

    /// The text of a variable, without surrounding blanks; `None` when it is unset or empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        #[cfg(test)]
        self.asked.insert(name.to_owned());
        let text = self.values.get_string(&name.to_lowercase()).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The text of a variable, or its default.
    pub(super) fn text_or_default(&mut self, name: &str) -> String {
        let default = variable(name).and_then(|variable| variable.default).unwrap_or_default();
        self.text(name).unwrap_or_else(|| default.to_owned())
    }

    /// A value that is written like an address.
    pub(super) fn value<T: FromStr>(&mut self, name: &str, wanted: &str, example: &str) -> Result<T, Noted> {
        let text = self.text_or_default(name);
        text.parse().map_err(|_| {
            self.fault(name, format!("is not {wanted}: {text:?}"), format!("write it like {example}"))
        })
    }

    /// A whole number between two bounds, both included.
    pub(super) fn number(&mut self, name: &str, least: u32, most: u32, example: u32) -> Result<u32, Noted> {
        let text = self.text_or_default(name);
        text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            let wrong = format!("is not a whole number from {least} to {most}: {text:?}");
            self.fault(name, wrong, format!("write a number, for example {example}, or leave it out"))
        })
    }

    /// A secret, from the variable or from the file that its twin names; `None` when neither is set.
    pub(super) fn secret(&mut self, name: &str) -> Result<Option<SecretString>, Noted> {
        let twin = format!("{name}{FILE_SUFFIX}");
        match (self.text(name), self.text(&twin)) {
            (Some(_), Some(_)) => Err(self.fault(name, format!("and {twin} are both set"), BOTH_SET)),
            (Some(text), None) => Ok(Some(text.into())),
            (None, Some(path)) => self.secret_file(&twin, &path).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn secret_file(&mut self, twin: &str, path: &str) -> Result<SecretString, Noted> {
        match std::fs::read_to_string(path) {
            Ok(content) if content.trim().is_empty() => {
                Err(self.fault(twin, format!("names an empty file: {path}"), "write the secret into it"))
            }
            Ok(content) => Ok(content.trim().into()),
            Err(error) => {
                let wrong = format!("names a file that cannot be read: {path} ({})", error.kind());
                Err(self.fault(twin, wrong, "give the path of a text file that the bot's user may read"))
            }
        }
    }
}
