//! The faults of Redis alone: it freezes, dies, comes back empty, becomes a replica, runs out of memory.

use std::future::{Future, pending, ready};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use depot_bot::rng::Rng;
use depot_bot::store::keys::{Keys, PREFIX};
use depot_bot::store::redis::{PoolOptions, RedisOptions, RedisStore};
use depot_bot::store::replication::VolatileStore as _;
use depot_bot::store::{
    Commit, Committed, SessionInspection as _, SessionStore, StoreError, StoredSession, retry,
};
use secrecy::SecretString;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::servers::RedisServer;
use crate::stores::{BOT, NOW, after, key, redis_store, redis_store_at, redis_store_with, session};

/// Long enough for a loaded machine where an answer is expected, short where none is.
const PATIENT: Duration = Duration::from_secs(20);
const IMPATIENT: Duration = Duration::from_millis(200);
/// The impatient are done by then, also on a loaded machine.
const SOON: Duration = Duration::from_secs(3);

/// The epoch of the tests' commits is the one that the server serves.
async fn opened(store: RedisStore) -> RedisStore {
    store.open(1).await.unwrap();
    store
}

async fn applied(store: &RedisStore, version: u64) {
    let session = session(key(7), version);
    assert_eq!(store.commit(&after(version - 1, &session)).await.unwrap(), Committed::Applied);
}

async fn version(store: &RedisStore) -> u64 {
    store.load(key(7)).await.unwrap().map_or(0, |session| session.version)
}

/// The ids of the connections that the server has, but for the one that asks.
fn connections(server: &RedisServer) -> Vec<String> {
    let list: String = server.command(&["CLIENT", "LIST"]);
    let others = list.lines().filter(|line| !line.contains("cmd=client"));
    others.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_read_only_server_refuses_and_its_connection_is_replaced() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    applied(&store, 1).await;
    let before = connections(&server);
    assert_eq!(before.len(), 1, "one connection is kept and shared");
    server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let refused = store.commit(&after(1, &session(key(7), 2))).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused { reason, .. }) if reason == "READONLY"),
        "{refused:?}"
    );
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    applied(&store, 2).await;
    let now = connections(&server);
    assert!(now.len() == 1 && now != before, "{before:?} → {now:?}");
}

#[tokio::test]
async fn an_unnoticed_restart_costs_no_caller_anything() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    applied(&store, 1).await;
    // The connection is dead, and the server has forgotten the script.
    server.restart();
    applied(&store, 2).await;
    server.restart();
    assert_eq!(version(&store).await, 2);
    server.restart();
    assert_eq!(store.due(NOW, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_killed_server_is_reported_at_once_and_heals_without_leftover_failures() {
    let mut server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    applied(&store, 1).await;
    server.kill();
    let began = Instant::now();
    for _ in 0..5 {
        let session = session(key(7), 2);
        let error = store.commit(&after(1, &session)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. } | StoreError::Unknown { .. }), "{error}");
        assert!(matches!(store.load(key(7)).await, Err(StoreError::Unavailable { .. })));
    }
    let error = store.ping().await.unwrap_err().to_string();
    assert!(error.contains("connection refused"), "{error}");
    assert!(began.elapsed() < PATIENT / 2, "a refused connection is not waited for");
    server.restart();
    // It kept nothing on the disk, not even which epoch it serves.
    let first = session(key(7), 1);
    assert!(matches!(store.commit(&after(0, &first)).await, Err(StoreError::Superseded { .. })));
    store.open(1).await.unwrap();
    applied(&store, 1).await;
    applied(&store, 2).await;
}

