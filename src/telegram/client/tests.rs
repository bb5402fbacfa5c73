//! Every class of outcome, over a real socket.

use serde_json::{Value, json};
use teloxide::types::{InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity};

use super::methods::NAMES;
use super::*;
use crate::telegram::stub::{Reply, Stub, TOKEN};
use deposit::{BotId, ChatId, MessageId};
use session::Language;

const CHAT: ChatId = ChatId(7);

async fn outcome_of(reply: Reply) -> Result<MessageId, CallError> {
    let stub = Stub::start([reply]).await;
    let client = stub.client();
    client.send_message(CHAT, "bonjour", Vec::new(), None).await
}

fn body(stub: &Stub, call: usize) -> Value {
    serde_json::from_str(&stub.calls()[call].1).unwrap()
}

#[test]
fn names_are_teloxides_own_with_a_small_first_letter() {
    for (ours, theirs) in NAMES {
        let (first, rest) = theirs.split_at(1);
        assert_eq!(*ours, format!("{}{rest}", first.to_lowercase()));
    }
}

#[tokio::test]
async fn a_message_goes_out_as_json_under_the_documented_name() {
    let stub = Stub::start([Reply::ok(r#"{"message_id":41,"chat":"odd"}"#)]).await;
    let keyboard = InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("✅ Valider", "1v0.1")]]);
    let sent =
        stub.client().send_message(CHAT, "é<b>&", vec![MessageEntity::bold(0, 1)], Some(keyboard)).await;
    assert_eq!(sent, Ok(MessageId(41)));
    assert_eq!(stub.calls()[0].0, "sendMessage");
    let expected = json!({"chat_id": 7, "text": "é<b>&",
        "entities": [{"type": "bold", "offset": 0, "length": 1}],
        "link_preview_options": {"is_disabled": true},
        "reply_markup": {"inline_keyboard": [[{"text": "✅ Valider", "callback_data": "1v0.1"}]]}});
    assert_eq!(body(&stub, 0), expected);
}

#[tokio::test]
async fn each_method_says_what_the_documentation_asks_for() {
    let stub = Stub::start(std::iter::repeat_n(Reply::ok("true"), 8)).await;
    let client = stub.client();
    client.edit_message_text(CHAT, MessageId(3), "x", Vec::new(), None).await.unwrap();
    client.strip_keyboard(CHAT, MessageId(3)).await.unwrap();
    client.answer_callback("77", Some("trop tard"), true).await.unwrap();
    client.send_typing(CHAT).await.unwrap();
    client.set_my_commands(&[("depot", "Déposer")], Some(Language::En)).await.unwrap();
    let secret = SecretString::from("s-1");
    client
        .set_webhook(WebhookSetting { url: "https://x/y", secret: &secret, max_connections: 40 })
        .await
        .unwrap();
    client.delete_webhook().await.unwrap();
    client.leave_chat(ChatId(-5)).await.unwrap();
    let calls: Vec<(String, Value)> =
        stub.calls().into_iter().map(|(name, body)| (name, serde_json::from_str(&body).unwrap())).collect();
    let kinds = json!(["message", "edited_message", "callback_query", "my_chat_member"]);
    let no_preview = json!({"is_disabled": true});
    let expected = [
        (
            "editMessageText",
            json!({"chat_id": 7, "message_id": 3, "text": "x", "link_preview_options": no_preview}),
        ),
        ("editMessageReplyMarkup", json!({"chat_id": 7, "message_id": 3})),
        ("answerCallbackQuery", json!({"callback_query_id": "77", "text": "trop tard", "show_alert": true})),
        ("sendChatAction", json!({"chat_id": 7, "action": "typing"})),
        (
            "setMyCommands",
            json!({"commands": [{"command": "depot", "description": "Déposer"}], "language_code": "en"}),
        ),
        (
            "setWebhook",
            json!({"url": "https://x/y", "secret_token": "s-1", "max_connections": 40,
            "allowed_updates": kinds, "drop_pending_updates": false}),
        ),
        ("deleteWebhook", json!({"drop_pending_updates": false})),
        ("leaveChat", json!({"chat_id": -5})),
    ];
    assert_eq!(calls, expected.map(|(name, body)| (name.to_owned(), body)));
}

