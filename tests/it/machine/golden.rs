//! Golden documents: conversations as released layouts wrote them, which every later release must read.
//!
//! `tests/it/golden/<schema>-<state>.json` is never changed, only added to: a state of the current layout that has no
//! file gets one here, to be committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deposit::{Destination, Media, Weight, WeightSource};
use session::{Event, SCHEMA, Session, State, Verb};

use crate::machine::conversation::Conversation;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden")
}

/// One conversation in each state, with as much in it as there can be.
fn conversations() -> Vec<(&'static str, Conversation)> {
    let at = |steps: fn(&mut Conversation)| {
        let mut chat = Conversation::new();
        steps(&mut chat);
        chat
    };
    vec![
        (
            "idle",
            at(|chat| {
                chat.does(Event::StatusRequested);
            }),
        ),
        (
            "awaiting_description",
            at(|chat| {
                chat.sends(Media::Voice, None).settles();
            }),
        ),
        (
            "understanding",
            at(|chat| {
                chat.sends(Media::Photo, Some("album")).says("deux bouilloires à 3 € « très » 🚚 \"bien\"");
            }),
        ),
        (
            "awaiting_validation",
            at(|chat| {
                chat.confidence = 0.4;
                chat.says("une bouilloire").settles().says("une chaise").settles().taps(Verb::Correct);
                if let State::AwaitingValidation { draft, .. } = &mut chat.session.state {
                    draft.total_weight = Some(Weight { grams: 6_000, source: WeightSource::Weighed });
                    draft.lines[0].destination = Destination::Recyclage;
                    draft.lines[0].weight = Some(Weight { grams: 1_500, source: WeightSource::Stated });
                }
                chat.waits(240);
            }),
        ),
        (
            "recording",
            at(|chat| {
                chat.says("une bouilloire").settles().taps(Verb::Validate).says("et une table");
            }),
        ),
        (
            "closed",
            at(|chat| {
                chat.says("une bouilloire").settles().taps(Verb::Validate).settles();
            }),
        ),
    ]
}

#[test]
fn documents_of_released_layouts_are_read_and_written_back_unchanged() {
    let mut states = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let session: Session =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(session.schema <= SCHEMA, "{}", path.display());
        if session.schema == SCHEMA {
            assert_eq!(serde_json::to_string(&session).unwrap(), text.trim_end(), "{}", path.display());
            states.insert(session.state.name());
        }
    }
    let missing: Vec<_> = conversations()
        .into_iter()
        .filter(|(_, chat)| !states.contains(chat.session.state.name()))
        .map(|(name, chat)| {
            let path = folder().join(format!("{SCHEMA}-{name}.json"));
            std::fs::write(&path, serde_json::to_string(&chat.session).unwrap() + "\n").unwrap();
            path
        })
        .collect();
    assert!(missing.is_empty(), "written now, to be looked at and committed: {missing:?}");
}

#[test]
fn the_golden_conversations_visit_every_state() {
    for (name, chat) in conversations() {
        // Breaks the build when a state is added, so that a document is added too.
        let state = match &chat.session.state {
            State::Idle => "idle",
            State::AwaitingDescription { .. } => "awaiting_description",
            State::Understanding { .. } => "understanding",
            State::AwaitingValidation { .. } => "awaiting_validation",
            State::Recording { .. } => "recording",
            State::Closed { .. } => "closed",
        };
        assert_eq!(state, name);
    }
}
