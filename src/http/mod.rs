//! The ops server: `/health/live`, `/health/ready`, `/health/startup` and `/metrics`.
//!
//! Read-only: no ids, no texts, no secrets. [`serve`] decides how long it waits for slow clients.

mod health;
pub mod serve;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::limit::RequestBodyLimitLayer;

pub use crate::http::health::{Component, Condition, Health, Liveness, Readiness, Watchdog};

use crate::telemetry::Exposition;

/// No request to the ops server needs a body.
const BODY_BYTES_MAX: usize = 1024;
/// The content type of Prometheus' text format.
const EXPOSITION_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes of the ops server: `GET` and `HEAD` only.
pub fn router(health: Health, exposition: Exposition) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/startup", get(startup))
        .with_state(health)
        .route("/metrics", get(move || metrics(exposition.clone())))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
}

/// 200 while every loop feeds its watchdog; Redis, SQL and Telegram have no part in it: a restart helps none of them.
async fn live(State(health): State<Health>) -> Response {
    let liveness = health.liveness();
    json(if liveness.is_alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &liveness)
}

/// 200 while updates are taken, also when `degraded`; 503 before the start is complete, while draining, and when down.
async fn ready(State(health): State<Health>) -> Response {
    let readiness = health.readiness();
    json(if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

/// 200 once the start is complete: migrations have run and the stores have answered.
async fn startup(State(health): State<Health>) -> Response {
    if health.is_started() {
        (StatusCode::OK, "started\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response()
    }
}

async fn metrics(exposition: Exposition) -> Response {
    ([(header::CONTENT_TYPE, EXPOSITION_TYPE)], exposition.render()).into_response()
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests;
