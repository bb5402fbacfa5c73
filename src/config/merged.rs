//! The settings, each read in its type out of the merged layers; every mistake is noted instead of stopping at the first.

use config::ConfigError;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::config::layers::Layers;
use crate::config::mistake::{Mistake, Mistakes};
use crate::config::secret_files::SecretFiles;
use crate::config::value::WholeNumber;
use crate::config::variables::variable;

/// That a mistake was noted: a section returns it in place of a value, so that the next section is still read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted;

/// The merged layers, with the mistakes and the warnings so far.
pub(super) struct MergedLayers {
    merged: config::Config,
    secret_files: SecretFiles,
    mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<String>,
}

impl MergedLayers {
    pub(super) fn new(layers: &Layers) -> Self {
        let secret_files = SecretFiles::read(layers);
        let (merged, mistakes) = match layers.merge(&secret_files) {
            Ok(merged) => (merged, Vec::new()),
            Err(_) => {
                let fix = "remove what is not text from it";
                (config::Config::default(), vec![Mistake::new("The environment", "cannot be read", fix)])
            }
        };
        Self { merged, secret_files, mistakes, warnings: Vec::new() }
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, name: &str, wrong: impl Into<String>, fix: impl Into<String>) -> Noted {
        self.mistakes.push(Mistake::new(name, wrong, fix));
        Noted
    }

    /// Notes a probable mistake, which does not stop the bot.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The value that was read, unless a mistake was noted on the way.
    pub(super) fn finish<T>(self, read: Result<T, Noted>) -> Result<T, Mistakes> {
        match read {
            Ok(read) if self.mistakes.is_empty() => Ok(read),
            Ok(_) | Err(Noted) => Err(Mistakes(self.mistakes)),
        }
    }

    /// A setting in its type; `None` where no layer has it. The error of the type names the mistake in the text.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
        fix: &str,
    ) -> Result<Option<T>, Noted> {
        match self.merged.get(&name.to_lowercase()) {
            Ok(value) => Ok(Some(value)),
            Err(ConfigError::NotFound(_)) => Ok(None),
            Err(error) => Err(self.mistake(name, reason(error), fix)),
        }
    }

    /// A setting that has a default, in its type.
    pub(super) fn get<T: DeserializeOwned>(&mut self, name: &str, fix: &str) -> Result<T, Noted> {
        self.optional(name, fix)?.ok_or_else(|| self.mistake(name, "is not set", fix))
    }

    /// A setting of which every text is one.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.merged.get(&name.to_lowercase()).ok()
    }

    /// A whole number between two bounds, both included, that has a default.
    pub(super) fn number<const LEAST: u32, const MOST: u32>(&mut self, name: &str) -> Result<u32, Noted> {
        self.get(name, &number_fix(name)).map(|WholeNumber::<LEAST, MOST>(number)| number)
    }

    /// The same; `None` where no layer has it.
    pub(super) fn optional_number<const LEAST: u32, const MOST: u32>(
        &mut self,
        name: &str,
    ) -> Result<Option<u32>, Noted> {
        let number = self.optional(name, &number_fix(name))?;
        Ok(number.map(|WholeNumber::<LEAST, MOST>(number)| number))
    }

    /// A secret, from a variable or from the file that its twin names; `None` where neither is set.
    pub(super) fn secret(&mut self, name: &str) -> Result<Option<SecretString>, Noted> {
        if let Some(mistake) = self.secret_files.mistake(name) {
            self.mistakes.push(mistake.clone());
            return Err(Noted);
        }
        self.optional(name, "write it as text")
    }
}

fn number_fix(name: &str) -> String {
    let example = variable(name).and_then(|variable| variable.default).unwrap_or("0");
    format!("write a number, for example {example}, or leave it out")
}

/// The error of a type, without the place that the crate adds to it.
fn reason(error: ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => reason(*error),
        other => other.to_string(),
    }
}
