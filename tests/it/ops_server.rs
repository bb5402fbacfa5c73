//! The ops server of a real bot: probes that name the fault, metrics without personal data, and no secret anywhere.

use bot_api_simulator::{Fault, Faults, Rule, UserProfile};
use depot_bot::telemetry::metric;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;

use crate::bot::{Behind, TestBot};
use crate::process::{Process, TOKEN, get, run, telegram, until, variables};
use crate::servers::RedisServer;

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_works_is_alive_started_and_ready_on_every_engine() {
    for behind in Behind::ALL {
        let bot = TestBot::with(behind, &[("ACCESS_MODE", "open")]).await;
        let http = bot.app().http.to_string();
        let ready = parsed(&until(&http, "/health/ready", 200).await);
        assert_eq!(ready["state"], "ok", "{behind:?}: {ready}");
        let names: Vec<&str> = ready["components"].as_object().unwrap().keys().map(String::as_str).collect();
        let wanted: &[&str] = match behind {
            Behind::Sqlite => &["intake", "sessions", "sqlite"],
            Behind::SqliteAndRedis => &["intake", "redis", "sessions", "sqlite"],
            Behind::Postgres => &["intake", "postgres", "sessions"],
            Behind::PostgresAndRedis => &["intake", "postgres", "redis", "sessions"],
        };
        assert_eq!(names, wanted);
        assert_eq!(get(&http, "/health/startup").await.0, 200);
        let (status, live) = get(&http, "/health/live").await;
        assert_eq!((status, &parsed(&live)["is_alive"]), (200, &json!(true)), "{live}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_stops_is_not_ready_and_still_alive() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut bot = Process::start(&variables(&telegram, folder.path())).await;
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    // Telegram is slow, so that the stop has to wait.
    let slow = Fault::Delay(Duration::from_secs(9));
    telegram.faults(|faults| faults.add(Rule::every_call(slow).on("sendMessage")));
    until(&bot.http, "/health/ready", 200).await;
    user.says("une bouilloire");
    user.sees("Valider").await.unwrap();
    bot.signal(Signal::SIGTERM);
    bot.says("stopping").await;
    let (live, ready) = tokio::join!(get(&bot.http, "/health/live"), until(&bot.http, "/health/ready", 503));
    assert_eq!(live.0, 200, "a draining process is not to be restarted");
    assert_eq!(parsed(&ready)["state"], "draining", "{ready}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_set_makes_polling_unready_and_the_remedy_is_named() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let variables = variables(&telegram, folder.path());
    let set = format!("{}/bot{TOKEN}/setWebhook", telegram.url());
    let url = "http://127.0.0.1:9/elsewhere";
    let answer = reqwest::Client::new().post(set).json(&json!({"url": url})).send().await.unwrap();
    assert!(answer.status().is_success());
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    user.says("une bouilloire");

    let mut bot = Process::start(&variables).await;
    bot.says("depot-bot webhook delete").await;
    let ready = loop {
        let ready = until(&bot.http, "/health/ready", 503).await;
        if ready.contains("webhook") {
            break parsed(&ready);
        }
    };
    let detail = ready["components"]["intake"]["detail"].as_str().unwrap();
    assert!(detail.contains("depot-bot webhook delete"), "{detail}");
    assert_eq!(telegram.webhook_url().as_deref(), Some(url), "polling does not touch it");

    let check = run(&["check"], &variables).await;
    let said = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(1), "{said}");
    assert!(said.contains("depot-bot webhook delete"), "{said}");
    let deleted = run(&["webhook", "delete"], &variables).await;
    let said = String::from_utf8(deleted.stdout).unwrap();
    assert_eq!(deleted.status.code(), Some(0), "{said}");
    assert!(said.contains("1 updates wait and are kept"), "{said}");
    user.sees("Valider").await.unwrap();
    until(&bot.http, "/health/ready", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_hold_every_family_and_no_user() {
    let bot = TestBot::with(Behind::SqliteAndRedis, &[("ACCESS_MODE", "open")]).await;
    let user = bot.user(987_654_321);
    user.says("une bouilloire chuchotante");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let (_, metrics) = get(&bot.app().http.to_string(), "/metrics").await;
    for family in metric::ALL {
        assert!(metrics.contains(&format!("# TYPE {} ", family.name)), "{} is missing", family.name);
    }
    let of = |name: &str| metrics.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    assert!(of("depot_telegram_calls_total{").is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
    for private in ["987654321", "chuchotante", "Personne", bot.telegram.token()] {
        assert!(!metrics.contains(private), "{private} is in the metrics");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_output_at_trace_with_everything_failing() {
    const SECRETS: [&str; 4] =
        [TOKEN, "AAprocess_token_0123456789", "a_webhook_secret_that_nobody_sees", "r3dis-p@ss/w%rd"];
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut redis = RedisServer::start();
    redis.command::<()>(&["config", "set", "requirepass", SECRETS[3]]);
    let webhook = crate::servers::free_address();
    let mut variables = variables(&telegram, folder.path());
    for (name, value) in [
        ("RUST_LOG", "trace"),
        ("REDIS_URL", redis.url().as_str()),
        ("REDIS_PASSWORD", SECRETS[3]),
        ("TELEGRAM_WEBHOOK_URL", &format!("http://{webhook}/telegram")),
        ("TELEGRAM_WEBHOOK_SECRET", SECRETS[2]),
        ("WEBHOOK_BIND", &webhook.to_string()),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let mut output = Vec::new();
    for arguments in [&["check"][..], &["webhook", "show"]] {
        let done = run(arguments, &variables).await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        output.extend([done.stdout, done.stderr]);
    }

    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    user.says("une bouilloire chuchotante");
    user.sees("Valider").await.unwrap();
    for fault in
        [Fault::ServerError, Fault::BadGateway, Fault::DropBefore, Fault::DropAfter, Fault::TruncatedBody]
    {
        telegram.faults(|faults| faults.add(Rule::next(1, fault)));
        user.says("et une chaise");
        telegram.wait_for("the fault to strike", |it| it.pending_updates() == 0).await.unwrap();
    }
    let forged = reqwest::Client::new().post(format!("http://{webhook}/telegram")).body("{}");
    assert_eq!(forged.send().await.unwrap().status(), 401);
    user.sees("6. ").await.unwrap();
    redis.kill();
    telegram.faults(|faults| faults.add(Rule::every_call(Fault::TooManyRequests { retry_after: 1 })));
    user.says("et une table");
    bot.says("Redis is unavailable").await;
    bot.says("failed over to the database").await;
    telegram.faults(Faults::clear);
    user.sees("7. ").await.unwrap();
    output.push(get(&bot.http, "/health/ready").await.1.into_bytes());
    output.push(get(&bot.http, "/metrics").await.1.into_bytes());
    bot.signal(Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0));
    let failed = run(&["check"], &variables).await;
    assert_eq!(failed.status.code(), Some(1));
    variables
        .insert("DATABASE_URL".to_owned(), "postgres://depot:pg-s3cret-word@127.0.0.1:9/depot".to_owned());
    let unreachable = run(&["migrate"], &variables).await;
    assert_eq!(unreachable.status.code(), Some(1));
    output.extend([failed.stdout, failed.stderr, unreachable.stdout, unreachable.stderr]);
    output.push(bot.lines.join("\n").into_bytes());

    let output = output.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("\n");
    assert!(bot.lines.iter().any(|line| line.contains(r#""level":"TRACE""#)), "the log is at its loudest");
    for secret in SECRETS.into_iter().chain(["pg-s3cret-word", "r3dis-p%40ss%2Fw%25rd"]) {
        let line = output.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "«{secret}» is in the output");
    }
    let told =
        bot.lines.iter().filter(|line| !line.contains(r#""level":"TRACE""#) && !line.contains("DEBUG"));
    let of_a_user = told.filter(|line| line.contains("chuchotante")).collect::<Vec<_>>();
    assert!(of_a_user.is_empty(), "{of_a_user:?}");
}
