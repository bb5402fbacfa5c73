//! The layers that settings come from: defaults, `.env`, the environment, and files with secrets. The later one wins.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use config::builder::DefaultState;
use config::{ConfigBuilder, ConfigError, Environment};

use crate::config::mistake::{Mistake, Mistakes};
use crate::config::secret_files::SecretFiles;
use crate::config::variables::VARIABLES;

/// The variables of a `.env` file, and those of the environment over them.
///
/// Every value is without surrounding blanks, and an empty one counts as unset: it hides nothing of the layer below.
#[derive(Clone, Default)]
pub struct Layers {
    dotenv: HashMap<String, String>,
    environment: HashMap<String, String>,
}

impl Layers {
    /// The variables of the process, over those of the file `dotenv`, which may be missing.
    ///
    /// # Errors
    /// A file that cannot be read or understood; the offending line is not repeated, it may hold a secret.
    pub fn load(dotenv: &Path) -> Result<Self, Mistakes> {
        Ok(Self::new(read_dotenv(dotenv)?, environment()))
    }

    /// The variables of a `.env` file, and those of an environment over them.
    #[must_use]
    pub fn new(dotenv: HashMap<String, String>, environment: HashMap<String, String>) -> Self {
        Self { dotenv: set(dotenv), environment: set(environment) }
    }

    /// All of it merged, under the names of the variables in small letters.
    pub(super) fn merge(&self, secrets: &SecretFiles) -> Result<config::Config, ConfigError> {
        let mut builder = ConfigBuilder::<DefaultState>::default();
        for variable in &VARIABLES {
            if let Some(default) = variable.default {
                builder = builder.set_default(variable.name.to_lowercase(), default)?;
            }
        }
        builder
            .add_source(Environment::default().source(Some(self.dotenv.clone())))
            .add_source(Environment::default().source(Some(self.environment.clone())))
            .add_source(secrets.clone())
            .build()
    }

    /// The text of a variable, from the uppermost layer that sets it.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).or_else(|| self.dotenv.get(name)).map(String::as_str)
    }

    /// The name of each variable that is set.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.dotenv.keys().chain(self.environment.keys()).map(String::as_str)
    }
}

/// An environment without a `.env` file.
impl From<HashMap<String, String>> for Layers {
    fn from(environment: HashMap<String, String>) -> Self {
        Self::new(HashMap::new(), environment)
    }
}

/// Shows no value: many are secrets.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}

/// The variables of the process.
#[must_use]
pub fn environment() -> HashMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    };
    std::env::vars_os().map(text).collect()
}

fn read_dotenv(path: &Path) -> Result<HashMap<String, String>, Mistakes> {
    if !path.is_file() {
        return Ok(HashMap::new());
    }
    let unreadable = |wrong: String| {
        let fix = "write one NAME=value per line, with quotes around values that hold blanks";
        Mistakes(vec![Mistake::new(&path.display().to_string(), wrong, fix)])
    };
    let lines =
        dotenvy::from_path_iter(path).map_err(|_| unreadable("cannot be read by the bot's user".into()))?;
    let numbered = lines.enumerate().map(|(number, line)| {
        line.map_err(|_| unreadable(format!("is not understood at variable {}", number + 1)))
    });
    numbered.collect()
}

/// The variables that are set to more than blanks.
fn set(variables: HashMap<String, String>) -> HashMap<String, String> {
    let trimmed = variables.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
    trimmed.filter(|(_, value)| !value.is_empty()).collect()
}
