//! How calls are written and what they return.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::Bench;

#[tokio::test]
async fn parameters_come_as_query_form_json_or_multipart() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let url = bench.url("SENDmessage");
    let query = bench.http.get(format!("{url}?chat_id=7&text=d%C3%A9p%C3%B4t+%26+co%2"));
    let form = bench.http.post(&url).header("content-type", "application/x-www-form-urlencoded");
    let form = form.body("chat_id=7&text=un%20deux");
    let multipart = bench.http.post(&url).multipart(Form::new().text("chat_id", "7").text("text", "a\r\nb"));
    let json = bench.http.post(&url).json(&json!({"chat_id": "7", "text": "quatre"}));
    for request in [query, form, multipart, json] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert!(answer.headers().contains_key("date"));
    }
    let texts: Vec<String> =
        marie.messages().iter().skip(1).map(|message| message.text().to_owned()).collect();
    assert_eq!(texts, ["dépôt & co%2", "un deux", "a\r\nb", "quatre"]);
    let bad =
        bench.http.post(&url).header("content-type", "application/json").body("{").send().await.unwrap();
    assert_eq!(bad.status().as_u16(), 400);
}

#[tokio::test]
async fn a_wrong_token_and_an_unknown_method_are_told_apart() {
    let bench = Bench::start().await;
    let answer = bench.http.get(format!("{}/bot1:wrong/getMe", bench.simulator.url())).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    let envelope: Value = answer.json().await.unwrap();
    assert_eq!(envelope, json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
    assert_eq!(bench.call("getMoney", json!({})).await.refused(404), "Not Found");
    let me = bench.call("getMe", json!({})).await;
    assert_eq!((&me.result()["is_bot"], &me.result()["id"]), (&json!(true), &json!(700_000_001)));
    let (id, secret) = super::super::TOKEN.split_once(':').unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()) && secret.len() == 35);
}

#[tokio::test]
async fn message_ids_grow_over_both_directions() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let first = bench.send("un").await["message_id"].as_i64().unwrap();
    let second = marie.says("deux").message_id;
    let third = bench.send("trois").await["message_id"].as_i64().unwrap();
    assert!(first < second && second < third);
}

#[tokio::test]
async fn a_voice_note_can_be_downloaded_up_to_20_mb() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    marie.sends_voice(6, &b"OggS note"[..]);
    let update = bench.poll(json!({"offset": -1})).await.remove(0);
    let voice = &update["message"]["voice"];
    assert_eq!(
        (&voice["duration"], &voice["mime_type"], &voice["file_size"]),
        (&json!(6), &json!("audio/ogg"), &json!(9))
    );
    let file = bench.call("getFile", json!({"file_id": voice["file_id"]})).await;
    let path = file.result()["file_path"].as_str().unwrap().to_owned();
    let download =
        |token: &str| bench.http.get(format!("{}/file/bot{token}/{path}", bench.simulator.url())).send();
    let bytes = download(bench.simulator.token()).await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"OggS note");
    assert_eq!(download("1:wrong").await.unwrap().status().as_u16(), 401);
    let unknown = bench.call("getFile", json!({"file_id": "nothing"})).await;
    assert!(unknown.refused(400).starts_with("Bad Request: wrong file_id"));
    for (size, fits) in [(20 << 20, true), ((20 << 20) + 1, false)] {
        marie.sends_voice(600, vec![0_u8; size]);
        let update = bench.poll(json!({"offset": -1})).await.remove(0);
        let file = bench.call("getFile", json!({"file_id": update["message"]["voice"]["file_id"]})).await;
        if fits {
            file.result();
        } else {
            assert_eq!(file.refused(400), "Bad Request: file is too big");
        }
    }
}

#[tokio::test]
async fn the_bot_uploads_files_and_sends_them_again_by_id() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let part = Part::bytes(&b"a;b\r\n--x"[..]).file_name("export.csv").mime_str("text/csv").unwrap();
    let form = Form::new().text("chat_id", "7").text("caption", "Export").part("document", part);
    let answer = bench.http.post(bench.url("sendDocument")).multipart(form).send().await.unwrap();
    let sent: Value = answer.json().await.unwrap();
    let document = &sent["result"]["document"];
    assert_eq!((&document["file_name"], &document["mime_type"]), (&json!("export.csv"), &json!("text/csv")));
    assert_eq!((&document["file_size"], &sent["result"]["caption"]), (&json!(8), &json!("Export")));
    let again = json!({"chat_id": 7, "document": document["file_id"]});
    assert_eq!(bench.call("sendDocument", again).await.result()["document"]["file_id"], document["file_id"]);
    let missing = bench.call("sendPhoto", json!({"chat_id": 7})).await;
    assert_eq!(missing.refused(400), "Bad Request: there is no photo in the request");
    assert!(marie.messages().iter().any(|message| message.media("document").is_some()));
}

#[tokio::test]
async fn a_group_is_left() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let team = marie.in_group(-100, "Équipe");
    assert_eq!(team.says("personne n'écoute").update_id, None);
    team.adds_bot().unwrap();
    let update = bench.poll(json!({"offset": -1})).await.remove(0);
    assert_eq!(update["my_chat_member"]["chat"], json!({"id": -100, "type": "group", "title": "Équipe"}));
    assert_eq!(update["my_chat_member"]["new_chat_member"]["status"], "member");
    assert!(team.says("bonjour").update_id.is_some());
    bench.call("sendMessage", json!({"chat_id": -100, "text": "Je ne parle qu'en privé."})).await.result();
    bench.call("leaveChat", json!({"chat_id": -100})).await.result();
    team.wait_for("the bot to leave", super::super::Chat::bot_has_left).await.unwrap();
    let late = bench.call("sendMessage", json!({"chat_id": -100, "text": "?"})).await;
    assert_eq!(late.refused(403), "Forbidden: bot is not a member of the group chat");
    assert_eq!(bench.call("getChat", json!({"chat_id": -100})).await.result()["title"], "Équipe");
}
