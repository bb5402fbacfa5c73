//! Many concurrent users on a bad network: no flow fails, and the ledger holds each confirmed deposit, once.

use std::collections::BTreeSet;

use bot_api_simulator::{Chat, Fault, Rule, User};
use deposit::Status;
use depot_bot::clock::Clock;
use tokio::task::JoinSet;

use crate::bot::{Behind, TestBot};

const PEOPLE: i64 = 200;
const FLOWS: usize = 3;

/// How a flow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Validated,
    Corrected,
    Cancelled,
}

/// The endings of one user: of ten flows, seven are validated, two corrected, one cancelled.
fn endings(person: i64) -> impl Iterator<Item = Ending> {
    (0..FLOWS).map(move |flow| match (usize::try_from(person).unwrap() + flow) % 10 {
        0..7 => Ending::Validated,
        7..9 => Ending::Corrected,
        _ => Ending::Cancelled,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_users_on_a_bad_network_polling() {
    all_users_are_served(Behind::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_users_on_a_bad_network_polling_with_redis() {
    all_users_are_served(Behind::SqliteAndRedis, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_users_on_a_bad_network_by_webhook() {
    all_users_are_served(Behind::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_users_on_a_bad_network_by_webhook_with_redis() {
    all_users_are_served(Behind::SqliteAndRedis, true).await;
}

async fn all_users_are_served(behind: Behind, by_webhook: bool) {
    let address = free_address();
    let url = format!("http://{address}/telegram");
    let mut variables = vec![("ACCESS_MODE", "open")];
    if by_webhook {
        variables.extend([("TELEGRAM_WEBHOOK_URL", url.as_str()), ("WEBHOOK_BIND", address.as_str())]);
        variables.push(("TELEGRAM_WEBHOOK_SECRET", "a_secret_of_the_load_tests"));
    }
    let bot = TestBot::on(Clock::system(), behind, &variables).await;
    bot.telegram.faults(|faults| {
        faults.repeat_every = 10;
        faults.double_taps = 0.33;
        faults.add(Rule::sometimes(0.02, Fault::DropAfter));
    });
    let mut people = JoinSet::new();
    for id in 1..=PEOPLE {
        let person = bot.user(id);
        people.spawn(async move {
            for ending in endings(id) {
                flow(&person, ending).await.unwrap_or_else(|error| panic!("{ending:?}: {error:#}"));
            }
        });
    }
    people.join_all().await;
    bot.telegram.faults(bot_api_simulator::Faults::clear);
    assert!(bot.telegram.calls_with("sendMessage", 0) > 0, "the network was bad");
    assert_eq!(bot.telegram.webhook_url().is_some(), by_webhook);
    strays_are_answered(&bot).await;
    ledger_holds_what_was_seen(&bot).await;
}

/// A loopback address without a listener.
fn free_address() -> String {
    crate::servers::free_address().to_string()
}

/// One deposit, by a user who looks at the newest card and taps again when told that it has changed.
async fn flow(user: &User, ending: Ending) -> anyhow::Result<()> {
    let before = user.wait("the chat", |chat| Some(confirmed(chat))).await.unwrap_or_default();
    let new_number = |chat: &Chat| confirmed(chat).len() > before.len();
    user.says("une bouilloire, un kilo deux");
    user.wait_for("a card", |chat| chat.from_bot().any(|message| message.button("Valider").is_some()))
        .await?;
    match ending {
        Ending::Validated => tap_until(user, "Valider", new_number).await,
        Ending::Corrected => {
            tap_until(user, "Corriger", |chat| has_button(chat, "Maison")).await?;
            tap_until(user, "Maison", |chat| has_button(chat, "Vaisselle")).await?;
            tap_until(user, "Vaisselle", new_number).await
        }
        Ending::Cancelled => {
            let before = user.messages().iter().filter(|message| message.shows("abandonné")).count();
            tap_until(user, "Annuler", |chat| {
                chat.from_bot().filter(|message| message.shows("abandonné")).count() > before
            })
            .await
        }
    }
}

/// Taps the newest live button with this label until the chat is as it should be.
async fn tap_until(user: &User, label: &str, is_done: impl Fn(&Chat) -> bool) -> anyhow::Result<()> {
    let what = format!("what «{label}» does");
    loop {
        user.taps(label)?;
        let done = user.wait(&what, |chat| {
            let is_told_to_look = chat.toast_of_last_tap().is_some_and(|toast| {
                toast.text.contains("La fiche a changé") || toast.text.contains("Voici où en est")
            });
            match is_done(chat) {
                true => Some(true),
                false => (is_told_to_look && has_button(chat, label)).then_some(false),
            }
        });
        if done.await? {
            return Ok(());
        }
    }
}

fn has_button(chat: &Chat, label: &str) -> bool {
    chat.from_bot().any(|message| message.button(label).is_some())
}

/// The numbers of the deposits whose confirmation can be read in a chat.
fn confirmed(chat: &Chat) -> BTreeSet<u64> {
    let numbers = chat.from_bot().filter_map(|message| {
        let (_, rest) = message.text().split_once("Dépôt n°\u{a0}")?;
        rest.split_once(" enregistré")?.0.parse().ok()
    });
    numbers.collect()
}

/// A card whose message id was lost with Telegram's answer keeps its buttons; no other does, and a tap on it is
/// answered, changes nothing, and takes them away.
async fn strays_are_answered(bot: &TestBot) {
    let mut strays = 0;
    for id in 1..=PEOPLE {
        let user = bot.user(id);
        let live = |user: &User| {
            user.messages()
                .into_iter()
                .filter(|message| message.button("Valider").is_some())
                .collect::<Vec<_>>()
        };
        for stray in live(&user) {
            strays += 1;
            user.taps_on(stray.id, "Valider").unwrap();
            assert!(user.toast().await.unwrap().text.contains("Voici où en est"));
            user.wait_for("the stray to be rendered", |chat| {
                chat.message(stray.id).is_some_and(|message| message.button("Valider").is_none())
            })
            .await
            .unwrap();
        }
    }
    let lost = bot.telegram.calls_with("sendMessage", 0);
    assert!(strays <= lost, "{strays} cards have buttons, and {lost} ids of messages were lost");
}

async fn ledger_holds_what_was_seen(bot: &TestBot) {
    let mut all = BTreeSet::new();
    for id in 1..=PEOPLE {
        let deposits = bot.deposits(id).await;
        let numbers = |status: Status| -> Vec<u64> {
            deposits.iter().filter(|entry| entry.status == status).filter_map(|entry| entry.number).collect()
        };
        let count = |wanted: &[Ending]| endings(id).filter(|ending| wanted.contains(ending)).count();
        let completed = numbers(Status::Completed);
        let seen = bot.user(id).wait("the chat", |chat| Some(confirmed(chat))).await.unwrap();
        assert_eq!(
            completed.len(),
            count(&[Ending::Validated, Ending::Corrected]),
            "person {id}: none doubled"
        );
        assert_eq!(completed.iter().copied().collect::<BTreeSet<_>>(), seen, "person {id}: what was seen");
        let cancelled = deposits.iter().filter(|entry| entry.status == Status::Cancelled).count();
        assert_eq!(cancelled, count(&[Ending::Cancelled]), "person {id}");
        // A category that so many users chose is soon proposed: it is still chosen here.
        let corrected =
            deposits.iter().filter(|entry| entry.draft.lines.iter().any(|line| line.chosen.is_some()));
        assert_eq!(corrected.count(), count(&[Ending::Corrected]), "person {id}");
        all.extend(completed);
    }
    let total = (1..=PEOPLE).flat_map(endings).filter(|ending| *ending != Ending::Cancelled).count();
    assert_eq!(all.len(), total, "each deposit has a number of its own");
}
