//! Faults of Telegram's queue: it goes silent, repeats itself, restarts its numbers, forgets taps: F45, F46, F51, F52.

use bot_api_simulator::{Sent, User};
use deposit::Status;
use depot_bot::clock::Clock;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::bot::{Behind, START, TestBot};
use crate::faults::{deposits, describes, holds_what_was_seen, validates_patiently};
use crate::process::until;
use crate::proxy::{FaultProxy, Line};

const OPEN: [(&str, &str); 1] = [("ACCESS_MODE", "open")];
const SECRET: &str = "a_secret_of_the_queue_tests";

/// F45: getUpdates hangs. The 409 is in `intake.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f45_a_poll_that_hangs_is_noticed_within_ninety_seconds_and_loses_nothing() {
    let mut bot = TestBot::prepared(Clock::manual(START), Behind::Sqlite, &OPEN).await;
    let proxy = FaultProxy::to_tcp(bot.telegram.url().replace("http://", "")).await.unwrap();
    bot.set("TELEGRAM_API_URL", &format!("http://{}", proxy.address()));
    bot.resume().await;
    let user = bot.user(7);
    describes(&user).await;
    bot.rests(7).await;
    proxy.set(Line::BlackHole);
    user.says("et une chaise");
    bot.advance(91);
    let http = bot.app().http.to_string();
    let deaf = bot.while_time_passes(until(&http, "/health/ready", 503)).await;
    assert!(deaf.contains("nothing was fetched"), "{deaf}");
    proxy.set(Line::Clear);
    user.sees("2. ").await.unwrap();
    bot.while_time_passes(until(&http, "/health/ready", 200)).await;
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    holds_what_was_seen(&bot, 7, 1).await;
}

/// F45: each batch comes again after it was confirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f45_an_old_batch_that_comes_again_changes_nothing() {
    let bot = TestBot::with(Behind::SqliteAndRedis, &OPEN).await;
    bot.telegram.faults(|faults| faults.repeat_every = 1);
    let user = bot.user(7);
    for _ in 0..5 {
        deposits(&user).await;
    }
    bot.telegram.wait_for("the last repetition", |it| it.pending_updates() == 0).await.unwrap();
    bot.rests(7).await;
    holds_what_was_seen(&bot, 7, 5).await;
    assert_eq!(user.messages().len(), 10, "one card for each note: {}", user.transcript());
}

/// Telegram's deliveries: it posts an update that it has posted before.
struct Again {
    url: String,
    client: reqwest::Client,
    posted: Vec<Value>,
    rng: StdRng,
}

impl Again {
    fn note(&mut self, user: i64, sent: Sent, text: &str) {
        let person = json!({"id": user, "is_bot": false, "first_name": "Ana", "language_code": "fr"});
        let chat = json!({"id": user, "type": "private", "first_name": "Ana"});
        self.posted.push(json!({"update_id": sent.update_id, "message": {"message_id": sent.message_id,
            "date": START.0 / 1_000, "chat": chat, "from": person, "text": text}}));
    }

    fn tap(&mut self, user: i64, update: i64, message: i64, data: &str) {
        let person = json!({"id": user, "is_bot": false, "first_name": "Ana", "language_code": "fr"});
        let chat = json!({"id": user, "type": "private", "first_name": "Ana"});
        self.posted.push(json!({"update_id": update, "callback_query": {"id": "1", "chat_instance": "1",
            "from": person, "data": data, "message": {"message_id": message, "date": START.0 / 1_000, "chat": chat}}}));
    }

    /// Posts some of it again, 1 to 5 times each; how many that were.
    async fn some(&mut self) -> usize {
        let mut count = 0;
        for _ in 0..self.posted.len().min(10) {
            let update = self.posted.choose(&mut self.rng).unwrap();
            for _ in 0..self.rng.random_range(1..=5) {
                let post = self.client.post(&self.url).header("x-telegram-bot-api-secret-token", SECRET);
                assert_eq!(post.json(update).send().await.unwrap().status(), 200);
                count += 1;
            }
        }
        count
    }
}

