//! Asks the services' router in this process: the server renders a page without a network between.

use super::{Answer, Ask, Reply, unreachable_problem};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use contract::{IDEMPOTENCY_KEY, POSITION};
use dioxus::prelude::try_consume_context;
use tower::ServiceExt;

/// The most an answer may be, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The services, as the pages ask them while they are rendered on the server.
#[derive(Clone)]
pub struct InProcess(pub axum::Router);

pub(super) async fn send(ask: &Ask) -> Answer<Reply> {
    let InProcess(router) = try_consume_context::<InProcess>().ok_or_else(unreachable_problem)?;
    let mut request = Request::builder().method(ask.method.as_str()).uri(&ask.path).header("accept", "application/json");
    if let Some(key) = &ask.key {
        request = request.header(IDEMPOTENCY_KEY, key.to_string());
    }
    if let Some(position) = &ask.position {
        request = request.header(POSITION, position);
    }
    if ask.body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = ask.body.clone().map_or_else(Body::empty, Body::from);
    let request = request.body(body).map_err(|_| unreachable_problem())?;
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let position = response.headers().get(POSITION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(|_| unreachable_problem())?;
    let body = String::from_utf8(bytes.to_vec()).map_err(|_| unreachable_problem())?;
    Ok(Reply { status, body, position })
}

/// The server holds no session.
pub(super) async fn refresh() -> bool {
    false
}
