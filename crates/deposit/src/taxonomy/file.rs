//! Reading a taxonomy file: lenient about what it does not know, strict about what it needs, all faults at once.

use std::collections::HashSet;

use serde::Deserialize;

use crate::CategoryKey;
use crate::taxonomy::{
    CATEGORIES_MAX, Category, FILE_BYTES_MAX, Group, Label, SCHEMA_VERSION, Taxonomy, key_hash,
};

/// The most groups: their buttons and the way back fit one keyboard.
const GROUPS_MAX: usize = 40;
const KEY_CHARS_MAX: usize = 40;
const SHORT_CHARS_MAX: usize = 40;
const LABEL_CHARS_MAX: usize = 120;
const EMOJI_CHARS_MAX: usize = 8;

#[derive(Deserialize)]
struct File {
    schema_version: Option<i64>,
    id: Option<String>,
    title_fr: Option<String>,
    title_en: Option<String>,
    fallback_key: Option<String>,
    #[serde(default)]
    group: Vec<Entry>,
    #[serde(default)]
    category: Vec<Entry>,
}

/// A group or a category as it stands in the file.
#[derive(Deserialize)]
struct Entry {
    key: Option<String>,
    group: Option<String>,
    code: Option<String>,
    label_fr: Option<String>,
    label_en: Option<String>,
    short_fr: Option<String>,
    short_en: Option<String>,
    #[serde(default)]
    description_fr: String,
    #[serde(default)]
    description_en: String,
    #[serde(default)]
    emoji: String,
    #[serde(default)]
    eee: bool,
    #[serde(default)]
    examples_fr: Vec<String>,
    #[serde(default)]
    examples_en: Vec<String>,
}

/// Reads and checks a file; the error is one sentence per fault.
pub(super) fn read(text: &str) -> Result<Taxonomy, Vec<String>> {
    if text.len() > FILE_BYTES_MAX {
        return Err(vec![format!("is larger than {FILE_BYTES_MAX} bytes")]);
    }
    let file: File = toml::from_str(text).map_err(|error| vec![error.to_string().trim().to_owned()])?;
    let mut faults = Faults(Vec::new());
    match file.schema_version {
        Some(SCHEMA_VERSION) => {}
        Some(other) => {
            return Err(vec![format!("schema_version is {other}; this release reads {SCHEMA_VERSION}")]);
        }
        None => faults.add("schema_version is missing"),
    }
    let id = faults.text("the file", "id", file.id, KEY_CHARS_MAX);
    let title = faults.label("the file", "title", file.title_fr, file.title_en, LABEL_CHARS_MAX);
    let groups: Vec<Group> = file.group.into_iter().map(|entry| faults.group(entry)).collect();
    let categories: Vec<Category> = file.category.into_iter().map(|entry| faults.category(entry)).collect();
    let fallback = CategoryKey(faults.text("the file", "fallback_key", file.fallback_key, KEY_CHARS_MAX));
    let taxonomy = Taxonomy { id, title, groups, categories, fallback };
    faults.whole(&taxonomy);
    if faults.0.is_empty() { Ok(taxonomy) } else { Err(faults.0) }
}

/// The faults found so far; each reading method gives a value in any case, so that the next fault is found too.
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }

    fn text(&mut self, of: &str, field: &str, value: Option<String>, chars_max: usize) -> String {
        let text = value.unwrap_or_default();
        if text.trim().is_empty() {
            self.add(format!("{of}: {field} is missing"));
        }
        self.bounded(of, field, &text, chars_max);
        text
    }

    fn bounded(&mut self, of: &str, field: &str, text: &str, chars_max: usize) {
        if text.chars().count() > chars_max {
            self.add(format!("{of}: {field} is longer than {chars_max} characters"));
        }
        if text.chars().any(char::is_control) {
            self.add(format!("{of}: {field} holds a line break or a control character"));
        }
    }

    fn label(
        &mut self,
        of: &str,
        field: &str,
        fr: Option<String>,
        en: Option<String>,
        chars_max: usize,
    ) -> Label {
        Label {
            fr: self.text(of, &format!("{field}_fr"), fr, chars_max),
            en: self.text(of, &format!("{field}_en"), en, chars_max),
        }
    }

    fn key(&mut self, kind: &str, value: Option<String>) -> String {
        let key = self.text(kind, "key", value, KEY_CHARS_MAX);
        if !key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            self.add(format!("{kind} {key:?}: a key is made of a-z, 0-9 and _"));
        }
        key
    }

    fn group(&mut self, entry: Entry) -> Group {
        let key = self.key("group", entry.key);
        let of = format!("group {key:?}");
        self.bounded(&of, "emoji", &entry.emoji, EMOJI_CHARS_MAX);
        let label = self.label(&of, "label", entry.label_fr, entry.label_en, LABEL_CHARS_MAX);
        Group { key, label, emoji: entry.emoji }
    }

    fn category(&mut self, entry: Entry) -> Category {
        let key = self.key("category", entry.key);
        let of = format!("category {key:?}");
        let label = self.label(&of, "label", entry.label_fr, entry.label_en, LABEL_CHARS_MAX);
        let short = Label {
            fr: entry.short_fr.unwrap_or_else(|| label.fr.clone()),
            en: entry.short_en.unwrap_or_else(|| label.en.clone()),
        };
        self.bounded(&of, "short_fr", &short.fr, SHORT_CHARS_MAX);
        self.bounded(&of, "short_en", &short.en, SHORT_CHARS_MAX);
        self.bounded(&of, "emoji", &entry.emoji, EMOJI_CHARS_MAX);
        Category {
            key: CategoryKey(key),
            group: self.text(&of, "group", entry.group, KEY_CHARS_MAX),
            code: self.text(&of, "code", entry.code, KEY_CHARS_MAX),
            label,
            short,
            description: Label { fr: entry.description_fr, en: entry.description_en },
            emoji: entry.emoji,
            eee: entry.eee,
            examples: entry.examples_fr.into_iter().chain(entry.examples_en).collect(),
        }
    }

    /// Checks the taxonomy as a whole: faults that no single entry shows.
    fn whole(&mut self, taxonomy: &Taxonomy) {
        let Taxonomy { groups, categories, fallback, .. } = taxonomy;
        self.distinct("group", groups.iter().map(|group| group.key.as_str()));
        self.distinct("category", categories.iter().map(|category| category.key.0.as_str()));
        for category in categories.iter().filter(|category| taxonomy.group(&category.group).is_none()) {
            self.add(format!("category {:?}: there is no group {:?}", category.key.0, category.group));
        }
        for group in groups.iter().filter(|group| taxonomy.categories_of(&group.key).next().is_none()) {
            self.add(format!("group {:?}: no category belongs to it", group.key));
        }
        if taxonomy.category(fallback).is_none() {
            self.add(format!("fallback_key: there is no category {:?}", fallback.0));
        }
        self.few("categories", categories.len(), CATEGORIES_MAX);
        self.few("groups", groups.len(), GROUPS_MAX);
    }

    fn few(&mut self, what: &str, count: usize, max: usize) {
        if count > max {
            self.add(format!("there are {count} {what}; at most {max} are allowed"));
        }
    }

    fn distinct<'a>(&mut self, kind: &str, keys: impl Iterator<Item = &'a str>) {
        let (mut seen, mut hashes) = (HashSet::new(), HashSet::new());
        for key in keys {
            if !seen.insert(key) {
                self.add(format!("{kind} {key:?} appears twice"));
            } else if !hashes.insert(key_hash(key)) {
                self.add(format!("{kind} {key:?}: its hash equals that of another key; choose another name"));
            }
        }
    }
}
