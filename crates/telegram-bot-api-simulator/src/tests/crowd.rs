//! Many users, two threads, a bad network, and no wait in vain.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::{Fault, Rule, User};
use super::{Bench, UserProfile};

/// Users, and conversations of each.
const PEOPLE: i64 = 40;
const TURNS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_served_on_a_bad_network() {
    let bench = Arc::new(Bench::start().await);
    bench.simulator.faults(|faults| {
        faults.add(Rule::sometimes(0.02, Fault::DropAfter));
        faults.add(Rule::sometimes(0.02, Fault::DropBefore));
        faults.repeat_every = 10;
        faults.double_taps = 0.33;
    });
    let bot = tokio::spawn(echo(bench.clone()));
    let mut people = JoinSet::new();
    for id in 1..=PEOPLE {
        let person = bench.simulator.user(UserProfile::new(id, "Someone", "fr"));
        people.spawn(async move {
            for turn in 0..TURNS {
                converse(&person, turn).await;
            }
        });
    }
    people.join_all().await;
    bot.abort();
    assert!(bench.simulator.calls_with("sendMessage", 0) > 0, "the network was bad");
}

async fn converse(person: &User, turn: usize) {
    let before = person.changes();
    let text = format!("note {turn}");
    person.says(&text);
    let card = person.wait_message_after(before).await.unwrap();
    person.taps_on(card.id, "Oui").unwrap();
    let done = |chat: &super::super::Chat| chat.message(card.id).is_some_and(|card| card.text() == "done");
    person.wait_for("the edit", done).await.unwrap();
}

/// Answers a text with a card and a tap with an edit, each as often as the network needs.
async fn echo(bench: Arc<Bench>) {
    let (mut offset, mut handled) = (0, HashSet::new());
    loop {
        let poll = json!({"offset": offset, "timeout": 50});
        let Ok(answer) = bench.try_call("getUpdates", poll).await else { continue };
        for update in answer.result().as_array().unwrap() {
            let id = update["update_id"].as_i64().unwrap();
            offset = offset.max(id + 1);
            if handled.insert(id) {
                react(&bench, update).await;
            }
        }
    }
}

async fn react(bench: &Bench, update: &Value) {
    let keyboard = json!({"inline_keyboard": [[{"text": "Oui", "callback_data": "y"}]]});
    let card = &update["callback_query"]["message"];
    let (method, call) = if card.is_object() {
        (
            "editMessageText",
            json!({"chat_id": card["chat"]["id"], "message_id": card["message_id"], "text": "done"}),
        )
    } else {
        let chat = &update["message"]["chat"]["id"];
        ("sendMessage", json!({"chat_id": chat, "text": update["message"]["text"], "reply_markup": keyboard}))
    };
    while bench.try_call(method, call.clone()).await.is_err() {}
}
