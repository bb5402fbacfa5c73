//! Telegram pauses, fails, answers nonsense, or drops the connection before or after a call: F40, F41, F42, F50.

use bot_api_simulator::{Fault, Faults, Happened, Rule, Simulator, User, UserProfile};
use deposit::Status;
use depot_bot::clock::Clock;

use crate::bot::{Behind, TestBot};
use crate::faults::{deposits, deposits_patiently, describes, holds_what_was_seen};
use crate::process::{Process, telegram, variables};

const OPEN: [(&str, &str); 1] = [("ACCESS_MODE", "open")];

async fn on_the_machines_clock() -> TestBot {
    TestBot::on(Clock::system(), Behind::Sqlite, &OPEN).await
}

fn calls_to(telegram: &Simulator, wanted: i64) -> usize {
    let calls = telegram.journal().into_iter().filter(|entry| {
        matches!(&entry.what, Happened::Call { chat: Some(chat), method, .. }
            if *chat == wanted && (*method == "sendMessage" || *method == "editMessageText"))
    });
    calls.count()
}

/// When messages were sent to a chat, refused ones too.
fn sent_to(telegram: &Simulator, wanted: i64) -> Vec<i64> {
    let calls = telegram.journal().into_iter().filter(|entry| {
        matches!(entry.what, Happened::Call { chat: Some(chat), method: "sendMessage", .. } if chat == wanted)
    });
    calls.map(|entry| entry.at.0).collect()
}

/// F40: a 429 of one second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f40_a_429_of_one_second_is_obeyed_and_over_by_itself() {
    let bot = on_the_machines_clock().await;
    let (paused, other) = (bot.user(7), bot.user(8));
    let fault = Fault::TooManyRequests { retry_after: 1 };
    bot.telegram.faults(|faults| faults.add(Rule::next(1, fault).on("sendMessage").in_chat(7)));
    paused.says("une bouilloire");
    deposits(&other).await;
    paused.sees("Valider").await.unwrap();
    // The card is there before the call that brought it is noted.
    bot.telegram.wait_for("both calls", |it| sent_to(it, 7).len() == 2).await.unwrap();
    let sent = sent_to(&bot.telegram, 7);
    let (refused, repeated) = (sent[0], sent[1]);
    assert!(repeated - refused >= 1_000, "repeated after {} ms", repeated - refused);
    paused.taps("Valider").unwrap();
    paused.sees_new("enregistré").await.unwrap();
    holds_what_was_seen(&bot, 7, 1).await;
}

/// F40: a 429 of one hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f40_a_429_of_an_hour_silences_one_chat_while_the_others_flow() {
    let bot = TestBot::start().await;
    let (paused, other) = (bot.user(7), bot.user(8));
    let fault = Fault::TooManyRequests { retry_after: 3_600 };
    bot.telegram.faults(|faults| faults.add(Rule::next(1, fault).on("sendMessage").in_chat(7)));
    paused.says("une bouilloire");
    bot.telegram.wait_for("the refusal", |it| it.calls_with("sendMessage", 429) == 1).await.unwrap();
    for _ in 0..17 {
        deposits(&other).await;
        bot.rests(8).await;
        bot.rests(7).await;
        bot.advance(210);
    }
    assert_eq!(calls_to(&bot.telegram, 7), 1, "nothing is sent before the hour is over");
    bot.advance(60);
    // No answer for an hour: the draft is kept.
    bot.while_time_passes(paused.sees("Reprendre")).await.unwrap();
    paused.taps("Reprendre").unwrap();
    paused.sees_new("Valider").await.unwrap();
    paused.taps("Valider").unwrap();
    paused.sees_new("enregistré").await.unwrap();
    holds_what_was_seen(&bot, 7, 1).await;
    holds_what_was_seen(&bot, 8, 17).await;
}

/// F41: every kind of failing answer, to every call of a conversation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_answers_that_fail_are_repeated_and_their_bodies_are_in_no_log() {
    let (telegram, folder) = (telegram().await, tempfile::tempdir().unwrap());
    let mut variables = variables(&telegram, folder.path());
    variables.insert("RUST_LOG".to_owned(), "debug".to_owned());
    let mut bot = Process::start(&variables).await;
    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    let mut unknown = 0;
    for fault in [
        Fault::ServerError,
        Fault::BadGateway,
        Fault::Unavailable,
        Fault::GatewayTimeout,
        Fault::EmptyBody,
        Fault::TruncatedBody,
    ] {
        for method in ["sendMessage", "editMessageText", "answerCallbackQuery", "getUpdates"] {
            telegram.faults(|faults| faults.add(Rule::next(1, fault).on(method)));
            deposits_patiently(&user).await;
            let rest = format!("{fault:?} on {method} to strike");
            telegram.wait_for(&rest, |it| it.faults(|faults| faults.have_struck())).await.unwrap();
            let applied = matches!(fault, Fault::GatewayTimeout | Fault::EmptyBody | Fault::TruncatedBody);
            unknown += usize::from(applied && method == "sendMessage");
        }
    }
    let asked = user.messages().iter().filter(|message| !message.from_bot()).count();
    let cards = user.messages().iter().filter(|message| message.from_bot()).count();
    assert!((asked..=asked + unknown).contains(&cards), "{cards} cards for {asked} notes, {unknown} unknown");
    bot.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(bot.ended().await.code(), Some(0));
    let completed = crate::process::listed(&variables).await.remove("completed");
    assert_eq!(completed, Some(24), "none missing, none doubled");
    assert!(bot.lines.iter().any(|line| line.contains("DEBUG")), "the log is loud");
    let quoted = bot.lines.iter().find(|line| line.contains("nginx") || line.contains("<html"));
    assert_eq!(quoted, None);
}