/// F46: each update 1 to 5 times more, minutes to a day later, on every engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_updates_that_come_again_within_a_day_are_done_once() {
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis, Behind::Postgres] {
        let address = crate::servers::free_address();
        let url = format!("http://{address}/telegram");
        let variables = [
            ("ACCESS_MODE", "open"),
            ("TELEGRAM_WEBHOOK_URL", url.as_str()),
            ("TELEGRAM_WEBHOOK_SECRET", SECRET),
            ("WEBHOOK_BIND", &address.to_string()),
        ];
        let bot = TestBot::with(behind, &variables).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut again = Again { url, client, posted: Vec::new(), rng: StdRng::seed_from_u64(46) };
        let (mut flows, mut repeated) = (0, 0);
        let person = bot.user(7);
        // Minutes, then hours: a day and a half in all.
        for pause in [0, 180, 240, 1_200, 3_600, 10_800, 21_600, 36_000, 43_200] {
            bot.rests(7).await;
            bot.advance(pause);
            repeated += again.some().await;
            let sent = person.says("une bouilloire");
            again.note(7, sent, "une bouilloire");
            let card = person.sees_new("Valider").await.unwrap();
            repeated += again.some().await;
            let data = card.button("Valider").unwrap().data.clone().unwrap();
            let tap = person.taps("Valider").unwrap();
            again.tap(7, tap.update_ids[0], card.id, &data);
            person.sees_new("enregistré").await.unwrap();
            flows += 1;
        }
        repeated += again.some().await;
        bot.rests(7).await;
        holds_what_was_seen(&bot, 7, flows).await;
        let messages = person.messages();
        assert_eq!(messages.len(), 2 * flows, "a repetition is not answered: {}", person.transcript());
        let keyboards = messages.iter().filter(|message| message.button("Valider").is_some()).count();
        assert_eq!(keyboards, 0, "{behind:?}");
        println!("F46 {behind:?}: {} updates, {repeated} repetitions, none done twice", again.posted.len());
    }
}

/// F51: ten minutes without the bot; 200 users wrote meanwhile, and the taps of 50 are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f51_after_ten_minutes_away_every_note_counts_and_a_lost_tap_is_asked_again() {
    let mut bot = TestBot::start().await;
    let (writing, tapping): (Vec<User>, Vec<User>) =
        ((1..=200).map(|id| bot.user(id)).collect(), (201..=250).map(|id| bot.user(id)).collect());
    for user in writing.iter().step_by(2).chain(&tapping) {
        user.says("une bouilloire");
    }
    for user in writing.iter().step_by(2).chain(&tapping) {
        user.sees("Valider").await.unwrap();
    }
    bot.stop().await;
    bot.advance(60);
    for user in &tapping {
        user.taps("Valider").unwrap();
    }
    for user in &writing {
        user.says("deux chaises");
    }
    bot.advance(540);
    assert_eq!(bot.telegram.pending_updates(), 200, "Telegram keeps a tap for 150 s");
    bot.resume().await;
    for (number, user) in writing.iter().enumerate() {
        let card = user.sees("chaises").await.unwrap();
        assert_eq!(card.shows("bouilloire"), number % 2 == 0, "nobody was expired: {}", user.transcript());
    }
    for user in &tapping {
        user.sees("Reprendre").await.unwrap();
    }
    for user in &writing {
        // After such a gap open questions are asked again, each on a card below, while users go on.
        validates_patiently(user, async || {}).await;
    }
    for user in &tapping {
        assert_eq!(user.live_keyboards().len(), 1, "asked once: {}", user.transcript());
        assert_eq!(bot.deposits(user.id()).await[0].status, Status::Expired);
        user.taps("Reprendre").unwrap();
        user.sees_new("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        user.sees_new("enregistré").await.unwrap();
    }
    for user in writing.iter().chain(&tapping) {
        holds_what_was_seen(&bot, user.id(), 1).await;
    }
}

/// F52: the numbers of updates begin anew, lower by more than 10⁸.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f52_updates_whose_numbers_begin_anew_far_below_are_handled() {
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis] {
        let mut bot = TestBot::prepared(Clock::system(), behind, &OPEN).await;
        let proxy = FaultProxy::to_tcp(bot.telegram.url().replace("http://", "")).await.unwrap();
        bot.set("TELEGRAM_API_URL", &format!("http://{}", proxy.address()));
        bot.resume().await;
        let user = bot.user(7);
        let before = user.says("/aide").update_id.unwrap();
        user.sees_new("/depot").await.unwrap();
        deposits(&user).await;
        bot.telegram.wait_for("everything to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
        // A poll that waits while they do would wait on for the old ones.
        bot.telegram.restart_ids();
        proxy.interrupt().await;
        let after = user.says("/aide").update_id.unwrap();
        assert!(before - after > 100_000_000, "{before} → {after}");
        user.sees_new("/depot").await.unwrap();
        deposits(&user).await;
        bot.telegram.wait_for("everything to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
        holds_what_was_seen(&bot, 7, 2).await;
    }
}
