//! Users who deposit all the time while faults are injected into the engines; and their checks afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bot_api_simulator::User;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bot::TestBot;
use crate::faults::{deposits_patiently, holds};
use crate::oracle::{measured, soaks};
use crate::process::get;

/// How long anything may take on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// How long a user rests between two deposits.
const BREATH: Duration = Duration::from_millis(50);
/// The same where it goes on for minutes.
const LONG_BREATH: Duration = Duration::from_millis(400);
/// How often readiness is asked.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// Users who deposit until they are told to stop.
pub(super) struct Storm {
    people: JoinSet<(i64, BTreeSet<u64>)>,
    over: Arc<AtomicBool>,
    /// How long each deposit took, from the first word to the confirmation.
    took: watch::Sender<Vec<Duration>>,
    count: usize,
    recoveries: Vec<Duration>,
}

impl Storm {
    pub(super) fn begin(people: impl Iterator<Item = User>) -> Self {
        let (over, took) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(Vec::new()));
        let mut storm = Self { people: JoinSet::new(), over, took, count: 0, recoveries: Vec::new() };
        for user in people {
            storm.count += 1;
            let (over, took) = (Arc::clone(&storm.over), storm.took.clone());
            storm.people.spawn(async move {
                let mut deposits = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    deposits.insert(deposits_patiently(&user).await);
                    took.send_modify(|all| all.push(began.elapsed()));
                    tokio::time::sleep(if soaks() { LONG_BREATH } else { BREATH }).await;
                }
                (user.id(), deposits)
            });
        }
        storm
    }

    /// The users 1 to `count` of a bot.
    pub(super) fn over(bot: &TestBot, count: i64) -> Self {
        Self::begin((1..=count).map(|id| bot.user(id)))
    }

    /// Waits until so many more deposits are confirmed.
    pub(super) async fn goes_on(&self, more: usize) {
        let mut took = self.took.subscribe();
        let before = took.borrow_and_update().len();
        let confirmed = took.wait_for(|all| all.len() >= before + more);
        timeout(PATIENCE, confirmed).await.expect("deposits are confirmed").unwrap();
    }

    /// Waits for something that ends an outage, and notes how long it took.
    pub(super) async fn recovers(&mut self, recovered: impl Future<Output = ()>) {
        let began = Instant::now();
        recovered.await;
        self.recoveries.push(began.elapsed());
    }

    /// Lets all users finish; returns how many deposits they saw confirmed.
    pub(super) async fn calms_down(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let mut deposits = 0;
        while let Some(person) = timeout(PATIENCE, self.people.join_next()).await.expect("everybody ends") {
            deposits += person.unwrap().1.len();
        }
        deposits
    }

    /// Lets all users finish. Each deposit that they saw confirmed is then in the ledger, once, and no other.
    pub(super) async fn ends(mut self, fault: &str, bot: &TestBot) {
        self.over.store(true, Ordering::Relaxed);
        let (mut deposits, mut repeats) = (0, 0);
        while let Some(person) = timeout(PATIENCE, self.people.join_next()).await.expect("everybody ends") {
            let (id, own) = person.unwrap();
            holds(bot, id, &own).await;
            deposits += own.len();
            repeats += cards_beyond_notes(&bot.user(id));
        }
        let took = self.took.borrow().clone();
        measured(&format!(
            "{fault} | {deposits} deposits by {} people | 0 lost, 0 doubled | deposit p50 {} p99 {} ms | {} recoveries p50 {} \
             p99 {} ms | {repeats} repeated cards",
            self.count,
            quantile(&took, 0.5),
            quantile(&took, 0.99),
            self.recoveries.len(),
            quantile(&self.recoveries, 0.5),
            quantile(&self.recoveries, 0.99),
        ));
    }
}

/// How many cards a user got beyond one for each note.
fn cards_beyond_notes(user: &User) -> usize {
    let messages = user.messages();
    let notes = messages.iter().filter(|message| !message.from_bot()).count();
    (messages.len() - notes).saturating_sub(notes)
}

pub(super) fn quantile(durations: &[Duration], share: f64) -> u128 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).map_or(0, Duration::as_millis)
}

/// The state of the whole and which store is the primary since which epoch, as readiness has it.
pub(super) async fn readiness(bot: &TestBot) -> (String, String) {
    let (_, body) = get(&bot.app().http.to_string(), "/health/ready").await;
    let ready: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&ready["state"]), text(&ready["components"]["sessions"]["detail"]))
}

/// The epoch, as readiness has it.
pub(super) async fn epoch(bot: &TestBot) -> u64 {
    let (_, sessions) = readiness(bot).await;
    sessions.rsplit(' ').next().and_then(|epoch| epoch.parse().ok()).unwrap_or_default()
}

/// Waits until this store is the primary, and readiness says so.
pub(super) async fn primary(bot: &TestBot, store: &str, state: &str) {
    let said = async {
        loop {
            let (whole, sessions) = readiness(bot).await;
            if whole == state && sessions.starts_with(&format!("{store} is the primary")) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let said = timeout(PATIENCE, said).await;
    assert!(said.is_ok(), "{store} is not the primary, or not {state}: {:?}", readiness(bot).await);
}
