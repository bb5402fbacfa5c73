//! The loop against a Telegram with true offsets, on a clock that jumps when every task is idle.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::Timestamp;
use crate::telegram::incoming::Incoming;
use crate::telegram::ingress::pipeline::{DeadLetterReason, HandleUpdate};

/// Telegram's queue as `getUpdates` shows it.
#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<(i64, String)>>,
    failures: Mutex<VecDeque<Result<Batch, CallError>>>,
    knows_no_timeout: std::sync::atomic::AtomicBool,
    asked: Mutex<Vec<(i64, u8)>>,
    woken: Notify,
}

impl Queue {
    fn push(&self, id: i64, chat: i64) {
        let raw = format!(
            r#"{{"update_id":{id},"message":{{"message_id":{id},"text":"x","chat":{{"id":{chat},"type":"private"}}}}}}"#
        );
        self.push_raw(id, &raw);
    }

    fn push_raw(&self, id: i64, raw: &str) {
        self.waiting.lock().unwrap().push_back((id, raw.to_owned()));
        self.woken.notify_waiters();
    }

    fn fail(&self, failures: impl IntoIterator<Item = CallError>) {
        self.failures.lock().unwrap().extend(failures.into_iter().map(Err));
    }

    fn asked(&self) -> Vec<(i64, u8)> {
        self.asked.lock().unwrap().clone()
    }

    fn waiting(&self) -> Vec<i64> {
        self.waiting.lock().unwrap().iter().map(|(id, _)| *id).collect()
    }
}

impl UpdateSource for Queue {
    async fn get_updates(&self, offset: i64, limit: u8, wait: Duration) -> Result<Batch, CallError> {
        self.asked.lock().unwrap().push((offset, limit));
        if let Some(scripted) = self.failures.lock().unwrap().pop_front() {
            return scripted;
        }
        let woken = self.woken.notified();
        let take = || {
            let mut waiting = self.waiting.lock().unwrap();
            let tail = waiting.back().map_or(0, |(id, _)| *id);
            if offset > 0 && offset <= tail + 10 {
                waiting.retain(|(id, _)| *id >= offset);
            }
            waiting.iter().take(limit.into()).map(|(_, raw)| raw.clone()).collect::<Vec<_>>()
        };
        let mut updates = take();
        let waits = !self.knows_no_timeout.load(std::sync::atomic::Ordering::Relaxed);
        if updates.is_empty() && !wait.is_zero() && waits {
            let _woken = timeout(wait, woken).await;
            updates = take();
        }
        Ok(Batch { updates, broken: None })
    }
}

/// The handler's answers to an update, try after try; at last it commits.
#[derive(Clone, Copy, Debug)]
enum Act {
    Retry,
    Hold,
    Panic,
    Hang,
    Wait,
}

#[derive(Default)]
struct Script {
    acts: Mutex<HashMap<i64, VecDeque<Act>>>,
    seen: Mutex<Vec<String>>,
    gate: Notify,
}

impl Script {
    fn acts(&self, id: i64, acts: impl IntoIterator<Item = Act>) {
        self.acts.lock().unwrap().insert(id, acts.into_iter().collect());
    }

    fn note(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, what: &str) -> usize {
        self.seen().iter().filter(|seen| *seen == what).count()
    }
}

impl HandleUpdate for Script {
    async fn handle(&self, incoming: &Incoming, _raw: &str) -> Disposition {
        let id = incoming.update_id;
        self.note(format!("begin {id}"));
        let act = self.acts.lock().unwrap().get_mut(&id).and_then(VecDeque::pop_front);
        match act {
            None => {}
            Some(Act::Retry) => return Disposition::Retry,
            Some(Act::Hold) => return Disposition::Held,
            Some(Act::Panic) => panic!("on purpose"),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Wait) => self.gate.notified().await,
        }
        self.note(format!("commit {id}"));
        Disposition::Committed
    }

    async fn dead_letter(&self, update_id: Option<i64>, _raw: &str, reason: DeadLetterReason) -> Disposition {
        self.note(format!("dead letter {} {}", update_id.unwrap_or(-1), reason.as_str()));
        Disposition::Committed
    }
}

