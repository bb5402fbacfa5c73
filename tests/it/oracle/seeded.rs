//! Each promise is broken on purpose, by a fault that `tests/seeded_faults` adds to a copy of the sources, and the oracle
//! has to notice; with the same binary and no fault switched on it finds nothing.

mod made_up;
mod single;
mod stores;

use std::collections::BTreeSet;
use std::path::Path;

use crate::bot::Behind;
use crate::oracle::harness::Harness;
use crate::oracle::personas::deposits;
use crate::oracle::{Report, measured};

/// Some faults do harm only if two things meet, so a scenario with a fault is repeated until they do.
const REPETITIONS: usize = 3;

/// A scenario is clean, and with the fault the oracle says that this promise is broken.
async fn catches(fault: &'static str, promise: &str, scenario: impl AsyncFn(&'static str) -> Report) {
    let clean = scenario("").await;
    clean.verdict().unwrap_or_else(|error| panic!("without {fault}: {error}"));
    let mut found = Vec::new();
    for repetition in 1..=REPETITIONS {
        let report = scenario(fault).await;
        if let Some(caught) = report.violations.iter().find(|violation| violation.starts_with(promise)) {
            let caught: String = caught.chars().take(150).collect();
            measured(&format!("| {fault} | {promise} | {repetition} | {caught} |"));
            return;
        }
        found.extend(report.violations.into_iter().take(5));
    }
    panic!("{fault} is not caught as {promise}; found was: {found:#?}")
}

/// A harness for one user, with a fault in its bots, or with none of those that their binary has.
async fn seeded(behind: Behind, times: u32, fault: &str) -> Harness {
    let mut harness = Harness::new(behind, times).await;
    harness.set("SEEDED_FAULT", fault);
    harness
}

/// A scenario without any fault is without any violation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_is_wrong() {
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis] {
        let harness = Harness::new(behind, 1).await;
        let bot = harness.start(&[]).await;
        for _ in 0..3 {
            deposits(&harness.user(1)).await.unwrap();
        }
        let report = harness.ends(bot, "ok").await;
        report.verdict().unwrap();
        assert_eq!((report.confirmed, report.duplicates), (3, 0));
    }
}

/// Every patch has a test of its name here, and every test its patch.
#[test]
fn every_seeded_fault_is_looked_for() {
    let tests = [include_str!("seeded/single.rs"), include_str!("seeded/stores.rs")].concat();
    let caught: BTreeSet<&str> =
        tests.split("catches(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeded_faults");
    let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
    let patches: Vec<_> = files.filter(|file| file.extension().is_some_and(|it| it == "patch")).collect();
    let seeded: BTreeSet<&str> =
        patches.iter().map(|patch| patch.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(caught, seeded);
}
