//! The fault schedule of one world: which fault strikes when, and how long it lasts.

use std::sync::Arc;
use std::time::Duration;

use crate::memory::MemoryStore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::instance::Instance;
use super::model::{Engine, Fault};
use super::telegram::Instances;
use super::world::{Mutation, World};

/// After a fault of SQL, only Redis may have acknowledged commits. So long it loses nothing; and once
/// an instance is gone that would have known, it does not go away. Against three faults at once nothing is promised.
const CALM: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug)]
enum Event {
    Redis(Fault, Option<usize>),
    Sql(Fault, Option<usize>),
    Chat(Fault),
    /// Redis starts anew: with everything, with nothing, or as it was a moment ago.
    Restarted,
    StartedEmpty,
    Emptied,
    RolledBack,
    Killed(usize),
    Paused(usize),
}

/// Draws up to five faults for a world and lets them strike; returns when the last one is over.
pub(super) async fn run(world: Arc<World>, instances: Instances) {
    let mut faults = JoinSet::new();
    let count = instances.lock().unwrap().len();
    for _ in 0..world.below(5) {
        let (from, lasts) = (world.millis(0, 9_000), world.millis(20, 5_000));
        let event = draw(&world, count);
        let (world, instances) = (Arc::clone(&world), Arc::clone(&instances));
        faults.spawn(async move {
            sleep(from).await;
            happen(&world, &instances, event, lasts).await;
        });
    }
    if count == 2 && world.happens(20) {
        // Each instance loses another store: the one that still reaches Redis does not hear that SQL becomes the primary.
        for event in [Event::Redis(Fault::Away, Some(0)), Event::Sql(Fault::Away, Some(1))] {
            let (from, lasts) = (world.millis(1_000, 3_000), world.millis(3_000, 7_000));
            let (world, instances) = (Arc::clone(&world), Arc::clone(&instances));
            faults.spawn(async move {
                sleep(from).await;
                happen(&world, &instances, event, lasts).await;
            });
        }
    }
    faults.join_all().await;
}

fn draw(world: &World, count: usize) -> Event {
    let instance = usize::try_from(world.below(count as u64)).unwrap();
    let only = world.happens(25).then_some(instance);
    match world.below(20) {
        0..2 => Event::Redis(Fault::Away, only),
        2..5 => Event::Redis(Fault::Frozen, only),
        5 => Event::Redis(Fault::Lossy, only),
        6 => Event::Redis(Fault::Breaks, only),
        7 => Event::Redis(Fault::ReadOnly, None),
        8 => Event::Sql(Fault::Away, only),
        9 => Event::Sql(Fault::Frozen, only),
        10 => Event::Sql(Fault::Lossy, only),
        11 => Event::Sql(Fault::ReadOnly, None),
        12 => Event::Chat(Fault::Lossy),
        13 => Event::Chat(Fault::Away),
        14 => Event::Restarted,
        15 => Event::StartedEmpty,
        16 => Event::Emptied,
        17 => Event::RolledBack,
        18 => Event::Killed(instance),
        _ => Event::Paused(instance),
    }
}

async fn happen(world: &Arc<World>, instances: &Instances, event: Event, lasts: Duration) {
    if world.is_too_much(event) {
        return;
    }
    world.note(format_args!("** {event:?} for {} ms", lasts.as_millis()));
    match event {
        Event::Redis(fault, only) => pass(&world.redis, fault, only, lasts).await,
        Event::Sql(fault, only) => {
            pass(&world.sql, fault, only, lasts).await;
            world.sql_was_ill();
        }
        Event::Chat(fault) => pass(&world.chat, fault, None, lasts).await,
        Event::Restarted => lose(world, lasts, |_| {}).await,
        Event::StartedEmpty => lose(world, lasts, MemoryStore::empty).await,
        Event::Emptied => {
            if world.may_lose() {
                world.redis.memory.empty();
            }
        }
        Event::RolledBack => {
            let copy = world.redis.memory.copied();
            sleep(lasts.min(Duration::from_secs(2))).await;
            let run_id = world.redis.restart();
            if world.may_lose() {
                let run_id = if world.mutation == Mutation::TrustsAnyRun { "first" } else { &run_id };
                world.redis.memory.roll_back(&copy, run_id);
            } else {
                world.redis.memory.restart(&run_id);
            }
        }
        Event::Killed(number) => kill(world, instances, number, lasts).await,
        Event::Paused(number) => {
            let instance = instances.lock().unwrap().iter().find(|it| it.number == number).cloned();
            let Some(instance) = instance else { return };
            instance.process.set(false, true);
            world.seen().repeats += 1;
            sleep(lasts).await;
            if !instance.process.is_dead() {
                instance.process.set(false, false);
            }
        }
    }
    world.note(format_args!("** {event:?} is over"));
}

async fn pass(engine: &Engine, fault: Fault, only: Option<usize>, lasts: Duration) {
    engine.begin(fault, only);
    sleep(lasts).await;
    engine.end(fault, only);
}

/// Redis stops, and restarts with the data that `loss` has left.
async fn lose(world: &World, lasts: Duration, loss: impl FnOnce(&MemoryStore)) {
    world.redis.begin(Fault::Away, None);
    let run_id = world.redis.restart();
    sleep(lasts / 2).await;
    if world.may_lose() {
        loss(&world.redis.memory);
    }
    world.redis.memory.restart(&run_id);
    world.redis.end(Fault::Away, None);
}

async fn kill(world: &Arc<World>, instances: &Instances, number: usize, lasts: Duration) {
    let killed = {
        let mut running = instances.lock().unwrap();
        let index = running.iter().position(|it| it.number == number);
        index.map(|index| running.remove(index))
    };
    let Some(killed) = killed else { return };
    killed.process.set(true, false);
    world.seen().repeats += 1;
    sleep(lasts / 2).await;
    // The way to a store that only this instance has lost is the machine's, and stays lost.
    let started = Instance::start(world, number).await;
    instances.lock().unwrap().push(started);
}

impl World {
    fn sql_was_ill(&self) {
        let until = self.time() + CALM;
        let mut seen = self.seen();
        seen.calm_until = seen.calm_until.max(until);
    }

    /// Whether it would be the third fault at once.
    fn is_too_much(&self, event: Event) -> bool {
        if self.may_lose() {
            self.seen().is_witness_gone = false;
            return false;
        }
        match event {
            Event::Killed(_) | Event::Paused(_) => {
                let is_alone = !self.redis.is_well();
                self.seen().is_witness_gone |= !is_alone;
                is_alone
            }
            Event::Redis(..) | Event::Restarted | Event::StartedEmpty | Event::RolledBack => {
                self.seen().is_witness_gone
            }
            Event::Sql(..) | Event::Chat(_) | Event::Emptied => false,
        }
    }

    /// Whether Redis may lose its data: all acknowledged commits are in SQL too.
    fn may_lose(&self) -> bool {
        self.sql.is_well() && self.time() >= self.seen().calm_until
    }
}