#[tokio::test]
async fn answers_are_read_leniently() {
    let me = r#"{"ok":true,"result":{"id":9,"username":"Bot","has_topics":{}}}"#;
    let dated = Reply::Http(200, "Date: Wed, 03 Dec 2025 12:00:00 GMT\r\n", me.to_owned());
    let state =
        r#"{"url":"https://x","pending_update_count":3,"allowed_updates":["message",4],"last_error_date":1}"#;
    let stub = Stub::start([dated, Reply::ok(state), Reply::ok(r#"{"file_path":"voice/1.oga"}"#)]).await;
    let client = stub.client();
    let server_time = Some(Timestamp(1_764_763_200_000));
    assert_eq!(client.get_me().await, Ok(Me { id: BotId(9), username: "Bot".into(), server_time }));
    let state = client.get_webhook_info().await.unwrap();
    assert_eq!((state.pending, state.allowed_updates), (3, vec!["message".to_owned()]));
    let path = "voice/1.oga".to_owned();
    assert_eq!(client.get_file("V").await, Ok(StoredFile { path, bytes: None }));
}

#[tokio::test]
async fn a_batch_is_split_into_updates_as_they_were_sent() {
    let broken = r#"{"ok":true,"result":[{"update_id":1},{"update_id":2,]}"#;
    let stub = Stub::start([
        Reply::ok(r#"[{"update_id":1, "message":{}},7]"#),
        Reply::ok("[]"),
        Reply::Http(200, "", broken.to_owned()),
    ])
    .await;
    let client = stub.client();
    let batch = client.get_updates(5, 100, Duration::ZERO).await.unwrap();
    assert_eq!(batch.updates, [r#"{"update_id":1, "message":{}}"#, "7"]);
    assert_eq!(batch.broken, None);
    let kinds = json!(["message", "edited_message", "callback_query", "my_chat_member"]);
    assert_eq!(body(&stub, 0), json!({"offset": 5, "limit": 100, "timeout": 0, "allowed_updates": kinds}));
    assert_eq!(client.get_updates(5, 100, Duration::ZERO).await, Ok(Batch::default()));
    let batch = client.get_updates(5, 100, Duration::ZERO).await.unwrap();
    assert_eq!(batch.updates, [r#"{"update_id":1}"#]);
    assert_eq!(batch.broken.as_deref(), Some(r#",{"update_id":2,]}"#));
}

#[tokio::test]
async fn what_was_never_sent_is_told_from_what_may_have_been_applied() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let client = Client::new(&nowhere, &SecretString::from(TOKEN)).unwrap();
    assert_eq!(client.leave_chat(CHAT).await, Err(CallError::NotSent));
    let unresolvable = Client::new("http://no.such.host.invalid", &SecretString::from(TOKEN)).unwrap();
    assert_eq!(unresolvable.leave_chat(CHAT).await, Err(CallError::NotSent));

    let truncated = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"ok\":true,";
    for bytes in ["", "HTTP/1.1 200 OK\r\n", truncated, "no http at all\r\n\r\n"] {
        assert_eq!(outcome_of(Reply::Bytes(bytes.into())).await, Err(CallError::Unknown), "{bytes}");
    }
    assert_eq!(outcome_of(Reply::Http(200, "", "<html>".into())).await, Err(CallError::Unknown));
    assert_eq!(outcome_of(Reply::ok("{\"no_id\":1}")).await, Err(CallError::Unknown));
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_was_never_sent_anything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let client = Client::new(&address, &SecretString::from(TOKEN)).unwrap();
    assert_eq!(client.leave_chat(CHAT).await, Err(CallError::NotSent));
}

#[tokio::test]
async fn silence_ends_at_the_deadline_with_an_unknown_outcome() {
    let stub = Stub::start([Reply::Silence]).await;
    let typing = teloxide::payloads::GetMe::new();
    let outcome = stub.client().call_within(Duration::from_millis(50), &typing).await;
    assert_eq!(outcome, Err(CallError::Unknown));
    assert_eq!(stub.calls().len(), 1);
}

#[tokio::test]
async fn statuses_become_classes() {
    let limited = r#"{"ok":false,"error_code":429,"parameters":{"retry_after":17}}"#;
    let pause = CallError::RetryAfter(Duration::from_secs(17));
    assert_eq!(outcome_of(Reply::Http(429, "", limited.into())).await, Err(pause.clone()));
    assert_eq!(outcome_of(Reply::Http(429, "Retry-After: 17\r\n", String::new())).await, Err(pause));
    assert_eq!(outcome_of(Reply::error(403, "Forbidden: bot was blocked")).await, Err(CallError::Blocked));
    assert_eq!(outcome_of(Reply::error(401, "Unauthorized")).await, Err(CallError::Unauthorized));
    let page = Reply::Http(502, "Content-Type: text/html\r\n", "<html>".into());
    assert_eq!(outcome_of(page).await, Err(CallError::Server { status: 502 }));
    let moved = Reply::Http(302, "Location: http://127.0.0.1:1/\r\n", String::new());
    assert!(matches!(outcome_of(moved).await, Err(CallError::Rejected { code: 302, .. })));
    let malformed_token = Stub::start([Reply::error(404, "Not Found")]).await;
    assert_eq!(malformed_token.client().get_me().await, Err(CallError::Unauthorized));
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_cut_off() {
    let padded = |bytes| Reply::ok(&format!(r#"{{"message_id":1,"x":"{}"}}"#, "a".repeat(bytes)));
    assert_eq!(outcome_of(padded(RESPONSE_BYTES_MAX - 100)).await, Ok(MessageId(1)));
    assert_eq!(outcome_of(padded(RESPONSE_BYTES_MAX)).await, Err(CallError::Unknown));
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let unresolvable = Client::new("http://no.such.host.invalid", &SecretString::from(TOKEN)).unwrap();
    let shown = format!("{unresolvable:?} {:?}", unresolvable.get_me().await);
    assert!(!shown.contains("canary"), "{shown}");
    for address in ["", "api.telegram.org", "ftp://x", "https://"] {
        let error = Client::new(address, &SecretString::from(TOKEN)).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}
