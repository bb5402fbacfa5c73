//! Reading our own source: without comments, without what strings say, and without tests.

use std::path::{Path, PathBuf};

/// One source file.
pub(super) struct Source {
    /// Its path within `src`.
    pub(super) name: String,
    /// Its code; comments, tests and the inside of strings are blank.
    pub(super) code: String,
    /// Its text as it is.
    pub(super) text: String,
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose name ends in `ending`.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The source of the program, without modules that only tests have.
pub(super) fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let mut all = Vec::new();
    let mut of_tests = Vec::new();
    for path in files(&folder, ".rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = code_of(&text);
        let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".rs").trim_end_matches("/mod").replace("lib", "");
        of_tests.extend(
            test_modules(&code).map(|module| format!("{stem}/{module}").trim_start_matches('/').to_owned()),
        );
        all.push(Source { name, code: without_tests(&code), text });
    }
    all.retain(|source| {
        let stem = source.name.trim_end_matches(".rs");
        !of_tests.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/")))
    });
    assert!(all.len() > 20, "the source is not where this test looks for it");
    all
}

/// The modules in files of their own that are compiled for tests only.
fn test_modules(code: &str) -> impl Iterator<Item = &str> {
    occurrences(code, "#[cfg(test)]").filter_map(|(_, rest)| {
        let (_, name) = rest.split_once("mod ").filter(|(before, _)| !before.contains([';', '{', '}']))?;
        name[word(name).len()..].starts_with(';').then(|| word(name))
    })
}

impl Source {
    /// The module at the crate's root that it belongs to.
    pub(super) fn module(&self) -> &str {
        self.name.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The modules at the crate's root that it names.
    pub(super) fn imports(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (_, rest) in occurrences(&self.code, "crate::").filter(|(before, _)| !before.ends_with('$')) {
            match rest.strip_prefix('{') {
                Some(list) => {
                    let end = list.find(';').unwrap_or(list.len());
                    names.extend(top_level(&list[..end]).iter().map(|item| word(item.trim()).to_owned()));
                }
                None => names.push(word(rest).to_owned()),
            }
        }
        names.retain(|name| !name.is_empty() && name != "self");
        names.sort();
        names.dedup();
        names
    }

    /// Where a `match` on `State`, `Event` or `Effect` has a wildcard arm.
    pub(super) fn wildcards(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (before, rest) in occurrences(&self.code, "match ") {
            let is_word = !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
            let Some(body) = rest.find('{').map(|open| inside(&rest[open..])).filter(|_| is_word) else {
                continue;
            };
            let patterns = patterns(&flat(body));
            let is_ours = patterns.iter().any(|pattern| {
                ["State::", "Event::", "Effect::"].iter().any(|name| {
                    occurrences(pattern, name).any(|(before, _)| !before.ends_with(char::is_alphanumeric))
                })
            });
            let is_wild = |pattern: &String| {
                let pattern = pattern.trim();
                pattern == "_"
                    || pattern.starts_with("_ if")
                    || word(pattern) == pattern && is_binding(pattern)
            };
            if is_ours && patterns.iter().any(is_wild) {
                let line = before.matches('\n').count() + 1;
                found.push(format!("src/{}:{line}", self.name));
            }
        }
        found
    }
}

/// Whether a pattern that is one word binds everything.
fn is_binding(pattern: &str) -> bool {
    pattern.starts_with(|letter: char| letter.is_lowercase())
}

/// Every place where `needle` stands: what comes before and what comes after.
pub(super) fn occurrences<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.match_indices(needle).map(move |(at, _)| (&text[..at], &text[at + needle.len()..]))
}

/// The word that a text begins with.
pub(super) fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// What the bracket at the beginning of the text encloses.
fn inside(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[1..at];
        }
    }
    &text[1..]
}

/// The text with everything inside brackets taken out.
fn flat(text: &str) -> String {
    let mut depth = 0;
    let mut flat = String::new();
    for letter in text.chars() {
        if matches!(letter, '}' | ')' | ']') {
            depth -= 1;
        }
        if depth == 0 {
            flat.push(letter);
        }
        if matches!(letter, '{' | '(' | '[') {
            depth += 1;
        }
    }
    flat
}

/// The patterns of a flat `match` body: each stands between the end of the arm before and `=>`.
fn patterns(body: &str) -> Vec<String> {
    let arms: Vec<&str> = body.split("=>").collect();
    let Some((_, before)) = arms.split_last() else { return Vec::new() };
    before
        .iter()
        .map(|text| text.rsplit([',', '}']).find(|part| !part.trim().is_empty()).unwrap_or(text).to_owned())
        .collect()
}

/// The items of a list, split at the commas that are not inside braces.
fn top_level(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut items = vec![String::new()];
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth < 0 {
            break;
        }
        items.last_mut().unwrap().push(letter);
    }
    items
}

/// The code without the modules that only tests have.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let after = &rest[at + "#[cfg(test)]".len()..];
        // An item ends at its semicolon, or with its braces if they come first.
        let end = match (after.find(';'), after.find('{')) {
            (Some(semicolon), Some(brace)) if semicolon < brace => semicolon + 1,
            (_, Some(brace)) => brace + inside(&after[brace..]).len() + 2,
            (Some(semicolon), None) => semicolon + 1,
            (None, None) => after.len(),
        };
        rest = &after[end.min(after.len())..];
    }
    kept + rest
}

/// The text without comments and without strings and characters; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let until = |from: usize, end: &str| {
            rest.get(from..).and_then(|rest| rest.find(end)).map_or(rest.len(), |at| from + at + end.len())
        };
        let is_letter = rest.starts_with('\'') && rest.chars().nth(2) == Some('\'');
        let dropped = match letter {
            '/' if rest.starts_with("//") => until(0, "\n") - 1,
            'r' if rest.starts_with("r#\"") => until(3, "\"#"),
            '"' => string_length(rest),
            '\'' if rest.starts_with("'\\") => until(3, "'"),
            '\'' if is_letter => until(1, "'").max(3),
            _ => 0,
        };
        let length = if dropped == 0 { letter.len_utf8() } else { dropped };
        let (part, after) = rest.split_at(length);
        code.extend(part.chars().filter(|letter| dropped == 0 || *letter == '\n'));
        rest = after;
    }
    code
}

/// How long the string literal at the beginning of the text is.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn the_reader_of_source_sees_what_it_should() {
    let text = r##"
//! use crate::comment;
use crate::clock::Clock;
use crate::{app, session::{self, State}};
fn f(state: &State) -> &str {
    match state {
        State::Idle => "use crate::string; {",
        State::Open { draft: crate::deposit::Draft { .. } } => { match 1 { 1 => "a", _ => "b" } }
        _ => '"',
    }
}
fn g(number: u8) -> State { match number { 1 => State::Idle, _ => State::Idle } }
#[cfg(test)]
mod tests { use crate::tests; fn h() { x.unwrap() } }
fn i() {}
"##;
    let source =
        Source { name: "service/x.rs".into(), code: without_tests(&code_of(text)), text: text.into() };
    assert_eq!(source.module(), "service");
    assert_eq!(source.imports(), ["app", "clock", "deposit", "session"]);
    assert_eq!(source.wildcards(), ["src/service/x.rs:6"]);
    assert!(!source.code.contains("unwrap") && source.code.contains("fn i"));
}
