//! Faults on demand.

use std::time::Duration;

use serde_json::json;

use super::super::{Fault, Happened, Rule};
use super::{Bench, ids};

#[tokio::test]
async fn a_429_strikes_the_next_calls_of_one_chat() {
    let bench = Bench::start().await;
    bench.marie().await;
    let fault = Fault::TooManyRequests { retry_after: 3 };
    bench.simulator.faults(|faults| faults.add(Rule::next(2, fault).on("sendmessage").in_chat(7)));
    bench.call("sendChatAction", json!({"chat_id": 7, "action": "typing"})).await.result();
    let hello = json!({"chat_id": 7, "text": "a"});
    for _ in 0..2 {
        let answer = bench.call("sendMessage", hello.clone()).await;
        assert_eq!(answer.refused(429), "Too Many Requests: retry after 3");
        assert_eq!(answer.envelope["parameters"]["retry_after"], 3);
    }
    bench.call("sendMessage", hello).await.result();
    assert_eq!(
        (bench.simulator.calls("sendMessage"), bench.simulator.calls_with("sendMessage", 429)),
        (3, 2)
    );
}

#[tokio::test]
async fn a_dropped_connection_has_an_effect_only_if_dropped_after() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let texts =
        || marie.messages().iter().filter(|m| m.from_bot()).map(|m| m.text().to_owned()).collect::<Vec<_>>();
    for (fault, text, shown) in
        [(Fault::DropBefore, "avant", 0), (Fault::DropAfter, "après", 1), (Fault::TruncatedBody, "coupé", 2)]
    {
        bench.simulator.faults(|faults| faults.add(Rule::next(1, fault).on("sendMessage")));
        assert!(bench.try_call("sendMessage", json!({"chat_id": 7, "text": text})).await.is_err());
        assert_eq!(texts().len(), shown, "{text}");
    }
    assert_eq!(texts(), ["après", "coupé"]);
    assert_eq!(bench.simulator.calls_with("sendMessage", 0), 2);
}

#[tokio::test]
async fn server_errors_come_as_json_and_as_a_page() {
    let bench = Bench::start().await;
    bench.simulator.faults(|faults| faults.add(Rule::next(1, Fault::ServerError)));
    assert_eq!(bench.call("getMe", json!({})).await.refused(500), "Internal Server Error");
    for (fault, status, start) in [
        (Fault::BadGateway, 502, "<html>"),
        (Fault::Unavailable, 503, "<html>"),
        (Fault::GatewayTimeout, 504, "<html>"),
        (Fault::EmptyBody, 200, ""),
    ] {
        bench.simulator.faults(|faults| faults.add(Rule::next(1, fault)));
        let page = bench.http.get(bench.url("getMe")).send().await.unwrap();
        assert_eq!(page.status().as_u16(), status);
        let body = page.text().await.unwrap();
        assert!(body.starts_with(start) && body.is_empty() == start.is_empty(), "{body}");
    }
    let gone = "Bad Request: message can't be edited";
    bench.simulator.faults(|faults| faults.add(Rule::next(1, Fault::BadRequest(gone))));
    assert_eq!(bench.call("getMe", json!({})).await.refused(400), gone);
    bench.call("getMe", json!({})).await.result();
}

#[tokio::test]
async fn a_delay_and_another_fault_come_together() {
    let bench = Bench::start().await;
    bench.simulator.faults(|faults| {
        faults.add(Rule::every_call(Fault::Delay(Duration::from_millis(30))));
        faults.add(Rule::next(1, Fault::ServerError));
    });
    let before = tokio::time::Instant::now();
    bench.call("getMe", json!({})).await.refused(500);
    assert!(before.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn probabilities_repeat_with_the_seed() {
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let bench = Bench::start().await;
        bench.simulator.faults(|faults| faults.add(Rule::sometimes(0.5, Fault::ServerError)));
        let mut run = Vec::new();
        for _ in 0..40 {
            run.push(bench.call("getMe", json!({})).await.status);
        }
        outcomes.push(run);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    let failed = outcomes[0].iter().filter(|status| **status == 500).count();
    assert!((8..33).contains(&failed), "{failed} of 40");
}

#[tokio::test]
async fn every_nth_update_comes_once_more_after_its_confirmation() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.simulator.faults(|faults| {
        faults.clear();
        faults.repeat_every = 2;
    });
    let said = ["a", "b", "c"].map(|text| marie.says(text).update_id.unwrap());
    assert_eq!(ids(&bench.poll(json!({})).await), said);
    assert_eq!(ids(&bench.poll(json!({"offset": said[2]})).await), [said[1], said[2]]);
    assert_eq!(ids(&bench.poll(json!({"offset": said[2]})).await), [said[2]], "once");
}

#[tokio::test]
async fn held_updates_come_when_they_are_let_go() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    bench.simulator.faults(|faults| faults.hold_updates = true);
    let said = marie.says("un").update_id.unwrap();
    assert!(bench.poll(json!({})).await.is_empty());
    let (updates, ()) = tokio::join!(bench.poll(json!({"timeout": 50})), async {
        bench.poller_waits().await;
        bench.simulator.faults(|faults| faults.hold_updates = false);
    });
    assert_eq!(ids(&updates), [said]);
}

#[tokio::test]
async fn the_journal_tells_what_happened_in_order() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let start = bench.simulator.journal().last().unwrap().number;
    let said = marie.says("un").update_id.unwrap();
    bench.poll(json!({})).await;
    let message = bench.send("bonjour").await["message_id"].as_i64().unwrap();
    bench.poll(json!({"offset": said + 1})).await;
    let journal = bench.simulator.journal_since(start);
    let what: Vec<Happened> = journal.iter().map(|entry| entry.what.clone()).collect();
    let call = |method: &'static str, chat: Option<i64>, message_id: Option<i64>| Happened::Call {
        method,
        chat,
        message_id,
        code: 200,
        applied: true,
    };
    assert_eq!(
        what,
        [
            Happened::Enqueued { update_id: said, kind: "message", chat: Some(7) },
            Happened::Delivered { update_id: said },
            call("getUpdates", None, None),
            Happened::Shown { chat: 7, message_id: message, text: "bonjour".into(), keyboard: false },
            call("sendMessage", Some(7), Some(message)),
            Happened::ConfirmedBelow { offset: said + 1 },
            call("getUpdates", None, None),
        ]
    );
    assert!(journal.windows(2).all(|pair| pair[0].number + 1 == pair[1].number));
}
