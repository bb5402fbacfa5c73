//! getUpdates: offsets, redelivery, filters, conflicts.

use std::time::Duration;

use serde_json::json;

use super::{Bench, ids};

#[tokio::test]
async fn updates_come_again_until_an_offset_confirms_them() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let said: Vec<i64> = ["un", "deux", "trois"].map(|text| marie.says(text).update_id.unwrap()).to_vec();
    assert_eq!(said[2], said[0] + 2, "ids are sequential");
    assert_eq!(ids(&bench.poll(json!({})).await), said);
    assert_eq!(ids(&bench.poll(json!({"offset": 0, "limit": 2})).await), said[..2], "nothing was confirmed");
    assert_eq!(ids(&bench.poll(json!({"offset": said[1]})).await), said[1..]);
    assert_eq!(
        ids(&bench.poll(json!({"offset": 0})).await),
        said[1..],
        "the offset has confirmed what is below"
    );
    assert_eq!(bench.simulator.pending_updates(), 2);
    assert_eq!(
        ids(&bench.poll(json!({"offset": -1})).await),
        said[2..],
        "counted from the end, the rest forgotten"
    );
    assert_eq!(bench.simulator.pending_updates(), 1);
}

#[tokio::test]
async fn an_offset_far_in_the_future_starts_at_the_head() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let first = marie.says("un").update_id.unwrap();
    assert_eq!(ids(&bench.poll(json!({"offset": first + 12})).await), [first]);
    assert!(bench.poll(json!({"offset": first + 1})).await.is_empty());
}

#[tokio::test]
async fn a_poll_waits_for_an_update_and_an_empty_one_ends_at_its_timeout() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let (updates, sent) = tokio::join!(bench.poll(json!({"timeout": 50})), async {
        bench.poller_waits().await;
        marie.says("me voilà")
    });
    assert_eq!(ids(&updates), [sent.update_id.unwrap()]);
    assert_eq!(updates[0]["message"]["text"], "me voilà");
    assert_eq!(updates[0]["message"]["from"]["language_code"], "fr");
    let after = sent.update_id.unwrap() + 1;
    assert!(bench.poll(json!({"timeout": 1, "offset": after})).await.is_empty());
}

#[tokio::test]
async fn the_filter_works_at_arrival_and_stays() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let card = bench.send_card("Oui", "y").await;
    bench.poll(json!({"allowed_updates": ["callback_query"]})).await;
    assert_eq!(marie.says("perdu").update_id, None);
    let tap = marie.taps_on(card, "Oui").unwrap();
    assert_eq!(ids(&bench.poll(json!({})).await), tap.update_ids);
    assert_eq!(marie.says("toujours perdu").update_id, None, "without the parameter the setting stays");
    bench.poll(json!({"allowed_updates": []})).await;
    assert!(marie.says("entendu").update_id.is_some());
}

#[tokio::test]
async fn a_second_poller_ends_the_waiting_one() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let older = bench.call("getUpdates", json!({"timeout": 50}));
    let newer = async {
        bench.poller_waits().await;
        bench.call("getUpdates", json!({"timeout": 50})).await
    };
    let speaks_to_the_second = async {
        let second = |simulator: &super::Simulator| simulator.shared.world().waiting_poll == 2;
        bench.simulator.wait_for("the second poller", second).await.unwrap();
        marie.says("deux").update_id.unwrap()
    };
    let (older, newer, said) = tokio::join!(older, newer, speaks_to_the_second);
    assert_eq!(
        older.refused(409),
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    assert_eq!(newer.result()[0]["update_id"], said);
}

#[tokio::test]
async fn a_webhook_excludes_polling() {
    let bench = Bench::start().await;
    let poll = bench.call("getUpdates", json!({"timeout": 50}));
    let webhook = async {
        bench.poller_waits().await;
        bench.call("setWebhook", json!({"url": "https://example.invalid/hook"})).await.result();
    };
    let (poll, ()) = tokio::join!(poll, webhook);
    assert_eq!(poll.refused(409), "Conflict: terminated by setWebhook request");
    assert_eq!(
        bench.call("getUpdates", json!({})).await.refused(409),
        "Conflict: can't use getUpdates method while webhook is active; use \
         deleteWebhook to delete the webhook first"
    );
    bench.call("deleteWebhook", json!({})).await.result();
    bench.call("getUpdates", json!({})).await.result();
}

#[tokio::test]
async fn a_message_lives_a_day_and_a_tap_150_seconds() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let card = bench.send_card("Oui", "y").await;
    let message = marie.says("un").update_id.unwrap();
    let tap = marie.taps_on(card, "Oui").unwrap().update_ids[0];
    bench.clock.advance(Duration::from_secs(149));
    assert_eq!(ids(&bench.poll(json!({})).await), [message, tap]);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(ids(&bench.poll(json!({})).await), [message]);
    bench.clock.advance(Duration::from_secs(24 * 3600 - 151));
    assert_eq!(ids(&bench.poll(json!({})).await), [message]);
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.poll(json!({})).await.is_empty());
}

#[tokio::test]
async fn ids_can_restart_lower() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let before = marie.says("avant").update_id.unwrap();
    bench.poll(json!({"offset": before + 1})).await;
    bench.simulator.restart_ids();
    let after = marie.says("après").update_id.unwrap();
    assert!(after < before, "{after} < {before}");
    assert_eq!(
        ids(&bench.poll(json!({"offset": before + 1})).await),
        [after],
        "the old offset hides nothing"
    );
}

#[tokio::test]
async fn anything_can_be_injected() {
    let bench = Bench::start().await;
    let unknown = bench.simulator.inject_raw(&json!({"later_kind": {"a": 1}}));
    bench.simulator.inject_raw(&json!("no object"));
    let escaped = bench.simulator.inject_json(r#"{"update_id":$UPDATE_ID,"messag\u0065":{"text":"x"}}"#);
    let text = bench.http.get(bench.url("getupdates")).send().await.unwrap().text().await.unwrap();
    assert_eq!(
        text,
        format!(
            concat!(
                r#"{{"ok":true,"result":[{{"update_id":{},"later_kind":{{"a":1}}}},"no object","#,
                r#"{{"update_id":{},"messag\u0065":{{"text":"x"}}}}]}}"#
            ),
            unknown, escaped
        )
    );
    assert_eq!(bench.simulator.pending_updates(), 3);
    bench.call("getUpdates", json!({"offset": escaped + 1})).await.result();
    assert_eq!(bench.simulator.pending_updates(), 0);
}
