//! What intake shares among instances: the webhook, the last turn, and parked updates.

use std::time::Duration;

use depot_bot::clock::Timestamp;
use depot_bot::ledger::intake::{Webhook, WebhookClaim, WebhookSet};
use depot_bot::ledger::sha256_hex;

use crate::ledger::{Ground, NOW, on_both_engines};

const LEASE: Duration = Duration::from_secs(30);

on_both_engines!(
    one_instance_tells_telegram,
    a_claim_that_was_not_kept_is_taken_over,
    a_webhook_that_telegram_lost_is_set_again_once,
    intake_is_last_seen_when_it_was_seen_last,
    an_update_is_parked_once,
);

fn webhook(secret: &str) -> Webhook {
    Webhook {
        url: "https://depot.example/hook".to_owned(),
        secret_sha256: sha256_hex(secret),
        allowed_updates: r#"["message","callback_query"]"#.to_owned(),
    }
}

async fn one_instance_tells_telegram(ground: &Ground) {
    assert_eq!(ground.ledger.webhook().await.unwrap(), None);
    let tasks = (0..6).map(|number| {
        let ledger = ground.instance(number);
        tokio::spawn(
            async move { ledger.claim_webhook(&webhook("a"), number as i64, LEASE, None).await.unwrap() },
        )
    });
    let (mut mine, mut by) = (0, 0);
    for (number, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
        match task.await.unwrap() {
            WebhookClaim::Mine => (mine, by) = (mine + 1, number as i64),
            claim => assert_eq!(claim, WebhookClaim::Busy { until: NOW.after(LEASE) }),
        }
    }
    assert_eq!(mine, 1);
    assert!(ground.ledger.webhook_set(&webhook("a"), by).await.unwrap());
    let set = WebhookSet { webhook: webhook("a"), set_at: Some(NOW), set_by: by };
    assert_eq!(ground.other.webhook().await.unwrap(), Some(set));
    assert_eq!(ground.other.claim_webhook(&webhook("a"), 9, LEASE, None).await.unwrap(), WebhookClaim::Set);
    // Another secret is another webhook.
    assert_eq!(ground.other.claim_webhook(&webhook("b"), 9, LEASE, None).await.unwrap(), WebhookClaim::Mine);
    assert!(!ground.ledger.webhook_set(&webhook("a"), by).await.unwrap());
    assert!(ground.other.webhook_set(&webhook("b"), 9).await.unwrap());
    ground.ledger.webhook_deleted().await.unwrap();
    assert_eq!(ground.ledger.webhook().await.unwrap(), None);
}

async fn a_claim_that_was_not_kept_is_taken_over(ground: &Ground) {
    let wanted = webhook("a");
    assert_eq!(ground.ledger.claim_webhook(&wanted, 1, LEASE, None).await.unwrap(), WebhookClaim::Mine);
    assert_eq!(ground.ledger.claim_webhook(&wanted, 1, LEASE, None).await.unwrap(), WebhookClaim::Mine);
    let busy = WebhookClaim::Busy { until: NOW.after(LEASE) };
    assert_eq!(ground.other.claim_webhook(&wanted, 2, LEASE, None).await.unwrap(), busy);
    ground.clock.advance(LEASE);
    assert_eq!(ground.other.claim_webhook(&wanted, 2, LEASE, None).await.unwrap(), WebhookClaim::Mine);
    assert!(!ground.ledger.webhook_set(&wanted, 1).await.unwrap());
    assert!(ground.other.webhook_set(&wanted, 2).await.unwrap());
}

async fn a_webhook_that_telegram_lost_is_set_again_once(ground: &Ground) {
    let wanted = webhook("a");
    assert_eq!(ground.ledger.claim_webhook(&wanted, 1, LEASE, None).await.unwrap(), WebhookClaim::Mine);
    assert!(ground.ledger.webhook_set(&wanted, 1).await.unwrap());
    ground.clock.advance(Duration::from_secs(5));
    let asked_at = Some(NOW.after(Duration::from_secs(3)));
    assert_eq!(ground.ledger.claim_webhook(&wanted, 1, LEASE, asked_at).await.unwrap(), WebhookClaim::Mine);
    assert!(ground.ledger.webhook_set(&wanted, 1).await.unwrap());
    // The other one had asked Telegram before that.
    assert_eq!(ground.other.claim_webhook(&wanted, 2, LEASE, asked_at).await.unwrap(), WebhookClaim::Set);
}

async fn intake_is_last_seen_when_it_was_seen_last(ground: &Ground) {
    assert_eq!(ground.ledger.intake_seen_at().await.unwrap(), None);
    for (at, seen) in [(5, 5), (9, 9), (7, 9)] {
        ground.ledger.intake_seen(Timestamp(at)).await.unwrap();
        assert_eq!(ground.other.intake_seen_at().await.unwrap(), Some(Timestamp(seen)));
    }
    assert_eq!(ground.of_other_bot().intake_seen_at().await.unwrap(), None);
}

async fn an_update_is_parked_once(ground: &Ground) {
    let raw = "{\"update_id\":1,\"text\":\"<b>& 🫖 \\u0000 \0\"";
    for _twice in 0..2 {
        ground.ledger.park(1, raw, "not JSON").await.unwrap();
    }
    ground.clock.advance(Duration::from_secs(1));
    ground.ledger.park(1, "{}", "ids restart").await.unwrap();
    ground.of_other_bot().park(1, "{}", "another bot").await.unwrap();
    let parked = ground.other.parked(10).await.unwrap();
    assert_eq!(parked.len(), 2);
    assert_eq!((parked[0].reason.as_str(), parked[0].raw.as_str()), ("ids restart", "{}"));
    assert_eq!((parked[1].update_id, parked[1].raw.clone()), (1, raw.replace('\0', "\u{fffd}")));
    assert_eq!(ground.ledger.parked(1).await.unwrap().len(), 1);
}
