//! The pure machine: as conversations (one snapshot each), and as properties over any sequence of events.

use std::fmt::Write as _;
use std::time::Duration;

use depot_bot::clock::Timestamp;
use depot_bot::deposit::{
    Attachment, BotId, CategoryKey, ChatId, DepositId, DepositRef, Line, Media, MessageId, Proposal,
    Recorded, Status, UserId,
};
use depot_bot::session::{
    Answer, Cause, Context, Effect, EffectId, Event, Fresh, Lane, Language, Note, PENDING_MAX, Session,
    SessionKey, State, Tap, Understanding, Verb, Verdict,
};
use proptest::prelude::*;

const TTL: Duration = Duration::from_secs(300);
const START: Timestamp = Timestamp(1_700_000_000_000);

/// A conversation that runs its own effects, the way a healthy world would.
struct Conversation {
    session: Session,
    now: Timestamp,
    may_expire: bool,
    serial: u64,
    next_message: i64,
    next_update: i64,
    recorded: Vec<(DepositId, u32, Status)>,
    shown: Vec<i64>,
    log: String,
    confidence: f32,
}

impl Conversation {
    fn new() -> Self {
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
        }
    }

    fn context(&mut self) -> Context {
        self.serial += 1;
        Context {
            now: self.now,
            ttl: TTL,
            may_expire: self.may_expire,
            may_run: true,
            fresh: Fresh {
                id: DepositId(uuid::Uuid::from_u128(u128::from(self.serial))),
                reference: DepositRef(self.serial),
            },
            token: self.serial,
        }
    }

    fn apply(&mut self, cause: Cause, event: &Event) -> (Verdict, Option<Answer>) {
        let context = self.context();
        let transition = self.session.apply(&cause, event, &context);
        if transition.verdict == Verdict::Changed {
            let version = self.session.version + 1;
            self.session = Session { version, ..transition.session };
        }
        (transition.verdict, transition.answer)
    }

    fn update(&mut self, event: &Event, brings_message: bool) -> Option<Answer> {
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

    fn says(&mut self, text: &str) -> &mut Self {
        let event = Event::NoteReceived(Note { text: text.to_owned(), ..Note::default() });
        self.update(&event, true);
        self.note(&format!("says {text:?}"))
    }

    fn sends(&mut self, media: Media, album: Option<&str>) -> &mut Self {
        let attachment = Attachment { media, file: format!("file-{media:?}"), seconds: Some(3) };
        let album = album.map(str::to_owned);
        self.update(
            &Event::NoteReceived(Note { attachment: Some(attachment), album, ..Note::default() }),
            true,
        );
        self.note(&format!("sends {media:?}"))
    }

    fn does(&mut self, event: Event) -> &mut Self {
        self.update(&event, true);
        self.note(&format!("{event:?}"))
    }

    fn tap(&self, verb: Verb) -> Tap {
        let (reference, step) = match (self.session.draft(), &self.session.state) {
            (Some(draft), _) => (draft.reference, draft.step),
            (None, State::Closed { recorded }) => (recorded.reference, 1),
            (None, _) => (DepositRef(0), 0),
        };
        Tap { reference, step, verb, message: self.session.card.message.unwrap_or(MessageId(1)) }
    }

    fn taps(&mut self, verb: Verb) -> &mut Self {
        let tap = self.tap(verb.clone());
        let answer = self.update(&Event::Tapped(tap), false);
        self.note(&format!("taps {verb:?}, answered {answer:?}"))
    }

    fn waits(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.apply(Cause::Deadline, &Event::DeadlinePassed);
        self.note(&format!("waits {seconds} s"))
    }

    /// Runs every effect that may run, with the outcome of a healthy world.
    fn settles(&mut self) -> &mut Self {
        self.settle(usize::MAX);
        self
    }

    fn settle(&mut self, effects: usize) {
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

    fn outcome(&mut self, effect: &Effect) -> Event {
        match effect {
            Effect::ShowCard => {
                let card = &self.session.card;
                let message = match card.message {
                    Some(message) if card.anew == 0 => message,
                    Some(_) | None => {
                        self.next_message += 1;
                        MessageId(self.next_message)
                    }
                };
                self.shown.push(message.0);
                Event::CardShown { picture: card.wanted, message, stripped: card.strays.clone() }
            }
            Effect::Say(_) => Event::Said,
            Effect::Transcribe(_) => Event::TranscriptionFailed,
            Effect::Understand(note) => Event::Understood(understanding(&note.text, self.confidence)),
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

    fn note(&mut self, what: &str) -> &mut Self {
        writeln!(self.log, "{what}").unwrap();
        self.describe();
        self
    }

    fn describe(&mut self) {
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
    let proposal = Proposal {
        category: CategoryKey::from("household"),
        confidence,
        alternatives: vec![CategoryKey::from("decor"), CategoryKey::from("other")],
        model: "test".to_owned(),
    };
    let line = Line {
        object: text.to_owned(),
        quantity: Some(1),
        weight: None,
        destination: depot_bot::deposit::Destination::Magasin,
        proposal,
        chosen: None,
    };
    Understanding { lines: vec![line], total_weight: None }
}

fn name(event: &Event) -> String {
    let debug = format!("{event:?}");
    debug.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn two_taps_record_a_deposit() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate).settles();
    insta::assert_snapshot!(chat.log);
    assert_eq!(chat.recorded.len(), 1);
}

#[test]
fn a_one_line_text_deposit_takes_five_commits() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate);
    // The runner commits the recording and the card that shows it together.
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let (record, what, _) = chat.session.next_effect(Lane::Chat, chat.now).unwrap();
    let recorded = chat.outcome(&what);
    let before = chat.session.clone();
    chat.apply(Cause::Outcome { effect: record, lane: Lane::Chat, token }, &recorded);
    let shown = chat.outcome(&Effect::ShowCard);
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &shown);
    assert_eq!(before.version + 1, 5, "text, understood, shown, tapped, then recorded and shown together");
    assert!(chat.session.due_at(TTL).is_none(), "a completed deposit leaves nothing due");
    assert!(chat.session.kept_for().is_some());
}

