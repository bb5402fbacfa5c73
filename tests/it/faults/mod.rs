//! The fault matrix (`docs/RELIABILITY.md`): each test names the fault that it injects by its F-number.

mod connections;
mod instruments;
mod late;
mod outages;
mod postgres;
mod queue;
mod redis;
mod replies;
mod said;
mod secrets;
mod signals;
mod storm;
mod telegram;

use std::collections::BTreeSet;

use bot_api_simulator::{Chat, User};
use deposit::Status;

use crate::bot::TestBot;

/// One deposit from the first word to its confirmation, by a user who only has to wait.
async fn deposits(user: &User) {
    describes(user).await;
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
}

/// Sends the note, and waits for the card below it.
async fn describes(user: &User) -> i64 {
    let said = user.says("une bouilloire, un kilo deux").message_id;
    let card = user.wait("a card below", |chat| {
        chat.from_bot().find(|message| message.id > said && message.button("Valider").is_some()).cloned()
    });
    card.await.unwrap().id
}

/// One deposit by a user who looks at the newest card, and taps again when told that it has changed; its number.
async fn deposits_patiently(user: &User) -> u64 {
    let says = async || {
        user.says("une bouilloire, un kilo deux");
    };
    validates_patiently(user, says).await
}

/// The same, when `first` was done: something after which a card can be validated.
async fn validates_patiently(user: &User, first: impl AsyncFnOnce()) -> u64 {
    let newest = |chat: &Chat| confirmed(chat).last().copied();
    let before = user.wait("the chat", |chat| Some(newest(chat))).await.unwrap();
    first().await;
    let has_card = |chat: &Chat| chat.from_bot().any(|message| message.button("Valider").is_some());
    loop {
        user.wait_for("a card", has_card).await.unwrap();
        if user.taps("Valider").is_err() {
            // It was taken away this moment, for one that comes below.
            continue;
        }
        let done = user.wait("the confirmation", |chat| {
            let is_told_to_look = chat.toast_of_last_tap().is_some_and(|toast| !toast.text.is_empty());
            if newest(chat) > before {
                return Some(newest(chat));
            }
            (is_told_to_look && has_card(chat)).then_some(None)
        });
        if let Some(number) = done.await.unwrap() {
            return number;
        }
    }
}

/// The numbers of the deposits whose confirmation can be read in a chat.
fn confirmed(chat: &Chat) -> BTreeSet<u64> {
    let numbers = chat.from_bot().filter_map(|message| {
        let (_, rest) = message.text().split_once("Dépôt n°\u{a0}")?;
        rest.split_once(" enregistré")?.0.parse().ok()
    });
    numbers.collect()
}

/// The ledger holds each deposit that the user saw confirmed as completed, once, and so many of them.
async fn holds_what_was_seen(bot: &TestBot, user: i64, deposits: usize) {
    let person = bot.user(user);
    let seen = person.wait("the chat", |chat| Some(confirmed(chat))).await.unwrap();
    assert_eq!(seen.len(), deposits, "person {user}: {seen:?}\n{}", person.transcript());
    holds(bot, user, &seen).await;
}

/// The ledger holds these deposits of a user as completed, once each, and no others.
async fn holds(bot: &TestBot, user: i64, seen: &BTreeSet<u64>) {
    let entries = bot.deposits(user).await;
    let completed: Vec<u64> = entries
        .iter()
        .filter(|entry| entry.status == Status::Completed)
        .filter_map(|entry| entry.number)
        .collect();
    assert_eq!(completed.len(), seen.len(), "person {user}: none missing, none doubled: {completed:?}");
    assert_eq!(completed.into_iter().collect::<BTreeSet<_>>(), *seen, "person {user}: what was seen");
}
