//! Corrections as conversations: a change that fits is made and told, one that no longer fits is not made.

use deposit::{Destination, MessageId, Weight, WeightSource};
use session::{
    Asked, CardView, Change, Corrected, Correction, Done, Event, Note, Notice, Part, State, Unclear, Verb,
};

use crate::machine::conversation::{Conversation, line};

fn stated(grams: u32) -> Weight {
    Weight { grams, source: WeightSource::Stated }
}

fn two_lines() -> Conversation {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles().says("trois chaises").settles();
    chat
}

fn objects(chat: &Conversation) -> Vec<&str> {
    chat.session.draft().unwrap().lines.iter().map(|line| line.object.as_str()).collect()
}

fn corrected(chat: &Conversation) -> Corrected {
    match &chat.session.state {
        State::AwaitingValidation { notice: Some(Notice::Corrected(corrected)), .. } => corrected.clone(),
        other => panic!("{other:?}\n{}", chat.log),
    }
}

#[test]
fn lines_are_corrected_in_words_and_by_buttons() {
    let mut chat = two_lines();
    chat.corrects("quatre", &[Change::Counted { line: 1, quantity: Some(4) }]).settles();
    chat.taps(Verb::Correct).taps(Verb::PickLine(1)).taps(Verb::OpenPart(Part::Weight)).settles();
    chat.taps(Verb::Weigh(Some(15_000))).settles();
    chat.taps(Verb::Correct).taps(Verb::PickLine(0)).taps(Verb::OpenPart(Part::Destination));
    chat.taps(Verb::Back)
        .taps(Verb::OpenPart(Part::Destination))
        .taps(Verb::Send(Destination::Recyclage))
        .settles();
    chat.taps(Verb::Correct)
        .taps(Verb::PickLine(0))
        .taps(Verb::OpenPart(Part::Weight))
        .taps(Verb::WriteWeight);
    chat.corrects("1,2", &[Change::Weighed { line: 0, weight: Some(stated(1_200)) }]).settles();
    chat.taps(Verb::Validate).settles();
    insta::assert_snapshot!(chat.log);
    let State::Closed { recorded } = &chat.session.state else { panic!("{}", chat.log) };
    assert_eq!(
        (recorded.lines[0].weight, recorded.lines[1].weight),
        (Some(stated(1_200)), Some(stated(15_000)))
    );
}

#[test]
fn a_line_changed_meanwhile_is_left_alone_and_told() {
    let mut chat = two_lines();
    let changes = [Change::Removed { line: 0 }, Change::Counted { line: 1, quantity: Some(4) }];
    chat.corrects("enlève la première, quatre chaises", &changes);
    // Before the note was understood, its author took the first line away.
    chat.taps(Verb::Correct).taps(Verb::PickLine(0)).taps(Verb::Remove);
    assert_eq!(objects(&chat), ["trois chaises"]);
    chat.settles();
    assert_eq!(objects(&chat), ["trois chaises"], "what slid into its place is not taken away");
    assert!(corrected(&chat).outdated);
    assert_eq!(chat.session.draft().unwrap().lines[0].quantity, Some(1));
}

#[test]
fn lines_are_told_by_their_place_after_the_correction() {
    let mut chat = two_lines();
    let changes = [
        Change::Removed { line: 0 },
        Change::Counted { line: 1, quantity: Some(4) },
        Change::Added(line("une table", 0.9)),
        Change::Sent { line: 1, destination: Destination::Dechetterie },
    ];
    chat.corrects("…", &changes).settles();
    assert_eq!(objects(&chat), ["trois chaises", "une table"]);
    let corrected = corrected(&chat);
    let chairs = "trois chaises".to_owned();
    let done = [
        Done::Removed { object: "une bouilloire".to_owned() },
        Done::Counted { line: 0, object: chairs, was: Some(1), quantity: Some(4) },
        Done::Added { line: 1, object: "une table".to_owned() },
    ];
    assert_eq!((corrected.done.as_slice(), corrected.more, corrected.outdated), (&done[..], 1, false));
}

#[test]
fn a_new_name_keeps_the_proposal_and_a_doubtful_one_is_asked_about() {
    let mut chat = two_lines();
    let mut proposal = line("imprimante", 0.9).proposal;
    proposal.category = "small_it".into();
    let renamed = |proposal| Change::Renamed { line: 1, object: "imprimante".to_owned(), proposal };
    chat.corrects("c'est une imprimante", &[renamed(proposal.clone())]).settles();
    let line = &chat.session.draft().unwrap().lines[1];
    assert_eq!((line.category().0.as_str(), line.proposal.category.0.as_str()), ("small_it", "household"));
    assert!(line.is_corrected());
    proposal.confidence = 0.3;
    chat.corrects("c'est un machin", &[renamed(proposal)]).settles();
    let line = &chat.session.draft().unwrap().lines[1];
    assert!(line.is_doubtful() && line.chosen.is_none());
}

