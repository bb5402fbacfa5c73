//! No secret in any output under any failure: F62. The output of Telegram's failures and subcommands is in `ops_server.rs`.

use std::collections::HashMap;
use std::time::Duration;

use bot_api_simulator::{Fault, Rule, Simulator, User, UserProfile};
use nix::sys::signal::Signal;
use reqwest::Client;

use crate::faults::deposits_patiently;
use crate::process::{Process, TOKEN, get, run, telegram, until, variables};
use crate::proxy::{FaultProxy, Line};
use crate::servers::{PostgresServer, RedisServer};

const WEBHOOK: &str = "canary_webhook_Zq81xv";
const FORMER_WEBHOOK: &str = "canary_former_Wm37ty";
const REDIS: &str = "canary-redis-Kd92uq";
const POSTGRES: &str = "canary-postgres-Ls40ep";

struct Stage {
    telegram: Simulator,
    redis: RedisServer,
    postgres: PostgresServer,
    to_redis: FaultProxy,
    to_postgres: FaultProxy,
    hook: String,
    variables: HashMap<String, String>,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
        let (redis, postgres) = (RedisServer::start(), PostgresServer::start());
        redis.command::<()>(&["ACL", "SETUSER", "depot", "on", &format!(">{REDIS}"), "~*", "&*", "+@all"]);
        let to_redis = FaultProxy::to_unix(&redis.socket()).await.unwrap();
        let to_postgres = FaultProxy::to_unix(&postgres.socket()).await.unwrap();
        let name = postgres.database().split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        let address = to_postgres.address();
        let database = format!("postgres://postgres:{POSTGRES}@{address}/{name}?sslmode=disable");
        let webhook = crate::servers::free_address();
        let hook = format!("http://{webhook}/telegram");
        let mut variables = variables(&telegram, folder.path());
        for (name, value) in [
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "1"),
            ("PANIC", "update_received:4"),
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
        Self { telegram, redis, postgres, to_redis, to_postgres, hook, variables, _folder: folder }
    }

    /// Telegram fails in every way, and the requests to the webhook are forged or garbled.
    async fn telegram_fails(&self, user: &User) {
        for fault in [
            Fault::ServerError,
            Fault::BadGateway,
            Fault::EmptyBody,
            Fault::TruncatedBody,
            Fault::DropAfter,
            Fault::BadRequest("Bad Request: can't parse entities: canary"),
        ] {
            self.telegram.faults(|faults| faults.add(Rule::next(1, fault).on("answerCallbackQuery")));
            deposits_patiently(user).await;
        }
        let client = Client::builder().no_proxy().build().unwrap();
        for (secret, body, status) in [
            ("forged", "{}", 401),
            (FORMER_WEBHOOK, "no json", 200),
            (WEBHOOK, "{\"update_id\":1,\"message\":[[[", 200),
        ] {
            let post = client.post(&self.hook).header("x-telegram-bot-api-secret-token", secret).body(body);
            assert_eq!(post.send().await.unwrap().status(), status);
        }
    }

    /// Redis and PostgreSQL break off, fall silent and refuse; the output of health and metrics meanwhile.
    async fn engines_fail(&self, bot: &Process, user: &User) -> Vec<Vec<u8>> {
        let mut output = Vec::new();
        for (proxy, word) in [(&self.to_redis, "schema"), (&self.to_postgres, "COMMIT")] {
            proxy.cut(2, word, 1);
            deposits_patiently(user).await;
            for line in [Line::BlackHole, Line::Refused] {
                proxy.set(line);
                user.says("et une chaise");
                let unwell = async {
                    let is_noticed =
                        |ready: &str| ready.contains("does not answer") || ready.contains("is unavailable");
                    while !is_noticed(&get(&bot.http, "/health/ready").await.1) {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(Duration::from_secs(30), unwell).await.expect("it is noticed");
                for path in ["/health/ready", "/metrics"] {
                    output.push(get(&bot.http, path).await.1.into_bytes());
                }
                proxy.set(Line::Clear);
                until(&bot.http, "/health/ready", 200).await;
            }
        }
        output
    }

    /// The password of Redis is changed, PostgreSQL is gone: the output of the subcommands.
    async fn subcommands_fail(&mut self) -> Vec<Vec<u8>> {
        self.redis.command::<()>(&["ACL", "SETUSER", "depot", "resetpass", ">changed"]);
        self.to_redis.interrupt().await;
        let check = run(&["check"], &self.variables).await;
        let mut output = vec![check.stdout, check.stderr];
        tokio::task::block_in_place(|| self.postgres.kill());
        for arguments in [&["check"][..], &["migrate"], &["deposits"], &["invite", "--admin"]] {
            let failed = run(arguments, &self.variables).await;
            assert!(!failed.status.success(), "{arguments:?}");
            output.extend([failed.stdout, failed.stderr]);
        }
        output
    }
}

/// F62: canaries in every setting that is secret, the log at its loudest, every engine failing in every way, and a panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f62_canary_secrets_are_in_no_output_whatever_fails() {
    let mut stage = Stage::new().await;
    let mut bot = Process::start(&stage.variables).await;
    let user = stage.telegram.user(UserProfile::new(7, "Camille", "fr"));
    // The fourth update panics, and is brought to its commit by the next try.
    for _ in 0..3 {
        deposits_patiently(&user).await;
    }
    bot.says("a task panicked").await;
    stage.telegram_fails(&user).await;
    let mut output = stage.engines_fail(&bot, &user).await;
    output.extend(stage.subcommands_fail().await);
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
