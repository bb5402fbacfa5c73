//! The checks before the start: faults are refused, all at once and each with its fix; the rest are warnings.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
#[cfg(feature = "failpoints")]
use std::time::Duration;

use bot_api_simulator::{Simulator, UserProfile};
use depot_bot::clock::{Clock, Timestamp};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::process::{Process, TOKEN, run, telegram, telegram_of, until, variables};
use crate::servers::{RedisServer, postgres_database};

/// The token of a bot that is not ours.
const OTHER_TOKEN: &str = "4343:AAanother_bots_token_0123456789_abcdefg";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn with(variables: &HashMap<String, String>, changes: &[(&str, &str)]) -> HashMap<String, String> {
    let mut variables = variables.clone();
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    variables
}

/// `run` and `check` both refuse, and both say each of these.
async fn refused(variables: &HashMap<String, String>, sayings: &[&str]) {
    for command in ["run", "check"] {
        let output = run(&[command], variables).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        for saying in sayings {
            assert!(said.contains(saying), "{command} does not say «{saying}»: {said}");
        }
    }
}

/// A user makes a deposit.
async fn deposits(telegram: &Simulator) {
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
}

fn free_port() -> String {
    crate::servers::free_address().port().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_are_told_at_once_with_their_fixes() {
    let folder = tempfile::tempdir().unwrap();
    let other = telegram_of(OTHER_TOKEN, Clock::system()).await;
    let of_the_other = with(&variables(&other, folder.path()), &[("TELEGRAM_BOT_TOKEN", OTHER_TOKEN)]);
    let bot = Process::start(&of_the_other).await;
    deposits(&other).await;
    drop(bot);
    let redis = RedisServer::with(&[
        "--save",
        "",
        "--maxmemory-policy",
        "allkeys-lru",
        "--replicaof",
        "127.0.0.1",
        "1",
    ]);
    let telegram = telegram().await;
    let all = with(&variables(&telegram, folder.path()), &[("REDIS_URL", &redis.url())]);
    let sayings = [
        "its maxmemory-policy is allkeys-lru",
        "set it to noeviction",
        "is a replica",
        "name the primary in REDIS_URL",
        "belongs to bot 4343 and nothing of bot 4242",
        "ALLOW_ANOTHER_BOT=true",
    ];
    refused(&all, &sayings).await;
    assert_eq!(telegram.calls("getUpdates"), 0);
    // A corrected fault is not told any more; the remaining ones still keep the bot from starting.
    redis.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    redis.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let left = with(&all, &[("ALLOW_ANOTHER_BOT", "true")]);
    refused(&left, &["its maxmemory-policy is volatile-lru"]).await;
    let output = said(&run(&["run"], &left).await);
    assert!(!output.contains("replica") && !output.contains("Fix: was TELEGRAM_BOT_TOKEN"), "{output}");
    redis.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let bot = Process::start(&left).await;
    until(&bot.http, "/health/ready", 200).await;
    deposits(&telegram).await;
    drop(bot);
    // From now on the file is this bot's too.
    drop(Process::start(&all).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_is_refused() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let (port, bus) = (free_port(), free_port());
    let redis = RedisServer::with(&[
        "--cluster-enabled",
        "yes",
        "--port",
        &port,
        "--cluster-port",
        &bus,
        "--save",
        "",
    ]);
    let variables = with(&variables(&telegram, folder.path()), &[("REDIS_URL", &redis.url())]);
    refused(&variables, &["is in cluster mode", "use a Redis without `cluster-enabled`"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server_that_bots_share_another_bots_rows_are_a_line_in_the_log_once() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let other = telegram_of(OTHER_TOKEN, Clock::system()).await;
    let (database, redis) = (postgres_database(), RedisServer::start());
    let redis_url = redis.url();
    let shared = |telegram: &Simulator, token: &str| {
        let changes = [
            ("DATABASE_URL", database.as_str()),
            ("REDIS_URL", redis_url.as_str()),
            ("TELEGRAM_BOT_TOKEN", token),
        ];
        with(&variables(telegram, folder.path()), &changes)
    };
    drop({
        let bot = Process::start(&shared(&other, OTHER_TOKEN)).await;
        deposits(&other).await;
        bot
    });
    let ours = shared(&telegram, TOKEN);
    let is_told = |line: &String| line.contains("WARN") && line.contains("belongs to bot 4343");
    let bot = Process::start(&ours).await;
    assert!(bot.lines.iter().any(is_told), "{:?}", bot.lines);
    // The same user in the same chat: the other bot's keys of them in Redis are neither seen nor touched.
    let theirs = || redis.command::<String>(&["GET", "depot:4343:s:7:7"]);
    let before = theirs();
    deposits(&telegram).await;
    assert_eq!(theirs(), before);
    assert_ne!(redis.command::<String>(&["GET", "depot:4242:s:7:7"]), before);
    drop(bot);
    let bot = Process::start(&ours).await;
    assert!(!bot.lines.iter().any(is_told), "{:?}", bot.lines);
}

/// A server that answers like a Redis that is too old, and takes no command.
async fn an_old_redis() -> String {
    const INFO: &str =
        "redis_version:6.2.14\r\nrun_id:old\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(head)) = lines.next_line().await {
                    // `*2`, then each word behind its length.
                    let mut words = Vec::new();
                    for _ in 0..head[1..].parse::<usize>().unwrap() {
                        lines.next_line().await.unwrap();
                        words.push(lines.next_line().await.unwrap().unwrap());
                    }
                    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
                    let reply = match words[0].as_str() {
                        "INFO" => bulk(INFO),
                        "TIME" => {
                            let now = Clock::system().now().0;
                            format!("*2\r\n{}{}", bulk(&(now / 1000).to_string()), bulk("0"))
                        }
                        "PING" => words.get(1).map_or("+PONG\r\n".to_owned(), |word| bulk(word)),
                        _ => "+OK\r\n".to_owned(),
                    };
                    write.write_all(reply.as_bytes()).await.unwrap();
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_older_than_7_is_refused() {
    let (telegram, folder, url) = (telegram().await, tempfile::tempdir().unwrap(), an_old_redis().await);
    let variables = with(&variables(&telegram, folder.path()), &[("REDIS_URL", &url)]);
    refused(&variables, &["version 6.2.14 is too old", "use version 7 or newer, or a Valkey"]).await;
    assert_eq!(telegram.calls("getUpdates"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_user_of_redis_suffices_and_may_not_even_read_the_configuration() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let documented = std::fs::read_to_string("docs/PERSISTENCE.md").unwrap();
    let rule = documented.lines().find_map(|line| line.strip_prefix("ACL SETUSER ")).unwrap();
    let mut settings = vec!["--save", "", "--appendonly", "no", "--user"];
    settings.extend(rule.split_whitespace());
    let redis = RedisServer::with(&settings);
    let url = format!("{}?user=depot&pass=password", redis.url());
    let variables = with(&variables(&telegram, folder.path()), &[("REDIS_URL", &url)]);
    redis.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
    refused(&variables, &["its maxmemory-policy is allkeys-random"]).await;
    redis.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let checked = run(&["check"], &variables).await;
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    assert!(said(&checked).contains("append-only file is off: harmless"), "{}", said(&checked));
    let bot = Process::start(&variables).await;
    let aof = |line: &&String| line.contains("append-only file is off");
    assert_eq!(bot.lines.iter().filter(aof).count(), 1, "{:?}", bot.lines);
    assert!(bot.lines.iter().find(aof).unwrap().contains("INFO"));
    deposits(&telegram).await;
    let keys = redis.command::<Vec<String>>(&["KEYS", "*"]);
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("depot:4242:")), "{keys:?}");
    let refusals = format!("{:?}", redis.command::<redis::Value>(&["ACL", "LOG"]));
    assert!(!refusals.contains("depot"), "{refusals}");
}

/// A certificate authority, and a certificate of it for this machine.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority"));
    openssl(&format!(
        "req -x509 {key} -keyout key.pem -out cert.pem -subj /CN=localhost -CA ca.pem -CAkey ca.key \
         -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=CA:FALSE"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_authority_is_trusted_by_its_certificate_alone() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port();
    let _redis = RedisServer::with(&[
        "--save",
        "",
        "--tls-port",
        &port,
        "--tls-cert-file",
        &path("cert.pem"),
        "--tls-key-file",
        &path("key.pem"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://127.0.0.1:{port}");
    let unknown = with(&variables(&telegram, folder.path()), &[("REDIS_URL", &url)]);
    let output = run(&["check"], &unknown).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("check REDIS_URL"), "{}", said(&output));
    let known = with(&unknown, &[("REDIS_CA_FILE", &path("ca.pem"))]);
    let output = run(&["check"], &known).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let _bot = Process::start(&known).await;
    deposits(&telegram).await;
    let plain = with(&known, &[("REDIS_URL", "redis://127.0.0.1")]);
    assert_eq!(run(&["run"], &plain).await.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_does_not_keep_the_bot_from_starting() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut redis = RedisServer::start();
    redis.command::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    let redis_url = redis.url();
    let wrong = with(
        &variables(&telegram, folder.path()),
        &[("REDIS_URL", &redis_url), ("REDIS_PASSWORD", "Tr0ub4dor")],
    );
    let bot = Process::start(&wrong).await;
    let told = bot.lines.iter().find(|line| line.contains("the bot goes on without it")).unwrap();
    assert!(told.contains("WARN") && told.contains("check user and password"), "{told}");
    assert!(!bot.lines.join("\n").contains("Tr0ub4dor"));
    drop(bot);
    redis.kill();
    // Nothing listens at the port of discard on a machine like this; Telegram is away too.
    let away = with(&wrong, &[("TELEGRAM_API_URL", "http://127.0.0.1:9")]);
    let bot = Process::start(&away).await;
    let told = bot.lines.iter().find(|line| line.contains("the bot goes on without it")).unwrap();
    assert!(told.contains("check REDIS_URL and REDIS_PASSWORD, and that Redis runs"), "{told}");
    while !until(&bot.http, "/health/ready", 503).await.contains("Telegram cannot be reached") {
        tokio::time::sleep(crate::process::POLL_EVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_from_telegrams_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let telegram = telegram_of(TOKEN, Clock::manual(Timestamp(1_600_000_000_000))).await;
    let variables = variables(&telegram, folder.path());
    let checked = run(&["check"], &variables).await;
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    assert!(
        said(&checked).contains("from that of Telegram: let both machines keep time by NTP"),
        "{}",
        said(&checked)
    );
    let mut bot = Process::start(&variables).await;
    let told = bot.says("from that of Telegram").await;
    assert_eq!(told["level"], "WARN", "{told}");
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_from_those_of_the_engines_is_a_warning_for_each() {
    let (telegram, folder, redis) = (telegram().await, tempfile::tempdir().unwrap(), RedisServer::start());
    let changes = [("DATABASE_URL", postgres_database()), ("REDIS_URL", redis.url())];
    let changes = changes.each_ref().map(|(name, value)| (*name, value.as_str()));
    let right = with(&variables(&telegram, folder.path()), &changes);
    let warnings = |lines: &[String]| -> Vec<String> {
        let told = lines.iter().filter(|line| line.contains("WARN") && line.contains("NTP"));
        told.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].to_string())
            .collect()
    };
    let bot = Process::start(&right).await;
    assert!(warnings(&bot.lines).is_empty(), "{:?}", bot.lines);
    drop(bot);
    // Its clock runs at twice the speed: ten seconds ahead, and more with each answer.
    let since = Clock::system().now().before(Duration::from_secs(10)).0;
    let wrong = with(&right, &[("DEPOT_CLOCK", &format!("{since}:2"))]);
    let checked = said(&run(&["check"], &wrong).await);
    let bot = Process::start(&wrong).await;
    let told = ["Redis", "the database"].map(|whose| {
        let told = format!("from that of {whose}");
        let in_the_log = warnings(&bot.lines).iter().filter(|line| line.contains(&told)).count();
        (in_the_log, checked.contains(&format!("{told}: let both machines keep time by NTP")))
    });
    assert_eq!(told, [(1, true), (1, true)], "{:?}\n{checked}", bot.lines);
}
