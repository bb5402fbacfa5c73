//! The modelled outside world of one instance: the chat, the ledger, and the reader of notes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deposit::{DepositId, DepositRef, Destination, Leaving, Line, MessageId, Proposal, Recorded, Status};
use depot_bot::database::DatabaseError;
use depot_bot::effects::execute::{Chat, Shown};
use depot_bot::effects::retry::Failure;
use depot_bot::ledger::LedgerError;
use depot_bot::ledger::{Record, RecordError};
use depot_bot::model::{Understand, UnderstandError};
use depot_bot::store::replication::{DurableStore as _, MirrorOutcome, ReplicatedStore};
use depot_bot::store::{Replicated as _, StoreError};
use session::{CardView, Correction, Language, OnCard, Sentence, Session, State, Understanding, Verb};
use tokio::time::sleep;

use super::model::{Lost, Model};
use super::world::{Mutation, key};

/// A chat as its owner sees it.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) last: i64,
    pub(super) messages: BTreeMap<i64, View>,
    /// Every end of a deposit that was ever shown, and in which message.
    pub(super) ends: Vec<(i64, Recorded)>,
    pub(super) said: usize,
    /// Messages that showed one deposit and then another: message, and both of them.
    pub(super) replaced: Vec<(i64, DepositId, DepositId)>,
}

#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) keyboard: Option<Keyboard>,
    pub(super) end: Option<Recorded>,
    pub(super) deposit: Option<DepositId>,
}

#[derive(Clone, Debug)]
pub(super) struct Keyboard {
    pub(super) reference: DepositRef,
    pub(super) step: u32,
    pub(super) verbs: Vec<Verb>,
}

impl View {
    fn of(session: &Session) -> Self {
        let end = match &session.state {
            State::Closed { recorded } => Some(recorded.clone()),
            _ => None,
        };
        let verbs = match &session.state {
            State::Idle | State::Recording { .. } | State::Closed { .. } => Vec::new(),
            State::AwaitingDescription { .. } | State::Understanding { .. } => vec![Verb::Cancel],
            State::AwaitingValidation { view, .. } => match view {
                CardView::Lines => {
                    vec![Verb::Validate, Verb::Validate, Verb::Validate, Verb::Correct, Verb::Cancel]
                }
                CardView::PickLine => vec![Verb::PickLine(0), Verb::Back],
                CardView::Groups { .. } => vec![Verb::OpenGroup("g".to_owned()), Verb::Back],
                CardView::Categories { .. } => vec![Verb::Choose("c".into()), Verb::Back],
                CardView::Quantities { .. } => vec![Verb::Count(Some(4)), Verb::Count(None), Verb::Back],
                CardView::Weights { .. } => vec![Verb::Weigh(Some(2_000)), Verb::WriteWeight, Verb::Back],
                CardView::WeightAsked { .. } => vec![Verb::Back],
                CardView::Destinations { .. } => vec![Verb::Send(Destination::Recyclage), Verb::Back],
            },
        };
        let keyboard = session.draft().filter(|_| !verbs.is_empty());
        let keyboard = keyboard.map(|draft| Keyboard { reference: draft.reference, step: draft.step, verbs });
        let deposit = match &session.state {
            State::Recording { leaving } => Some(leaving.draft.id),
            State::Closed { recorded } => Some(recorded.id),
            _open_or_idle => session.draft().map(|draft| draft.id),
        };
        Self { keyboard, end, deposit }
    }
}

/// The outside world as one instance reaches it.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) chat: Model,
    pub(super) sql: Model,
    pub(super) stores: ReplicatedStore<Model, Model>,
}

impl Outside {
    /// One call of the Bot API, which changes the room and gives something back.
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        person: i64,
        act: impl FnOnce(&mut Room) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let world = self.chat.world.clone();
        if self.chat.engine.is_well() && world.happens(1) {
            return Err(Failure::Paused(world.clock.now().after(world.millis(100, 1_500))));
        }
        let acting = world.clone();
        let done = self.chat.call(what, true, move |_| act(acting.seen().rooms.entry(person).or_default()));
        done.await.map_err(|lost| {
            world.seen().repeats += usize::from(lost == Lost::Unknown);
            Failure::Transient
        })
    }
}

