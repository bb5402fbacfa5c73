//! Journals that no bot has written: the checks of answers (P4) and repeats (P12) decide what is an outcome, a reason
//! and for none.

use std::time::Duration;

use bot_api_simulator::{Entry, Happened};
use depot_bot::clock::Timestamp;

use crate::oracle::answers::{longest_wait, unanswered};
use crate::oracle::evidence::Evidence;
use crate::oracle::updates::Deaths;
use crate::oracle::{Report, repeats};

const CHAT: i64 = 7;

/// Entries, each so many ms after the start.
fn journal(entries: impl IntoIterator<Item = (i64, Happened)>) -> Vec<Entry> {
    let numbered = (1..).zip(entries);
    numbered
        .map(|(number, (at, what))| Entry { number, at: bot_api_simulator::Timestamp(at), what })
        .collect()
}

fn deaths(at: &[i64]) -> Deaths {
    Deaths { at: at.iter().copied().map(Timestamp).collect(), times: 1 }
}

fn shown(message_id: i64, text: &str) -> Happened {
    Happened::Shown { chat: CHAT, message_id, text: text.into(), keyboard: false }
}

fn answered(callback_id: &str) -> Happened {
    Happened::Answered { callback_id: callback_id.to_owned(), chat: CHAT }
}

fn call(method: &'static str, message_id: Option<i64>, code: u16, applied: bool) -> Happened {
    Happened::Call { method, chat: message_id.map(|_| CHAT), message_id, code, applied }
}

/// An update that is made, delivered and acknowledged at these times.
fn update(update_id: i64, kind: &'static str, [made, delivered, done]: [i64; 3]) -> Vec<(i64, Happened)> {
    let mut entries = vec![(made, Happened::Enqueued { update_id, kind, chat: Some(CHAT) })];
    if kind == "callback_query" {
        entries.push((made, Happened::Tapped { update_id, callback_id: update_id.to_string() }));
    }
    entries.push((delivered, Happened::Delivered { update_id }));
    entries.push((done, Happened::ConfirmedBelow { offset: update_id + 1 }));
    entries
}

/// The updates that have no outcome in this journal.
fn silent(died_at: &[i64], first: Vec<(i64, Happened)>, more: Vec<(i64, Happened)>) -> Vec<i64> {
    let journal = journal(first.into_iter().chain(more));
    unanswered(&journal, &deaths(died_at)).iter().map(|update| update.id).collect()
}

#[test]
fn a_tap_needs_an_answer_of_its_own() {
    let tap = || update(1, "callback_query", [0, 10, 20]);
    assert_eq!(silent(&[], tap(), vec![(30, answered("1"))]), [] as [i64; 0]);
    assert_eq!(silent(&[], tap(), vec![(30, answered("2")), (40, shown(5, "plus tard"))]), [1]);
    // Its instance died before it was handed to the next one, which lived.
    assert_eq!(silent(&[5], tap(), vec![(40, shown(5, "plus tard"))]), [1]);
    assert_eq!(silent(&[9_000], tap(), vec![(9_500, shown(5, "plus tard"))]), [1]);
}

#[test]
fn a_tap_that_could_not_be_answered_needs_something_to_be_seen() {
    let tap = || update(1, "callback_query", [0, 10, 20]);
    let seen = || vec![(9_000, shown(5, "plus tard"))];
    let nobody: [i64; 0] = [];
    assert_eq!(silent(&[25], tap(), seen()), nobody);
    assert_eq!(silent(&[25], tap(), vec![]), [1]);
    let late = || update(1, "callback_query", [0, 15_100, 15_200]);
    let seen_late = vec![(16_000, shown(5, "plus tard"))];
    assert_eq!(silent(&[], late(), seen_late), nobody);
    assert_eq!(silent(&[], late(), vec![]), [1]);
    let lost = || (30, call("answerCallbackQuery", None, 0, false));
    assert_eq!(silent(&[], tap(), [vec![lost()], seen()].concat()), nobody);
    assert_eq!(silent(&[], tap(), vec![lost()]), [1]);
    // One lost answer stands for one tap, and a refusal of a fresh one for none: that one was answered before.
    let two = [tap(), update(2, "callback_query", [21, 22, 23])].concat();
    assert_eq!(silent(&[], two, [vec![lost()], seen()].concat()), [2]);
    let refused = (30, call("answerCallbackQuery", None, 400, true));
    assert_eq!(silent(&[], tap(), [vec![refused], seen()].concat()), [1]);
}

