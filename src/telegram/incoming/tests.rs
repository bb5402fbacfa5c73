//! Reading good, strange and broken updates.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::*;
use deposit::Media;

fn text_update() -> Value {
    json!({"update_id": 10, "message": {"message_id": 5, "date": 1_764_763_200,
        "chat": {"id": 7, "type": "private", "first_name": "Ana"},
        "from": {"id": 7, "is_bot": false, "first_name": "Ana", "language_code": "fr"},
        "text": "deux bouilloires", "entities": [{"type": "bold", "offset": 0, "length": 4}],
        "forward_origin": {"type": "hidden_user", "sender_user_name": "x", "date": 1}}})
}

fn corpus() -> Vec<Value> {
    let with = |changes: Value| {
        let mut update = text_update();
        let message = update["message"].as_object_mut().unwrap();
        message.remove("text");
        message.extend(changes.as_object().unwrap().clone());
        update
    };
    vec![
        text_update(),
        with(json!({"voice": {"file_id": "V", "duration": 7, "mime_type": "audio/ogg"}})),
        with(json!({"photo": [{"file_id": "S", "width": 90, "height": 90},
            {"file_id": "L", "width": 1280, "height": 960}], "caption": "une table", "media_group_id": "9"})),
        with(
            json!({"text": "oui", "reply_to_message": {"message_id": 3, "chat": {"id": 7}, "text": "Quoi ?"}}),
        ),
        with(json!({"sticker": {"file_id": "T"}})),
        with(json!({"document": {"file_id": "D"}, "animation": {"file_id": "D"}, "caption": "voilà"})),
        json!({"update_id": 11, "callback_query": {"id": "77", "chat_instance": "1", "data": "1v0.1",
            "from": {"id": 7, "is_bot": false, "first_name": "Ana"},
            "message": {"message_id": 6, "date": 0, "chat": {"id": 7, "type": "private"}}}}),
        json!({"update_id": 12, "my_chat_member": {"chat": {"id": 7, "type": "private"}, "date": 1,
            "from": {"id": 7, "is_bot": false, "first_name": "Ana"},
            "old_chat_member": {"status": "member"}, "new_chat_member": {"status": "kicked"}}}),
        json!({"update_id": 13, "edited_message": {"message_id": 5, "chat": {"id": 7}, "text": "trois"}}),
        json!({"update_id": 14, "poll_answer": {"poll_id": "1"}}),
    ]
}

fn read(update: &Value) -> IncomingKind {
    Incoming::read(&update.to_string()).unwrap().kind
}

fn message(update: &Value) -> Message {
    match read(update) {
        IncomingKind::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_is_recognised() {
    let corpus = corpus();
    let text = message(&corpus[0]);
    assert_eq!(text.content, Content::Text("deux bouilloires".into()));
    assert_eq!(text.sent_at, Some(Timestamp::from_seconds(1_764_763_200)));
    assert!(text.sender.unwrap().is_person);
    let voice = Attachment { media: Media::Voice, file: "V".into(), seconds: Some(7) };
    assert_eq!(message(&corpus[1]).content, Content::File { attachment: voice, caption: None, album: None });
    let photo = Attachment { media: Media::Photo, file: "L".into(), seconds: None };
    let (caption, album) = (Some("une table".into()), Some("9".into()));
    assert_eq!(message(&corpus[2]).content, Content::File { attachment: photo, caption, album });
    assert_eq!(message(&corpus[3]).reply_to, Some(MessageId(3)));
    assert_eq!(message(&corpus[4]).content, Content::Unsupported { what: Unsupported::Other, caption: None });
    let film = Content::Unsupported { what: Unsupported::File, caption: Some("voilà".into()) };
    assert_eq!(message(&corpus[5]).content, film);
    let IncomingKind::Tap(tap) = read(&corpus[6]) else { panic!() };
    assert_eq!(
        (tap.id.as_str(), tap.message, tap.data.as_deref()),
        ("77", Some(MessageId(6)), Some("1v0.1"))
    );
    let IncomingKind::Membership(change) = read(&corpus[7]) else { panic!() };
    assert!(!change.present && change.chat.is_private());
    assert!(matches!(read(&corpus[8]), IncomingKind::Edited(_)));
    assert_eq!(read(&corpus[9]), IncomingKind::Unknown("poll_answer".into()));
}

#[test]
fn an_unknown_origin_an_unknown_member_and_an_odd_order_lose_no_text() {
    // Each of these makes teloxide's own types lose the text.
    let update = r#"{"brand_new":{"kind":1},"message":{"forward_origin":{"type":"from_mars"},"novelty":[],
        "chat":{"id":7,"type":"private"},"message_id":5,"te\u0078t":"bonjour"},"update_id":10}"#;
    let IncomingKind::Message(message) = Incoming::read(update).unwrap().kind else { panic!() };
    assert_eq!(message.content, Content::Text("bonjour".into()));
}

#[test]
fn who_is_not_one_human_being_is_marked() {
    let sender = |change: fn(&mut Value)| {
        let mut update = text_update();
        change(&mut update["message"]);
        message(&update).sender
    };
    assert!(!sender(|message| message["from"]["id"] = json!(1_087_968_824)).unwrap().is_person);
    assert!(!sender(|message| message["from"]["id"] = json!(777_000)).unwrap().is_person);
    assert!(!sender(|message| message["from"]["is_bot"] = json!(true)).unwrap().is_person);
    assert!(!sender(|message| message["sender_chat"] = json!({"id": -1})).unwrap().is_person);
    assert_eq!(sender(|message| message["from"] = json!(null)), None);
}

