//! The calls that Telegram refuses, and in which words.

use serde_json::{Value, json};

use super::{Bench, UserProfile};

async fn refusal(bench: &Bench, method: &str, parameters: Value) -> String {
    bench.call(method, parameters).await.refused(400).to_owned()
}

#[tokio::test]
async fn a_text_has_1_to_4096_utf16_units_after_parsing() {
    let bench = Bench::start().await;
    bench.marie().await;
    for blank in ["", " \n "] {
        let why = refusal(&bench, "sendMessage", json!({"chat_id": 7, "text": blank})).await;
        assert_eq!(why, "Bad Request: message text is empty");
    }
    let longest = format!("{}<&", "😀".repeat(2047));
    assert_eq!(bench.send(&longest).await["text"], longest);
    let html =
        json!({"chat_id": 7, "parse_mode": "HTML", "text": format!("<b>{}</b>&lt;&amp;", "😀".repeat(2047))});
    assert_eq!(bench.call("sendMessage", html).await.result()["text"], longest);
    let why = refusal(&bench, "sendMessage", json!({"chat_id": 7, "text": format!("{longest}a")})).await;
    assert_eq!(why, "Bad Request: message is too long");
}

#[tokio::test]
async fn html_is_parsed_and_its_mistakes_are_named() {
    let bench = Bench::start().await;
    bench.marie().await;
    let text = "é<b>gras <i>et</i></b> <a href=\"https://a.b/?x=1&amp;y\">là</a> 1 &lt; 2 &#233; & co";
    let sent = bench.call("sendMessage", json!({"chat_id": 7, "text": text, "parse_mode": "HTML"})).await;
    assert_eq!(sent.result()["text"], "égras et là 1 < 2 é & co");
    assert_eq!(
        sent.result()["entities"],
        json!([
            {"type": "bold", "offset": 1, "length": 7},
            {"type": "italic", "offset": 6, "length": 2},
            {"type": "text_link", "offset": 9, "length": 2, "url": "https://a.b/?x=1&y"},
        ])
    );
    for (text, why) in [
        ("a <b>c", "Can't find end tag corresponding to start tag \"b\""),
        ("a <x>c", "Unsupported start tag \"x\" at byte offset 2"),
        ("a < b", "Unclosed start tag at byte offset 2"),
        ("<b>a</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""),
        ("a</b>", "Unexpected end tag at byte offset 1"),
    ] {
        let said =
            refusal(&bench, "sendMessage", json!({"chat_id": 7, "text": text, "parse_mode": "html"})).await;
        assert_eq!(said, format!("Bad Request: can't parse entities: {why}"));
    }
    let why = refusal(&bench, "sendMessage", json!({"chat_id": 7, "text": "a", "parse_mode": "RTF"})).await;
    assert_eq!(why, "Bad Request: unsupported parse_mode");
}

#[tokio::test]
async fn entities_lie_inside_the_text_and_follow_the_trim() {
    let bench = Bench::start().await;
    bench.marie().await;
    let send = |text: &str, offset: usize, length: usize| {
        let entities = json!([{"type": "bold", "offset": offset, "length": length}]);
        let parameters = json!({"chat_id": 7, "text": text, "entities": entities});
        let bench = &bench;
        async move { bench.call("sendMessage", parameters).await }
    };
    let sent = send("  😀a ", 2, 3).await;
    assert_eq!(sent.result()["text"], "😀a");
    assert_eq!(sent.result()["entities"], json!([{"type": "bold", "offset": 0, "length": 3}]));
    assert!(send("😀a", 0, 4).await.refused(400).contains("ends after the end of the text"));
    assert!(send("😀a", 1, 1).await.refused(400).contains("in the middle"));
}

#[tokio::test]
async fn callback_data_has_at_most_64_bytes_not_characters() {
    let bench = Bench::start().await;
    bench.marie().await;
    let send = |data: String| {
        let keyboard = json!({"inline_keyboard": [[{"text": "b", "callback_data": data}]]});
        let parameters = json!({"chat_id": 7, "text": "a", "reply_markup": keyboard});
        let bench = &bench;
        async move { bench.call("sendMessage", parameters).await }
    };
    send("é".repeat(32)).await.result();
    assert_eq!(send("é".repeat(33)).await.refused(400), "Bad Request: BUTTON_DATA_INVALID");
    assert_eq!(send("x".repeat(65)).await.refused(400), "Bad Request: BUTTON_DATA_INVALID");
    assert!(send(String::new()).await.refused(400).contains("Text buttons are unallowed"));
}

#[tokio::test]
async fn a_keyboard_has_at_most_100_buttons_and_8_in_a_row() {
    let bench = Bench::start().await;
    bench.marie().await;
    let send = |rows: usize, columns: usize| {
        let row = vec![json!({"text": "b", "callback_data": "d"}); columns];
        let keyboard = json!({"inline_keyboard": vec![row; rows]}).to_string();
        let parameters = json!({"chat_id": 7, "text": "a", "reply_markup": keyboard});
        let bench = &bench;
        async move { bench.call("sendMessage", parameters).await }
    };
    send(20, 5).await.result();
    send(1, 8).await.result();
    assert_eq!(send(101, 1).await.refused(400), "Bad Request: REPLY_MARKUP_TOO_LONG");
    assert_eq!(send(1, 9).await.refused(400), "Bad Request: REPLY_MARKUP_TOO_LONG");
    assert!(send(0, 0).await.result().get("reply_markup").is_none());
}

#[tokio::test]
async fn an_edit_must_change_something_of_an_own_message_that_is_there() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let card = bench.send_card("Oui", "y").await;
    let keyboard = json!({"inline_keyboard": [[{"text": "Oui", "callback_data": "y"}]]});
    let edit = |id: i64, text: &str, keyboard: &Value| {
        let parameters = json!({"chat_id": 7, "message_id": id, "text": text, "reply_markup": keyboard});
        let bench = &bench;
        async move { bench.call("editMessageText", parameters).await }
    };
    let not_modified = "Bad Request: message is not modified: specified new message content and reply markup \
                        are exactly the same as a current content and reply markup of the message";
    assert_eq!(edit(card, "Ok ? ", &keyboard).await.refused(400), not_modified);
    assert!(edit(card, "Ok !", &keyboard).await.result().get("edit_date").is_some());
    edit(card, "Ok !", &Value::Null).await.result();
    assert!(marie.live_keyboards().is_empty(), "an edit without keyboard takes it away");
    let bare = json!({"chat_id": 7, "message_id": card});
    assert_eq!(refusal(&bench, "editMessageReplyMarkup", bare.clone()).await, not_modified);
    assert_eq!(edit(999, "x", &Value::Null).await.refused(400), "Bad Request: message to edit not found");
    let own = marie.says("à moi").message_id;
    assert_eq!(edit(own, "x", &Value::Null).await.refused(400), "Bad Request: message can't be edited");
    bench.call("deleteMessage", bare.clone()).await.result();
    assert_eq!(edit(card, "x", &Value::Null).await.refused(400), "Bad Request: message to edit not found");
    assert_eq!(refusal(&bench, "deleteMessage", bare).await, "Bad Request: message to delete not found");
    assert!(marie.messages().iter().find(|message| message.id == card).unwrap().deleted);
}

