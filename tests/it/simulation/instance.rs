//! One instance of the bot: the real failover, service, effects and timers, over the model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use depot_bot::effects::execute::Executor;
use depot_bot::effects::{Effects, deadlines};
use depot_bot::service::ValidationSessionService;
use depot_bot::speech::NoTranscriber;
use depot_bot::store::replication::ReplicatedStore;
use session::{Cause, Event, Language, Verdict};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::chat::Outside;
use super::model::{Model, Process};
use super::telegram::Update;
use super::world::{BOT, Mutation, Stamp, World, key};

/// How often Telegram is asked how many updates wait.
const ASKED_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) number: usize,
    pub(super) process: Arc<Process>,
    world: Arc<World>,
    service: Arc<ValidationSessionService>,
    effects: Effects<Outside, Outside>,
    /// Updates of one chat are handled in order.
    lanes: Mutex<BTreeMap<i64, Arc<tokio::sync::Mutex<()>>>>,
    is_in_trouble: Mutex<bool>,
}

impl Instance {
    pub(super) async fn start(world: &Arc<World>, number: usize) -> Arc<Self> {
        let process = Arc::new(Process::default());
        let reach = |engine| Model::new(world, engine, number, &process);
        let (sql, redis) = (Arc::new(reach(&world.sql)), Arc::new(reach(&world.redis)));
        let (clock, rng) = (world.clock.clone(), world.rng.clone());
        let ledger = Model::clone(&sql);
        let failover = ReplicatedStore::start(sql, redis, clock.clone(), &rng, world.ttl).await;
        let (chat, stores) = (reach(&world.chat), failover.clone());
        let outside = Outside { chat, sql: ledger, stores };
        let service = ValidationSessionService::new(Arc::new(failover), clock.clone(), BOT, world.ttl);
        let service = Arc::new(service.with_rng(rng.clone()));
        let executor = Executor {
            chat: outside.clone(),
            recorder: outside.clone(),
            transcriber: Arc::new(NoTranscriber),
            understanding: Arc::new(outside),
            taxonomy: "model".to_owned(),
            clock: clock.clone(),
            rng,
        };
        let effects = Effects::new(Arc::clone(&service), executor, clock.clone());
        let never = CancellationToken::new();
        tokio::spawn(deadlines::run(Arc::clone(&service), effects.clone(), clock, never, || {}));
        let instance = Arc::new(Self {
            number,
            process,
            world: Arc::clone(world),
            service,
            effects,
            lanes: Mutex::default(),
            is_in_trouble: Mutex::new(false),
        });
        tokio::spawn(Arc::clone(&instance).ask_how_many_wait());
        world.note(format_args!("{number} has started"));
        instance
    }

    /// Permits expiry once no update waits at Telegram, as the intake and its permit do together.
    async fn ask_how_many_wait(self: Arc<Self>) {
        while !self.process.is_dead() {
            self.process.awake().await;
            let is_caught_up = self.world.seen().waiting == 0 && !*self.is_in_trouble.lock().unwrap();
            if is_caught_up || self.world.mutation == Mutation::ExpiresAlways {
                self.service.allow_expiry();
            }
            sleep(ASKED_EVERY).await;
        }
    }

    /// Takes an update to its commit, in a task of its own; nothing if it must come again.
    pub(super) async fn take(self: &Arc<Self>, update: &Update) -> Option<Taken> {
        let (instance, update) = (Arc::clone(self), update.clone());
        let taken = tokio::spawn(async move { instance.handle(&update).await }).await.unwrap();
        let has_failed = taken.is_none();
        *self.is_in_trouble.lock().unwrap() = has_failed;
        if has_failed && self.world.mutation != Mutation::ExpiresAlways {
            self.service.forbid_expiry();
        }
        taken
    }

    async fn handle(&self, update: &Update) -> Option<Taken> {
        let lane = Arc::clone(self.lanes.lock().unwrap().entry(update.person).or_default());
        let _turn = lane.lock().await;
        self.process.awake().await;
        let began = self.world.time();
        let handled = self.commit(update).await;
        self.process.awake().await;
        match handled {
            Ok((verdict, stamp)) => {
                let (number, id) = (self.number, update.id);
                self.world.note(format_args!("{number} handles {id}: {verdict:?} {}.{}", stamp.0, stamp.1));
                Some(Taken { began, stamp: (verdict != Verdict::Unchanged).then_some(stamp) })
            }
            Err(error) => {
                self.world.note(format_args!("{} fails with {}: {error}", self.number, update.id));
                None
            }
        }
    }

    async fn commit(&self, update: &Update) -> Result<(Verdict, Stamp), depot_bot::service::ServiceError> {
        let cause = Cause::Update {
            id: update.id,
            message: update.message,
            sent_at: update.message.map(|_| update.sent_at),
            language: Language::Fr,
        };
        let handled = self.service.update(key(update.person), cause, &update.event).await?;
        if !self.effects.run(&handled).await.is_recorded().await {
            self.service.await_replication(&handled.session).await?;
        }
        let session = &handled.session;
        Ok((handled.verdict, (session.epoch, session.version, session.commit)))
    }
}

/// The outcome of an update.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) began: Duration,
    /// The document that has it, if anything had to be committed for it.
    pub(super) stamp: Option<Stamp>,
}

impl Update {
    /// The note that must be in a deposit afterwards.
    pub(super) fn words(&self) -> Option<String> {
        match &self.event {
            Event::NoteReceived(note) => Some(note.text.clone()),
            _ => None,
        }
    }
}
