//! The uppermost layer: the secrets that lie in the files which `*_FILE` variables name.

use std::collections::BTreeMap;
use std::fmt;

use config::{ConfigError, Map, Source, Value};
use secrecy::{ExposeSecret, SecretString};

use crate::config::layers::Layers;
use crate::config::mistake::Mistake;
use crate::config::variables::{FILE_SUFFIX, VARIABLES};

/// The secrets that were read from files, and the mistakes on the way, by the name of the secret.
#[derive(Clone, Default)]
pub(super) struct SecretFiles {
    secrets: BTreeMap<&'static str, SecretString>,
    mistakes: BTreeMap<&'static str, Mistake>,
}

impl SecretFiles {
    /// Reads the file of each secret that has one.
    pub(super) fn read(layers: &Layers) -> Self {
        let mut files = Self::default();
        for variable in VARIABLES.iter().filter(|variable| variable.secret) {
            let twin = format!("{}{FILE_SUFFIX}", variable.name);
            let Some(path) = layers.variable(&twin) else { continue };
            let secret = match layers.variable(variable.name) {
                Some(_) => {
                    let fix = "keep one of the two; an empty one counts as unset";
                    Err(Mistake::new(variable.name, format!("and {twin} are both set"), fix))
                }
                None => content(&twin, path),
            };
            match secret {
                Ok(secret) => drop(files.secrets.insert(variable.name, secret)),
                Err(mistake) => drop(files.mistakes.insert(variable.name, mistake)),
            }
        }
        files
    }

    /// The mistake that was made about this secret.
    pub(super) fn mistake(&self, name: &str) -> Option<&Mistake> {
        self.mistakes.get(name)
    }
}

fn content(twin: &str, path: &str) -> Result<SecretString, Mistake> {
    match std::fs::read_to_string(path) {
        Ok(content) if content.trim().is_empty() => {
            Err(Mistake::new(twin, format!("names an empty file: {path}"), "write the secret into it"))
        }
        Ok(content) => Ok(content.trim().into()),
        Err(error) => {
            let wrong = format!("names a file that cannot be read: {path} ({})", error.kind());
            Err(Mistake::new(twin, wrong, "give the path of a text file that the bot's user may read"))
        }
    }
}

impl Source for SecretFiles {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |secret: &SecretString| Value::new(None, secret.expose_secret());
        Ok(self.secrets.iter().map(|(name, secret)| (name.to_lowercase(), value(secret))).collect())
    }
}

impl fmt::Debug for SecretFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.secrets.keys()).finish()
    }
}