#[test]
fn a_correction_on_one_line_records_it_and_keeps_the_proposal() {
    let mut chat = Conversation::new();
    chat.says("un cadre").settles().taps(Verb::Correct).settles();
    chat.taps(Verb::OpenGroup("home".to_owned())).settles();
    chat.taps(Verb::TurnTo(1)).taps(Verb::Back).taps(Verb::OpenGroup("home".to_owned())).settles();
    chat.taps(Verb::Choose(CategoryKey::from("decor"))).settles();
    insta::assert_snapshot!(chat.log);
    let State::Closed { recorded } = &chat.session.state else { panic!("{}", chat.log) };
    let line = &recorded.lines[0];
    assert_eq!(line.category().0, "decor");
    assert_eq!(line.proposal.category.0, "household");
    assert!(line.is_corrected());
}

#[test]
fn a_doubtful_line_is_settled_by_an_alternative() {
    let mut chat = Conversation::new();
    chat.confidence = 0.4;
    chat.says("un machin").settles().says("un truc").settles();
    chat.taps(Verb::Choose(CategoryKey::from("decor"))).settles();
    chat.taps(Verb::Other).settles().taps(Verb::OpenGroup("home".to_owned()));
    chat.taps(Verb::Choose(CategoryKey::from("furniture"))).settles().taps(Verb::Validate).settles();
    insta::assert_snapshot!(chat.log);
}

#[test]
fn an_album_and_a_voice_note_ask_once_what_it_is() {
    let mut chat = Conversation::new();
    chat.sends(Media::Photo, Some("album")).sends(Media::Photo, Some("album")).settles();
    chat.sends(Media::Photo, Some("album")).settles().sends(Media::Voice, None).settles();
    chat.says("trois chaises").settles();
    insta::assert_snapshot!(chat.log);
    assert_eq!(chat.session.draft().unwrap().attachments.len(), 4);
}