#[tokio::test]
async fn redis_may_be_down_at_the_start() {
    let mut server = RedisServer::start();
    server.kill();
    let store = redis_store(&server, BOT, PATIENT);
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable { .. })));
    server.restart();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_is_unknown_within_the_deadline_and_executes_nothing_when_it_thaws() {
    let server = RedisServer::start();
    let store = redis_store(&server, BOT, IMPATIENT);
    let patient = opened(redis_store(&server, BOT, PATIENT)).await;
    applied(&patient, 1).await;
    assert_eq!(version(&store).await, 1);
    server.pause();
    let second = session(key(7), 2);
    let began = Instant::now();
    let error = store.commit(&after(1, &second)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    assert!((IMPATIENT..SOON).contains(&began.elapsed()), "{:?}", began.elapsed());
    // Nothing piles up: the next call fails within the same deadline.
    let began = Instant::now();
    let commits = (0..64).map(|chat| {
        let session = session(key(100 + chat), 1);
        let store = &store;
        async move { store.commit(&after(0, &session)).await.unwrap_err() }
    });
    futures_util::future::join_all(commits).await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    server.resume();
    assert_eq!(version(&patient).await, 1, "a late commit was executed");
    let keys: u64 = server.command(&["DBSIZE"]);
    assert_eq!(keys, 3, "a late commit was executed: there are the epoch, a document and its note");
    assert_eq!(retry::commit(&store, &after(1, &second), &Rng::system()).await.unwrap(), Committed::Applied);
}

#[tokio::test]
async fn a_connection_that_leads_nowhere_any_more_is_replaced() {
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let hole = Arc::new(Notify::new());
    let (holes, target) = (Arc::clone(&hole), server.url().replace("redis+unix://", ""));
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = UnixStream::connect(&target).await.unwrap();
            let hole = Arc::clone(&holes);
            tokio::spawn(async move {
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    // As behind a firewall that has forgotten the connection: it stays open, and nothing arrives.
                    () = hole.notified() => pending().await,
                }
            });
        }
    });
    let url = format!("redis+unix://{}", path.display());
    let store = opened(redis_store_at(&url, BOT, Duration::from_secs(1))).await;
    applied(&store, 1).await;
    hole.notify_waiters();
    let second = store.commit(&after(1, &session(key(7), 2))).await;
    assert!(matches!(second, Err(StoreError::Unknown { .. })), "{second:?}");
    // It was thrown away with the call that it failed: the next call makes another.
    applied(&store, 2).await;
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_by_the_same_commit() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, IMPATIENT)).await;
    server.pause();
    let first = session(key(7), 1);
    let commit = after(0, &first);
    let rng = Rng::system();
    let (outcome, ()) = tokio::join!(retry::commit(&store, &commit, &rng), async {
        // The first try fails before this one, which began later, does.
        let _ = store.ping().await;
        server.resume();
    });
    assert_eq!(outcome.unwrap(), Committed::Applied);
    assert_eq!(version(&store).await, 1);
}

/// A store whose pool has one connection, for calls that may take so long.
async fn with_a_pool_of_one(server: &RedisServer, timeout: Duration) -> RedisStore {
    let pool = PoolOptions { size: NonZeroUsize::MIN, timeout };
    opened(redis_store_with(&server.url(), BOT, PATIENT, pool)).await
}

/// Begins `work` and leaves it there, with the connection that it has taken from the pool.
async fn begun<T>(work: Pin<&mut impl Future<Output = T>>) {
    tokio::select! {
        biased;
        _ = work => panic!("it is done already"),
        () = ready(()) => {}
    }
}

#[tokio::test]
async fn a_copy_that_stands_still_with_the_whole_pool_is_not_in_front_of_a_commit() {
    let server = RedisServer::start();
    let store = with_a_pool_of_one(&server, PATIENT).await;
    let copies = [StoredSession::new(Arc::new(session(key(8), 1)), PATIENT)];
    let mut copy = pin!(store.restore(&copies, NOW));
    begun(copy.as_mut()).await;
    applied(&store, 1).await;
    applied(&store, 2).await;
    assert_eq!(version(&store).await, 2);
    assert_eq!(store.due(NOW, 10).await.unwrap(), []);
    store.probe().await.unwrap();
    assert_eq!(copy.await.unwrap(), [], "the copy goes on where it stood");
}

