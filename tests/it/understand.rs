//! The reading of notes, at both front doors: the chat and `depot-bot understand`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::bot::TestBot;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sentence_becomes_two_lines_and_a_greeting_none() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("bonjour, est-ce que vous prenez les matelas ?");
    user.sees_new("Je n'ai pas reconnu d'objet").await.unwrap();
    user.says("trois lampes deux kilos et un lot de vaisselle six kilos, la vaisselle au recyclage");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let deposits = bot.deposits(7).await;
    let [lamps, dishes] = deposits[0].draft.lines.as_slice() else { panic!("{deposits:?}") };
    assert_eq!((lamps.quantity, lamps.weight.unwrap().grams), (Some(3), 2_000));
    assert_eq!((dishes.quantity, dishes.weight.unwrap().grams), (None, 6_000));
    assert_eq!((lamps.destination.as_str(), dishes.destination.as_str()), ("magasin", "recyclage"));
}

/// The output of `depot-bot understand` for this input, and whether it succeeded.
fn understood(arguments: &[&str], input: &str) -> (String, bool) {
    understood_with(&[], arguments, input)
}

/// The same with these variables alone.
pub(crate) fn understood_with(variables: &[(&str, &str)], arguments: &[&str], input: &str) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_depot-bot"));
    command.arg("understand").args(arguments).env_clear().envs(variables.iter().copied());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir(std::env::temp_dir())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (String::from_utf8(text).unwrap(), output.status.success())
}

#[test]
fn json_lines_go_in_and_come_out() {
    let (out, content) =
        understood(&[], "{\"text\": \"deux bouilloires, 3 kg\"}\n\n{\"text\": \"bonjour\"}\n");
    assert!(content, "{out}");
    let answers: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [deposit, greeting] = answers.as_slice() else { panic!("{out}") };
    let line = &deposit["lines"][0];
    assert_eq!((&line["object"], &line["quantity"]), (&"bouilloires".into(), &2.into()));
    assert_eq!((&line["weight_kg"], &line["category"]), (&3.0.into(), &"small_equipment".into()));
    assert_eq!(line["destination"], "magasin");
    assert_eq!(line["alternatives"].as_array().unwrap().len(), 2);
    assert!(line["confidence"].as_f64().unwrap() > 0.7);
    assert_eq!(greeting["lines"].as_array().unwrap().len(), 0);
    assert!(deposit["total_weight_kg"].is_null());
    let (error, content) = understood(&[], "{\"text\": \"une chaise\"}\nno json\n");
    assert!(!content && error.contains("line 2"), "{error}");
}

#[test]
fn labelled_notes_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.jsonl");
    let right = r#"{"text":"une chaise, 4 kg","items":[{"object":"chaise","quantity":1,"weight_kg":4.0,"category":"furniture"}]}"#;
    let wrong = r#"{"text":"une table","items":[{"object":"table","quantity":2,"weight_kg":null,"category":"furniture"}]}"#;
    std::fs::write(&file, format!("{right}\n{wrong}\n")).unwrap();
    let (scores, content) = understood(&["--evaluate", file.to_str().unwrap()], "");
    assert!(content, "{scores}");
    let value = |name: &str| {
        let line =
            scores.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{scores}"));
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(value("single object: top-1"), "1.000");
    assert_eq!(value("items: F1  "), "0.500");
    assert_eq!(value("weights: F1"), "1.000");
}

/// Our own notes: written from the labelling rules, `"source": "ours"`, none of them of the shared file.
#[test]
fn our_own_notes_are_understood() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/understand/notes.jsonl");
    let (scores, content) = understood(&["--evaluate", file.to_str().unwrap()], "");
    assert!(content, "{scores}");
    let value = |name: &str| {
        let line =
            scores.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{scores}"));
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    for (name, least) in [
        ("single object: top-1", 0.95),
        ("items: F1  ", 0.93),
        ("weights: F1", 0.93),
        ("destination where spoken", 0.93),
        ("whole notes right", 0.92),
    ] {
        assert!(value(name) >= least, "{name}\n{scores}");
    }
}
