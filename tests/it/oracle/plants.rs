//! Each promise is broken on purpose, by `PLANT`, and the oracle has to notice; without the plant it finds nothing.

mod made_up;
mod single;
mod stores;

use crate::bot::Behind;
use crate::oracle::people::deposits;
use crate::oracle::stage::Stage;
use crate::oracle::{Report, measured};

/// Most plants do harm only if two things meet, so a scenario with a plant is played until they do.
const PLAYS: usize = 6;

/// A scenario is clean, and with the plant the oracle says that this promise is broken.
async fn catches(plant: &'static str, promise: &str, play: impl AsyncFn(&'static str) -> Report) {
    let clean = play("").await;
    clean.verdict().unwrap_or_else(|error| panic!("without {plant}: {error}"));
    let mut found = Vec::new();
    for _ in 0..PLAYS {
        let report = play(plant).await;
        if let Some(caught) = report.violations.iter().find(|violation| violation.starts_with(promise)) {
            measured(&format!("| {plant} | {promise} | {} |", caught.chars().take(150).collect::<String>()));
            return;
        }
        found.extend(report.violations.into_iter().take(5));
    }
    panic!("{plant} is not caught as {promise}; found was: {found:#?}")
}

/// A stage for one person, with a plant in its bots.
async fn planted(behind: Behind, times: u32, plant: &str) -> Stage {
    let mut stage = Stage::new(behind, times).await;
    stage.set("PLANT", plant);
    stage
}

/// A scenario without any fault is without any violation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_is_wrong() {
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis] {
        let stage = Stage::new(behind, 1).await;
        let bot = stage.start(&[]).await;
        for _ in 0..3 {
            deposits(&stage.user(1)).await.unwrap();
        }
        let report = stage.ends(bot, "ok").await;
        report.verdict().unwrap();
        assert_eq!((report.confirmed, report.duplicates), (3, 0));
    }
}
