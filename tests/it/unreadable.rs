//! Conversations that cannot be read, through the front door: a corrupt one begins anew, a newer one is left alone.

use deposit::{BotId, ChatId, Status, UserId};
use depot_bot::database::{Connection, Database, Job};
use depot_bot::store::keys::{Keys, PREFIX};
use depot_bot::{execute, fetch_all, fetch_one};
use secrecy::SecretString;
use session::SessionKey;

use crate::bot::{Behind, TestBot};

const KEY: SessionKey = SessionKey { bot: BotId(4242), chat: ChatId(7), user: UserId(7) };

async fn database(bot: &TestBot) -> Database {
    Database::connect(&SecretString::from(bot.variable("DATABASE_URL"))).await.unwrap()
}

/// Replaces what the store has of user 7, in the primary.
async fn spoil(bot: &TestBot, document: &str) {
    match &bot.redis {
        Some(redis) => {
            let value = format!("1:1:1:{document}");
            redis.command::<()>(&["SET", &Keys::new(PREFIX, KEY.bot).session(KEY), &value]);
        }
        None => database(bot).await.write(Spoil(document.to_owned())).await.unwrap(),
    }
}

/// The document of user 7 as the store has it.
async fn stored(bot: &TestBot) -> String {
    match &bot.redis {
        Some(redis) => redis.command(&["GET", &Keys::new(PREFIX, KEY.bot).session(KEY)]),
        None => database(bot).await.read(Stored).await.unwrap(),
    }
}

struct Spoil(String);

impl Job for Spoil {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "update sessions set document = $2 where owner = $1";
        let rows = execute!(connection, sql, KEY.user.0, &self.0)?;
        assert_eq!(rows, 1);
        Ok(())
    }
}

struct Stored;

impl Job for Stored {
    type Output = String;

    async fn run(&self, connection: &mut Connection) -> Result<String, sqlx::Error> {
        let (document,): (String,) =
            fetch_one!(connection, "select document from sessions where owner = $1", KEY.user.0)?;
        Ok(document)
    }
}

struct Quarantined;

impl Job for Quarantined {
    type Output = Vec<(i64, String, String)>;

    async fn run(&self, connection: &mut Connection) -> Result<Self::Output, sqlx::Error> {
        fetch_all!(connection, "select owner, document, reason from quarantine order by found_at")
    }
}

