//! The faults that the page can inject, none of which loses or doubles a deposit.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Page, button, held, person, shows};
use crate::servers::RedisServer;

/// Waits until it is so; a lease of a bot that was killed ends meanwhile, at once instead of in 15 s.
async fn until_leases_end(page: &Page, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.tick().await;
    let mut awaited = std::pin::pin!(page.until(what, is_so));
    for _ in 0..4 {
        tokio::select! {
            view = awaited.as_mut() => return view,
            _ = ticks.tick() => page.act(json!({"pass": 16})).await,
        }
    }
    awaited.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_in_mid_deposit_the_bot_loses_and_doubles_nothing() {
    let page = Page::open().await;
    page.sees(7, "Bonjour").await;
    for round in 0..20_usize {
        page.say(7, &format!("{} chaises, douze kilos", round + 2)).await;
        if round % 4 == 1 {
            page.set("bot", false).await;
            page.set("bot", true).await;
        }
        let wanted = format!("chaises ×{} ", round + 2);
        let card = until_leases_end(&page, &wanted, |view| {
            button(view, 7, "Valider").is_some() && shows(view, 7, &wanted)
        });
        let view = card.await;
        let before = person(&view, 7)["session"]["version"].clone();
        page.act(json!({"who": 7, "tap": button(&view, 7, "Valider")})).await;
        if round % 4 >= 2 {
            // As soon as the tap is committed, and while the rest is under way.
            page.until("the commit", |view| person(view, 7)["session"]["version"] != before).await;
        }
        page.set("bot", false).await;
        let view = page.view().await;
        assert_eq!((&view["bot"]["running"], &view["store"]["ready"]), (&json!(false), &json!("away")));
        assert!(person(&view, 7)["session"].is_object(), "what is stored is seen while the bot is dead");
        page.set("bot", true).await;
        let number = format!("Dépôt n° {} enregistré", round + 1);
        let view = until_leases_end(&page, &number, |view| shows(view, 7, &number)).await;
        assert_eq!(held(&view, "completed"), round + 1, "{:#}", view["ledger"]);
    }
    let view = page.view().await;
    assert_eq!(view["bot"]["starts"], 26);
    let rows = view["ledger"].as_array().unwrap();
    let numbers: Vec<u64> = rows.iter().map(|row| row["number"].as_u64().unwrap()).collect();
    let quantities: Vec<u64> = rows.iter().map(|row| row["lines"][0]["quantity"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=20).rev().collect::<Vec<_>>());
    assert_eq!(quantities, (2..=21).rev().collect::<Vec<_>>());
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telegram_that_is_slow_refuses_or_loses_answers_costs_time_and_nothing_else() {
    let page = Page::open().await;
    page.sees(7, "Bonjour").await;
    page.set("refuse", true).await;
    page.say(7, "deux bouilloires, trois kilos").await;
    let owed = |view: &Value| person(view, 7)["session"]["effects"][0]["effect"] == "ShowCard";
    page.until("a card that is owed", owed).await;
    page.set("refuse", false).await;
    page.act(json!({"pass": 4})).await;
    page.until("the card", |view| button(view, 7, "Valider").is_some()).await;
    page.set("drop", true).await;
    assert_eq!(page.view().await["controls"]["drop"], true);
    page.tap(7, "Valider").await;
    let struck = |view: &Value| view["controls"]["drop"] == false && shows(view, 7, "enregistré");
    page.until("an answer that is lost", struck).await;
    page.set("slow", true).await;
    let view = page.view().await;
    assert_eq!(
        view["controls"],
        json!({"redis": null, "slow": true, "refuse": false, "drop": false, "bot": true})
    );
    page.set("slow", false).await;
    page.say(7, "une chaise").await;
    page.until("a card as ever", |view| button(view, 7, "Valider").is_some()).await;
    assert_eq!(held(&page.view().await, "completed"), 1);
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_can_be_taken_away_and_given_back_and_keeps_nothing_of_the_demo() {
    let mut redis = RedisServer::start();
    let url = format!("redis://127.0.0.1:{}/0", redis.listen());
    let page = Page::with(&[("REDIS_URL", &url)]).await;
    let primary = |store: &'static str| move |view: &Value| view["store"]["primary"] == store;
    let view = page.until("Redis is the primary", primary("redis")).await;
    assert_eq!((&view["store"]["redis"], &view["controls"]["redis"]), (&json!("up"), &json!(true)));
    page.say(7, "deux bouilloires, trois kilos").await;
    page.until("the card", |view| button(view, 7, "Valider").is_some()).await;
    assert!(!redis.command::<Vec<String>>(&["KEYS", "depot-demo-*"]).is_empty());
    page.set("redis", false).await;
    let view = page.until("SQL is the primary", primary("sql")).await;
    assert_eq!((&view["store"]["redis"], &view["controls"]["redis"]), (&json!("stopped"), &json!(false)));
    page.tap(7, "Valider").await;
    page.sees(7, "enregistré").await;
    // Dead and away at once.
    page.set("bot", false).await;
    page.set("bot", true).await;
    page.say(7, "une chaise").await;
    page.until("the card", |view| button(view, 7, "Valider").is_some()).await;
    page.set("redis", true).await;
    let back = page.until("Redis is the primary again", primary("redis"));
    back.await;
    page.tap(7, "Valider").await;
    page.until("both rows", |view| held(view, "completed") == 2).await;
    page.demo.stop().await;
    assert_eq!(redis.command::<Vec<String>>(&["KEYS", "*"]), Vec::<String>::new());
}