#[test]
fn the_weight_of_all_is_that_of_the_lines_without_one() {
    let mut chat = two_lines();
    chat.corrects("en tout 6 kg", &[Change::TotalWeighed(stated(6_000))]).settles();
    assert_eq!(chat.session.draft().unwrap().total_weight, Some(stated(6_000)));
    chat.corrects("la première 2 kg", &[Change::Weighed { line: 0, weight: Some(stated(2_000)) }]).settles();
    assert_eq!(chat.session.draft().unwrap().total_weight, Some(stated(4_000)));
    chat.corrects("en tout 7 kg", &[Change::TotalWeighed(stated(7_000))]).settles();
    assert_eq!(chat.session.draft().unwrap().total_weight, Some(stated(5_000)));
    chat.corrects("en tout 1 kg", &[Change::TotalWeighed(stated(1_000))]).settles();
    assert_eq!(chat.session.draft().unwrap().total_weight, Some(stated(5_000)));
    chat.corrects("la deuxième 5 kg", &[Change::Weighed { line: 1, weight: Some(stated(5_000)) }]).settles();
    assert_eq!(chat.session.draft().unwrap().total_weight, None, "no line is left that it could be of");
}

#[test]
fn a_guess_is_within_the_weight_of_all() {
    let mut chat = two_lines();
    if let State::AwaitingValidation { draft, .. } = &mut chat.session.state {
        draft.lines[0].weight = Some(Weight { grams: 1_000, source: WeightSource::Estimated });
    }
    chat.corrects("en tout 6 kg", &[Change::TotalWeighed(stated(6_000))]).settles();
    let draft = chat.session.draft().unwrap();
    assert_eq!((draft.lines[0].weight, draft.total_weight), (None, Some(stated(6_000))));
}

#[test]
fn without_a_line_left_a_description_is_asked_for() {
    let mut chat = Conversation::new();
    chat.says("une bouilloire").settles();
    chat.corrects("enlève-la", &[Change::Removed { line: 0 }]).settles();
    assert!(
        matches!(chat.session.state, State::AwaitingDescription { asked: Asked::Emptied, .. }),
        "{}",
        chat.log
    );
    chat.says("une chaise").settles().taps(Verb::Correct).says("une table").taps(Verb::Remove);
    assert_eq!(chat.session.state.name(), "Understanding", "a note is under way");
    chat.settles();
    assert_eq!(objects(&chat), ["une table"]);
}

#[test]
fn an_unclear_correction_changes_nothing_and_waits_for_its_line() {
    let mut chat = two_lines();
    let before = chat.session.draft().unwrap().lines.clone();
    chat.corrects = Some(Correction::Unclear(Unclear::Which("2,5 kg".to_owned())));
    chat.says("2,5 kg").settles();
    assert_eq!(chat.session.draft().unwrap().lines, before);
    let note = Note::default();
    assert_eq!(chat.session.on_card(&note).unwrap().unclear, Some("2,5 kg"));
    chat.taps(Verb::Correct);
    assert_eq!(chat.session.on_card(&note).unwrap().unclear, None, "the question is gone");
}

#[test]
fn only_a_reply_to_the_card_counts_as_one() {
    let mut chat = two_lines();
    let card = chat.session.card.message.unwrap();
    for (message, is_reply) in [(card, true), (MessageId(card.0 - 1), false)] {
        let text = "une imprimante".to_owned();
        chat.update(&Event::NoteReceived(Note { text, reply_to: Some(message), ..Note::default() }), true);
        let Some(session::Effect::Understand(note)) =
            chat.session.pending.last().map(|pending| pending.effect.clone())
        else {
            panic!("{:?}", chat.session.pending)
        };
        assert_eq!(chat.session.on_card(&note).unwrap().is_reply, is_reply);
    }
}

#[test]
fn a_reply_to_a_card_whose_number_is_not_known_yet_counts() {
    let mut chat = two_lines();
    let card = chat.session.card.message.unwrap();
    chat.corrects("quatre", &[Change::Counted { line: 0, quantity: Some(4) }]).settle(1);
    let anew = MessageId(card.0 + 2);
    let text = "une imprimante".to_owned();
    chat.update(&Event::NoteReceived(Note { text, reply_to: Some(anew), ..Note::default() }), true);
    let pending = chat.session.pending.last().map(|pending| pending.effect.clone());
    let Some(session::Effect::Understand(note)) = pending else { panic!("{pending:?}") };
    assert_eq!(note.reply_to, Some(anew));
}

#[test]
fn forged_buttons_of_a_menu_are_refused() {
    let mut chat = two_lines();
    chat.taps(Verb::Remove).taps(Verb::Count(Some(4))).taps(Verb::Weigh(Some(1_000)));
    chat.taps(Verb::Correct).taps(Verb::PickLine(1)).taps(Verb::OpenPart(Part::Quantity));
    chat.taps(Verb::Count(Some(7_777))).taps(Verb::Weigh(Some(1_000)));
    assert!(matches!(
        &chat.session.state,
        State::AwaitingValidation { view: CardView::Quantities { line: 1 }, .. }
    ));
    let lines = &chat.session.draft().unwrap().lines;
    assert!(lines.len() == 2 && lines.iter().all(|line| line.quantity == Some(1) && line.weight.is_none()));
}

#[test]
fn at_twenty_lines_words_may_still_correct() {
    let mut chat = Conversation::new();
    for number in 1..=20 {
        chat.says(&format!("objet {number}")).settles();
    }
    chat.corrects("enlève la deuxième", &[Change::Removed { line: 1 }]).settles();
    assert_eq!(chat.session.draft().unwrap().lines.len(), 19);
    chat.says("objet 21").settles();
    let many = vec![Change::Added(line("objet 22", 0.9))];
    chat.corrects("ajoute l'objet 22", &many).settles();
    let draft = chat.session.draft().unwrap();
    assert_eq!((draft.lines.len(), chat.session.waiting.len()), (20, 1), "{}", chat.log);
    assert!(!draft.said.contains(&"ajoute l'objet 22".to_owned()), "what waits is said of the next deposit");
}