async fn a_corrupt_conversation_begins_anew(behind: Behind) {
    let mut bot = TestBot::with(behind, &[("ACCESS_MODE", "open")]).await;
    let user = bot.user(7);
    user.says("un vélo");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let recorded = bot.deposits(7).await[0].clone();
    let spoilt = ["garbage", "", "{\"schema\":1,\"key\":", "{\"schema\":1}"];
    for (round, garbage) in spoilt.into_iter().enumerate() {
        user.says("deux chaises");
        user.sees_new("Valider").await.unwrap();
        bot.rests(7).await;
        bot.stop().await;
        spoil(&bot, garbage).await;
        bot.resume().await;
        if round % 2 == 0 {
            user.says("une table");
        } else {
            // A tap on the card of the lost conversation.
            user.taps("Valider").unwrap();
        }
        user.sees_new("Je n'ai pas pu relire notre conversation").await.unwrap();
        if round % 2 != 0 {
            user.says("une table");
        }
        user.sees_new("table").await.unwrap();
        user.taps("Valider").unwrap();
        user.sees_new("enregistré").await.unwrap();
        bot.rests(7).await;
    }
    let deposits = bot.deposits(7).await;
    assert_eq!(bot.completed(7).await, 1 + spoilt.len());
    let draft = &deposits.iter().find(|entry| entry.draft.id == recorded.draft.id).unwrap().draft;
    assert_eq!(*draft, recorded.draft, "what was recorded stays");
    assert!(deposits.iter().all(|entry| entry.draft.lines.len() == 1), "{deposits:?}");
    let kept = database(&bot).await.read(Quarantined).await.unwrap();
    assert_eq!(kept.len(), spoilt.len(), "{kept:?}");
    for garbage in spoilt {
        assert!(kept.iter().any(|(_, document, _)| document.ends_with(garbage)), "{kept:?}");
    }
    assert!(kept.iter().all(|(owner, _, reason)| *owner == 7 && !reason.is_empty()), "{kept:?}");
    assert!(bot.app().tables().dead_letters.list(10).await.unwrap().is_empty(), "no update was lost to it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_conversation_begins_anew_on_sqlite() {
    a_corrupt_conversation_begins_anew(Behind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_conversation_begins_anew_on_redis() {
    a_corrupt_conversation_begins_anew(Behind::SqliteAndRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_spoilt_while_the_bot_runs_is_found_by_its_next_commit() {
    let bot = TestBot::with(Behind::SqliteAndRedis, &[("ACCESS_MODE", "open")]).await;
    let user = bot.user(7);
    user.says("deux chaises");
    user.sees_new("Valider").await.unwrap();
    bot.rests(7).await;
    spoil(&bot, "garbage").await;
    user.says("une table");
    user.sees_new("Je n'ai pas pu relire notre conversation").await.unwrap();
    user.sees_new("table").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.completed(7).await, 1);
}

/// The conversation of user 7 is open and a newer release wrote it last.
async fn left_by_a_newer_release(bot: &mut TestBot) -> String {
    let user = bot.user(7);
    user.says("deux chaises");
    user.sees_new("Valider").await.unwrap();
    bot.rests(7).await;
    bot.stop().await;
    let text = stored(bot).await;
    let document = &text[text.find('{').unwrap()..];
    let current = format!("\"schema\":{},", session::SCHEMA);
    spoil(bot, &document.replacen(&current, "\"schema\":1000,", 1)).await;
    let newer = stored(bot).await;
    assert!(newer.contains("\"schema\":1000,"));
    bot.resume().await;
    newer
}

/// So many users' sessions, due long ago and unreadable.
struct Crowd(i64);

impl Job for Crowd {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            insert into sessions (bot, chat, owner, epoch, version, commit_id, schema, document, due_at, updated_at)
            values ($1, $2, $2, 1, 1, 1, 1000, '{\"schema\":1000}', $3, $3)";
        for person in 0..self.0 {
            execute!(&mut *connection, sql, KEY.bot.0, 1_000_000 + person, 1_000)?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_conversations_that_cannot_be_read_do_not_keep_others_from_expiring() {
    let bot = TestBot::start().await;
    database(&bot).await.write(Crowd(300)).await.unwrap();
    let user = bot.user(7);
    user.says("deux chaises");
    user.sees_new("Valider").await.unwrap();
    bot.rests(7).await;
    bot.advance(301);
    user.sees_new("Reprendre").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].status, Status::Expired);
}

async fn is_served(bot: &TestBot, id: i64) {
    let user = bot.user(id);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_conversation_is_left_alone_by_the_webhook_and_comes_again() {
    let address = crate::servers::free_address().to_string();
    let (url, secret) = (format!("http://{address}/telegram"), "a_secret_of_the_unreadable_tests");
    let variables = [
        ("ACCESS_MODE", "open"),
        ("TELEGRAM_WEBHOOK_URL", url.as_str()),
        ("TELEGRAM_WEBHOOK_SECRET", secret),
        ("WEBHOOK_BIND", &address),
    ];
    let mut bot = TestBot::with(Behind::SqliteAndRedis, &variables).await;
    let newer = left_by_a_newer_release(&mut bot).await;
    let update = r#"{"update_id":900000001,"message":{"message_id":900,"date":1780000000,"text":"une table",
        "chat":{"id":7,"type":"private"},"from":{"id":7,"is_bot":false,"first_name":"P"}}}"#;
    let posted = reqwest::Client::builder().no_proxy().build().unwrap().post(&url);
    let posted = posted.header("X-Telegram-Bot-Api-Secret-Token", secret).body(update);
    let answer = posted.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    bot.user(7).says("une lampe");
    is_served(&bot, 8).await;
    assert_eq!(stored(&bot).await, newer, "not a byte of it is changed");
    let kept = bot.app().tables().dead_letters.list(10).await.unwrap();
    assert!(kept.is_empty(), "{kept:?}");
    assert_eq!(bot.telegram.pending_updates(), 1, "the message of its owner waits in Telegram");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_session_delays_no_user_when_polling() {
    let mut bot = TestBot::start().await;
    let newer = left_by_a_newer_release(&mut bot).await;
    let user = bot.user(7);
    user.says("une lampe");
    for id in 8..11 {
        is_served(&bot, id).await;
    }
    assert_eq!(bot.telegram.pending_updates(), 7, "nothing behind the held update is confirmed");
    let (status, ready) = crate::process::get(&bot.app().http.to_string(), "/health/ready").await;
    assert_eq!(status, 200, "{ready}");
    // So many updates wait behind it by now that it becomes a dead letter, and its sender is told.
    for id in 100..150 {
        bot.user(id).says("/aide");
    }
    user.sees_new("votre message est mis de côté").await.unwrap();
    bot.telegram.wait_for("everything to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
    let kept = bot.app().tables().dead_letters.list(10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].reason == "newer_session" && kept[0].raw.contains("une lampe"), "{kept:?}");
    assert_eq!(stored(&bot).await, newer, "not a byte of it is changed");
    is_served(&bot, 8).await;
}
