//! The pure machine: as conversations (one snapshot each), as properties over any sequence of events, and as a diagram.

mod conversation;
mod corrections;
mod golden;
mod properties;
mod states;

use std::time::Duration;

use deposit::{CategoryKey, DepositId, DepositRef, Draft, Media, MessageId, Recorded, Status};
use session::{
    Cause, DOCUMENT_BYTES_MAX, Effect, EffectId, Event, Lane, Language, Note, Sentence, State, Tap,
    TapAnswer, Verb, Verdict,
};

use crate::machine::conversation::{Conversation, START, TTL};

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

/// The answer to a commit can be lost, and that to its repetition too: then the outcome comes again, and once more, when
/// the next deposit has a card of its own.
#[test]
fn an_outcome_that_comes_again_does_not_show_the_next_deposit_on_the_old_card() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settle(1);
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let (effect, what, _) = chat.session.next_effect(Lane::Chat, chat.now).unwrap();
    let (outcome, shown) = (Cause::Outcome { effect, lane: Lane::Chat, token }, chat.outcome(&what));
    chat.apply(outcome, &shown);
    chat.taps(Verb::Validate).settles();
    let confirmation = chat.session.card.message;
    chat.says("une table").settles();
    let card = chat.session.card.message;
    assert_ne!(card, confirmation);
    for _ in 0..2 {
        chat.apply(outcome, &shown);
        assert!(!chat.session.holds(Lane::Chat, token), "a lease that was given back never counts again");
        assert_eq!(chat.session.card.message, card);
    }
    chat.taps(Verb::Validate).settles();
    assert_eq!(chat.session.card.message, card);
    assert!(chat.session.kept_for().is_some(), "{}", chat.log);
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
            let mut draft = Draft::new(recorded.id, recorded.reference, START);
            draft.revision = recorded.revision + 1;
            draft.lines = recorded.lines.clone();
            draft
        }
        other => panic!("{other:?}"),
    };
    let card = chat.session.card.message.unwrap();
    let answer = chat.update(&Event::Resumed(Box::new(draft), card), false);
    assert_eq!(answer, Some(TapAnswer::Done));
    chat.note("resumes").settles().taps(Verb::Validate).settles();
    insta::assert_snapshot!(chat.log);
    let statuses: Vec<_> = chat.recorded.iter().map(|(_, revision, status)| (*revision, *status)).collect();
    assert_eq!(statuses, [(0, Status::Expired), (1, Status::Completed)]);
}

#[test]
fn no_session_expires_whose_answer_waited_in_telegram() {
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
fn waiting_notes_are_bounded_in_characters_and_their_user_is_told() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate);
    for _ in 0..3 {
        chat.says(&"é".repeat(2_000));
    }
    assert_eq!(chat.session.waiting.len(), 2, "{}", chat.log);
    let told = chat.session.pending.iter().filter(|pending| pending.effect == Effect::Say(Sentence::Busy));
    assert_eq!(told.count(), 1);
    chat.settles();
    assert_eq!(chat.session.draft().unwrap().said_chars(), 4_000, "nothing of what was kept is cut");
}

#[test]
fn in_every_alphabet_the_document_can_be_stored_when_its_deposit_leaves() {
    for (text, effects) in [("🎈".repeat(2_048), 0), ("\u{1}".repeat(4_096), 0), ("🎈".repeat(700), 1)] {
        let mut chat = Conversation::new();
        for _ in 0..14 {
            chat.says(&text).settle(effects);
        }
        chat.settles().taps(Verb::Validate);
        let bytes = serde_json::to_vec(&chat.session).unwrap().len();
        assert!(bytes <= DOCUMENT_BYTES_MAX, "{bytes} bytes");
        let told = |log: &str| log.contains("say -> Said") || log.contains("Full");
        assert!(told(&chat.log), "{}", chat.log);
    }
}

#[test]
fn a_deposit_undone_before_its_recording_is_settled_is_not_recorded_again() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate);
    let (effect, what, _) = chat.session.next_effect(Lane::Chat, chat.now).unwrap();
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let is_recorded = Cause::Outcome { effect, lane: Lane::Chat, token };
    let outcome = chat.outcome(&what);
    // The runner shows the recorded deposit before it commits both; the user taps on the shown card.
    let context = chat.context();
    let view = chat.session.apply(&is_recorded, &outcome, &context).session.card.wanted;
    let Event::Recorded(recorded) = &outcome else { panic!("{outcome:?}") };
    let undone = Recorded { status: Status::Reversed, revision: 1, ..recorded.as_ref().clone() };
    chat.update(&Event::Recorded(Box::new(undone)), false);
    chat.note("undoes");
    chat.apply(is_recorded, &outcome);
    let shown = Event::CardShown { view, message: chat.session.card.message.unwrap(), stripped: Vec::new() };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &shown);
    chat.note("the lane settles what it did").settles();
    insta::assert_snapshot!(chat.log);
    assert!(chat.session.kept_for().is_some(), "nothing is left to do");
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
    assert_eq!(again, (Verdict::Unchanged, Some(TapAnswer::Recording)));
    chat.settles();
    let (cause, event) = update(9_002, &tap);
    assert_eq!(chat.apply(cause, &event).1, Some(TapAnswer::Elsewhere));
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
    let shown = Event::CardShown { view: 1, message: stray, stripped: Vec::new() };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token: late }, &shown);
    assert_eq!(chat.session.card.message, card);
    assert_eq!(chat.session.card.orphaned_keyboards, [stray]);
    chat.settles();
    assert!(!chat.session.card_is_due());
}

