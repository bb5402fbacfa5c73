//! The categories a reuse centre sorts by: data, compiled in or read from a file, checked as a whole when loaded.

mod file;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::CategoryKey;
use crate::Language;

/// The most categories that one taxonomy holds.
pub const CATEGORIES_MAX: usize = 100;
/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// The layout of taxonomy files that this release reads.
pub const SCHEMA_VERSION: i64 = 1;

const DEFAULT: &str = include_str!("taxonomy/default.toml");
const LEGACY: &str = include_str!("taxonomy/legacy10.toml");

/// A set of categories in groups; a new set of keys is a new `id`, which exports carry beside each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taxonomy {
    /// The name of this set, as `fr-reemploi-22`.
    pub id: String,
    /// Its title.
    pub title: Label,
    /// The groups, in the order of their buttons.
    pub groups: Vec<Group>,
    /// The categories, in their order within each group.
    pub categories: Vec<Category>,
    /// Where suggestions end up that fit nowhere; nothing is ever filed there in silence.
    pub fallback: CategoryKey,
}

/// A few words in each language that the bot speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// French.
    pub fr: String,
    /// English.
    pub en: String,
}

/// A shelf of categories: one button on the way to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its stable name.
    pub key: String,
    /// Its name for users.
    pub label: Label,
    /// Its sign; may be empty.
    pub emoji: String,
}

/// A kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its stable name; never renamed.
    pub key: CategoryKey,
    /// The key of its group.
    pub group: String,
    /// Its code in declarations, as `EEE-5`.
    pub code: String,
    /// Its full name.
    pub label: Label,
    /// Its name on a button, at most 40 characters.
    pub short: Label,
    /// The things that belong to it and those that do not; may be empty.
    pub description: Label,
    /// Its sign; may be empty.
    pub emoji: String,
    /// Whether it counts as electrical or electronic equipment.
    pub eee: bool,
    /// Names of its objects as heard at a desk, in French and English: training texts of the classifier.
    pub examples: Vec<String>,
}

impl Label {
    /// The words in `language`.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Fr => &self.fr,
            Language::En => &self.en,
        }
    }
}

impl Taxonomy {
    /// The taxonomy in `path`, or the one compiled in.
    ///
    /// # Errors
    /// [`TaxonomyError`] names the file and everything that is wrong with it.
    pub fn load(path: Option<&Path>) -> Result<Self, TaxonomyError> {
        let Some(path) = path else { return Self::built_in() };
        let file = path.display().to_string();
        let read = std::fs::File::open(path).and_then(|opened| {
            // One byte more than allowed is enough to see that it is too large.
            let mut text = String::new();
            opened.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text).map(|_| text)
        });
        match read {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => Err(TaxonomyError { file, faults: vec![format!("cannot be read: {error}")] }),
        }
    }

    /// The default: 22 categories in 6 groups, 8 of them the French categories of electrical equipment (R543-172).
    ///
    /// # Errors
    /// None in a released program; the tests see to it.
    pub fn built_in() -> Result<Self, TaxonomyError> {
        Self::parse("the built-in taxonomy", DEFAULT)
    }

    /// The ten categories of electrical equipment that were used before August 2018, and one for everything else.
    ///
    /// # Errors
    /// None in a released program; the tests see to it.
    pub fn legacy() -> Result<Self, TaxonomyError> {
        Self::parse("the built-in legacy taxonomy", LEGACY)
    }

    /// Reads the text of a taxonomy file; `file` names it in errors. Unknown keys are left alone.
    ///
    /// # Errors
    /// [`TaxonomyError`] lists all faults at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, TaxonomyError> {
        self::file::read(text).map_err(|faults| TaxonomyError { file: file.to_owned(), faults })
    }

    /// The category of this key.
    #[must_use]
    pub fn category(&self, key: &CategoryKey) -> Option<&Category> {
        self.categories.iter().find(|category| category.key == *key)
    }

    /// The group of this key.
    #[must_use]
    pub fn group(&self, key: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.key == key)
    }

    /// The categories of a group, in the order of their buttons.
    pub fn categories_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Category> {
        self.categories.iter().filter(move |category| category.group == group)
    }

    /// The category whose key has this [`key_hash`].
    #[must_use]
    pub fn category_by_hash(&self, hash: u32) -> Option<&Category> {
        self.categories.iter().find(|category| key_hash(&category.key.0) == hash)
    }

    /// The group whose key has this [`key_hash`].
    #[must_use]
    pub fn group_by_hash(&self, hash: u32) -> Option<&Group> {
        self.groups.iter().find(|group| key_hash(&group.key) == hash)
    }
}

/// The 32-bit name of a key on a button: the first eight hexadecimal digits of its SHA-256.
///
/// Two keys of one kind with the same hash are refused when a taxonomy is loaded.
#[must_use]
pub fn key_hash(key: &str) -> u32 {
    Sha256::digest(key.as_bytes()).iter().take(4).fold(0, |hash, byte| (hash << 8) | u32::from(*byte))
}

/// Everything that is wrong with a taxonomy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {}", faults.join("; "))]
pub struct TaxonomyError {
    /// Which file, or that it is the built-in one.
    pub file: String,
    /// One sentence per fault.
    pub faults: Vec<String>,
}
