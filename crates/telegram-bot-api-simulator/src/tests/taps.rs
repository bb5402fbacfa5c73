//! Taps and their one answer.

use std::time::Duration;

use serde_json::json;

use super::Bench;

const TOO_OLD: &str = "Bad Request: query is too old and response timeout expired or query ID is invalid";

#[tokio::test]
async fn a_tap_is_answered_once_and_within_15_seconds() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.send_card("Oui", "y").await;
    let answer = |id: &str| {
        let parameters = json!({"callback_query_id": id, "text": "noté", "show_alert": true});
        let bench = &bench;
        async move { bench.call("answerCallbackQuery", parameters).await }
    };
    let tap = marie.taps("Oui").unwrap();
    bench.clock.advance(Duration::from_secs(15));
    answer(&tap.callback_ids[0]).await.result();
    let toast = marie.toast().await.unwrap();
    assert_eq!((toast.text.as_str(), toast.show_alert), ("noté", true));
    assert_eq!(answer(&tap.callback_ids[0]).await.refused(400), TOO_OLD, "a second answer");
    let late = marie.taps("Oui").unwrap();
    bench.clock.advance(Duration::from_millis(15_001));
    assert_eq!(answer(&late.callback_ids[0]).await.refused(400), TOO_OLD, "a late answer");
    assert_eq!(answer("123").await.refused(400), TOO_OLD, "an unknown tap");
    let tap = marie.taps("Oui").unwrap();
    let long = json!({"callback_query_id": tap.callback_ids[0], "text": "x".repeat(201)});
    assert_eq!(bench.call("answerCallbackQuery", long).await.refused(400), "Bad Request: MESSAGE_TOO_LONG");
    answer(&tap.callback_ids[0]).await.result();
}

#[tokio::test]
async fn a_callback_query_has_the_shape_of_the_bot_api() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let card = bench.send_card("Oui", "y").await;
    let tap = marie.taps("Oui").unwrap();
    let update = bench.poll(json!({"offset": -1})).await.remove(0);
    let query = &update["callback_query"];
    assert_eq!(query["id"], tap.callback_ids[0]);
    assert_eq!((&query["from"]["id"], &query["data"]), (&json!(7), &json!("y")));
    assert_eq!(query["message"]["message_id"], card);
    assert_eq!(query["message"]["chat"], json!({"id": 7, "type": "private", "first_name": "Marie"}));
    assert_eq!(query["message"]["from"]["is_bot"], true);
    assert_eq!(query["message"]["reply_markup"]["inline_keyboard"][0][0]["callback_data"], "y");
    assert!(query["chat_instance"].is_string());
    marie.taps_data(555, "forged");
    let update = bench.poll(json!({"offset": -1})).await.remove(0);
    let inaccessible =
        json!({"message_id": 555, "date": 0, "chat": {"id": 7, "type": "private", "first_name": "Marie"}});
    assert_eq!(update["callback_query"]["message"], inaccessible);
}

#[tokio::test]
async fn a_doubled_tap_has_a_new_update_and_a_new_callback_id() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.send_card("Oui", "y").await;
    bench.simulator.faults(|faults| faults.double_taps = 1.0);
    let tap = marie.taps("Oui").unwrap();
    assert_eq!((tap.update_ids.len(), tap.callback_ids.len()), (2, 2));
    let updates = bench.poll(json!({})).await;
    assert_ne!(updates[0]["callback_query"]["id"], updates[1]["callback_query"]["id"]);
    assert_eq!(updates[0]["callback_query"]["data"], updates[1]["callback_query"]["data"]);
    for id in &tap.callback_ids {
        bench.call("answerCallbackQuery", json!({"callback_query_id": id})).await.result();
    }
    bench.simulator.faults(super::super::Faults::clear);
    assert_eq!(marie.taps("Oui").unwrap().update_ids.len(), 1);
}

#[tokio::test]
async fn a_tap_on_nothing_says_what_there_is() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let card = bench.send_card("Oui", "y").await;
    bench.send("après").await;
    let error = marie.taps("Non").unwrap_err().to_string();
    assert!(error.contains("«Non»") && error.contains("[Oui]"), "{error}");
    assert_eq!(marie.card().unwrap().id, card);
    assert!(marie.taps("Oui").is_ok(), "the newest message that has the button");
}
