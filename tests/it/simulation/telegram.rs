//! The modelled Telegram: two queues for each user, each in order, delivered at least once to some instance.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deposit::MessageId;
use depot_bot::clock::Timestamp;
use session::{Event, Note, Sentence, Tap};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::instance::{Instance, Taken};
use super::world::{Acknowledged, Mutation, World, key};

/// How long a delivery waits for its answer.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) id: i64,
    pub(super) person: i64,
    pub(super) event: Event,
    pub(super) message: Option<MessageId>,
    pub(super) sent_at: Timestamp,
    pub(super) sent: Duration,
}

/// The instances that run.
pub(super) type Instances = Arc<Mutex<Vec<Arc<Instance>>>>;

/// A user with a telephone.
pub(super) struct Person {
    world: Arc<World>,
    id: i64,
    updates: i64,
    messages: mpsc::UnboundedSender<Update>,
    taps: mpsc::UnboundedSender<Update>,
}

impl Person {
    pub(super) fn new(world: &Arc<World>, instances: &Instances, id: i64) -> Self {
        let queue = || {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(deliver(Arc::clone(world), Arc::clone(instances), receiver));
            sender
        };
        Self { world: Arc::clone(world), id, updates: 0, messages: queue(), taps: queue() }
    }

    /// Takes a few random actions, as a user does: writes, taps a present or former button, and waits.
    pub(super) async fn live(mut self) {
        let steps = 3 + self.world.below(6);
        for _ in 0..steps {
            let pause = if self.world.is_hasty {
                self.world.millis(1, 120)
            } else if self.world.happens(80) {
                self.world.millis(5, 1_500)
            } else {
                self.world.millis(1_500, 6_000)
            };
            sleep(pause).await;
            match self.world.below(20) {
                0..6 => self.speaks(),
                6..16 => self.taps(),
                16 => self.sends(Event::OpeningRequested),
                17 => self.sends(Event::StatusRequested),
                18 => self.sends(Event::CancelRequested),
                _ => self.sends(Event::Asked(Sentence::Help)),
            }
        }
    }

    fn speaks(&mut self) {
        let text = format!("note {} of {}", self.updates + 1, self.id);
        self.sends(Event::NoteReceived(Note { text, ..Note::default() }));
    }

    fn sends(&mut self, event: Event) {
        let message = {
            let mut seen = self.world.seen();
            let room = seen.rooms.entry(self.id).or_default();
            room.last += 1;
            MessageId(room.last)
        };
        let update = self.update(event, Some(message));
        self.messages.send(update).unwrap();
    }

    /// Taps a button: of the newest card, or of any that still has one; without one the user writes.
    fn taps(&mut self) {
        let cards: Vec<_> = {
            let seen = self.world.seen();
            let messages = seen.rooms.get(&self.id).map(|room| room.messages.clone()).unwrap_or_default();
            messages.into_iter().filter_map(|(id, view)| Some((id, view.keyboard?))).collect()
        };
        let Some(last) = cards.len().checked_sub(1) else { return self.speaks() };
        let any = usize::try_from(self.world.below(cards.len() as u64)).unwrap();
        let (message, keyboard) = cards[if self.world.happens(85) { last } else { any }].clone();
        let verb = usize::try_from(self.world.below(keyboard.verbs.len() as u64)).unwrap();
        let tap = Event::Tapped(Tap {
            reference: keyboard.reference,
            step: keyboard.step,
            verb: keyboard.verbs[verb].clone(),
            message: MessageId(message),
        });
        for _ in 0..if self.world.happens(20) { 2 } else { 1 } {
            let update = self.update(tap.clone(), None);
            self.taps.send(update).unwrap();
        }
    }

    fn update(&mut self, event: Event, message: Option<MessageId>) -> Update {
        self.updates += 1;
        let id = self.id * 1_000 + self.updates;
        let what = match &event {
            Event::Tapped(tap) => format!("taps {:?} at {} in {}", tap.verb, tap.step, tap.message),
            Event::NoteReceived(note) => format!("says {:?}", note.text),
            other => format!("{other:?}"),
        };
        self.world.note(format_args!("{}: {id} {what}", self.id));
        self.world.seen().waiting += 1;
        let (sent_at, sent) = (self.world.clock.now(), self.world.time());
        Update { id, person: self.id, event, message, sent_at, sent }
    }
}

/// Delivers the updates of one queue, the next when the one before is acknowledged.
async fn deliver(world: Arc<World>, instances: Instances, mut queue: mpsc::UnboundedReceiver<Update>) {
    while let Some(update) = queue.recv().await {
        let (mut pause, mut first) = (100, None);
        let Taken { began, stamp } = loop {
            if let Some(taken) = bring(&world, &instances, &update).await {
                let taken = Taken { began: *first.get_or_insert(taken.began), ..taken };
                // Telegram may not have heard the answer.
                if !world.happens(4) {
                    break taken;
                }
                world.note(format_args!("the answer to {} is lost", update.id));
            }
            sleep(world.millis(pause / 2, pause)).await;
            pause = (2 * pause).min(2_000);
        };
        world.note(format_args!("{} is acknowledged", update.id));
        let at = world.time();
        let mut seen = world.seen();
        seen.waiting -= 1;
        seen.acknowledged.push(Acknowledged {
            key: key(update.person),
            update: update.id,
            sent: update.sent,
            began,
            at,
            is_message: update.message.is_some(),
            note: update.words(),
            stamp,
        });
    }
}

/// One delivery; nothing if it was not acknowledged.
async fn bring(world: &World, instances: &Instances, update: &Update) -> Option<Taken> {
    let instance = {
        let running = instances.lock().unwrap();
        let any = usize::try_from(world.below(running.len().max(1) as u64)).unwrap();
        running.get(any).cloned()?
    };
    sleep(world.millis(1, 5)).await;
    let taken = async {
        if world.mutation == Mutation::AcknowledgesEarly {
            let (instance, update) = (Arc::clone(&instance), update.clone());
            tokio::spawn(async move { instance.take(&update).await });
            return Some(Taken::default());
        }
        tokio::select! {
            biased;
            () = instance.process.died() => None,
            taken = timeout(PATIENCE, instance.take(update)) => taken.unwrap_or(None),
        }
    };
    taken.await
}
