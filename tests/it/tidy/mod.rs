//! The tree itself: layers, sizes, names, links, so that no reviewer has to check them.

mod documents;
mod life_of_an_update;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, files, root, sources};

/// The layers, lowest first: a module imports from lower layers only, so there are no cycles.
const LAYERS: [&[&str]; 14] = [
    &["clock", "digest", "rng"],
    &["failpoint"],
    &["diagnostic"],
    &["config", "database", "lock", "i18n"],
    &["operations"],
    &["remote", "store", "telemetry"],
    &["ledger"],
    &["model", "speech"],
    &["access", "schedule", "service", "shutdown"],
    &["effects"],
    &["http", "telegram"],
    &["app"],
    &["demo"],
    &["cli", "main"],
];

/// Modules that must not import others although the layers would allow it.
const STRANGERS: [(&str, &[&str]); 7] = [
    ("http", &["access", "effects", "ledger", "service", "session", "store", "deposit::taxonomy", "i18n"]),
    ("ledger", &["config"]),
    ("model", &["config", "database", "i18n"]),
    ("operations", &["config", "i18n"]),
    ("service", &["database", "ledger", "i18n"]),
    ("speech", &["config", "database", "i18n"]),
    ("store", &["config", "deposit::taxonomy", "i18n"]),
];

/// Words that say nothing about the purpose of a module.
const EMPTY_WORDS: [&str; 14] = [
    "common", "data", "handler", "handlers", "helper", "helpers", "info", "manager", "misc", "models",
    "process", "types", "util", "utils",
];

const LINES_GOOD: usize = 300;
const LINES_MAX: usize = 500;

#[test]
fn modules_import_from_lower_layers_only() {
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(module) = module_of(&source.path()) else { continue };
        let Some(layer) = layer_of(&module) else {
            wrong.push(format!("{}: {module} has no layer; give it one in tests/it/tidy", source.name));
            continue;
        };
        for path in &source.imports {
            let import = path.split("::").next().unwrap();
            let strangers = STRANGERS.iter().find(|(name, _)| *name == module);
            let is_stranger =
                strangers.is_some_and(|(_, others)| others.iter().any(|other| path.starts_with(other)));
            if import != module && (is_stranger || layer_of(import).is_some_and(|other| other >= layer)) {
                wrong.push(format!("{}: {module} must not import {import}", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The module of the bot that a path such as `src/store/sql` lies in; `None` outside the bot.
fn module_of(path: &str) -> Option<String> {
    path.strip_prefix("src/")?.split('/').next().map(str::to_owned)
}

#[test]
fn files_of_different_folders_import_one_another_one_way_only() {
    let modules: BTreeSet<String> = sources().iter().map(Source::path).collect();
    let imports: BTreeMap<String, BTreeSet<String>> =
        sources().iter().map(|source| (source.path(), imported(source, &modules))).collect();
    let reached = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            next.extend(imports[module].iter().filter(|other| seen.insert((*other).clone())));
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> =
        imports.keys().map(|module| (module, reached(module))).collect();
    let mut circles = Vec::new();
    for source in sources() {
        let is_circle = |other: &&Source| {
            let leads = imports[&source.path()].contains(&other.path());
            let leads_back = leads && reached[&other.path()].contains(&source.path());
            leads_back && source.folders().is_disjoint(&other.folders())
        };
        let others = sources().iter().filter(is_circle);
        circles.extend(others.map(|other| format!("{} imports {}", source.name, other.name)));
    }
    assert!(circles.is_empty(), "each leads back to the one that imports it:\n{}", circles.join("\n"));
}

/// The files that a source takes something from: of each path, the longest beginning that is a file.
fn imported(source: &Source, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let (folder, _) = source.name.split_once("src").unwrap();
    let file = |path: &String| {
        let parts: Vec<&str> = path.split("::").collect();
        let begins = |many: usize| format!("{folder}src/{}", parts[..many].join("/"));
        (1..=parts.len()).rev().map(begins).find(|module| modules.contains(module))
    };
    let files = source.imports.iter().filter_map(file);
    files.filter(|module| *module != source.path()).collect()
}

#[test]
fn files_are_short_enough_to_read() {
    let mut too_long = Vec::new();
    for source in sources() {
        let code = source.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = code.lines().filter(is_code).count();
        if lines > LINES_MAX {
            too_long.push(format!("{}: {lines} lines of code, {LINES_MAX} is the most", source.name));
        } else if lines > LINES_GOOD {
            println!("{}: {lines} lines of code; is there a seam?", source.name);
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn nothing_outside_tests_can_panic_on_purpose() {
    for source in sources().iter().filter(|source| !source.name.starts_with("crates/harness/src/servers/")) {
        assert!(source.panics.is_empty(), "{}: {:?} outside tests", source.name, source.panics);
    }
}

#[test]
fn a_new_state_event_or_effect_breaks_the_build_everywhere() {
    let wrong: Vec<String> =
        sources().iter().filter(|source| source.has_wildcard).map(|source| source.name.clone()).collect();
    assert!(wrong.is_empty(), "no wildcard arm on State, Event or Effect:\n{}", wrong.join("\n"));
}

#[test]
fn modules_have_names_that_say_something() {
    for source in sources() {
        for part in source.name.trim_end_matches(".rs").split('/') {
            assert!(!EMPTY_WORDS.contains(&part), "{}: `{part}` says nothing", source.name);
        }
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> Vec<String> {
        let mut names: Vec<_> = files(&root().join("migrations").join(engine), ".sql")
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert_eq!(sqlite, postgres);
    assert!(!sqlite.is_empty());
    for (number, name) in sqlite.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", number + 1)), "{name}: numbers follow one another");
    }
}

#[test]
fn a_script_of_redis_is_short_and_says_what_it_takes() {
    let scripts = files(&root().join("src"), ".lua");
    assert!(!scripts.is_empty());
    for path in scripts {
        let text = std::fs::read_to_string(&path).unwrap();
        let header: String =
            text.lines().take_while(|line| line.starts_with("--")).flat_map(|line| [line, "\n"]).collect();
        assert!(text.lines().count() <= 40, "{}: more than 40 lines", path.display());
        for word in ["KEYS", "ARGV", "eturns"] {
            assert!(header.contains(word), "{}: the header does not tell {word}", path.display());
        }
    }
}

#[test]
fn there_is_one_of_each_large_dependency_and_no_c_library_for_tls() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = toml::from_str(&lock).unwrap();
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        *versions.entry(package["name"].as_str().unwrap()).or_default() += 1;
    }
    for name in ["axum", "hyper", "redis", "reqwest", "rustls", "sqlx", "tokio"] {
        assert_eq!(versions.get(name), Some(&1), "{name}");
    }
    for name in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"] {
        assert_eq!(versions.get(name), None, "{name}");
    }
}
