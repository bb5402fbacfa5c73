//! A conversation for tests: it runs its own effects, the way a healthy world would.

use std::fmt::Write as _;
use std::time::Duration;

use deposit::{
    Attachment, BotId, CategoryKey, ChatId, DepositId, DepositRef, Destination, Line, Media, MessageId,
    Proposal, Recorded, Status, UserId,
};
use depot_bot::clock::Timestamp;
use session::{
    Cause, Change, Context, Correction, Effect, Event, Fresh, Lane, Language, Note, Session, SessionKey,
    State, Tap, TapAnswer, Understanding, Verb, Verdict,
};

pub(crate) const TTL: Duration = Duration::from_secs(300);
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

/// A conversation that runs its own effects, the way a healthy world would.
pub(crate) struct Conversation {
    pub(crate) session: Session,
    pub(crate) now: Timestamp,
    pub(crate) may_expire: bool,
    pub(crate) serial: u64,
    pub(crate) next_message: i64,
    pub(crate) next_update: i64,
    pub(crate) recorded: Vec<(DepositId, u32, Status)>,
    pub(crate) shown: Vec<i64>,
    pub(crate) log: String,
    pub(crate) confidence: f32,
    /// The changes that the next note is understood as, if there are lines.
    pub(crate) corrects: Option<Correction>,
}

impl Conversation {
    pub(crate) fn new() -> Self {
        let key = SessionKey { bot: BotId(1), chat: ChatId(7), user: UserId(7) };
        Self {
            session: Session::new(key, START),
            now: START,
            may_expire: true,
            serial: 0,
            next_message: 100,
            next_update: 5_000,
            recorded: Vec::new(),
            shown: Vec::new(),
            log: String::new(),
            confidence: 0.9,
            corrects: None,
        }
    }

    pub(crate) fn context(&mut self) -> Context {
        self.serial += 1;
        Context {
            now: self.now,
            ttl: TTL,
            may_expire: self.may_expire.then_some(self.now),
            may_run: true,
            fresh: Fresh {
                id: DepositId(uuid::Uuid::from_u128(u128::from(self.serial))),
                reference: DepositRef(self.serial),
            },
            token: self.serial,
        }
    }

    pub(crate) fn apply(&mut self, cause: Cause, event: &Event) -> (Verdict, Option<TapAnswer>) {
        let context = self.context();
        let transition = self.session.apply(&cause, event, &context);
        if transition.verdict == Verdict::Changed {
            let version = self.session.version + 1;
            self.session = Session { version, ..transition.session };
        }
        (transition.verdict, transition.answer)
    }

    pub(crate) fn update(&mut self, event: &Event, brings_message: bool) -> Option<TapAnswer> {
        self.next_update += 1;
        self.next_message += i64::from(brings_message);
        let cause = Cause::Update {
            id: self.next_update,
            message: brings_message.then_some(MessageId(self.next_message)),
            sent_at: brings_message.then_some(self.now),
            language: Language::Fr,
        };
        self.apply(cause, event).1
    }

    pub(crate) fn says(&mut self, text: &str) -> &mut Self {
        let event = Event::NoteReceived(Note { text: text.to_owned(), ..Note::default() });
        self.update(&event, true);
        self.note(&format!("says {text:?}"))
    }

    /// Says something that is understood as these changes of the lines as they are now.
    pub(crate) fn corrects(&mut self, text: &str, changes: &[Change]) -> &mut Self {
        let seen = self.session.draft().map(|draft| draft.lines.clone()).unwrap_or_default();
        self.corrects = Some(Correction::Changes { seen, changes: changes.to_vec() });
        self.says(text)
    }

    pub(crate) fn sends(&mut self, media: Media, album: Option<&str>) -> &mut Self {
        let attachment = Attachment { media, file: format!("file-{media:?}"), seconds: Some(3) };
        let album = album.map(str::to_owned);
        self.update(
            &Event::NoteReceived(Note { attachment: Some(attachment), album, ..Note::default() }),
            true,
        );
        self.note(&format!("sends {media:?}"))
    }

    pub(crate) fn does(&mut self, event: Event) -> &mut Self {
        self.update(&event, true);
        self.note(&format!("{event:?}"))
    }

    pub(crate) fn tap(&self, verb: Verb) -> Tap {
        let (reference, step) = match (self.session.draft(), &self.session.state) {
            (Some(draft), _) => (draft.reference, draft.step),
            (None, State::Closed { recorded }) => (recorded.reference, 1),
            (None, _) => (DepositRef(0), 0),
        };
        Tap { reference, step, verb, message: self.session.card.message.unwrap_or(MessageId(1)) }
    }