#[test]
fn a_question_repeated_while_its_answer_may_be_read_is_answered_again() {
    let mut chat = Conversation::new();
    let asked = || Event::Asked(Sentence::Help);
    chat.does(asked());
    assert!(chat.session.lease(Lane::Chat).is_some(), "the first answer is on its way");
    chat.does(asked());
    assert_eq!(chat.session.pending.len(), 2);
}

#[test]
fn a_draft_resumed_before_its_expiry_is_settled_is_shown() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().waits(300);
    let (effect, what, _) = chat.session.next_effect(Lane::Chat, chat.now).unwrap();
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let recorded = chat.outcome(&what);
    let is_recorded = Cause::Outcome { effect, lane: Lane::Chat, token };
    // The runner shows the recorded deposit before it commits both; the user taps on the shown card.
    let context = chat.context();
    let view = chat.session.apply(&is_recorded, &recorded, &context).session.card.wanted;
    let Effect::RecordDeposit(leaving) = &what else { panic!("{what:?}") };
    let card = chat.session.card.message.unwrap();
    let answer = chat.update(&Event::Resumed(Box::new(leaving.draft.clone()), card), false);
    assert_eq!(answer, Some(TapAnswer::Done));
    chat.apply(is_recorded, &recorded);
    let shown = Event::CardShown { view, message: card, stripped: Vec::new() };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &shown);
    assert!(chat.session.card_is_due(), "the card still shows the expired draft");
}

#[test]
fn a_card_known_again_by_a_tap_loses_its_buttons_when_its_repetition_arrives() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire");
    chat.settle(1);
    let (lost, repeated) = (MessageId(998), MessageId(999));
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let tap = Tap { message: lost, ..chat.tap(Verb::Correct) };
    chat.update(&Event::Tapped(tap), false);
    assert_eq!(chat.session.card.message, Some(lost));
    let shown = Event::CardShown { view: 1, message: repeated, stripped: Vec::new() };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &shown);
    assert_eq!(
        (chat.session.card.message, chat.session.card.orphaned_keyboards.as_slice()),
        (Some(repeated), &[lost][..])
    );
}

#[test]
fn a_user_who_blocked_the_bot_still_has_the_deposit_recorded() {
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

#[test]
fn a_tap_that_the_ledger_answers_is_not_remembered_and_takes_no_lane() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().taps(Verb::Validate);
    chat.settle(1);
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    let later = Event::Deferred { until: chat.now.after(Duration::from_millis(400)), counted: true };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &later);
    // The card may be tried again, and no iteration has found it yet.
    chat.now = chat.now.after(Duration::from_millis(450));
    let cause = Cause::Update { id: 9_000, message: None, sent_at: None, language: Language::En };
    let event = Event::Tapped(chat.tap(Verb::Validate));
    assert_eq!(chat.apply(cause, &event), (Verdict::Unchanged, Some(TapAnswer::Elsewhere)));
    assert!(chat.session.lease(Lane::Chat).is_none(), "whoever takes a lane runs it");
    chat.waits(0).settles();
    assert!(!chat.session.card_is_due());
    let draft = Draft::new(DepositId(uuid::Uuid::from_u128(77)), DepositRef(77), chat.now);
    let resumed = Event::Resumed(Box::new(draft), MessageId(1));
    assert_eq!(chat.apply(cause, &resumed), (Verdict::Changed, Some(TapAnswer::Done)));
}

#[test]
fn a_tap_on_a_card_whose_answer_was_lost_leaves_one_keyboard() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire");
    chat.settle(1);
    let token = chat.session.lease(Lane::Chat).unwrap().token;
    // It reached the chat, but its message id was lost; and while it is sent once more, it is tapped.
    let (first, second) = (MessageId(200), MessageId(201));
    let tap = Tap { message: first, ..chat.tap(Verb::Correct) };
    assert_eq!(chat.update(&Event::Tapped(tap), false), Some(TapAnswer::Done));
    let shown = Event::CardShown { view: 1, message: second, stripped: Vec::new() };
    chat.apply(Cause::Outcome { effect: EffectId::Card, lane: Lane::Chat, token }, &shown);
    assert_eq!(chat.session.card.message, Some(second));
    assert_eq!(chat.session.card.orphaned_keyboards, [first]);
}

#[test]
fn a_date_that_is_yet_to_come_expires_nothing() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles();
    let sent_at = Some(chat.now.after(Duration::from_secs(86_400)));
    let cause = Cause::Update { id: 9_000, message: Some(MessageId(900)), sent_at, language: Language::Fr };
    let note = Note { text: "une chaise".to_owned(), ..Note::default() };
    chat.apply(cause, &Event::NoteReceived(note));
    chat.settles();
    assert_eq!(chat.session.draft().unwrap().lines.len(), 2);
}