/// F42: the connection is dropped before or after each method was applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f42_a_call_dropped_before_or_after_it_was_applied_costs_a_repeat_at_most() {
    let bot = on_the_machines_clock().await;
    let methods = [
        "sendMessage",
        "editMessageText",
        "editMessageReplyMarkup",
        "answerCallbackQuery",
        "sendChatAction",
        "getUpdates",
    ];
    let (mut flows, mut repeats) = (0, 0);
    let user = bot.user(7);
    for method in methods {
        for fault in [Fault::DropBefore, Fault::DropAfter] {
            bot.telegram.faults(|faults| faults.add(Rule::next(1, fault).on(method)));
            let before = user.messages().iter().filter(|message| message.from_bot()).count();
            describes(&user).await;
            // The second note takes the keyboard from the first card.
            user.says("et une chaise");
            user.wait_for("both lines", |chat| {
                chat.from_bot().any(|message| message.shows("2. ") && message.button("Valider").is_some())
            })
            .await
            .unwrap();
            deposit_is_confirmed(&user, flows + 1).await;
            flows += 1;
            let cards = user.messages().iter().filter(|message| message.from_bot()).count() - before;
            let unknown = usize::from(fault == Fault::DropAfter && method == "sendMessage");
            assert!((2..=2 + unknown).contains(&cards), "{method} {fault:?}: {cards} cards for two notes");
            repeats += cards - 2;
        }
    }
    let struck = bot.telegram.calls_with("sendMessage", 0) + bot.telegram.calls_with("editMessageText", 0);
    assert_eq!(struck, 4, "both were struck before and after");
    holds_what_was_seen(&bot, 7, flows).await;
    println!("F42: {flows} flows, {repeats} repeated cards, none missing, none doubled in the ledger");
}

async fn deposit_is_confirmed(user: &User, wanted: usize) {
    loop {
        user.taps("Valider").unwrap();
        let done = user.wait("the confirmation", |chat| {
            let seen = crate::faults::confirmed(chat).len() == wanted;
            let is_told_to_look = chat.toast_of_last_tap().is_some_and(|toast| !toast.text.is_empty());
            let has_other = chat.from_bot().any(|message| message.button("Valider").is_some());
            if seen { Some(true) } else { (is_told_to_look && has_other).then_some(false) }
        });
        if done.await.unwrap() {
            return;
        }
    }
}

/// F42: the calls by which the bot tells Telegram its webhook.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f42_a_webhook_is_set_whichever_call_is_dropped() {
    for method in ["getWebhookInfo", "setWebhook", "setMyCommands"] {
        for fault in [Fault::DropBefore, Fault::DropAfter] {
            let address = crate::servers::free_address();
            let url = format!("http://{address}/telegram");
            let variables = [
                ("ACCESS_MODE", "open"),
                ("TELEGRAM_WEBHOOK_URL", url.as_str()),
                ("TELEGRAM_WEBHOOK_SECRET", "a_secret_of_the_fault_tests"),
                ("WEBHOOK_BIND", &address.to_string()),
            ];
            let mut bot = TestBot::prepared(Clock::system(), Behind::Sqlite, &variables).await;
            bot.telegram.faults(|faults| faults.add(Rule::next(1, fault).on(method)));
            bot.resume().await;
            deposits(&bot.user(7)).await;
            holds_what_was_seen(&bot, 7, 1).await;
            assert_eq!(bot.telegram.webhook_url(), Some(url), "{method} {fault:?}");
        }
    }
}

/// F50: a card that cannot be edited is sent anew, one that is not modified is done, and a tap too old to be answered still counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f50_refusals_of_edits_and_of_late_answers_are_what_they_are() {
    let bot = on_the_machines_clock().await;
    let user = bot.user(7);
    for (number, words) in [
        (1, "Bad Request: message can't be edited"),
        (2, "Bad Request: message to edit not found"),
        (3, "Bad Request: MESSAGE_ID_INVALID"),
    ] {
        let card = describes(&user).await;
        bot.telegram
            .faults(|faults| faults.add(Rule::next(1, Fault::BadRequest(words)).on("editMessageText")));
        user.taps("Valider").unwrap();
        let anew = user.sees_new(&format!("Dépôt n°\u{a0}{number} enregistré")).await.unwrap();
        assert!(anew.id > card, "{words}: sent anew");
    }
    // Applied, and the answer lost: the repeat finds it as it should be.
    describes(&user).await;
    bot.telegram.faults(|faults| faults.add(Rule::next(1, Fault::DropAfter).on("editMessageText")));
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let not_modified = |it: &Simulator| it.calls_with("editMessageText", 400) == 4;
    bot.telegram.wait_for("the repeat to be refused as not modified", not_modified).await.unwrap();
    bot.rests(7).await;
    holds_what_was_seen(&bot, 7, 4).await;
    assert_eq!(user.messages().iter().filter(|message| message.from_bot()).count(), 7);
}

/// F50: a tap that waited longer than it can be answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f50_a_tap_that_is_too_old_to_be_answered_is_carried_out() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    describes(&user).await;
    bot.telegram.faults(|faults| faults.hold_updates = true);
    user.taps("Valider").unwrap();
    bot.rests(7).await;
    bot.advance(60);
    bot.telegram.faults(Faults::clear);
    user.sees_new("enregistré").await.unwrap();
    bot.telegram
        .wait_for("the late answer", |it| it.calls_with("answerCallbackQuery", 400) == 1)
        .await
        .unwrap();
    assert!(user.toasts().is_empty());
    assert_eq!(bot.deposits(7).await[0].status, Status::Completed);
}
