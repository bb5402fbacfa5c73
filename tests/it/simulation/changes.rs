//! the failovers one by one: the real failover over the modelled stores, in paused time.

use std::sync::Arc;
use std::time::Duration;

use depot_bot::store::replication::{ReplicatedStore, ReplicationStatus};
use depot_bot::store::{Committed, Replicated as _, SessionStore as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::model::{Fault, Model, Process};
use super::world::{Mutation, World, key};
use crate::stores::{after, session};

/// One instance, and how it says its stores are.
struct Alone {
    world: Arc<World>,
    failover: ReplicatedStore<Model, Model>,
    status: watch::Receiver<ReplicationStatus>,
}

impl Alone {
    async fn start() -> Self {
        let world = Arc::new(World::new(7, Mutation::None));
        let process = Arc::new(Process::default());
        let reach = |engine| Arc::new(Model::new(&world, engine, 0, &process));
        let (sql, redis) = (reach(&world.sql), reach(&world.redis));
        let failover = ReplicatedStore::start(sql, redis, world.clock.clone(), &world.rng, world.ttl).await;
        let status = failover.status();
        let mut alone = Self { world, failover, status };
        alone.serves("redis").await;
        alone
    }

    /// Waits until this store is the primary and takes commits; says how long that took.
    async fn serves(&mut self, store: &str) -> Duration {
        let began = Instant::now();
        let is_it = |it: &ReplicationStatus| it.is_open && it.primary == store;
        let waited = tokio::time::timeout(Duration::from_secs(300), self.status.wait_for(is_it)).await;
        assert!(waited.is_ok(), "{store} does not take charge:\n{}", self.world.seen().journal.join("\n"));
        began.elapsed()
    }

    /// Commits a version of the conversation, and waits until it may be acknowledged.
    async fn keeps(&self, version: u64) {
        let mut document = session(key(7), version);
        document.epoch = self.failover.epoch();
        let committed = self.failover.commit(&after(version - 1, &document)).await.unwrap();
        assert_eq!(committed, Committed::Applied);
        self.failover.await_replication(&document).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn each_return_that_does_not_last_doubles_the_wait_for_the_next_up_to_a_minute() {
    let mut alone = Alone::start().await;
    for seconds in [5, 10, 20, 40, 60, 60] {
        alone.world.redis.begin(Fault::Away, None);
        alone.serves("sql").await;
        alone.world.redis.end(Fault::Away, None);
        let waited = alone.serves("redis").await;
        let wanted = Duration::from_secs(seconds);
        assert!(wanted <= waited && waited < wanted + Duration::from_secs(1), "{waited:?}, not {wanted:?}");
    }
    // A return that has lasted makes good for all.
    sleep(Duration::from_secs(61)).await;
    alone.world.redis.begin(Fault::Away, None);
    alone.serves("sql").await;
    alone.world.redis.end(Fault::Away, None);
    assert!(alone.serves("redis").await < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_commit_that_is_not_in_sql_yet_survives_an_emptied_redis() {
    let mut alone = Alone::start().await;
    alone.keeps(1).await;
    // SQL answers, and the mirror does not come through.
    alone.world.sql.begin(Fault::Narrow, None);
    alone.keeps(2).await;
    let run_id = alone.world.redis.restart();
    alone.world.redis.memory.empty();
    alone.world.redis.memory.restart(&run_id);
    sleep(Duration::from_secs(8)).await;
    let before = alone.failover.epoch();
    alone.world.sql.end(Fault::Narrow, None);
    alone.serves("redis").await;
    let kept = alone.failover.load(key(7)).await.unwrap().map(|session| session.version);
    assert_eq!((kept, alone.world.sql.memory.conflicts().len()), (Some(2), 0));
    assert!(alone.failover.epoch() > before, "what it had was copied");
}

#[tokio::test(start_paused = true)]
async fn sql_goes_on_where_the_copy_to_redis_does_not_come_to_an_end() {
    let mut alone = Alone::start().await;
    alone.keeps(1).await;
    alone.world.redis.begin(Fault::Narrow, None);
    let run_id = alone.world.redis.restart();
    alone.world.redis.memory.empty();
    alone.world.redis.memory.restart(&run_id);
    let waited = alone.serves("sql").await;
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    alone.keeps(2).await;
    alone.world.redis.end(Fault::Narrow, None);
    alone.serves("redis").await;
    alone.keeps(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_never_committed_is_replicated() {
    let alone = Alone::start().await;
    let nothing = session(key(7), 0);
    alone.failover.await_replication(&nothing).await.unwrap();
    assert!(alone.failover.unreplicated(&nothing).is_none());
    assert_eq!(alone.world.sql.memory.stamp(key(7)), None);
}
