//! The actions of visitors on the page, and its reactions.

use serde_json::{Value, json};

use super::{Page, button, held, messages, person, shows};
use crate::remote::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_is_seen_from_the_first_word_to_the_row_of_the_ledger() {
    let page = Page::open().await;
    let view = page.sees(7, "Bonjour").await;
    assert_eq!(person(&view, 7)["commands"][0]["command"], "depot");
    assert_eq!(person(&view, 7)["role"], "volunteer");
    page.say(7, "deux bouilloires, trois kilos").await;
    let view = page.until("the open card", |view| {
        let session = &person(view, 7)["session"];
        session["state"] == "AwaitingValidation" && session["effects"] == json!([])
    });
    let view = view.await;
    let session = &person(&view, 7)["session"];
    assert_eq!(session["document"]["version"], session["version"]);
    assert!(session["expires_at"].as_i64().unwrap() > view["clock"].as_i64().unwrap());
    assert_eq!(view["store"], json!({"redis": null, "primary": "sql", "ready": "ok"}));
    let commits = view["commits"].as_array().unwrap();
    let told = |commit: &Value| commit["who"] == 7 && commit["cause"] == "outcome of Understand";
    let commit = commits.iter().find(|commit| told(commit)).unwrap();
    assert_eq!((&commit["from"], &commit["to"]), (&json!("Understanding"), &json!("AwaitingValidation")));
    assert_eq!(commit["effects"], json!(["ShowCard"]));
    page.tap(7, "Valider").await;
    let view =
        page.until("the row", |view| held(view, "completed") == 1 && shows(view, 7, "enregistré")).await;
    let row = &view["ledger"][0];
    assert_eq!((&row["number"], &row["who"]), (&json!(1), &json!(7)));
    let line = &row["lines"][0];
    assert_eq!((&line["quantity"], &line["weight_kg"]), (&json!(2), &json!(3.0)));
    assert!(line["category"].as_str().unwrap().contains(' '), "{line}: in words, no key");
    let card = messages(&view, 7).next().unwrap();
    assert_eq!(card["edited"], true);
    assert_eq!(card["entities"][0]["type"], "bold");
    let metrics = view["metrics"].as_array().unwrap();
    let commits = metrics.iter().find(|metric| metric["name"] == "depot_commits_total").unwrap();
    assert!(commits["value"].as_f64().unwrap() >= 4.0 && commits["help"].as_str().unwrap().len() > 10);
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_is_let_in_by_the_admin_and_deposits() {
    let page = Page::open().await;
    page.say(8, "/start").await;
    page.tap(8, "Demander l'accès").await;
    page.tap(1, "Accepter").await;
    let view = page.sees(8, "Bienvenue").await;
    assert_eq!(person(&view, 8)["role"], "volunteer");
    page.say(8, "deux lampes, trois kilos").await;
    page.tap(8, "Valider").await;
    let view = page.until("the row", |view| held(view, "completed") == 1).await;
    assert_eq!(view["ledger"][0]["who"], 8);
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_minutes_that_pass_at_once_end_a_session() {
    let page = Page::open().await;
    page.say(7, "deux bouilloires, trois kilos").await;
    let before = page.until("the card", |view| button(view, 7, "Valider").is_some()).await;
    page.act(json!({"pass": 300})).await;
    let view = page.sees(7, "La session a expiré").await;
    page.until("a bot that is ready", |view| view["store"]["ready"] == "ok").await;
    let passed = view["clock"].as_i64().unwrap() - before["clock"].as_i64().unwrap();
    assert!(passed >= 300_000, "{passed} ms");
    page.until("the row", |view| held(view, "expired") == 1).await;
    page.tap(7, "Reprendre").await;
    page.tap(7, "Valider").await;
    page.until("the row", |view| held(view, "completed") == 1 && held(view, "expired") == 0).await;
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipped_note_is_heard_and_a_recorded_one_is_kept_and_asked_about() {
    let page = Page::open().await;
    page.act(json!({"who": 7, "sample": "deux-bouilloires"})).await;
    let view = page.sees(7, "entendu : « deux bouilloires, trois kilos »").await;
    assert_eq!(view["bot"]["transcriber"], false);
    let sent = person(&view, 7)["messages"].as_array().unwrap();
    let note = sent.iter().find(|message| message["voice"].is_object()).unwrap();
    assert!(note["mine"] == true && note["voice"]["seconds"].as_u64().unwrap() >= 1);
    let file = page.get(&format!("/file/{}", note["voice"]["file"].as_str().unwrap())).await;
    assert_eq!(file.headers()["content-type"], "audio/ogg");
    let shipped = page.get("/samples/deux-bouilloires.ogg").await;
    assert_eq!(file.bytes().await.unwrap(), shipped.bytes().await.unwrap());
    page.tap(7, "Valider").await;
    page.sees(7, "enregistré").await;
    let recorded = page.post("/voice?who=7&seconds=2", "audio/wav", b"RIFF\0\0\0\0WAVEfmt ".to_vec()).await;
    assert_eq!(recorded.status(), 204);
    page.sees(7, "je n'ai pas pu l'écouter. Écrivez-moi quelques mots").await;
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_server_that_listens_a_recorded_note_is_heard_too() {
    let server = Server::start().await;
    server.hears("trois chaises, douze kilos");
    let page = Page::with(&[("STT_BASE_URL", &server.url)]).await;
    let recorded = page.post("/voice?who=7&seconds=2", "audio/wav", b"RIFF\0\0\0\0WAVEfmt ".to_vec()).await;
    assert_eq!(recorded.status(), 204);
    let view = page.sees(7, "entendu : « trois chaises, douze kilos »").await;
    assert_eq!(view["bot"]["transcriber"], true);
    assert_eq!(server.uploads(), 1);
    assert_eq!(server.inside().uploads[0].file_type, "audio/wav");
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_kept_with_the_deposit_and_shown_again() {
    let page = Page::open().await;
    page.act(json!({"who": 7, "photo": "chaise"})).await;
    let view = page.sees(7, "Photo bien reçue").await;
    let picture = |view: &Value| {
        let sent = person(view, 7)["messages"].as_array().unwrap();
        sent.iter().rev().find_map(|message| message["photo"]["file"].as_str().map(str::to_owned)).unwrap()
    };
    let file = page.get(&format!("/file/{}", picture(&view))).await;
    assert_eq!(file.headers()["content-type"], "image/jpeg");
    let sent = page.post("/photo?who=7", "image/png", b"\x89PNG\r\n\x1a\n".to_vec()).await;
    assert_eq!(sent.status(), 204);
    let before = picture(&view);
    let view = page.until("the second picture", |view| picture(view) != before).await;
    let file = page.get(&format!("/file/{}", picture(&view))).await;
    assert_eq!(file.headers()["content-type"], "image/png");
    page.demo.stop().await;
}