#[test]
fn a_session_warns_expires_once_and_is_resumed() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().waits(240).settles().waits(59).settles().waits(1).settles();
    chat.waits(300);
    let draft = match &chat.session.state {
        State::Closed { recorded } => {
            assert_eq!(recorded.status, Status::Expired);
            let mut draft = depot_bot::deposit::Draft::new(recorded.id, recorded.reference, START);
            draft.revision = recorded.revision;
            draft.lines = recorded.lines.clone();
            draft
        }
        other => panic!("{other:?}"),
    };
    let card = chat.session.card.message.unwrap();
    let answer = chat.update(&Event::Resumed(Box::new(draft), card), false);
    assert_eq!(answer, Some(Answer::Done));
    chat.note("resumes").settles().taps(Verb::Validate).settles();
    insta::assert_snapshot!(chat.log);
    let statuses: Vec<_> = chat.recorded.iter().map(|(_, revision, status)| (*revision, *status)).collect();
    assert_eq!(statuses, [(1, Status::Expired), (2, Status::Completed)]);
}

#[test]
fn nobody_is_expired_whose_answer_waited_in_telegram() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles();
    chat.may_expire = false;
    chat.waits(3600);
    let tap = chat.tap(Verb::Validate);
    chat.update(&Event::Tapped(tap), false);
    chat.settles();
    assert_eq!(chat.recorded.last().unwrap().2, Status::Completed);
}

#[test]
fn a_message_written_after_the_end_opens_another_deposit() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles();
    chat.now = chat.now.after(Duration::from_secs(400));
    chat.says("une chaise").settles();
    let statuses: Vec<_> = chat.recorded.iter().map(|(.., status)| *status).collect();
    assert_eq!(statuses, [Status::Expired]);
    assert_eq!(chat.session.draft().unwrap().lines[0].object, "une chaise");
}

#[test]
fn notes_wait_while_a_deposit_is_recorded() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate).says("une chaise").says("une table").settles();
    assert_eq!(chat.recorded.len(), 1);
    let objects: Vec<_> =
        chat.session.draft().unwrap().lines.iter().map(|line| line.object.as_str()).collect();
    assert_eq!(objects, ["une chaise", "une table"]);
}

#[test]
fn at_twenty_lines_the_next_note_waits_for_the_next_deposit() {
    let mut chat = Conversation::new();
    for number in 1..=21 {
        chat.says(&format!("objet {number}")).settles();
    }
    assert_eq!(chat.session.draft().unwrap().lines.len(), 20);
    chat.taps(Verb::Validate).settles();
    assert_eq!(chat.session.draft().unwrap().lines[0].object, "objet 21");
}

#[test]
fn the_same_update_and_the_same_tap_change_nothing_twice() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles();
    let update = |id, tap: &Tap| {
        (
            Cause::Update { id, message: None, sent_at: None, language: Language::Fr },
            Event::Tapped(tap.clone()),
        )
    };
    let tap = chat.tap(Verb::Validate);
    let (cause, event) = update(9_000, &tap);
    assert_eq!(chat.apply(cause, &event).0, Verdict::Changed);
    assert_eq!(chat.apply(cause, &event).0, Verdict::Duplicate);
    let (cause, event) = update(9_001, &tap);
    let again = chat.apply(cause, &event);
    assert_eq!(again, (Verdict::Unchanged, Some(Answer::Recording)));
    chat.settles();
    let (cause, event) = update(9_002, &tap);
    assert_eq!(chat.apply(cause, &event).1, Some(Answer::Elsewhere));
    assert_eq!(chat.recorded.len(), 1);
}

#[test]
fn an_outcome_under_a_lost_lease_is_repaired_and_not_believed() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire");
    chat.settle(1);
    let late = chat.session.lease(Lane::Chat).unwrap().token;
    chat.waits(16);
    assert_ne!(chat.session.lease(Lane::Chat).unwrap().token, late, "the expired lease was taken over");
    chat.settles();
    let card = chat.session.card.message;
    let stray = MessageId(999);
    let shown = Event::CardShown { picture: 1, message: stray, stripped: Vec::new() };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token: late }, &shown);
    assert_eq!(chat.session.card.message, card);
    assert_eq!(chat.session.card.strays, [stray]);
    chat.settles();
    assert!(!chat.session.card_is_due());
}