#[tokio::test]
async fn a_full_pool_says_so_in_time_and_serves_again() {
    let server = RedisServer::start();
    let store = with_a_pool_of_one(&server, Duration::from_secs(4)).await;
    {
        let mut holder = pin!(store.cached("first"));
        begun(holder.as_mut()).await;
        let (cached, statistics, page) =
            tokio::join!(store.cached("second"), store.statistics(NOW), store.page(None, 10));
        for error in [cached.unwrap_err(), statistics.unwrap_err(), page.map(|_| ()).unwrap_err()] {
            let said = error.to_string();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{said}");
            assert!(said.contains("all connections of the pool are in use (REDIS_POOL_SIZE)"), "{said}");
        }
        applied(&store, 1).await;
    }
    store.keep("second", "an answer", PATIENT).await.unwrap();
    assert_eq!(store.cached("second").await.unwrap().as_deref(), Some("an answer"));
    assert_eq!(store.statistics(NOW).await.unwrap().active, 0);
}

#[tokio::test]
async fn the_pool_replaces_what_died_and_writes_documents_to_the_primary_alone() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = with_a_pool_of_one(&server, PATIENT).await;
    applied(&store, 1).await;
    let primary = store.probe().await.unwrap().run_id;
    store.serve(1, &primary);
    assert_eq!(store.page(None, 10).await.unwrap().found.len(), 1);
    server.restart();
    store.keep("answer", "kept", PATIENT).await.unwrap();
    // The same address, and another run of the server: it may have lost what was committed.
    let copies = [StoredSession::new(Arc::new(session(key(8), 1)), PATIENT)];
    let refused = store.restore(&copies, NOW).await.unwrap_err();
    assert!(refused.to_string().contains("another server answers"), "{refused}");
    store.serve(1, &store.probe().await.unwrap().run_id);
    assert_eq!(store.restore(&copies, NOW).await.unwrap(), []);
    assert_eq!(store.page(None, 10).await.unwrap().found.len(), 2);
}

#[tokio::test]
async fn a_key_of_another_type_is_left_alone_and_nothing_is_half_written() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    let keys = Keys::new(PREFIX, BOT);
    let first = session(key(7), 1);
    let commit = Commit { due_at: Some(NOW), ..after(0, &first) };

    server.command::<()>(&["SET", keys.due(), "a string"]);
    // Not a matter of this one conversation.
    assert!(matches!(store.commit(&commit).await, Err(StoreError::Refused { .. })));
    assert!(matches!(store.probe().await, Err(StoreError::Refused { .. })));
    assert_eq!(store.load(key(7)).await.unwrap(), None, "the document was written, its due entry was not");
    assert!(matches!(store.due(NOW, 10).await, Err(StoreError::Refused { .. })));

    server.command::<()>(&["DEL", keys.due()]);
    server.command::<()>(&["RPUSH", &keys.session(key(7)), "a list"]);
    assert!(matches!(store.commit(&commit).await, Err(StoreError::Corrupt { .. })));
    assert!(matches!(store.load(key(7)).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(server.command::<u64>(&["LLEN", &keys.session(key(7))]), 1);
    let dump = store.unreadable(key(7)).await.unwrap().unwrap();
    assert!(!store.discard(key(7), b"something else").await.unwrap());
    assert!(store.discard(key(7), &dump).await.unwrap());
    assert_eq!(store.commit(&commit).await.unwrap(), Committed::Applied);
}

#[tokio::test]
async fn a_document_without_head_is_corrupt() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    for value in ["rubbish", "1:2", "1:2:x:{}", ""] {
        server.command::<()>(&["SET", &Keys::new(PREFIX, BOT).session(key(7)), value]);
        let loaded = store.load(key(7)).await;
        assert!(matches!(loaded, Err(StoreError::Corrupt { .. })), "{value}: {loaded:?}");
        if !value.is_empty() {
            let commit = store.commit(&after(0, &session(key(7), 1))).await;
            assert!(matches!(commit, Err(StoreError::Corrupt { .. })), "{value}: {commit:?}");
        }
    }
}

