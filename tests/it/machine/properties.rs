//! Invariants of the machine over any sequence of events.

use deposit::{
    CategoryKey, Destination, GRAMS_MAX, LINES_MAX, Line, Media, QUANTITY_MAX, Weight, WeightSource,
};
use proptest::prelude::*;
use session::{Change, Correction, Effect, Event, PENDING_MAX, Part, Session, State, Unclear, Verb};

use crate::machine::conversation::{self, Conversation, TTL};

/// The actions of a property test on a conversation.
#[derive(Clone, Debug)]
enum Step {
    Says,
    Photo,
    Voice,
    Opens,
    Cancels,
    Asks,
    Corrects(u8, usize),
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
        3 => (0u8..10, 0usize..3).prop_map(|(number, line)| Step::Corrects(number, line)),
        9 => (0u8..22).prop_map(Step::Taps),
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
        9 => Verb::OpenPart(Part::Quantity),
        10 => Verb::Count(Some(4)),
        11 => Verb::Count(None),
        12 => Verb::Count(Some(7_777_777)),
        13 => Verb::OpenPart(Part::Weight),
        14 => Verb::Weigh(Some(2_000)),
        15 => Verb::Weigh(Some(u32::MAX)),
        16 => Verb::WriteWeight,
        17 => Verb::OpenPart(Part::Destination),
        18 => Verb::Send(Destination::Recyclage),
        19 => Verb::Remove,
        20 => Verb::Correct,
        _ => Verb::TurnTo(1),
    }
}

/// The changes that a note may be understood as, whether they still fit the lines or not.
fn correction(number: u8, line: usize, seen: Vec<Line>) -> Correction {
    let stated = |grams| Weight { grams, source: WeightSource::Stated };
    let changes = match number {
        0 => vec![Change::Counted { line, quantity: Some(4) }],
        1 => vec![Change::Removed { line }],
        2 => vec![Change::Removed { line: 0 }, Change::Removed { line: 1 }, Change::Removed { line: 0 }],
        3 => vec![Change::Weighed { line, weight: Some(stated(u32::MAX)) }],
        4 => vec![Change::Weighed { line, weight: None }, Change::Counted { line, quantity: Some(0) }],
        5 => vec![Change::TotalWeighed(stated(9_000))],
        6 => vec![Change::Added(conversation::line("une table", 0.9)); 9],
        7 => vec![Change::Removed { line }, Change::Added(conversation::line("une table", 0.9))],
        8 => {
            let object = "imprimante".to_owned();
            let proposal = conversation::line("imprimante", 0.3).proposal;
            vec![
                Change::Renamed { line, object, proposal },
                Change::Sent { line, destination: Destination::Recyclage },
            ]
        }
        _unclear => return Correction::Unclear(Unclear::Which("quatre".to_owned())),
    };
    Correction::Changes { seen, changes }
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
                Step::Corrects(number, line) => {
                    let seen = chat.session.draft().map(|draft| draft.lines.clone()).unwrap_or_default();
                    chat.corrects = Some(correction(number, line, seen));
                    chat.says("non");
                }
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
                prop_assert!((1..=LINES_MAX).contains(&draft.lines.len()), "{}", chat.log);
                let weights = draft.lines.iter().map(|line| line.weight).chain([draft.total_weight]);
                prop_assert!(weights.flatten().all(|weight| (1..=GRAMS_MAX).contains(&weight.grams)));
                let counts = draft.lines.iter().filter_map(|line| line.quantity);
                prop_assert!(counts.into_iter().all(|count| (1..=QUANTITY_MAX).contains(&count)));
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
        prop_assert!(json.len() < session::DOCUMENT_BYTES_MAX);
    }
}
