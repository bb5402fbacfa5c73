//! The log of one deposit: every line says its update, session, commit and effect, and none quotes a user.

use bot_api_simulator::UserProfile;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{Process, TOKEN, telegram, variables};

/// The canaries that must not be in any line, at any level.
const SAID: &str = "deux bouilloires Zanzibar 3 kg";
const NAME: &str = "Clementine-Canari";

/// Runs one deposit at this level, and gives the lines of its log.
async fn log_of_a_deposit(level: &str) -> Vec<Value> {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("RUST_LOG".to_owned(), level.to_owned());
    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(77, NAME, "fr"));
    user.says(SAID);
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    bot.signal(Signal::SIGTERM);
    bot.ended().await;
    bot.lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// The field of the innermost span of this name around a line.
fn span<'a>(line: &'a Value, name: &str, field: &str) -> Option<&'a Value> {
    line["spans"].as_array()?.iter().rev().find(|span| span["name"] == name)?.get(field)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_deposit_is_followed_from_its_update_to_the_ledger_by_the_key_of_its_session() {
    let lines = log_of_a_deposit("info,depot_bot=debug").await;
    let recorded = lines.iter().find(|line| line["message"] == "the deposit is in the ledger").unwrap();
    let key = span(recorded, "session", "key").unwrap();
    assert_eq!(span(recorded, "effect", "kind").unwrap(), "record_deposit");
    assert_eq!(span(recorded, "effect", "attempt").unwrap(), 1);
    assert_eq!(recorded["deposit.number"], 1);

    let of_session: Vec<&Value> =
        lines.iter().filter(|line| span(line, "session", "key") == Some(key)).collect();
    let commits: Vec<(String, String)> = of_session
        .iter()
        .filter(|line| line["message"] == "committed")
        .map(|line| {
            ["from", "to"].map(|field| span(line, "commit", field).unwrap().as_str().unwrap().to_owned())
        })
        .map(|[from, to]| (from, to))
        .collect();
    let way: Vec<&str> = commits.iter().map(|(_, to)| to.as_str()).collect();
    assert!(commits.windows(2).all(|pair| pair[0].1 == pair[1].0), "no commit is missing: {commits:?}");
    assert_eq!(commits[0].0, "Idle", "{commits:?}");
    assert!(way.contains(&"AwaitingValidation") && way.contains(&"Recording"), "{way:?}");
    assert_eq!(*way.last().unwrap(), "Closed", "{way:?}");

    // The tap's own commit; its lane may be that of the note, which was still running.
    let to_recording = of_session
        .iter()
        .find(|line| line["message"] == "committed" && span(line, "commit", "to").unwrap() == "Recording");
    assert_eq!(span(to_recording.unwrap(), "update", "kind").unwrap(), "callback_query");
    assert!(span(recorded, "update", "id").is_some(), "{recorded}");
    for field in ["version", "epoch", "store", "ms"] {
        assert!(span(to_recording.unwrap(), "commit", field).is_some(), "{field}: {to_recording:?}");
    }
    let executed = of_session.iter().filter(|line| line["message"] == "executed");
    let kinds: Vec<&str> =
        executed.map(|line| span(line, "effect", "kind").unwrap().as_str().unwrap()).collect();
    assert!(kinds.contains(&"show_card") && kinds.contains(&"record_deposit"), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_level_quotes_a_user_or_the_token() {
    let lines = log_of_a_deposit("trace").await;
    assert!(lines.iter().any(|line| line["message"] == "called" && span(line, "call", "method").is_some()));
    let secret = TOKEN.split_once(':').unwrap().1;
    for line in &lines {
        let text = line.to_string();
        for canary in ["Zanzibar", "bouilloire", NAME, secret] {
            assert!(!text.contains(canary), "{canary}: {text}");
        }
    }
}