    pub(crate) fn taps(&mut self, verb: Verb) -> &mut Self {
        let tap = self.tap(verb.clone());
        let answer = self.update(&Event::Tapped(tap), false);
        self.note(&format!("taps {verb:?}, answered {answer:?}"))
    }

    pub(crate) fn waits(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.apply(Cause::Deadline, &Event::DeadlinePassed);
        self.note(&format!("waits {seconds} s"))
    }

    /// Runs every effect that may run, with the outcome of a healthy world.
    pub(crate) fn settles(&mut self) -> &mut Self {
        self.settle(usize::MAX);
        self
    }

    pub(crate) fn settle(&mut self, effects: usize) {
        for _ in 0..effects {
            let Some((lane, token)) = [Lane::Compute, Lane::Chat]
                .into_iter()
                .find_map(|lane| Some((lane, self.session.lease(lane)?.token)))
            else {
                break;
            };
            let Some((effect, what, _)) = self.session.next_effect(lane, self.now) else { break };
            let event = self.outcome(&what);
            writeln!(self.log, "    {} -> {}", what.name(), name(&event)).unwrap();
            self.apply(Cause::Outcome { effect, lane, token }, &event);
        }
        self.describe();
    }

    pub(crate) fn outcome(&mut self, effect: &Effect) -> Event {
        match effect {
            Effect::ShowCard => {
                let card = &self.session.card;
                let mut stripped = card.orphaned_keyboards.clone();
                let message = match card.message {
                    Some(message) if card.repost_from == 0 => message,
                    old => {
                        stripped.extend(old);
                        self.next_message += 1;
                        MessageId(self.next_message)
                    }
                };
                self.shown.push(message.0);
                Event::CardShown { view: card.wanted, message, stripped }
            }
            Effect::Say(_) => Event::Said,
            Effect::Transcribe(_) => Event::TranscriptionFailed,
            Effect::Understand(note) => match self.corrects.take() {
                Some(correction) if self.session.on_card(note).is_some() => Event::Corrected(correction),
                _description => Event::Understood(understanding(&note.text, self.confidence)),
            },
            Effect::RecordDeposit(leaving) => {
                self.recorded.push((leaving.draft.id, leaving.draft.revision, leaving.status));
                Event::Recorded(Box::new(Recorded {
                    id: leaving.draft.id,
                    reference: leaving.draft.reference,
                    revision: leaving.draft.revision,
                    number: (leaving.status == Status::Completed).then_some(1),
                    status: leaving.status,
                    lines: leaving.draft.lines.clone(),
                    total_weight: None,
                    decided_at: leaving.decided_at,
                }))
            }
        }
    }

    pub(crate) fn note(&mut self, what: &str) -> &mut Self {
        writeln!(self.log, "{what}").unwrap();
        self.describe();
        self
    }

    pub(crate) fn describe(&mut self) {
        let session = &self.session;
        let pending: Vec<&str> = session.pending.iter().map(|pending| pending.effect.name()).collect();
        let lines: Vec<String> = session
            .draft()
            .map(|draft| {
                draft.lines.iter().map(|line| format!("{}: {}", line.object, line.category())).collect()
            })
            .unwrap_or_default();
        write!(self.log, "  = v{} {}", session.version, session.state.name()).unwrap();
        if let State::AwaitingValidation { view, notice, .. } = &session.state {
            write!(self.log, " {view:?} {notice:?}").unwrap();
        }
        if let State::AwaitingDescription { asked, .. } = &session.state {
            write!(self.log, " {asked:?}").unwrap();
        }
        if let State::Recording { leaving } = &session.state {
            write!(self.log, " {:?}", leaving.status).unwrap();
        }
        if let State::Closed { recorded } = &session.state {
            write!(self.log, " {:?} revision {}", recorded.status, recorded.revision).unwrap();
        }
        let card = &session.card;
        let due = if session.card_is_due() { "due" } else { "shown" };
        writeln!(
            self.log,
            " {lines:?} pending {pending:?} card {:?} {due} warned {}",
            card.message.map(|id| id.0),
            session.warned
        )
        .unwrap();
    }
}

fn understanding(text: &str, confidence: f32) -> Understanding {
    Understanding { lines: vec![line(text, confidence)], total_weight: None }
}

pub(crate) fn line(text: &str, confidence: f32) -> Line {
    let proposal = Proposal {
        category: CategoryKey::from("household"),
        confidence,
        alternatives: vec![CategoryKey::from("decor"), CategoryKey::from("other")],
        model: "test".to_owned(),
    };
    Line {
        object: text.to_owned(),
        quantity: Some(1),
        weight: None,
        destination: Destination::Magasin,
        proposal,
        chosen: None,
    }
}

fn name(event: &Event) -> String {
    let debug = format!("{event:?}");
    debug.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}
