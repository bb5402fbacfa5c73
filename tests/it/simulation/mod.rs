//! The core loop as a deterministic simulation: the real service, effects, timers, failover and mirror over modelled
//! stores, a modelled Telegram and a modelled ledger, in paused time. One seed determines all of it.
//!
//! `DEPOT_SEED=n` replays one seed and prints its journal as it goes, `DEPOT_SEEDS=n` says how many are tried.

mod changes;
mod chat;
mod check;
mod fault_schedule;
mod instance;
mod model;
mod stores;
mod telegram;
mod world;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::memory::MemoryStore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::instance::Instance;
use self::model::{Engine, Kind, Model, Process};
use self::telegram::{Instances, Person};
use self::world::{Mutation, World};

/// How many seeds the ordinary run tries.
const SEEDS: u64 = 2_000;
/// How many are tried at most until a seeded fault is found.
const AT_MOST: u64 = 4_000;
/// Everything is at rest so long after the last fault, and after the last word.
const AT_REST: Duration = Duration::from_secs(60);
/// For how many looks in a row a world must be at rest.
const RESTED: u32 = 6;
/// How much of the journal of a failure is printed.
const TAIL: usize = 120;

/// How one simulation went.
struct Ended {
    violations: Vec<String>,
    journal: Vec<String>,
}

fn simulate(seed: u64, mutation: Mutation) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(run(seed, mutation))
}

async fn run(seed: u64, mutation: Mutation) -> Ended {
    let world = Arc::new(World::new(seed, mutation));
    let (count, people) = (1 + usize::try_from(world.below(2)).unwrap(), 1 + world.below(3).cast_signed());
    let mut starting = JoinSet::new();
    for number in 0..count {
        let world = Arc::clone(&world);
        starting.spawn(async move { Instance::start(&world, number).await });
    }
    let instances: Instances = Arc::new(Mutex::new(starting.join_all().await));
    let mut acting = JoinSet::new();
    for person in 1..=people {
        acting.spawn(Person::new(&world, &instances, person).live());
    }
    acting.spawn(fault_schedule::run(Arc::clone(&world), Arc::clone(&instances)));
    acting.join_all().await;
    world.note("all is calm from now on");
    let calm = world.time();
    let mut violations = Vec::new();
    // Apparent rest may be the moment between a failover and the work behind it.
    let mut rested = 0;
    loop {
        match world.unrest(people) {
            None if rested == RESTED => break,
            None => rested += 1,
            Some(unrest) if world.time() > calm + AT_REST => {
                violations.push(format!("no rest: {unrest}"));
                break;
            }
            Some(_) => rested = 0,
        }
        sleep(Duration::from_millis(500)).await;
    }
    violations.extend(world.violations(people));
    let journal = std::mem::take(&mut world.seen().journal);
    Ended { violations, journal }
}

/// The report of a failure, with the way to repeat it.
fn report(seed: u64, ended: &Ended, tail: usize) -> String {
    let journal = &ended.journal[ended.journal.len().saturating_sub(tail)..];
    let violations = ended.violations.join("\n  ");
    format!("DEPOT_SEED={seed}\n{}\n\nDEPOT_SEED={seed}:\n  {violations}\n", journal.join("\n"))
}

#[expect(clippy::disallowed_methods, reason = "how much is tried is nobody's configuration")]
fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

#[test]
fn every_seed_keeps_the_promises() {
    if let Some(seed) = number_of("DEPOT_SEED") {
        let ended = simulate(seed, Mutation::None);
        assert!(ended.violations.is_empty(), "{}", report(seed, &ended, 0));
        return;
    }
    let (next, seeds) = (AtomicU64::new(0), number_of("DEPOT_SEEDS").unwrap_or(SEEDS));
    let red = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds || red.lock().unwrap().len() >= 10 {
                        return;
                    }
                    let ended = simulate(seed, Mutation::None);
                    if !ended.violations.is_empty() {
                        red.lock().unwrap().push((seed, ended));
                    }
                }
            });
        }
    });
    let red = red.into_inner().unwrap();
    let others: String = red
        .iter()
        .map(|(seed, ended)| format!("DEPOT_SEED={seed}: {}\n", ended.violations.join("; ")))
        .collect();
    if let Some((seed, ended)) = red.first() {
        panic!("{}\n{others}", report(*seed, ended, TAIL));
    }
}

#[test]
fn a_seed_repeats_itself_byte_for_byte() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89] {
        let (one, other) = (simulate(seed, Mutation::None), simulate(seed, Mutation::None));
        assert!(one.journal.len() > 20, "{:?}", one.journal);
        for (line, (one, other)) in one.journal.iter().zip(&other.journal).enumerate() {
            assert_eq!(one, other, "seed {seed}, line {line}");
        }
        assert_eq!(one.journal.len(), other.journal.len(), "seed {seed}");
    }
    assert_ne!(simulate(1, Mutation::None).journal, simulate(2, Mutation::None).journal);
}

/// A simulation that cannot fail shows nothing: with each of these faults in the model some seed is red.
fn is_caught(mutation: Mutation, by: &str) {
    let red = (0..AT_MOST).find(|seed| {
        let ended = simulate(*seed, mutation);
        ended.violations.iter().any(|violation| violation.contains(by))
    });
    assert!(red.is_some(), "{AT_MOST} seeds say nothing of {mutation:?}");
}

#[test]
fn a_store_that_ignores_versions_is_caught() {
    is_caught(Mutation::IgnoresVersions, "is not in the document");
}

#[test]
fn a_mirror_that_lies_is_caught() {
    is_caught(Mutation::MirrorLies, "acknowledged");
}

#[test]
fn an_instance_that_waits_for_nobody_is_caught() {
    is_caught(Mutation::WaitsForNobody, "acknowledged");
}

#[test]
fn an_intake_that_acknowledges_early_is_caught() {
    is_caught(Mutation::AcknowledgesEarly, "in no deposit");
}

#[test]
fn a_ledger_that_records_twice_is_caught() {
    is_caught(Mutation::RecordsTwice, "in the ledger twice");
}

#[test]
fn a_run_that_is_trusted_blindly_is_caught() {
    is_caught(Mutation::TrustsAnyRun, "acknowledged");
}

#[test]
fn a_session_that_expires_while_its_answer_waits_is_caught() {
    is_caught(Mutation::ExpiresAlways, "has expired");
}

/// The model without faults, for the suites of the contracts: the same rules as the real stores.
pub(crate) fn calm_model(memory: &MemoryStore) -> Arc<Model> {
    let world = Arc::new(World::calm());
    let engine = Arc::new(Engine::new(Kind::Sql));
    let model = Model::new(&world, &engine, 0, &Arc::new(Process::default()));
    Arc::new(Model { memory: memory.clone(), ..model })
}