#[test]
fn a_person_who_blocked_the_bot_still_has_the_deposit_recorded() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate);
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let (effect, what, _) = chat.session.next_effect(Lane::Chat, chat.now).unwrap();
    let recorded = chat.outcome(&what);
    chat.apply(Cause::Outcome { effect, lane: Lane::Chat, token }, &recorded);
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &Event::ChatClosed);
    assert_eq!(chat.recorded.len(), 1);
    assert!(chat.session.kept_for().is_some(), "{}", chat.log);
}

/// What a property test may do to a conversation.
#[derive(Clone, Debug)]
enum Step {
    Says,
    Photo,
    Voice,
    Opens,
    Cancels,
    Asks,
    Taps(u8),
    Settles(usize),
    Waits(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Says),
        1 => Just(Step::Photo),
        1 => Just(Step::Voice),
        1 => Just(Step::Opens),
        1 => Just(Step::Cancels),
        1 => Just(Step::Asks),
        6 => (0u8..10).prop_map(Step::Taps),
        6 => (1usize..4).prop_map(Step::Settles),
        2 => (1u64..400).prop_map(Step::Waits),
    ]
}

fn verb(number: u8) -> Verb {
    match number {
        0 | 1 => Verb::Validate,
        2 => Verb::Correct,
        3 => Verb::Cancel,
        4 => Verb::Choose(CategoryKey::from("decor")),
        5 => Verb::Other,
        6 => Verb::PickLine(0),
        7 => Verb::OpenGroup("home".to_owned()),
        8 => Verb::Back,
        _ => Verb::TurnTo(1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_conversation_keeps_the_invariants(steps in proptest::collection::vec(step(), 1..40)) {
        let mut chat = Conversation::new();
        for step in steps {
            let version = chat.session.version;
            match step {
                Step::Says => { chat.says("une bouilloire"); }
                Step::Photo => { chat.sends(Media::Photo, None); }
                Step::Voice => { chat.sends(Media::Voice, None); }
                Step::Opens => { chat.does(Event::OpeningRequested); }
                Step::Cancels => { chat.does(Event::CancelRequested); }
                Step::Asks => { chat.does(Event::StatusRequested); }
                Step::Taps(number) => { chat.taps(verb(number)); }
                Step::Settles(effects) => chat.settle(effects),
                Step::Waits(seconds) => { chat.waits(seconds); }
            }
            let session = &chat.session;
            prop_assert!(session.version >= version);
            prop_assert!(session.pending.len() <= PENDING_MAX + 1, "{}", chat.log);
            let records = session.pending.iter().filter(|p| matches!(p.effect, Effect::RecordDeposit(_))).count();
            prop_assert!(records <= 1, "{}", chat.log);
            prop_assert_eq!(matches!(session.state, State::Recording { .. }), records == 1);
            let has_work = session.is_open() || !session.pending.is_empty() || session.card_is_due();
            prop_assert_eq!(has_work || !session.waiting.is_empty(), session.kept_for().is_none());
            prop_assert_eq!(session.kept_for().is_none(), session.due_at(TTL).is_some(), "{}", chat.log);
            if let State::AwaitingValidation { draft, .. } = &session.state {
                prop_assert!(!draft.lines.is_empty());
            }
        }
        // Left alone in a healthy world, every conversation comes to rest with each deposit recorded once.
        for _ in 0..6 {
            chat.settles().waits(600);
        }
        chat.settles();
        prop_assert!(chat.session.kept_for().is_some(), "{}", chat.log);
        let mut keys: Vec<_> = chat.recorded.iter().map(|(id, revision, _)| (*id, *revision)).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), all, "a deposit was recorded twice:\n{}", chat.log);
        let json = serde_json::to_string(&chat.session).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Session>(&json).unwrap(), &chat.session);
        prop_assert!(json.len() < depot_bot::session::DOCUMENT_BYTES_MAX);
    }
}
