//! Whether this process lives, and whether it can serve.

use crate::{
    app::{App, ViewsStand},
    core::token::Service,
};
use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use http::StatusCode;
use mongodb::bson::doc;
use serde::Serialize;
use std::{future::Future, time::Duration};
use tokio::time::timeout;

/// How long each server has to answer.
const ANSWER_FOR: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Ready {
    postgres: bool,
    mongo: bool,
    vault: bool,
    nats: bool,
    views: bool,
    of_this_log: bool,
}

/// `/health`, and `/ready` as far as these services need it.
pub fn router(app: App, services: &[Service]) -> Router {
    let state = (app, services.to_vec());
    Router::new().route("/health", get(|| async { "alive\n" })).route("/ready", get(ready)).with_state(state)
}

async fn answers<T, E>(asked: impl Future<Output = Result<T, E>>) -> bool {
    matches!(timeout(ANSWER_FOR, asked).await, Ok(Ok(_)))
}

async fn ready(State((app, services)): State<(App, Vec<Service>)>) -> impl IntoResponse {
    let (postgres, mongo, vault, stand) = tokio::join!(
        answers(sqlx::query("SELECT 1").execute(&app.pool)),
        answers(async { app.system.run_command(doc! { "ping": 1 }).await }),
        answers(app.vault.check()),
        timeout(ANSWER_FOR, app.views_stand(&services)),
    );
    let unknown = ViewsStand { caught_up: false, of_this_log: true };
    let ViewsStand { caught_up, of_this_log } = stand.ok().and_then(Result::ok).unwrap_or(unknown);
    // Operators need the core service to have views of another log rebuilt.
    let views = caught_up && (of_this_log || services == [Service::Core]);
    let ready = Ready { postgres, mongo, vault, nats: app.feed.bus().is_some_and(nats::Bus::connected), views, of_this_log };
    // NATS is transport: without it everything goes on, a little slower. Without the vault launches are shown still.
    let status = if ready.postgres && ready.mongo && ready.views { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready))
}
