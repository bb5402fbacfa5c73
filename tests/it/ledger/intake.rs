//! The tables that the intakes of several instances share: the webhook, the last intake, and dead letters.

use std::time::Duration;

use depot_bot::clock::Timestamp;
use depot_bot::digest::sha256_hex;
use depot_bot::operations::webhook_registration::{RegisteredWebhook, WebhookLease, WebhookTarget};

use crate::ledger::{Ground, NOW, on_both_engines};

const LEASE: Duration = Duration::from_secs(30);

on_both_engines!(
    one_instance_tells_telegram,
    a_lease_that_was_not_used_is_taken_over,
    a_webhook_that_telegram_lost_is_set_again_once,
    intake_is_last_seen_when_it_was_seen_last,
    an_update_becomes_one_dead_letter,
);

fn webhook(secret: &str) -> WebhookTarget {
    WebhookTarget {
        url: "https://depot.example/hook".to_owned(),
        secret_sha256: sha256_hex(secret),
        allowed_updates: r#"["message","callback_query"]"#.to_owned(),
    }
}

async fn one_instance_tells_telegram(ground: &Ground) {
    assert_eq!(ground.tables.webhook.current().await.unwrap(), None);
    let tasks = (0..6).map(|number| {
        let tables = ground.instance(number);
        tokio::spawn(
            async move { tables.webhook.lease(&webhook("a"), number as i64, LEASE, None).await.unwrap() },
        )
    });
    let (mut mine, mut by) = (0, 0);
    for (number, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
        match task.await.unwrap() {
            WebhookLease::Acquired => (mine, by) = (mine + 1, number as i64),
            lease => assert_eq!(lease, WebhookLease::HeldByAnother { until: NOW.after(LEASE) }),
        }
    }
    assert_eq!(mine, 1);
    assert!(ground.tables.webhook.confirm(&webhook("a"), by).await.unwrap());
    let set = RegisteredWebhook { settings: webhook("a"), set_at: Some(NOW), set_by: by };
    assert_eq!(ground.other.webhook.current().await.unwrap(), Some(set));
    assert_eq!(
        ground.other.webhook.lease(&webhook("a"), 9, LEASE, None).await.unwrap(),
        WebhookLease::AlreadySet
    );
    // Another secret is another webhook.
    assert_eq!(
        ground.other.webhook.lease(&webhook("b"), 9, LEASE, None).await.unwrap(),
        WebhookLease::Acquired
    );
    assert!(!ground.tables.webhook.confirm(&webhook("a"), by).await.unwrap());
    assert!(ground.other.webhook.confirm(&webhook("b"), 9).await.unwrap());
}

async fn a_lease_that_was_not_used_is_taken_over(ground: &Ground) {
    let wanted = webhook("a");
    assert_eq!(ground.tables.webhook.lease(&wanted, 1, LEASE, None).await.unwrap(), WebhookLease::Acquired);
    assert_eq!(ground.tables.webhook.lease(&wanted, 1, LEASE, None).await.unwrap(), WebhookLease::Acquired);
    let busy = WebhookLease::HeldByAnother { until: NOW.after(LEASE) };
    assert_eq!(ground.other.webhook.lease(&wanted, 2, LEASE, None).await.unwrap(), busy);
    ground.clock.advance(LEASE);
    assert_eq!(ground.other.webhook.lease(&wanted, 2, LEASE, None).await.unwrap(), WebhookLease::Acquired);
    assert!(!ground.tables.webhook.confirm(&wanted, 1).await.unwrap());
    assert!(ground.other.webhook.confirm(&wanted, 2).await.unwrap());
}

async fn a_webhook_that_telegram_lost_is_set_again_once(ground: &Ground) {
    let wanted = webhook("a");
    assert_eq!(ground.tables.webhook.lease(&wanted, 1, LEASE, None).await.unwrap(), WebhookLease::Acquired);
    assert!(ground.tables.webhook.confirm(&wanted, 1).await.unwrap());
    ground.clock.advance(Duration::from_secs(5));
    let asked_at = Some(NOW.after(Duration::from_secs(3)));
    assert_eq!(
        ground.tables.webhook.lease(&wanted, 1, LEASE, asked_at).await.unwrap(),
        WebhookLease::Acquired
    );
    assert!(ground.tables.webhook.confirm(&wanted, 1).await.unwrap());
    // The other one had asked Telegram before that.
    assert_eq!(
        ground.other.webhook.lease(&wanted, 2, LEASE, asked_at).await.unwrap(),
        WebhookLease::AlreadySet
    );
}

async fn intake_is_last_seen_when_it_was_seen_last(ground: &Ground) {
    assert_eq!(ground.tables.last_intake.seen_at().await.unwrap(), None);
    for (at, seen) in [(5, 5), (9, 9), (7, 9)] {
        ground.tables.last_intake.record(Timestamp(at)).await.unwrap();
        assert_eq!(ground.other.last_intake.seen_at().await.unwrap(), Some(Timestamp(seen)));
    }
    assert_eq!(ground.of_other_bot().last_intake.seen_at().await.unwrap(), None);
}

async fn an_update_becomes_one_dead_letter(ground: &Ground) {
    let raw = "{\"update_id\":1,\"text\":\"<b>& 🫖 \\u0000 \0\"";
    for _twice in 0..2 {
        ground.tables.dead_letters.add(1, raw, "not JSON").await.unwrap();
    }
    ground.clock.advance(Duration::from_secs(1));
    ground.tables.dead_letters.add(1, "{}", "ids restart").await.unwrap();
    ground.of_other_bot().dead_letters.add(1, "{}", "another bot").await.unwrap();
    let letters = ground.other.dead_letters.list(10).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!((letters[0].reason.as_str(), letters[0].raw.as_str()), ("ids restart", "{}"));
    assert_eq!((letters[1].update_id, letters[1].raw.clone()), (1, raw.replace('\0', "\u{fffd}")));
    assert_eq!(ground.tables.dead_letters.list(1).await.unwrap().len(), 1);
}