#[tokio::test]
async fn the_bot_writes_only_to_people_who_spoke_to_it_and_do_not_block_it() {
    let bench = Bench::start().await;
    let stranger = bench.simulator.user(UserProfile::new(8, "Paul", "fr"));
    let hello = json!({"chat_id": 8, "text": "bonjour"});
    assert_eq!(refusal(&bench, "sendMessage", hello.clone()).await, "Bad Request: chat not found");
    stranger.starts("");
    bench.call("sendMessage", hello.clone()).await.result();
    assert!(stranger.blocks().is_some());
    let blocked = bench.call("sendMessage", hello.clone()).await;
    assert_eq!(blocked.refused(403), "Forbidden: bot was blocked by the user");
    let update = bench.poll(json!({"offset": -1})).await.remove(0);
    assert_eq!(update["my_chat_member"]["new_chat_member"]["status"], "kicked");
    stranger.unblocks();
    bench.call("sendMessage", hello).await.result();
    assert_eq!(stranger.messages().iter().filter(|message| message.from_bot()).count(), 2);
}

#[tokio::test]
async fn commands_are_checked_and_kept_per_language() {
    let bench = Bench::start().await;
    let set = |commands: Value, language: &str| {
        let parameters = json!({"commands": commands.to_string(), "language_code": language});
        let bench = &bench;
        async move { bench.call("setMyCommands", parameters).await }
    };
    set(json!([{"command": "depot", "description": "Déposer"}]), "").await.result();
    set(json!([{"command": "depot", "description": "Deposit"}]), "en").await.result();
    assert_eq!(bench.simulator.commands("en")[0].description, "Deposit");
    assert_eq!(bench.simulator.commands("de")[0].description, "Déposer");
    let kept = bench.call("getMyCommands", json!({"language_code": "en"})).await;
    assert_eq!(kept.result(), &json!([{"command": "depot", "description": "Deposit"}]));
    bench.call("deleteMyCommands", json!({"language_code": "en"})).await.result();
    assert_eq!(bench.simulator.commands("en")[0].description, "Déposer");
    for bad in ["Depot", "dépôt", "", "a-b", &"x".repeat(33)] {
        let answer = set(json!([{"command": bad, "description": "Déposer"}]), "").await;
        assert_eq!(answer.refused(400), "Bad Request: BOT_COMMAND_INVALID");
    }
    for bad in ["no".to_owned(), "x".repeat(257)] {
        let answer = set(json!([{"command": "depot", "description": bad}]), "").await;
        assert_eq!(answer.refused(400), "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID");
    }
    let many = vec![json!({"command": "depot", "description": "Déposer"}); 101];
    assert_eq!(set(json!(many), "").await.refused(400), "Bad Request: BOT_COMMANDS_TOO_MUCH");
}
