//! Ten thousand malformed updates: the bot lives and stays ready, no text is lost, and well-formed updates are answered.

use std::collections::{HashMap, HashSet};

use deposit::UserId;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::bot::{Behind, TestBot};
use crate::process::get;

/// The first of the users who occur in no update but their own.
const FIRST: i64 = 5_000_000;
/// After so many updates a user writes a well-formed one.
const WELL_FORMED_EVERY: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_thousand_malformed_updates_are_polled() {
    let bot = TestBot::start().await;
    survives(&bot, 8_000, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_malformed_updates_that_are_not_even_json_come_by_webhook() {
    let address = crate::servers::free_address().to_string();
    let variables = [
        ("ACCESS_MODE", "open"),
        ("TELEGRAM_WEBHOOK_URL", &format!("http://{address}/telegram")),
        ("TELEGRAM_WEBHOOK_SECRET", "a_secret_of_the_malformed_tests"),
        ("WEBHOOK_BIND", &address),
    ];
    let bot = TestBot::with(Behind::Sqlite, &variables).await;
    survives(&bot, 2_000, true).await;
}

async fn survives(bot: &TestBot, updates: usize, damages: bool) {
    let mut rng = StdRng::seed_from_u64(20_261_121);
    let mut texts = HashMap::new();
    for round in 0..updates {
        let person = FIRST + i64::try_from(round).unwrap();
        let original = corpus(person).choose(&mut rng).unwrap().clone();
        let mut update = original.clone();
        for _ in 0..rng.random_range(1..3) {
            mutate(&mut update, &mut rng);
        }
        let json = update.to_string().replacen('{', r#"{"update_id":$UPDATE_ID,"#, 1).replace(",}", "}");
        if damages && rng.random_bool(0.5) {
            bot.telegram.inject_json(&damage(&json, &mut rng));
        } else {
            texts.extend(text_that_must_not_be_lost(&original, &update).map(|text| (person, text)));
            bot.telegram.inject_json(&json);
        }
        if round % WELL_FORMED_EVERY == 0 {
            let user = bot.user(1 + i64::try_from(round).unwrap());
            user.says("/aide");
            user.sees("/mesdepots").await.unwrap();
        }
    }
    bot.telegram.wait_for("every update to be acknowledged", |it| it.pending_updates() == 0).await.unwrap();
    let service = bot.app().service();
    assert!(texts.len() > updates / 20, "the generator lost its bite: {} texts", texts.len());
    for (person, text) in texts {
        let session = service.get(service.key(UserId(person))).await.unwrap();
        let said = session.as_ref().and_then(|session| session.draft()).map(|draft| draft.said.clone());
        assert_eq!(said, Some(vec![text]), "person {person}");
    }
    let (status, ready) = get(&bot.app().http.to_string(), "/health/ready").await;
    assert_eq!(status, 200, "{ready}");
    let dead_letters = bot.app().tables().dead_letters.list(u32::MAX).await.unwrap();
    let reasons: HashSet<&str> = dead_letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert!(reasons.contains("unreadable"), "{reasons:?}");
    assert!(!reasons.contains("panicked") && !reasons.contains("timed_out"), "{reasons:?}");
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees("enregistré").await.unwrap();
}

fn corpus(person: i64) -> [Value; 8] {
    let message = |changes: Value| {
        let mut message = json!({"message_id": 5, "date": 1_780_000_000,
            "chat": {"id": person, "type": "private", "first_name": "Ana"},
            "from": {"id": person, "is_bot": false, "first_name": "Ana", "language_code": "fr"}});
        message.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({ "message": message })
    };
    let text = message(json!({"text": format!("une bouilloire pour {person}"),
        "forward_origin": {"type": "hidden_user", "sender_user_name": "x", "date": 1},
        "entities": [{"type": "bold", "offset": 0, "length": 4}]}));
    [
        text.clone(),
        text.clone(),
        text.clone(),
        text,
        message(json!({"voice": {"file_id": "V", "duration": 7, "mime_type": "audio/ogg"}})),
        message(json!({"photo": [{"file_id": "S", "width": 90, "height": 90}], "caption": "une table"})),
        json!({"callback_query": {"id": "77", "chat_instance": "1", "data": "1v0000000000000000.1",
            "from": {"id": person, "is_bot": false, "first_name": "Ana"},
            "message": {"message_id": 6, "date": 0, "chat": {"id": person, "type": "private"}}}}),
        json!({"my_chat_member": {"chat": {"id": person, "type": "private"}, "date": 1,
            "from": {"id": person, "is_bot": false, "first_name": "Ana"},
            "old_chat_member": {"status": "member"}, "new_chat_member": {"status": "kicked"}}}),
    ]
}

/// The text, where nothing was changed that says by whom and where it was written.
fn text_that_must_not_be_lost(original: &Value, update: &Value) -> Option<String> {
    let (before, now) = (&original["message"], &update["message"]);
    let untouched =
        ["message_id", "date", "chat", "from", "text"].iter().all(|name| before[name] == now[name]);
    let speaks_for_itself = untouched && now.get("sender_chat").is_none();
    speaks_for_itself.then(|| now["text"].as_str().map(str::to_owned)).flatten()
}

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
    ];
    odd.choose(rng).unwrap().clone()
}

/// Changes, removes, renames or adds one value somewhere in the tree.
fn mutate(value: &mut Value, rng: &mut StdRng) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = names.choose(rng).unwrap();
            match rng.random_range(0..10) {
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
        Value::Array(items) if !items.is_empty() => {
            let index = rng.random_range(0..items.len());
            mutate(&mut items[index], rng);
        }
        other => *other = strange(rng),
    }
}

/// Damages the text: cuts it, or puts half an escape or a byte of rubbish into it.
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
