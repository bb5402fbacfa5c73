//! Telegram's limits, whatever is written in a deposit.

use proptest::prelude::*;

use super::*;
use crate::telegram::views::view::{BUTTONS_MAX, LABEL_UNITS_MAX, TEXT_UNITS_MAX, units};

/// Twenty lines with everything as long as it can be.
fn huge(object: &str, key: &str) -> Draft {
    let mut draft = draft();
    let heavy = Line {
        quantity: Some(u32::MAX),
        weight: Some(Weight { grams: 9_999_999, source: WeightSource::Estimated }),
        destination: Destination::Dechetterie,
        ..line(object, key, 0.5)
    };
    draft.lines = vec![heavy; LINES_MAX];
    draft.total_weight = stated(10_000_000);
    draft
}

fn assert_within_limits(view: &View) {
    let length = units(&view.text);
    assert!((1..=TEXT_UNITS_MAX).contains(&length), "{length} units");
    for entity in &view.entities {
        assert!(entity.length > 0 && entity.offset + entity.length <= length, "{entity:?} in {length}");
    }
    let buttons: Vec<_> = view.keyboard.iter().flatten().collect();
    assert!(buttons.len() <= BUTTONS_MAX);
    for button in buttons {
        assert!((1..=LABEL_UNITS_MAX).contains(&units(&button.label)), "{:?}", button.label);
    }
    assert!(view.keyboard.iter().all(|row| !row.is_empty()));
}

/// Every view that shows this draft.
fn views(draft: &Draft) -> Vec<View> {
    let views = [
        CardView::Lines,
        CardView::PickLine,
        CardView::Groups { line: 19 },
        CardView::Categories { line: 19, group: "electrical".to_owned(), page: 0 },
        CardView::Categories { line: 99, group: "no such group".to_owned(), page: 255 },
        CardView::Quantities { line: 19 },
        CardView::Weights { line: 99 },
        CardView::WeightAsked { line: 0 },
        CardView::Destinations { line: 19 },
    ];
    let object = draft.lines.first().map(|line| line.object.chars().take(40).collect()).unwrap_or_default();
    let done = session::Done::Renamed { line: 19, was: object, object: "é".repeat(40) };
    let corrected = session::Corrected { done: vec![done; 3], more: usize::MAX, outdated: true };
    let notices = [Notice::VoiceKept, Notice::Corrected(corrected)];
    let open = views.into_iter().flat_map(|view| {
        let with_notice = |notice: &Notice| State::AwaitingValidation {
            draft: draft.clone(),
            view: view.clone(),
            notice: Some(notice.clone()),
        };
        notices.iter().map(with_notice).collect::<Vec<_>>()
    });
    let leaving = Leaving { draft: draft.clone(), status: Status::Completed, decided_at: NOW };
    let Draft { id, reference, lines, total_weight, .. } = draft.clone();
    let recorded = Recorded {
        id,
        reference,
        revision: 1,
        number: Some(u64::MAX),
        status: Status::Completed,
        lines,
        total_weight,
        decided_at: NOW,
    };
    let states = open.chain([State::Recording { leaving }, State::Closed { recorded }]);
    let rendered = states.flat_map(|state| {
        [Language::Fr, Language::En].map(|language| {
            let mut session = session(language, state.clone());
            session.warned = true;
            rendered(&session)
        })
    });
    rendered.collect()
}

#[test]
fn twenty_lines_as_long_as_can_be_fit_one_message() {
    for object in ["é".repeat(4096), "👨‍👩‍👧 ".repeat(512), "<b>&".repeat(1024), "e\u{301}".repeat(2048)]
    {
        for view in views(&huge(&object, "personal_mobility")) {
            assert_within_limits(&view);
        }
    }
}

#[test]
fn objects_are_only_as_short_as_they_must_be() {
    let length = |per_unit: usize| fitting(|limit| View::plain("x".repeat(limit * per_unit))).text.len();
    assert_eq!(length(60), 3600);
    assert_eq!(length(80), 3200);
    assert_eq!(length(600), 3600);
    let shown = rendered(&session(Language::Fr, lines_of(huge(&"chaise ".repeat(585), "decor"))));
    assert!(shown.text.contains("1. chaise chaise chaise chaise chaise chaise chaise chaise cha… ×"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_words_render_within_the_limits(
        objects in prop::collection::vec(any::<String>(), 1..=LINES_MAX),
        key in any::<String>(),
        confidence in 0.0..1.0f32,
    ) {
        let mut draft = draft();
        draft.lines = objects.iter().map(|object| line(object, &key, confidence)).collect();
        for view in views(&draft) {
            assert_within_limits(&view);
        }
    }
}
