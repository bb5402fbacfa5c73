//! The instruments themselves: each fault that a scenario relies on is seen to happen.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use depot_bot::clock::Clock;
use redis::{Client, ErrorKind, RedisResult};

use crate::bot::{Behind, START, TestBot};
use crate::proxy::{FaultProxy, Line};
use crate::servers::{PostgresServer, RedisServer};

const PATIENCE: Duration = Duration::from_secs(20);

/// One command on a connection of its own, under a deadline.
async fn ask(address: SocketAddr, words: &[&str], within: Duration) -> RedisResult<String> {
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(within))
        .set_response_timeout(Some(within));
    let client = Client::open(format!("redis://{address}"))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let (name, arguments) = words.split_first().unwrap();
    redis::cmd(name).arg(arguments).query_async(&mut connection).await
}

async fn behind_a_proxy() -> (RedisServer, FaultProxy) {
    let server = RedisServer::start();
    let proxy = FaultProxy::to_unix(&server.socket()).await.unwrap();
    assert_eq!(ask(proxy.address(), &["PING"], PATIENCE).await.unwrap(), "PONG");
    (server, proxy)
}

#[tokio::test]
async fn a_clear_line_lets_everything_through_also_to_a_port() {
    let mut server = RedisServer::start();
    let port = server.listen();
    let proxy = FaultProxy::to_tcp(format!("127.0.0.1:{port}")).await.unwrap();
    let text = "x".repeat(300_000);
    ask(proxy.address(), &["SET", "k", &text], PATIENCE).await.unwrap();
    assert_eq!(ask(proxy.address(), &["GET", "k"], PATIENCE).await.unwrap(), text);
    server.restart();
    assert_eq!(ask(proxy.address(), &["PING"], PATIENCE).await.unwrap(), "PONG");
    assert!(proxy.done().answered > 300_000 && proxy.done().accepted == 3, "{:?}", proxy.done());
}

#[tokio::test]
async fn a_slow_line_delays_answers_and_a_sliced_one_takes_them_apart() {
    let (_server, proxy) = behind_a_proxy().await;
    proxy.set(Line::Slow { least: Duration::from_millis(80), jitter: Duration::from_millis(40) });
    let began = Instant::now();
    assert_eq!(ask(proxy.address(), &["PING"], PATIENCE).await.unwrap(), "PONG");
    assert!(began.elapsed() >= Duration::from_millis(80));
    assert!(proxy.done().delayed > 0);
    proxy.set(Line::Sliced(1));
    assert_eq!(
        ask(proxy.address(), &["ECHO", "é🚚".repeat(20).as_str()], PATIENCE).await.unwrap(),
        "é🚚".repeat(20)
    );
}

#[tokio::test]
async fn a_black_hole_answers_nothing_and_delivers_late_what_was_sent_into_it() {
    let (server, proxy) = behind_a_proxy().await;
    let client = Client::open(format!("redis://{}", proxy.address())).unwrap();
    let mut open = client.get_multiplexed_async_connection().await.unwrap();
    proxy.set(Line::BlackHole);
    let error = ask(proxy.address(), &["PING"], Duration::from_millis(100)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let late = tokio::spawn(async move { redis::cmd("INCR").arg("n").query_async::<u64>(&mut open).await });
    proxy.set(Line::Clear);
    let _late = late.await.unwrap();
    assert_eq!(server.command::<Option<u64>>(&["GET", "n"]), Some(1));
}

#[tokio::test]
async fn a_refused_line_resets_what_is_open_and_listens_again_at_the_same_address() {
    let (_server, proxy) = behind_a_proxy().await;
    let client = Client::open(format!("redis://{}", proxy.address())).unwrap();
    let mut open = client.get_multiplexed_async_connection().await.unwrap();
    proxy.set(Line::Refused);
    let error = loop {
        match redis::cmd("PING").query_async::<String>(&mut open).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let refused = ask(proxy.address(), &["PING"], PATIENCE).await.unwrap_err();
    assert!(refused.is_connection_refusal(), "{refused}");
    proxy.set(Line::Clear);
    let back = async {
        while ask(proxy.address(), &["PING"], PATIENCE).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    assert_eq!(proxy.done().reset, 1);
}

#[tokio::test]
async fn an_answer_is_cut_at_any_byte_after_its_request_was_executed() {
    let (server, proxy) = behind_a_proxy().await;
    for at in 0..4 {
        proxy.cut(1, "INCR", at);
        let error = ask(proxy.address(), &["INCR", "n"], PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert_eq!(server.command::<u64>(&["GET", "n"]), u64::try_from(at + 1).unwrap());
    }
    // The whole answer has four bytes.
    assert_eq!(ask(proxy.address(), &["INCR", "n"], PATIENCE).await.unwrap(), "5");
    assert_eq!(proxy.done().reset, 4);
}

#[test]
fn redis_is_rolled_back_to_an_older_copy_of_its_log() {
    let mut server = RedisServer::durable();
    server.command::<()>(&["SET", "k", "first"]);
    let copy = server.copy_aof();
    server.command::<()>(&["SET", "k", "second"]);
    server.restart();
    assert_eq!(server.command::<String>(&["GET", "k"]), "second");
    server.roll_back(&copy);
    assert_eq!(server.command::<String>(&["GET", "k"]), "first");
    server.roll_back(&copy);
    assert_eq!(server.command::<String>(&["GET", "k"]), "first");
}

#[test]
fn redis_is_demoted_promoted_and_runs_out_of_memory() {
    let server = RedisServer::start();
    let set = || {
        let mut connection = Client::open(server.url()).unwrap().get_connection().unwrap();
        redis::cmd("SET").arg("k").arg("v").query::<()>(&mut connection)
    };
    server.demote();
    assert_eq!(set().unwrap_err().code(), Some("READONLY"));
    server.promote();
    server.limit_memory(1);
    assert_eq!(set().unwrap_err().code(), Some("OOM"));
    server.limit_memory(0);
    set().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_finds_its_engines_through_proxies_and_its_postgres_can_be_ended() {
    let mut postgres = PostgresServer::start();
    let variables = [("ACCESS_MODE", "open")];
    let mut bot = TestBot::prepared(Clock::manual(START), Behind::SqliteAndRedis, &variables).await;
    let to_redis = FaultProxy::to_unix(&bot.redis.as_ref().unwrap().socket()).await.unwrap();
    let to_postgres = FaultProxy::to_unix(&postgres.socket()).await.unwrap();
    let to_telegram = FaultProxy::to_tcp(bot.telegram.url().replace("http://", "")).await.unwrap();
    let name = postgres.database().split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let database = format!("postgres://postgres@{}/{name}?sslmode=disable", to_postgres.address());
    bot.set("REDIS_URL", &format!("redis://{}", to_redis.address()));
    bot.set("DATABASE_URL", &database);
    bot.set("TELEGRAM_API_URL", &format!("http://{}", to_telegram.address()));
    bot.resume().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    for proxy in [&to_redis, &to_postgres, &to_telegram] {
        assert!(proxy.done().answered > 0, "{proxy:?}");
    }
    assert!(postgres.terminate_backends() >= 2);
    let ping = || async { bot.app().tables().ledger.latest_of(deposit::UserId(7), 1).await };
    postgres.pause();
    assert!(ping().await.is_err());
    postgres.resume();
    postgres.kill();
    assert!(ping().await.is_err());
    postgres.restart();
    assert_eq!(bot.completed(7).await, 1);
}
