//! The content of the lexicon: the names of a taxonomy and those shipped for its keys.

use super::is_function;
use crate::tokens::{plain_letters, stem};
use deposit::taxonomy::{Category, Taxonomy};

/// Names of things, by category of the default taxonomy; what another taxonomy does not know is left out.
pub(super) const SHIPPED: [&str; 2] =
    [include_str!("../lexicon-electrical.txt"), include_str!("../lexicon.txt")];

/// All names of a taxonomy with the place of their category: its labels and examples, then those shipped for its key.
pub(crate) fn entries(taxonomy: &Taxonomy) -> Vec<(usize, String)> {
    let mut entries = Vec::new();
    for (place, category) in taxonomy.categories.iter().enumerate() {
        entries.extend(texts(category).map(|text| (place, text.to_owned())));
    }
    for file in SHIPPED {
        let mut place = None;
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            if let Some(key) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                place = taxonomy.categories.iter().position(|category| category.key.0 == key);
            } else if let Some(place) = place {
                let names = line.split(',').map(str::trim).filter(|name| !name.is_empty());
                entries.extend(names.map(|name| (place, name.to_owned())));
            }
        }
    }
    entries
}

fn texts(category: &Category) -> impl Iterator<Item = &str> {
    let labels = [&category.label, &category.short].into_iter().flat_map(|label| [&label.fr, &label.en]);
    let labels = labels.filter(|_| category.examples.is_empty());
    category.examples.iter().chain(labels).map(String::as_str)
}

/// The words of a name that distinguish it from another, without plurals and accents.
pub(crate) fn telling(name: &str) -> Vec<String> {
    let plain = plain_letters(name);
    plain.split_whitespace().filter(|word| !is_function(word)).map(|word| stem(word).to_owned()).collect()
}
