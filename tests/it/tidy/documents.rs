//! The documents: the files, metrics and headings that they name exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use depot_bot::telemetry::metric;

use super::source::{Source, files, root, sources};

/// Folders whose files a document may name by path.
const FOLDERS: [&str; 9] =
    ["src/", "crates/", "tests/", "docs/", "migrations/", "locales/", "benches/", ".ci/", "tests/golden/"];

/// Every occurrence of `needle`: the text before it, and the text after it.
fn occurrences<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.match_indices(needle).map(move |(at, _)| (&text[..at], &text[at + needle.len()..]))
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = files(&root().join("docs"), ".md");
    paths.extend(["README.md", "CHANGELOG.md", "migrations/README.md"].map(|name| root().join(name)));
    paths
        .into_iter()
        .map(|path| {
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, text)
        })
        .collect()
}

/// How GitHub names the anchor of a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn has_anchor(path: &Path, wanted: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == wanted)
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for (path, text) in documents() {
        for (_, rest) in occurrences(&text, "](") {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            if !file.exists() || (!heading.is_empty() && !has_anchor(&file, heading)) {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn every_file_that_is_named_exists() {
    let mut missing = Vec::new();
    for (path, text) in documents() {
        for name in text.split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder));
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
            if is_path && is_plain && !root().join(name).exists() {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The words of a text that may be paths.
fn path_words(text: &str) -> impl Iterator<Item = &str> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    text.split(move |letter| !is_path(letter)).map(|word| word.trim_end_matches('.'))
}

#[test]
fn source_and_documents_refer_to_the_repository_alone() {
    let folders = ["src", "crates", "tests", "docs", "benches", "migrations"].map(|name| root().join(name));
    let texts = [".rs", ".md", ".lua", ".sql", ".sh", ".toml", ".js"];
    let mut missing = Vec::new();
    for path in texts.iter().flat_map(|ending| folders.iter().flat_map(|folder| files(folder, ending))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let exists = |name: &str| {
            [root(), root().join("docs"), path.parent().unwrap().into()]
                .iter()
                .any(|from| from.join(name).exists())
        };
        let is_file = |word: &&str| word.len() > 3 && Path::new(word).extension().is_some();
        let is_reference = |word: &&str| word.ends_with(".md") || word.starts_with("../");
        let dead = path_words(&text).filter(is_file).filter(is_reference).filter(|word| !exists(word));
        missing.extend(dead.map(|word| format!("{}: {word}", path.display())));
        // A section is one of a standard: of our own documents, a heading is named.
        let is_standard =
            |before: &str| before.split(' ').rev().nth(2).is_some_and(|word| word.ends_with("RFC"));
        let sections = occurrences(&text, "\u{a7}").filter(|(before, _)| !is_standard(before));
        missing.extend(sections.map(|(_, after)| format!("{}: section {}", path.display(), word(after))));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_changelog_begins_with_this_release() {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let mut releases = text.lines().filter_map(|line| line.strip_prefix("## "));
    let newest = releases.find(|title| *title != "Unreleased").unwrap();
    assert!(newest.starts_with(env!("CARGO_PKG_VERSION")), "{newest}");
}

#[test]
fn every_metric_is_listed_counted_and_explained() {
    let listed: BTreeSet<&str> = metric::ALL.iter().map(|metric| metric.name).collect();
    let explained: BTreeSet<String> = documents().iter().flat_map(|(_, text)| metrics_in(text)).collect();
    let sources = sources();
    let mut wrong = Vec::new();
    for name in explained.iter().filter(|name| !listed.contains(name.as_str())) {
        wrong.push(format!("{name} is in a document and not in the code"));
    }
    for metric in metric::ALL {
        if !explained.contains(metric.name) {
            wrong.push(format!("{} is in no document", metric.name));
        }
        if !sources.iter().any(|source| counts(source, metric.name)) {
            wrong.push(format!("{} is counted nowhere", metric.name));
        }
    }
    for source in sources {
        for (_, rest) in occurrences(&source.text, "!(\"depot_") {
            let name = format!("depot_{}", word(rest));
            if !listed.contains(name.as_str()) {
                wrong.push(format!("{}: {name} is not in src/telemetry/metric.rs", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a source gives the metric a value, by its name or by its constant; the build's is set where all begin.
fn counts(source: &Source, name: &str) -> bool {
    if source.name == "src/telemetry/metric.rs" {
        return false;
    }
    let list = std::fs::read_to_string(root().join("src/telemetry/metric.rs")).unwrap();
    let quoted = format!("\"{name}\"");
    let constant = list.split("pub const ").find(|item| item.contains(&quoted)).map(word).unwrap();
    let is_used =
        occurrences(&source.text, &format!("metric::{constant}")).any(|(_, rest)| word(rest).is_empty());
    is_used || source.text.contains(&quoted)
}

/// The names of metrics in a text; `depot_bot` is the crate.
fn metrics_in(text: &str) -> Vec<String> {
    let mut names: Vec<String> = occurrences(text, "depot_")
        .filter(|(before, _)| {
            !before.ends_with(|letter: char| letter.is_alphanumeric() || "_/-".contains(letter))
        })
        .map(|(_, rest)| format!("depot_{}", word(rest)))
        .filter(|name| name != "depot_bot" && name != "depot_")
        .collect();
    for name in &mut names {
        for suffix in ["_bucket", "_sum", "_count"] {
            if let Some(base) = name.strip_suffix(suffix).filter(|base| base.ends_with("_seconds")) {
                *name = base.to_owned();
            }
        }
    }
    names
}