struct Rig {
    queue: Arc<Queue>,
    script: Arc<Script>,
    status: watch::Receiver<IntakeStatus>,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Rig {
    fn start(queue: &Arc<Queue>) -> Self {
        let script = Arc::new(Script::default());
        Self::start_with(queue, &script)
    }

    fn start_with(queue: &Arc<Queue>, script: &Arc<Script>) -> Self {
        let clock = Clock::manual(Timestamp(1_000));
        let polling = Polling::new(queue.clone(), Arc::new(Pipeline::new(script.clone())), clock);
        let (status, shutdown) = (polling.status(), CancellationToken::new());
        let token = shutdown.clone();
        let running = tokio::spawn(async move { polling.run(token).await });
        Self { queue: queue.clone(), script: script.clone(), status, shutdown, running }
    }

    /// Lets the loop work until it waits for new updates with this offset.
    async fn rests_at(&self, offset: i64) {
        for _ in 0..10_000 {
            let idle = self.queue.waiting.lock().unwrap().iter().all(|(id, _)| *id < offset);
            if self.queue.asked().last().is_some_and(|(asked, _)| *asked == offset) && idle {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?} {:?}", self.queue.asked(), self.script.seen());
    }

    async fn until(&self, what: &str) {
        for _ in 0..10_000 {
            if self.script.count(what) > 0 {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("never {what}: {:?}", self.script.seen());
    }

    async fn status_is(&mut self, reached: impl FnMut(&IntakeStatus) -> bool) -> IntakeStatus {
        let patience = Duration::from_secs(1000);
        *timeout(patience, self.status.wait_for(reached)).await.unwrap().unwrap()
    }

    async fn stop(self) -> Arc<Script> {
        self.shutdown.cancel();
        self.running.await.unwrap();
        self.script
    }
}

fn queue() -> Arc<Queue> {
    Arc::default()
}

#[tokio::test(start_paused = true)]
async fn the_offset_moves_only_over_what_is_committed() {
    let queue = queue();
    queue.push(10, 7);
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Wait]);
    let rig = Rig::start_with(&queue, &script);
    rig.until("begin 10").await;
    // kill -9: the loop and its handler are gone.
    rig.running.abort();
    assert_eq!((queue.waiting(), queue.asked()), (vec![10], vec![(0, 100)]));

    let rig = Rig::start(&queue);
    rig.rests_at(11).await;
    assert_eq!(rig.script.seen(), ["begin 10", "commit 10"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_timeout_is_not_asked_without_end() {
    let queue = queue();
    queue.knows_no_timeout.store(true, std::sync::atomic::Ordering::Relaxed);
    let rig = Rig::start(&queue);
    sleep(Duration::from_secs(10)).await;
    let asked = queue.asked().len();
    assert!((90..=102).contains(&asked), "asked {asked} times in 10 s");
    queue.push(10, 7);
    rig.until("commit 10").await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hands_out_each_update_once_loses_none() {
    let queue = queue();
    for (id, chat) in [(10, 1), (11, 2), (12, 1)] {
        queue.push(id, chat);
    }
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Retry, Act::Retry]);
    let rig = Rig::start_with(&queue, &script);
    rig.until("begin 10").await;
    queue.waiting.lock().unwrap().clear();
    queue.push(13, 1);
    rig.rests_at(14).await;
    let script = rig.stop().await;
    for (id, times) in [(10, 3), (11, 1), (12, 1), (13, 1)] {
        assert_eq!(script.count(&format!("begin {id}")), times, "{:?}", script.seen());
    }
    let order: Vec<_> = script.seen().into_iter().filter(|seen| seen.starts_with("commit")).collect();
    assert_eq!(order, ["commit 11", "commit 10", "commit 12", "commit 13"]);
}

#[tokio::test(start_paused = true)]
async fn behind_an_update_that_cannot_be_committed_nothing_is_acknowledged_and_nothing_done_twice() {
    let queue = queue();
    for (id, chat) in [(10, 1), (11, 2), (12, 3), (13, 2)] {
        queue.push(id, chat);
    }
    let script = Arc::new(Script::default());
    script.acts(11, [Act::Retry, Act::Retry]);
    let rig = Rig::start_with(&queue, &script);
    rig.until("commit 12").await;
    assert_eq!(rig.script.count("begin 13"), 0, "the next of the same chat waits");
    rig.rests_at(14).await;
    assert_eq!(queue.asked().iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 11, 11, 14]);
    for (what, times) in [("begin 11", 3), ("begin 10", 1), ("begin 12", 1), ("commit 13", 1)] {
        assert_eq!(rig.script.count(what), times, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_no_trouble_to_others_and_a_dead_letter_after_a_minute() {
    let queue = queue();
    for (id, chat) in [(10, 1), (11, 2), (12, 1)] {
        queue.push(id, chat);
    }
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Hold; 1_000]);
    script.acts(12, [Act::Hold; 1_000]);
    let began = Instant::now();
    let mut rig = Rig::start_with(&queue, &script);
    rig.until("commit 11").await;
    let status = rig.status_is(|status| status.completed_at.is_some()).await;
    assert_eq!((status.failure, status.caught_up), (None, true));
    sleep(Duration::from_secs(30)).await;
    queue.push(13, 3);
    let came = Instant::now();
    rig.until("commit 13").await;
    assert!(came.elapsed() < Duration::from_secs(1), "{:?}", came.elapsed());
    assert_eq!(queue.waiting(), [10, 11, 12, 13], "nothing is acknowledged meanwhile");
    rig.rests_at(14).await;
    assert!((60..63).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for what in ["dead letter 10 newer_session", "dead letter 12 newer_session", "begin 12"] {
        assert_eq!(rig.script.count(what), 1, "{what}");
    }
    // The conversation is still the newer release's: its next update does not wait for another minute.
    script.acts(14, [Act::Hold; 10]);
    queue.push(14, 1);
    rig.rests_at(15).await;
    assert_eq!(rig.script.count("begin 14"), 1);
    // It can be read again, and is forgotten as held.
    queue.push(15, 1);
    rig.rests_at(16).await;
    script.acts(16, [Act::Hold, Act::Hold]);
    queue.push(16, 1);
    rig.rests_at(17).await;
    assert_eq!((rig.script.count("begin 16"), rig.script.count("commit 16")), (3, 1));
    assert_eq!(rig.script.count("dead letter 16 newer_session"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_does_not_fill_the_window_behind_the_offset() {
    let queue = queue();
    queue.push(10, 1);
    for id in 11..211 {
        queue.push(id, id);
    }
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Hold; 1_000]);
    let began = Instant::now();
    let rig = Rig::start_with(&queue, &script);
    rig.rests_at(211).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((rig.script.count("dead letter 10 newer_session"), rig.script.count("commit 210")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_chat_keeps_its_order_and_the_others_do_not_wait_for_it() {
    let queue = queue();
    for (id, chat) in [(10, 1), (11, 1), (12, 2)] {
        queue.push(id, chat);
    }
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Wait]);
    let rig = Rig::start_with(&queue, &script);
    rig.until("commit 12").await;
    script.gate.notify_one();
    rig.rests_at(13).await;
    let order = ["begin 10", "begin 12", "commit 12", "commit 10", "begin 11", "commit 11"];
    assert_eq!(rig.script.seen(), order);
}

#[tokio::test(start_paused = true)]
async fn what_panics_three_times_is_a_dead_letter_and_the_others_are_served() {
    let queue = queue();
    for (id, chat) in [(10, 1), (11, 1), (12, 2)] {
        queue.push(id, chat);
    }
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Panic, Act::Panic, Act::Panic, Act::Panic]);
    script.acts(12, [Act::Panic]);
    let rig = Rig::start_with(&queue, &script);
    rig.rests_at(13).await;
    assert_eq!(rig.script.count("begin 10"), 3);
    for (what, times) in [("dead letter 10 panicked", 1), ("commit 11", 1), ("commit 12", 1)] {
        assert_eq!(rig.script.count(what), times, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_runs_once_holds_its_chat_for_a_while_and_is_a_dead_letter() {
    let queue = queue();
    for (id, chat) in [(10, 1), (11, 1), (12, 2)] {
        queue.push(id, chat);
    }
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Hang, Act::Hang, Act::Hang]);
    let began = Instant::now();
    let rig = Rig::start_with(&queue, &script);
    rig.until("commit 12").await;
    assert!(began.elapsed() < Duration::from_secs(1));
    rig.until("dead letter 10 timed_out").await;
    assert!((15..25).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    rig.rests_at(13).await;
    assert_eq!(rig.script.count("begin 10"), 1, "a try that is under way is never doubled");
    assert_eq!(rig.script.count("commit 11"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_try_counts_when_it_ends_after_its_deadline() {
    let queue = queue();
    queue.push(10, 1);
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Wait]);
    let rig = Rig::start_with(&queue, &script);
    rig.until("begin 10").await;
    sleep(Duration::from_secs(7)).await;
    script.gate.notify_one();
    rig.rests_at(11).await;
    assert_eq!(rig.script.seen(), ["begin 10", "commit 10"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_a_dead_letter_also_without_a_number_and_then_only_once() {
    let queue = queue();
    queue.push_raw(10, r#"{"update_id":10,"message":{"text":"lost?"}}"#);
    queue.push(11, 1);
    queue.push_raw(12, r#"{"update_id":"twelve"}"#);
    let rig = Rig::start(&queue);
    rig.until("dead letter -1 unreadable").await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.script.count("dead letter -1 unreadable"), 1);
    assert!(queue.asked().len() < 20, "no tight loop: {}", queue.asked().len());
    queue.push(13, 1);
    rig.rests_at(14).await;
    for what in ["dead letter 10 unreadable", "commit 11", "commit 13", "dead letter -1 unreadable"] {
        assert_eq!(rig.script.count(what), 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stays_no_json_makes_its_first_update_a_dead_letter() {
    let queue = queue();
    let broken = || Ok(Batch { updates: vec![], broken: Some(r#"{"update_id": 10,"message":{}]"#.into()) });
    queue.failures.lock().unwrap().extend([broken(), broken(), broken()]);
    queue.push(11, 1);
    let rig = Rig::start(&queue);
    rig.rests_at(12).await;
    assert_eq!(rig.script.seen(), ["dead letter 10 unreadable", "begin 11", "commit 11"]);
    assert_eq!(queue.asked(), [(0, 100), (0, 1), (0, 1), (11, 1), (12, 100)]);
}

#[tokio::test(start_paused = true)]
async fn ids_that_restart_lower_are_followed() {
    let queue = queue();
    queue.push(900, 1);
    let rig = Rig::start(&queue);
    rig.rests_at(901).await;
    queue.waiting.lock().unwrap().clear();
    queue.push(50, 1);
    rig.until("commit 50").await;
    rig.rests_at(51).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_being_handled_and_confirms_just_that() {
    let queue = queue();
    queue.push(10, 1);
    queue.push(11, 1);
    let script = Arc::new(Script::default());
    script.acts(10, [Act::Wait]);
    let rig = Rig::start_with(&queue, &script);
    rig.until("begin 10").await;
    rig.shutdown.cancel();
    sleep(Duration::from_millis(10)).await;
    script.gate.notify_one();
    let script = rig.stop().await;
    assert_eq!(script.seen(), ["begin 10", "commit 10"]);
    assert_eq!(queue.asked(), [(0, 100), (11, 1)]);
    assert_eq!(queue.waiting(), [11]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_up_the_long_poll_at_once() {
    let queue = queue();
    queue.push(10, 1);
    let rig = Rig::start(&queue);
    rig.rests_at(11).await;
    sleep(LONG_POLL + Duration::from_secs(1)).await;
    let began = Instant::now();
    rig.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(queue.asked(), [(0, 100), (11, 100), (11, 100)], "nothing was left to confirm");
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_when_the_intake_has_caught_up() {
    let queue = queue();
    for id in 1..=150 {
        queue.push(id, id);
    }
    let script = Arc::new(Script::default());
    script.acts(150, [Act::Retry]);
    let mut rig = Rig::start_with(&queue, &script);
    let status = rig.status_is(|status| status.completed_at.is_some()).await;
    assert_eq!((status.completed_at, status.caught_up), (Some(Timestamp(1_000)), false));
    let status = rig.status_is(|status| status.failure.is_some()).await;
    assert_eq!((status.failure, status.caught_up), (Some(IntakeFailure::Stalled), false));
    rig.status_is(|status| status.caught_up && status.failure.is_none()).await;
    queue.fail([CallError::NotSent]);
    queue.push(151, 1);
    let status = rig.status_is(|status| status.failure.is_some()).await;
    assert!(!status.caught_up);
    rig.status_is(|status| status.caught_up).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_start_has_completed_at_once_and_then_waits_for_long() {
    let queue = queue();
    let began = Instant::now();
    let mut rig = Rig::start(&queue);
    rig.status_is(|status| status.caught_up).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    sleep(Duration::from_secs(300)).await;
    assert!(queue.asked().len() < 15, "{}", queue.asked().len());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_telegram_asks_for_is_kept_to_the_second() {
    let queue = queue();
    queue.fail([CallError::RetryAfter(Duration::from_secs(40))]);
    queue.push(10, 1);
    let began = Instant::now();
    let rig = Rig::start(&queue);
    rig.until("commit 10").await;
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_once_and_backed_off_from() {
    let log = Log::default();
    // With a single subscriber `tracing` asks only the thread that is first at a line whether it is enabled, and that
    // may be the thread of another test.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(
        tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish(),
    );
    let queue = queue();
    let other = || CallError::Conflict(Conflict::OtherPoller);
    let webhook = || CallError::Conflict(Conflict::WebhookSet);
    queue.fail((0..8).map(|_| other()));
    queue.fail((0..8).map(|_| webhook()));
    queue.fail((0..8).map(|_| CallError::Unauthorized));
    queue.push(10, 1);
    let began = Instant::now();
    let rig = Rig::start(&queue);
    rig.rests_at(11).await;
    let lines = log.lines();
    let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(count("another program polls"), 1);
    assert_eq!(count("depot-bot webhook delete"), 1);
    assert_eq!(count("does not accept the bot token"), 1);
    assert_eq!(count("coming in again"), 1);
    let seconds = began.elapsed().as_secs();
    assert!((300..720).contains(&seconds), "24 tries took {seconds} s");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().map(str::to_owned).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