impl Chat for Outside {
    async fn show_card(&self, session: &Session) -> Result<Shown, Failure> {
        let person = session.key.chat.0;
        let stays = session.card.message.filter(|_| session.card.repost_from == 0);
        let mut strays = session.card.orphaned_keyboards.clone();
        if stays.is_none() {
            strays.extend(session.card.message);
        }
        for MessageId(stray) in strays.clone() {
            let strip = move |room: &mut Room| {
                if let Some(message) = room.messages.get_mut(&stray) {
                    message.keyboard = None;
                }
            };
            self.call("strip", person, strip).await?;
        }
        let view = View::of(session);
        let (name, version) = (session.state.name(), session.version);
        let world = self.chat.world.clone();
        let shown = self.call("show", person, move |room| {
            let message = stays.map_or(room.last + 1, |stays| stays.0);
            room.last = room.last.max(message);
            room.ends.extend(view.end.clone().map(|end| (message, end)));
            let deposit = view.deposit;
            let before = room.messages.insert(message, view).and_then(|before| before.deposit);
            let was_another = before.zip(deposit).filter(|(was, is)| was != is);
            room.replaced.extend(was_another.map(|(was, is)| (message, was, is)));
            MessageId(message)
        });
        let message = shown.await?;
        world.note(format_args!("{person} sees {name} of {version} in {message}"));
        Ok(Shown { message, stripped: strays })
    }

    async fn say(&self, session: &Session, sentence: Sentence) -> Result<(), Failure> {
        let person = session.key.chat.0;
        self.call("say", person, |room| {
            room.last += 1;
            room.said += 1;
        })
        .await?;
        self.chat.world.note(format_args!("{person} is told {sentence:?}"));
        Ok(())
    }
}

impl Record for Outside {
    async fn record(&self, session: &Session, leaving: &Leaving, _: &str) -> Result<Recorded, RecordError> {
        let (world, person) = (self.sql.world.clone(), session.key.chat.0);
        if let Some(decision) = self.stores.unreplicated(session) {
            let kept = self.sql.mirror(&[decision], session.epoch, world.clock.now()).await?;
            if kept != [MirrorOutcome::Written] {
                return Err(StoreError::Superseded { store: "model" }.into());
            }
        }
        let Leaving { draft, status, decided_at } = leaving.clone();
        let written = self.sql.call("record", true, move |_| {
            let known = |it: &Recorded| (it.id, it.revision) == (draft.id, draft.revision);
            let number = {
                let seen = world.seen();
                let before = seen.ledger.iter().find(|(_, it, _)| known(it));
                if let (Some((_, before, _)), false) = (before, world.mutation == Mutation::RecordsTwice) {
                    return before.clone();
                }
                seen.ledger.iter().filter(|(_, it, _)| it.number.is_some()).count() as u64 + 1
            };
            let recorded = Recorded {
                id: draft.id,
                reference: draft.reference,
                revision: draft.revision,
                number: (status == Status::Completed).then_some(number),
                status,
                lines: draft.lines,
                total_weight: None,
                decided_at,
            };
            world.note(format_args!("the ledger has {} {status:?} of {person}", short(draft.id)));
            let at = world.time();
            world.seen().ledger.push((key(person), recorded.clone(), at));
            recorded
        });
        let error = |lost| match lost {
            Lost::Unknown => DatabaseError::Unknown,
            Lost::Away => DatabaseError::Unavailable { reason: "away".to_owned() },
            Lost::Refused => DatabaseError::Full { reason: "full".to_owned() },
        };
        written.await.map_err(|lost| LedgerError::Database(error(lost)).into())
    }
}

#[async_trait]
impl Understand for Outside {
    async fn understand(&self, note: &str, _: Language) -> Result<Understanding, UnderstandError> {
        let world = &self.chat.world;
        self.chat.process.awake().await;
        sleep(world.millis(2, 300)).await;
        self.chat.process.awake().await;
        if world.happens(3) {
            *world.seen().misunderstood.entry(note.to_owned()).or_default() += 1;
            return Err(UnderstandError::Unavailable("chance".to_owned()));
        }
        Ok(Understanding { lines: vec![line_of(note)], total_weight: None })
    }

    async fn correct(
        &self,
        _: &str,
        _: &OnCard<'_>,
        _: Language,
    ) -> Result<Option<Correction>, UnderstandError> {
        // Every note must be found again in a line.
        Ok(None)
    }
}

fn line_of(note: &str) -> Line {
    let proposal = Proposal {
        category: "c".into(),
        confidence: 0.9,
        alternatives: Vec::new(),
        model: "model".to_owned(),
    };
    Line {
        object: note.to_owned(),
        quantity: Some(1),
        weight: None,
        destination: Destination::default(),
        proposal,
        chosen: None,
    }
}

pub(super) fn short(id: DepositId) -> String {
    id.to_string().split_off(28)
}
