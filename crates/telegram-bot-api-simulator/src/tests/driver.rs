//! Users: the chat as they see it, and the error of a wait in vain.

use std::time::Duration;

use serde_json::json;

use super::super::{Options, Simulator};
use super::{Bench, UserProfile};

#[tokio::test]
async fn a_wait_ends_when_the_bot_writes_or_edits() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let (seen, sent) = tokio::join!(marie.sees("bonjour"), bench.send("bonjour Marie"));
    assert_eq!(json!(seen.unwrap().id), sent["message_id"]);
    marie.says("encore");
    let edit = json!({"chat_id": 7, "message_id": sent["message_id"], "text": "bonjour encore"});
    let (seen, _) = tokio::join!(marie.sees_new("bonjour"), bench.call("editMessageText", edit));
    assert_eq!(seen.unwrap().text(), "bonjour encore", "the old text does not count");
}

#[tokio::test]
async fn a_wait_in_vain_prints_the_chat() {
    let options = Options { patience: Duration::from_millis(20), ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let marie = simulator.user(UserProfile::new(7, "Marie", "fr"));
    marie.says("allô ?");
    let error = marie.sees("réponse").await.unwrap_err().to_string();
    assert!(error.contains("«réponse»") && error.contains("Marie #1: allô ?"), "{error}");
    assert!(marie.toast().await.is_err());
    let error = simulator.wait_for("calls", |simulator| simulator.calls("getMe") > 0).await.unwrap_err();
    assert!(error.to_string().contains("1 updates pending"), "{error}");
}

#[tokio::test]
async fn the_transcript_shows_buttons_edits_and_toasts() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.send_card("✅ Valider", "v").await;
    let tap = marie.taps("Valider").unwrap();
    let answer = json!({"callback_query_id": tap.callback_ids[0], "text": "Enregistré"});
    bench.call("answerCallbackQuery", answer).await.result();
    let gone = bench.send("à effacer").await["message_id"].clone();
    bench.call("deleteMessage", json!({"chat_id": 7, "message_id": gone})).await.result();
    assert_eq!(
        marie.transcript(),
        "Marie #1: bonjour\nbot #2: Ok ?\n      [✅ Valider]\nbot #3 (deleted): à effacer\n   (Enregistré)\n"
    );
}

#[tokio::test]
async fn typing_lasts_five_seconds_or_until_the_bot_writes() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let typing = json!({"chat_id": 7, "action": "typing"});
    bench.call("sendChatAction", typing.clone()).await.result();
    assert!(marie.is_typing());
    bench.clock.advance(Duration::from_secs(5));
    assert!(!marie.is_typing());
    bench.call("sendChatAction", typing).await.result();
    bench.send("voilà").await;
    assert!(!marie.is_typing());
    let wrong = bench.call("sendChatAction", json!({"chat_id": 7, "action": "dancing"})).await;
    assert!(wrong.refused(400).contains("wrong parameter action"));
}

#[tokio::test]
async fn a_benchmark_follows_change_numbers() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let start = marie.changes();
    bench.send("un").await;
    bench.send("deux").await;
    let first = marie.wait_message_after(start).await.unwrap();
    let second = marie.wait_message_after(first.changed).await.unwrap();
    assert_eq!((first.text(), second.text()), ("un", "deux"));
}

#[tokio::test]
async fn other_inputs_have_their_members() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let card = bench.send_card("Oui", "y").await;
    let own = marie.starts("invite-1").message_id;
    marie.edits(own, "corrigé").unwrap();
    assert_eq!(marie.edits(card, "pas à moi"), None);
    marie.replies(card, "réponse");
    marie.forwards("transféré");
    marie.sends_photo(Some("deux lampes"), Some("album"));
    marie.sends_sticker();
    marie.sends_location();
    marie.sends_video_note(3, &b"mp4"[..]);
    marie.sends_audio(3, &b"mp3"[..]);
    marie.sends(&json!({"made_up_later": {"x": 1}}));
    let updates = bench.poll(json!({})).await;
    assert_eq!(updates[0]["message"]["entities"], json!([{"type": "bot_command", "offset": 0, "length": 6}]));
    assert_eq!(updates[1]["edited_message"]["text"], "corrigé");
    assert_eq!(updates[2]["message"]["reply_to_message"]["message_id"], card);
    assert_eq!(
        (&updates[3]["message"]["text"], updates[3]["message"]["forward_origin"].is_object()),
        (&json!("transféré"), true)
    );
    assert_eq!(updates[4]["message"]["photo"][1]["width"], 1280);
    assert_eq!(
        (&updates[4]["message"]["caption"], &updates[4]["message"]["media_group_id"]),
        (&json!("deux lampes"), &json!("album"))
    );
    let members = ["sticker", "location", "video_note", "audio", "made_up_later"];
    for (update, member) in updates[5..].iter().zip(members) {
        assert!(update["message"][member].is_object(), "{member}");
    }
}

#[tokio::test]
async fn a_full_chat_forgets_its_oldest_messages() {
    let options = Options { messages_kept: 2, journal: false, ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let marie = simulator.user(UserProfile::new(7, "Marie", "fr"));
    let ids: Vec<i64> = ["a", "b", "c"].map(|text| marie.says(text).message_id).to_vec();
    assert_eq!(marie.messages().iter().map(|message| message.id).collect::<Vec<_>>(), ids[1..]);
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn a_stopped_simulator_answers_nobody() {
    let mut bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.simulator.stop();
    while bench.try_call("getMe", json!({})).await.is_ok() {}
    assert_eq!(marie.messages().len(), 1, "what was seen can still be read");
}
