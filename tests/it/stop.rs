//! SIGTERM: commits in flight are finished, flushed and logged, and after the next start all users go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bot_api_simulator::{Fault, Rule, Simulator, User, UserProfile};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::process::{Process, listed, telegram, variables};

const PEOPLE: usize = 50;
const FLOWS: usize = 6;
/// How many confirmations are seen before the bot is told to stop.
const BEFORE: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_flushes_and_all_users_go_on_after_the_next_start() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let variables = variables(&telegram, folder.path());
    let mut first = Process::start(&variables).await;
    let (seen, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let (user, seen, enough) = (person(&telegram, number), Arc::clone(&seen), Arc::clone(&enough));
        people.spawn(async move {
            for _ in 0..FLOWS {
                deposits(&user).await;
                if seen.fetch_add(1, Ordering::SeqCst) + 1 == BEFORE {
                    enough.notify_one();
                }
            }
        });
    }
    enough.notified().await;

    let told = Instant::now();
    first.signal(Signal::SIGTERM);
    let status = first.ended().await;
    assert!(told.elapsed() < Duration::from_secs(25), "it took {:?}", told.elapsed());
    assert_eq!(status.code(), Some(0), "{}", first.lines.join("\n"));
    assert!(seen.load(Ordering::SeqCst) < PEOPLE * FLOWS, "people were still talking");
    let last: Value = serde_json::from_str(first.lines.last().unwrap()).unwrap();
    assert!(last["message"].as_str().unwrap().starts_with("the bot is stopped"), "{last}");
    assert!(last["commits"].as_u64().unwrap() > 4 * u64::try_from(BEFORE).unwrap(), "{last}");
    assert!(last["documents"].as_u64().unwrap() >= 40, "{last}");
    assert!(last["leases_given_back"].is_u64(), "{last}");

    let second = Process::start(&variables).await;
    people.join_all().await;
    drop(second);
    let counts = listed(&variables).await;
    assert_eq!(counts.get("completed"), Some(&(PEOPLE * FLOWS)), "{counts:?}");
    assert_eq!(counts.len(), 1, "nothing else became of any: {counts:?}");
}

fn person(telegram: &Simulator, number: usize) -> User {
    telegram.user(UserProfile::new(100 + i64::try_from(number).unwrap(), "Camille", "fr"))
}

/// One deposit, by a user who is patient with a bot that is being restarted.
async fn deposits(user: &User) {
    let said = user.says("une bouilloire, un kilo deux").message_id;
    let card = user.wait("a card below", |chat| {
        chat.from_bot().find(|message| message.id > said && message.button("Valider").is_some()).cloned()
    });
    let card = card.await.unwrap();
    user.taps_on(card.id, "Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_exits_at_once_and_loses_nothing() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let variables = variables(&telegram, folder.path());
    let mut first = Process::start(&variables).await;
    let user = person(&telegram, 1);
    user.says("une bouilloire");
    user.sees("Valider").await.unwrap();
    // Telegram is slow, so that the stop has something to wait for.
    let slow = Fault::Delay(Duration::from_secs(9));
    telegram.faults(|faults| faults.add(Rule::every_call(slow).on("editMessageText")));
    user.taps("Valider").unwrap();
    telegram.wait_for("the tap to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
    first.signal(Signal::SIGTERM);
    first.says("stopping").await;
    first.signal(Signal::SIGTERM);
    let status = first.ended().await;
    assert_eq!(status.code(), Some(130), "{}", first.lines.join("\n"));
    telegram.faults(bot_api_simulator::Faults::clear);
    let _second = Process::start(&variables).await;
    user.sees("Dépôt n°\u{a0}1 enregistré").await.unwrap();
    assert_eq!(listed(&variables).await.get("completed"), Some(&1));
}