#[test]
fn a_message_needs_a_new_one_below_it_within_a_minute_of_quiet() {
    let nobody: [i64; 0] = [];
    let card = || vec![(0, shown(5, "une carte"))];
    let said = |more| [card(), update(1, "message", [10, 20, 30]), more].concat();
    assert_eq!(silent(&[], said(vec![(40, shown(6, "une autre"))]), vec![]), nobody);
    assert_eq!(silent(&[], said(vec![(40, shown(5, "changée")), (41, answered("9"))]), vec![]), [1]);
    assert_eq!(silent(&[], said(vec![(61_000, shown(6, "une autre"))]), vec![]), [1]);
    assert_eq!(silent(&[2_000], said(vec![(61_000, shown(6, "une autre"))]), vec![]), nobody);
}

#[test]
fn a_wait_since_before_the_last_fault_counts_from_its_end_on() {
    let entries = [update(1, "message", [1_000, 20_000, 20_100]), vec![(21_000, shown(6, "une carte"))]];
    let journal = journal(entries.concat());
    let waited = |since| longest_wait(&journal, &deaths(&[]), Timestamp(since));
    assert_eq!(waited(0), Duration::from_secs(20));
    assert_eq!(waited(19_000), Duration::from_secs(2));
    assert_eq!(waited(22_000), Duration::ZERO);
}

/// How many repeats there are, and how many of them for no reason.
fn repeated(died_at: &[i64], entries: Vec<(i64, Happened)>) -> (usize, usize) {
    let mut report = Report::default();
    let evidence = Evidence { telegram: journal(entries), deaths: deaths(died_at), ..Evidence::default() };
    repeats::judge(&evidence, &mut report);
    (report.duplicates, report.violations.len())
}

#[test]
fn each_repeat_needs_a_reason_of_its_own() {
    let twice = || vec![(100, shown(5, "une carte")), (20_000, shown(6, "une carte"))];
    let thrice = || [twice(), vec![(40_000, shown(7, "une carte"))]].concat();
    assert_eq!(repeated(&[], twice()), (1, 1));
    assert_eq!(repeated(&[200], twice()), (1, 0));
    assert_eq!(repeated(&[200], thrice()), (2, 1));
    assert_eq!(repeated(&[200, 21_000], thrice()), (2, 0));
    // By then the outcome was stored; and a death that came after it explains nothing.
    assert_eq!(repeated(&[19_000], twice()), (1, 1));
    assert_eq!(repeated(&[20_001], twice()), (1, 1));
}

#[test]
fn a_lost_answer_explains_one_repeat_of_its_own_message() {
    let with = |lost| vec![(100, shown(5, "une carte")), (110, lost), (20_000, shown(6, "une carte"))];
    assert_eq!(repeated(&[], with(call("sendMessage", Some(5), 0, true))), (1, 0));
    assert_eq!(repeated(&[], with(call("sendMessage", Some(4), 0, true))), (1, 1));
    assert_eq!(repeated(&[], with(call("sendMessage", Some(5), 200, true))), (1, 1));
    assert_eq!(repeated(&[], with(call("editMessageText", Some(5), 0, true))), (1, 1));
    // A card that was changed since is repeated as it is now.
    let edited = vec![(100, shown(5, "⏳")), (200, shown(5, "une carte")), (300, shown(6, "une carte"))];
    assert_eq!(repeated(&[], edited), (1, 1));
    // An old card that loses its buttons is no message at the bottom; a message in between makes a new one.
    let asked = update(1, "message", [150, 160, 170]);
    let anew = [vec![(100, shown(5, "une carte"))], asked, vec![(180, shown(5, "une carte"))]].concat();
    assert_eq!(repeated(&[], [anew, vec![(190, shown(6, "une carte"))]].concat()), (0, 0));
}
