//! The shipped scenarios: each goes as it is written, and is told the same way each time.

use std::collections::HashMap;

use depot_bot::demo::{self, SHIPPED, Scenario};

use crate::process::run;

async fn told(text: &str) -> (String, anyhow::Result<()>) {
    let scenario = Scenario::parse(text).unwrap();
    let (mut told, nothing) = (String::new(), HashMap::new());
    let ran = demo::run(&scenario, &nothing, |line| {
        told.push_str(line);
        told.push('\n');
    });
    let ran = ran.await;
    (told, ran)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shipped_scenario_goes_as_written_and_the_same_way_each_time() {
    for (name, text) in SHIPPED {
        let (first, ran) = told(text).await;
        ran.unwrap_or_else(|error| panic!("{name}: {error:#}\n{first}"));
        let (second, ran) = told(text).await;
        ran.unwrap_or_else(|error| panic!("{name}: {error:#}\n{second}"));
        assert_eq!(first, second, "{name}");
        insta::assert_snapshot!(*name, first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scenario_is_run_by_its_name_or_from_a_file() {
    let listed = run(&["demo", "--scripts"], &HashMap::new()).await;
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), SHIPPED.len());
    assert!(listed.contains("coupure") && listed.contains("Coupure entre le geste"), "{listed}");
    let (wanted, _) = told(SHIPPED[0].1).await;
    let named = run(&["demo", "--script", SHIPPED[0].0], &HashMap::new()).await;
    assert_eq!((named.status.code(), String::from_utf8(named.stdout).unwrap()), (Some(0), wanted.clone()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.txt");
    std::fs::write(&file, SHIPPED[0].1).unwrap();
    let read = run(&["demo", "--script", file.to_str().unwrap()], &HashMap::new()).await;
    assert_eq!(String::from_utf8(read.stdout).unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_expectation_fails_the_scenario_and_shows_the_chat() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.txt");
    let wrong = [
        (
            "# Faux\nCamille: une chaise\nCamille sees: Valider\nCamille does not see: chaise\n",
            "line 4",
            "bot #4",
        ),
        ("# Faux\nCamille: une chaise\nCamille jumps: haut\n", "line 3", "no such verb"),
        ("# Faux\nCamille voice: silence\n", "line 2", "no voice note"),
        ("# Faux\nredis off\n", "line 2", "REDIS_URL"),
    ];
    for (text, line, why) in wrong {
        std::fs::write(&file, text).unwrap();
        let output = run(&["demo", "--script", file.to_str().unwrap()], &HashMap::new()).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(line) && said.contains(why), "{said}");
    }
    let nowhere = run(&["demo", "--script", "nulle-part"], &HashMap::new()).await;
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8(nowhere.stderr).unwrap().contains("--scripts"));
    let token = HashMap::from([("TELEGRAM_BOT_TOKEN".to_owned(), crate::process::TOKEN.to_owned())]);
    let real = run(&["demo"], &token).await;
    assert_eq!(real.status.code(), Some(1));
    let said = String::from_utf8(real.stderr).unwrap();
    assert!(said.contains("takes no real token") && !said.contains("4242"), "{said}");
}
