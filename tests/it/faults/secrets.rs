//! No secret in any output, whatever fails: F62. What Telegram's failures and the subcommands say is in `side_port.rs`.

use depot_bot::simulator::{Fault, Faults, Rule, UserProfile};
use nix::sys::signal::Signal;
use reqwest::Client;

use crate::faults::deposits;
use crate::process::{Process, TOKEN, get, run, telegram, until, variables};
use crate::proxy::{FaultProxy, Line};
use crate::servers::{PostgresServer, RedisServer};

const WEBHOOK: &str = "canary_webhook_Zq81xv";
const FORMER_WEBHOOK: &str = "canary_former_Wm37ty";
const REDIS: &str = "canary-redis-Kd92uq";
const POSTGRES: &str = "canary-postgres-Ls40ep";

/// F62: canaries in every setting that is secret, the log at its loudest, every engine failing in every way, and a panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f62_canary_secrets_are_in_no_output_whatever_fails() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let (redis, mut postgres) = (RedisServer::start(), PostgresServer::start());
    redis.command::<()>(&["ACL", "SETUSER", "depot", "on", &format!(">{REDIS}"), "~*", "&*", "+@all"]);
    let to_redis = FaultProxy::to_unix(&redis.socket()).await;
    let to_postgres = FaultProxy::to_unix(&postgres.socket()).await;
    let name = postgres.database().split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let address = to_postgres.address();
    let database = format!("postgres://postgres:{POSTGRES}@{address}/{name}?sslmode=disable");
    let webhook = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hook = format!("http://{webhook}/telegram");
    let mut variables = variables(&telegram, folder.path());
    for (name, value) in [
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
        ("FAILPOINT", "update_received:4:panic"),
        ("DATABASE_URL", &database),
        ("REDIS_URL", &format!("redis://depot@{}", to_redis.address())),
        ("REDIS_PASSWORD", REDIS),
        ("TELEGRAM_WEBHOOK_URL", &hook),
        ("TELEGRAM_WEBHOOK_SECRET", WEBHOOK),
        ("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", FORMER_WEBHOOK),
        ("WEBHOOK_BIND", &webhook.to_string()),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    // The fourth update panics, and is brought to its commit by the next try.
    for _ in 0..3 {
        deposits(&user).await;
    }
    bot.says("a task panicked").await;
    // Telegram fails in every way.
    for fault in [
        Fault::ServerError,
        Fault::BadGateway,
        Fault::EmptyBody,
        Fault::TruncatedBody,
        Fault::DropAfter,
        Fault::BadRequest("Bad Request: can't parse entities: canary"),
    ] {
        telegram.faults(|faults| faults.add(Rule::next(1, fault).on("answerCallbackQuery")));
        deposits(&user).await;
    }
    // Forged and garbled deliveries, and the former secret.
    let client = Client::builder().no_proxy().build().unwrap();
    for (secret, body, status) in [
        ("forged", "{}", 401),
        (FORMER_WEBHOOK, "no json", 200),
        (WEBHOOK, "{\"update_id\":1,\"message\":[[[", 200),
    ] {
        let post = client.post(&hook).header("x-telegram-bot-api-secret-token", secret).body(body);
        assert_eq!(post.send().await.unwrap().status(), status);
    }
    let mut output = Vec::new();
    // Redis and PostgreSQL break off, fall silent, refuse, and no longer take the password.
    for (proxy, word) in [(&to_redis, "schema"), (&to_postgres, "COMMIT")] {
        proxy.cut(2, word, 1);
        deposits(&user).await;
        for line in [Line::BlackHole, Line::Refused] {
            proxy.set(line);
            user.says("et une chaise");
            let address = bot.http.clone();
            let unwell = async {
                while !get(&address, "/health/ready").await.1.contains("does not answer") {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(30), unwell).await.expect("it is noticed");
            output.push(get(&bot.http, "/health/ready").await.1.into_bytes());
            output.push(get(&bot.http, "/metrics").await.1.into_bytes());
            proxy.set(Line::Clear);
            until(&bot.http, "/health/ready", 200).await;
        }
    }
    redis.command::<()>(&["ACL", "SETUSER", "depot", "resetpass", ">changed"]);
    to_redis.interrupt().await;
    let check = run(&["check"], &variables).await;
    output.extend([check.stdout, check.stderr]);
    tokio::task::block_in_place(|| postgres.kill());
    for arguments in [&["check"][..], &["migrate"], &["deposits"], &["invite", "--admin"]] {
        let failed = run(arguments, &variables).await;
        assert!(!failed.status.success(), "{arguments:?}");
        output.extend([failed.stdout, failed.stderr]);
    }
    telegram.faults(Faults::clear);
    bot.signal(Signal::SIGTERM);
    let _however = bot.ended().await;
    output.push(bot.lines.join("\n").into_bytes());

    let output = output.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("\n");
    assert!(output.contains("TRACE") && output.contains("a task panicked"), "the log is at its loudest");
    for secret in [TOKEN, TOKEN.split_once(':').unwrap().1, WEBHOOK, FORMER_WEBHOOK, REDIS, POSTGRES] {
        let line = output.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "«{secret}» is in the output");
    }
    println!("F62: {} lines of output, no canary in any", output.lines().count());
}
