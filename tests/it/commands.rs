//! The subcommands, as an operator runs them: their output and exit codes.

use std::collections::HashMap;
use std::process::Output;

use bot_api_simulator::UserProfile;
use depot_bot::config::DEMO_TOKEN;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use crate::process::{PATIENCE, Process, demo, run, telegram, until, variables};
use crate::servers::{RedisServer, postgres_database};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn set(variables: &mut HashMap<String, String>, name: &str, value: &str) {
    variables.insert(name.to_owned(), value.to_owned());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_lists_all_its_mistakes_and_exits_2() {
    let mut variables = HashMap::new();
    let wrong = [
        ("TELEGRAM_BOT_TOKEN", "not-a-token"),
        ("TELEGRAM_WEBHOOK_URL", "http://bot.example.org:1234/x"),
        ("HTTP_BIND", "everywhere"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("DATABASE_URL", "mysql://root:hunter2@db/depot"),
        ("SESSION_TTL_SECONDS", "five"),
        ("ACCESS_MODE", "closed"),
        ("ADMIN_TELEGRAM_IDS", "@odile"),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
        ("TAXONOMY_FILE", "/nowhere.toml"),
        ("LOG_FORMAT", "xml"),
    ];
    for (name, value) in wrong {
        set(&mut variables, name, value);
    }
    for arguments in [&["run"][..], &[], &["check"], &["invite"], &["webhook", "show"]] {
        let output = run(arguments, &variables).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for (name, _) in wrong {
            assert!(said.contains(name), "{arguments:?} does not name {name}: {said}");
        }
        assert!(said.contains("TELEGRAM_WEBHOOK_SECRET") && !said.contains("hunter2"), "{said}");
    }
    for arguments in [&["migrate"][..], &["deposits"], &["healthcheck"]] {
        assert_eq!(run(arguments, &variables).await.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_refuses_the_token_of_the_demo() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    set(&mut variables, "TELEGRAM_BOT_TOKEN", DEMO_TOKEN);
    let output = run(&["run"], &variables).await;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("depot-bot demo"));
    assert_eq!(telegram.calls("getUpdates"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthcheck_exits_as_the_bot_is() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    let bot = Process::start(&variables).await;
    set(&mut variables, "HTTP_BIND", &bot.http);
    until(&bot.http, "/health/ready", 200).await;
    let healthy = run(&["healthcheck"], &variables).await;
    assert_eq!(healthy.status.code(), Some(0), "{}", said(&healthy));
    assert!(said(&healthy).contains("\"intake\""), "{}", said(&healthy));
    drop(bot);
    let gone = run(&["healthcheck"], &variables).await;
    assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_looks_at_the_real_things_and_says_what_to_do() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    let mut redis = RedisServer::start();
    set(&mut variables, "REDIS_URL", &redis.url());
    let good = run(&["check"], &variables).await;
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    for what in ["@simulated_bot", "are polled", "sqlite answers", "version", "no admin is known", "clock"] {
        assert!(said(&good).contains(what), "{what}: {}", said(&good));
    }
    redis.command::<()>(&["config", "set", "maxmemory-policy", "allkeys-lru"]);
    let evicting = run(&["check"], &variables).await;
    assert_eq!(evicting.status.code(), Some(1));
    assert!(said(&evicting).contains("set it to noeviction"), "{}", said(&evicting));
    redis.kill();
    let away = run(&["check"], &variables).await;
    assert_eq!(away.status.code(), Some(1));
    assert!(said(&away).contains("check REDIS_URL"), "{}", said(&away));
    variables.remove("REDIS_URL");
    set(&mut variables, "TELEGRAM_BOT_TOKEN", "4242:AAsomebody_elses_token_0123456789_abcdef");
    let refused = run(&["check"], &variables).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("@BotFather"), "{}", said(&refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_is_shown_as_telegram_has_it() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    let none = run(&["webhook", "show"], &variables).await;
    assert_eq!(none.status.code(), Some(0));
    assert!(said(&none).contains("There is no webhook"), "{}", said(&none));
    let none = run(&["webhook", "delete"], &variables).await;
    assert_eq!(none.status.code(), Some(0));
    let address = crate::servers::free_address().to_string();
    let url = format!("http://{address}/telegram");
    set(&mut variables, "TELEGRAM_WEBHOOK_URL", &url);
    set(&mut variables, "TELEGRAM_WEBHOOK_SECRET", "a_secret_of_the_commands");
    set(&mut variables, "WEBHOOK_BIND", &address);
    let mut bot = Process::start(&variables).await;
    telegram.wait_for("the webhook to be set", |it| it.webhook_url().is_some()).await.unwrap();
    let shown = run(&["webhook", "show"], &variables).await;
    assert!(said(&shown).contains(&format!("Telegram delivers to {url}")), "{}", said(&shown));
    bot.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0));
    assert_eq!(telegram.webhook_url(), Some(url), "a stop leaves the webhook where it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_printed_and_opens_the_door_once() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    variables.remove("ACCESS_MODE");
    let mut bot = Process::start(&variables).await;
    let lonely = |line: &String| line.contains("depot-bot invite --admin");
    assert!(bot.lines.iter().any(lonely), "run says that nobody decides: {:?}", bot.lines);
    let invited = run(&["invite", "--admin"], &variables).await;
    assert_eq!(invited.status.code(), Some(0), "{}", said(&invited));
    let link = said(&invited);
    let token = link.lines().next().unwrap().strip_prefix("https://t.me/simulated_bot?start=").unwrap();
    let [odile, eve] = [1, 2].map(|id| telegram.user(UserProfile::new(id, "Odile", "fr")));
    odile.starts(token);
    odile.sees_new("administrateur").await.unwrap();
    eve.starts(token);
    eve.sees_new("a expiré ou a déjà servi").await.unwrap();
    bot.signal(nix::sys::signal::Signal::SIGTERM);
    bot.ended().await;
    assert!(!bot.lines.join("\n").contains(token), "the token of an invitation is a secret");
    let bot = Process::start(&variables).await;
    assert!(!bot.lines.iter().any(lonely));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposits_are_listed_for_spreadsheets_and_programs() {
    for database in [None, Some(postgres_database())] {
        let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
        let mut variables = variables(&telegram, folder.path());
        if let Some(database) = &database {
            set(&mut variables, "DATABASE_URL", database);
        }
        for _ in 0..2 {
            let migrated = run(&["migrate"], &variables).await;
            assert_eq!(migrated.status.code(), Some(0), "{}", said(&migrated));
        }
        let _bot = Process::start(&variables).await;
        let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
        user.says("deux \"bouilloires\", 1,2 kg");
        user.sees("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        user.sees("enregistré").await.unwrap();
        // No token is needed to read the ledger.
        let only = HashMap::from([("DATABASE_URL".to_owned(), variables["DATABASE_URL"].clone())]);
        let csv = run(&["deposits", "--format", "csv"], &only).await;
        assert_eq!(csv.status.code(), Some(0), "{}", said(&csv));
        let text = String::from_utf8(csv.stdout).unwrap();
        let mut lines = text.lines();
        let columns: Vec<&str> =
            lines.next().unwrap().trim_start_matches('\u{feff}').split([',', ';']).collect();
        for name in ["id", "revision", "number", "status", "by", "at"] {
            assert!(columns.iter().any(|column| column.contains(name)), "{name}: {columns:?}");
        }
        let row = lines.next().unwrap();
        assert!(row.contains("completed") && row.contains("bouilloire"), "{row}");
        assert_eq!(lines.next(), None);
        let jsonl = run(&["deposits"], &only).await;
        let deposit: serde_json::Value = serde_json::from_slice(&jsonl.stdout).unwrap();
        assert_eq!((&deposit["number"], &deposit["status"]), (&1.into(), &"completed".into()));
    }
    let nowhere = HashMap::from([("DATABASE_URL".to_owned(), "sqlite:///proc/nowhere/depot.db".to_owned())]);
    assert_eq!(run(&["migrate"], &nowhere).await.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_prints_one_address_and_serves_its_page_until_it_is_told_to_stop() {
    let mut demo = demo(&HashMap::from([("DEMO_BIND".to_owned(), "127.0.0.1:0".to_owned())]));
    let mut told = BufReader::new(demo.stdout.take().unwrap()).lines();
    let address = timeout(PATIENCE, told.next_line()).await.unwrap().unwrap().unwrap();
    let page = reqwest::get(&address).await.unwrap().text().await.unwrap();
    assert!(
        address.starts_with("http://127.0.0.1:") && page.starts_with("<!doctype html>"),
        "{address}: {page}"
    );
    kill(Pid::from_raw(i32::try_from(demo.id().unwrap()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(timeout(PATIENCE, told.next_line()).await.unwrap().unwrap(), None, "nothing more is printed");
    assert_eq!(timeout(PATIENCE, demo.wait()).await.unwrap().unwrap().code(), Some(0));
}
