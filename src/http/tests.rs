use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::http::{Condition, Health, router};
use crate::telemetry;

async fn asked(health: &Health, method: Method, path: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router(health.clone(), telemetry::install().unwrap()).oneshot(request).await.unwrap();
    let status = response.status();
    let mut body = Vec::new();
    let mut frames = response.into_body().into_data_stream();
    while let Some(frame) = frames.next().await {
        body.extend_from_slice(&frame.unwrap());
    }
    (status, String::from_utf8(body).unwrap())
}

async fn got(health: &Health, path: &str) -> (u16, Value) {
    let (status, body) = asked(health, Method::GET, path).await;
    (status.as_u16(), serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_loop_that_does_not_feed_its_watchdog_is_not_alive_and_is_named() {
    let health = Health::new();
    let intake = health.watchdog("intake", Duration::from_secs(60));
    assert_eq!(got(&health, "/health/live").await.0, 200);
    let effects = health.watchdog("effects", Duration::ZERO);
    effects.feed();
    let (status, body) = got(&health, "/health/live").await;
    assert_eq!((status, &body["stuck"]), (503, &serde_json::json!(["effects"])));
    drop(effects);
    intake.feed();
    assert_eq!(got(&health, "/health/live").await.0, 200, "a loop that ended in order is not waited for");
}

#[tokio::test]
async fn a_loop_that_panicked_stays_dead() {
    let health = Health::new();
    let watchdog = health.watchdog("effects", Duration::ZERO);
    let panicked = std::thread::spawn(move || {
        let _heart = watchdog;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(got(&health, "/health/live").await.0, 503);
}

#[tokio::test]
async fn readiness_names_what_is_wrong_and_for_how_long() {
    let health = Health::new();
    let sql = health.component("sql");
    let redis = health.component("redis");
    assert_eq!(got(&health, "/health/ready").await.1["state"], "starting");
    assert_eq!(asked(&health, Method::GET, "/health/startup").await.0, StatusCode::SERVICE_UNAVAILABLE);
    sql.set(Condition::Ok, "");
    redis.set(Condition::Degraded, "no answer: conversations go on from SQL");
    health.started();
    let (status, mut body) = got(&health, "/health/ready").await;
    for component in body["components"].as_object_mut().unwrap().values_mut() {
        for age in ["seconds_in_state", "seconds_since_report"] {
            assert!(component[age].as_f64().is_some_and(|seconds| seconds < 60.0), "{component}");
            component[age] = Value::from("[age]");
        }
    }
    insta::assert_snapshot!(format!("{status} {body:#}"), @r#"
    200 {
      "components": {
        "redis": {
          "detail": "no answer: conversations go on from SQL",
          "seconds_in_state": "[age]",
          "seconds_since_report": "[age]",
          "state": "degraded"
        },
        "sql": {
          "seconds_in_state": "[age]",
          "seconds_since_report": "[age]",
          "state": "ok"
        }
      },
      "state": "degraded"
    }
    "#);
    assert_eq!(asked(&health, Method::GET, "/health/startup").await.0, StatusCode::OK);
    sql.set(Condition::Down, "the disk is full");
    assert_eq!(got(&health, "/health/ready").await.0, 503);
    sql.set(Condition::Ok, "");
    assert_eq!(got(&health, "/health/ready").await.0, 200);
    health.drain();
    let (status, body) = got(&health, "/health/ready").await;
    assert_eq!((status, &body["state"]), (503, &Value::from("draining")));
    assert_eq!(got(&health, "/health/live").await.0, 200, "a draining process is not to be restarted");
}

#[tokio::test]
async fn only_reading_is_possible() {
    let health = Health::new();
    for path in ["/health/live", "/health/ready", "/health/startup", "/metrics"] {
        assert_eq!(asked(&health, Method::POST, path).await.0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(asked(&health, Method::DELETE, path).await.0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(asked(&health, Method::HEAD, path).await.1, "", "{path}");
    }
    assert_eq!(asked(&health, Method::GET, "/health/../etc/passwd").await.0, StatusCode::NOT_FOUND);
    assert!(asked(&health, Method::GET, "/metrics").await.1.contains("# TYPE depot_updates_total counter"));
}