#[tokio::test]
async fn a_discarded_document_owes_nothing_to_the_mirror() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    let keys = Keys::new(PREFIX, BOT);
    applied(&store, 1).await;
    assert_eq!(server.command::<u64>(&["ZCARD", keys.dirty()]), 1);
    server.command::<()>(&["SET", &keys.session(key(7)), "rubbish"]);
    let document = store.unreadable(key(7)).await.unwrap().unwrap();
    assert!(store.discard(key(7), &document).await.unwrap());
    assert_eq!(server.command::<u64>(&["ZCARD", keys.dirty()]), 0);
}

#[tokio::test]
async fn a_due_entry_whose_document_is_gone_is_not_found_for_ever() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    for chat in [7, 8] {
        let session = session(key(chat), 1);
        let _ = store.commit(&Commit { due_at: Some(NOW), ..after(0, &session) }).await.unwrap();
    }
    server.command::<()>(&["DEL", &Keys::new(PREFIX, BOT).session(key(7))]);
    assert_eq!(store.due(NOW, 10).await.unwrap(), [key(8)]);
    assert_eq!(store.statistics(NOW).await.unwrap().active, 1);
}

#[tokio::test]
async fn a_server_without_memory_refuses_and_goes_on_when_there_is_some() {
    let server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    applied(&store, 1).await;
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = store.commit(&after(1, &session(key(7), 2))).await;
    assert!(matches!(&refused, Err(StoreError::Refused { reason, .. }) if reason == "OOM"), "{refused:?}");
    assert_eq!(version(&store).await, 1);
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    applied(&store, 2).await;
}

#[tokio::test]
async fn a_server_busy_with_a_foreign_script_is_unavailable() {
    let server = RedisServer::with(&["--save", "", "--busy-reply-threshold", "1"]);
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    applied(&store, 1).await;
    let url = server.url();
    let endless = std::thread::spawn(move || {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        redis::cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut connection).unwrap_err()
    });
    // Until the script has begun, the same commit is simply applied again.
    let busy = async {
        loop {
            match store.commit(&after(0, &session(key(7), 1))).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        }
    };
    let error = tokio::time::timeout(PATIENT, busy).await.unwrap();
    assert!(matches!(&error, StoreError::Unavailable { reason, .. } if reason == "BUSY"), "{error}");
    server.command::<()>(&["SCRIPT", "KILL"]);
    endless.join().unwrap();
    applied(&store, 2).await;
}

#[tokio::test]
async fn a_server_reports_its_identity() {
    let mut server = RedisServer::start();
    let store = opened(redis_store(&server, BOT, PATIENT)).await;
    let first = store.describe().await.unwrap();
    assert!(first.version.starts_with(|digit: char| digit.is_ascii_digit()), "{first:?}");
    assert_eq!((first.maxmemory_policy.as_str(), first.role.as_str()), ("noeviction", "master"));
    assert!(first.used_memory > 0 && first.run_id.len() == 40 && !first.append_only, "{first:?}");
    server.restart();
    assert_ne!(store.describe().await.unwrap().run_id, first.run_id);
}

#[tokio::test]
async fn user_password_and_database_are_used_and_never_told() {
    let server = RedisServer::with(&["--save", "", "--user", "depot", "on", ">s3cret", "~depot:*", "+@all"]);
    let store = |password: &str| {
        RedisStore::connect(&RedisOptions {
            url: SecretString::from(format!("{}?user=depot&pass=wrong", server.url())),
            password: Some(SecretString::from(password)),
            db: Some(3),
            ca: None,
            prefix: PREFIX.to_owned(),
            bot: BOT,
            deadline: PATIENT,
            pool: PoolOptions { size: NonZeroUsize::MIN, timeout: PATIENT },
        })
        .unwrap()
    };
    applied(&opened(store("s3cret")).await, 1).await;
    let keyspace: String = server.command(&["INFO", "keyspace"]);
    assert!(keyspace.contains("db3:keys=3"), "{keyspace}");
    let error = store("Tr0ub4dor").ping().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Tr0ub4dor"), "{error}");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}