#[test]
fn groups_and_channels_are_recognised_and_their_remarks_are_no_content() {
    let mut update = text_update();
    update["message"]["chat"] = json!({"id": -100_123, "type": "supergroup"});
    update["message"]["text"] = json!(null);
    update["message"]["new_chat_members"] = json!([{"id": 1, "is_bot": true}]);
    let joined = message(&update);
    assert_eq!(joined.chat.kind, ChatKind::Group);
    assert_eq!(joined.content, Content::Service("new_chat_members"));
    update["message"]["chat"] = json!({"id": -100_123, "type": "channel"});
    assert_eq!(message(&update).chat.kind, ChatKind::Channel);
    update["message"]["chat"] = json!({"id": -5});
    assert_eq!(message(&update).chat.kind, ChatKind::Group);
}

#[test]
fn what_lacks_the_ids_to_answer_by_is_unreadable_and_says_its_number() {
    let unreadable = |json: &str| Incoming::read(json).unwrap_err().update_id;
    assert_eq!(unreadable("not json"), None);
    assert_eq!(unreadable("[]"), None);
    assert_eq!(unreadable(r#"{"message":{"text":"x"}}"#), None);
    assert_eq!(unreadable(r#"{"update_id":9223372036854775808}"#), None);
    assert_eq!(
        unreadable(r#"{"update_id":4,"message":{"text":"x","chat":{"id":"7"},"message_id":1}}"#),
        Some(4)
    );
    assert_eq!(unreadable(r#"{"update_id":5,"callback_query":{"id":"1"}}"#), Some(5));
}

const DEEP: &str = "@deep@";

fn strange(rng: &mut StdRng) -> Value {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5e300),
        json!(9_223_372_036_854_775_808_u64),
        json!([]),
        json!({}),
        json!("\u{0}\u{202e}é🚚"),
        json!([[[[[[[[{"a": [1, null]}]]]]]]]]),
        json!({"type": "from_mars", "id": "x"}),
        json!(DEEP),
    ];
    odd.choose(rng).unwrap().clone()
}

/// Changes, removes, renames or adds one value somewhere in the tree.
fn mutate(value: &mut Value, rng: &mut StdRng) {
    match value {
        Value::Object(fields) if !fields.is_empty() && rng.random_bool(0.97) => {
            let (inner, plain): (Vec<String>, Vec<String>) =
                fields.keys().cloned().partition(|name| fields[name].is_object() || fields[name].is_array());
            let deeper = plain.is_empty() || rng.random_bool(0.8);
            let name = inner.choose(rng).filter(|_| deeper).or(plain.choose(rng)).or(inner.first()).unwrap();
            match rng.random_range(0..20) {
                0 => drop(fields.remove(name)),
                1 => drop(fields.insert(format!("new_{name}"), strange(rng))),
                2 => drop(fields.insert(name.clone(), strange(rng))),
                3 => {
                    let taken = fields.remove(name).unwrap();
                    fields.insert(name.to_uppercase(), taken);
                }
                _ => mutate(fields.get_mut(name).unwrap(), rng),
            }
        }
        Value::Array(items) if !items.is_empty() && rng.random_bool(0.97) => {
            let index = rng.random_range(0..items.len());
            mutate(&mut items[index], rng);
        }
        other => *other = strange(rng),
    }
}

/// Damages the bytes: cuts, flips, half escapes.
fn damage(json: &str, rng: &mut StdRng) -> String {
    let mut bytes = json.as_bytes().to_vec();
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..4) {
        0 => bytes.truncate(at),
        1 => bytes[at] = rng.random(),
        2 => drop(bytes.splice(at..at, br"\ud83d".iter().copied())),
        _ => drop(bytes.splice(at..at, br"\x".iter().copied())),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The text that a reader with all the time in the world would find, if the ids around it can be read.
fn text_of(json: &str) -> Option<String> {
    let update: Value = serde_json::from_str(json).ok()?;
    update["update_id"].as_i64()?;
    update["message"]["message_id"].as_i64()?;
    update["message"]["chat"]["id"].as_i64()?;
    Some(update["message"]["text"].as_str()?.to_owned())
}

#[test]
fn ten_thousand_broken_updates_panic_nothing_and_lose_no_text() {
    let mut rng = StdRng::seed_from_u64(20_261_121);
    let corpus = corpus();
    let (mut texts, mut unreadable) = (0, 0);
    for round in 0..10_000 {
        let mut update =
            if round % 2 == 0 { text_update() } else { corpus.choose(&mut rng).unwrap().clone() };
        for _ in 0..rng.random_range(1..3) {
            mutate(&mut update, &mut rng);
        }
        let mut json = update.to_string();
        if rng.random_bool(0.2) {
            json = damage(&json, &mut rng);
        }
        let expected = text_of(&json);
        let json = json.replace(&format!("\"{DEEP}\""), &format!("{}{}", "[".repeat(999), "]".repeat(999)));
        let found = Incoming::read(&json);
        if found.is_err() {
            unreadable += 1;
        }
        if let Some(text) = expected.filter(|text| text != DEEP) {
            let Ok(Incoming { kind: IncomingKind::Message(message), .. }) = found else { panic!("{json}") };
            assert_eq!(message.content, Content::Text(text), "{json}");
            texts += 1;
        }
    }
    assert!(
        texts > 2_000 && unreadable > 1_000,
        "the generator lost its bite: {texts} texts, {unreadable} unreadable"
    );
}

#[test]
fn half_a_surrogate_pair_costs_one_character_and_not_the_text() {
    let update = r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":7},"text":"un vélo \ud83d!"}}"#;
    let IncomingKind::Message(message) = Incoming::read(update).unwrap().kind else { panic!() };
    let Content::Text(text) = message.content else { panic!() };
    assert!(text.starts_with("un vélo ") && text.ends_with('!'));
}
