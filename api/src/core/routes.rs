//! `/api/core`: accounts and sessions, each in a file of its own; and what operators and auditors see of the system.

use super::{accounts, history, leaving, observe, people, projections, second_factor, sign_in};
use crate::{
    answer::{Read, list, read},
    app::App,
    authority::{Auditor, Operator},
    extract::{AtLeast, Path, Query},
    listing::listing,
    problem::{Answer, ApiError},
};
use axum::{Json as Body, extract::State};
use contract::{
    Code, List, Listing, Page, Problem,
    operations::{BadPosition, Mail, Notification, StreamEvent, StreamHit, StreamState, Verification},
};
use http::StatusCode;
use std::time::Instant;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(accounts::router())
        .merge(sign_in::router())
        .merge(second_factor::router())
        .merge(people::router())
        .merge(leaving::router())
        .routes(routes!(notifications))
        .routes(routes!(retry))
        .routes(routes!(discard))
        .routes(routes!(streams))
        .routes(routes!(stream_events))
        .routes(routes!(stream_state))
        .routes(routes!(verify))
        .routes(routes!(mailbox))
        .merge(observe::router())
        .merge(projections::router())
}

fn checked(wanted: Listing) -> Answer<Listing> {
    listing(wanted.page, wanted.per_page, wanted.search)
}

/// Notifications, newest first.
#[utoipa::path(get, path = "/notifications", tag = "operations", params(Listing), security(("session" = ["operator"])),
    responses((status = 200, body = Page<Notification>)))]
async fn notifications(State(app): State<App>, _: Operator, Query(wanted): Query<Listing>) -> Answer<Body<Page<Notification>>> {
    Ok(Body(app.notifications.page(&checked(wanted)?).await?))
}

/// Send a notification again.
#[utoipa::path(post, path = "/notifications/{id}/retry", tag = "operations", params(("id" = String, Path)), security(("session" = ["operator"])),
    responses((status = 204, description = "It is sent again shortly")))]
async fn retry(State(app): State<App>, operator: Operator, Path(id): Path<String>) -> Answer<StatusCode> {
    let found = app.notifications.retry(&id, app.clock.now()).await?;
    tracing::info!(account.id = %operator.account, "Operator {} retries a notification", operator.account);
    found.then_some(StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

/// Give a notification up.
#[utoipa::path(post, path = "/notifications/{id}/discard", tag = "operations", params(("id" = String, Path)), security(("session" = ["operator"])),
    responses((status = 204, description = "It is not sent any more")))]
async fn discard(State(app): State<App>, operator: Operator, Path(id): Path<String>) -> Answer<StatusCode> {
    let found = app.notifications.discard(&id).await?;
    tracing::info!(account.id = %operator.account, "Operator {} discards a notification", operator.account);
    found.then_some(StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[derive(Default)]
struct StreamSearch {
    /// Words of a launch, or an id
    search: String,
}

/// Streams by what people know of them.
#[utoipa::path(get, path = "/streams", tag = "audit", params(StreamSearch), security(("session" = ["auditor"])),
    responses((status = 200, body = List<StreamHit>)))]
async fn streams(
    State(app): State<App>,
    _: Auditor,
    AtLeast(at_least): AtLeast,
    Query(query): Query<StreamSearch>,
) -> Answer<Read<List<StreamHit>>> {
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    Ok(list(freshness, history::find(&app, query.search.trim()).await?))
}

/// The events of a stream, oldest first.
#[utoipa::path(get, path = "/streams/{stream_type}/{id}/events", tag = "audit", params(("stream_type" = String, Path), ("id" = String, Path), Listing),
    security(("session" = ["auditor"])), responses((status = 200, body = Page<StreamEvent>)))]
async fn stream_events(
    State(app): State<App>,
    _: Auditor,
    AtLeast(at_least): AtLeast,
    Path((stream_type, id)): Path<(String, String)>,
    Query(wanted): Query<Listing>,
) -> Answer<Read<Page<StreamEvent>>> {
    let wanted = checked(wanted)?;
    let freshness = app.log_freshness(at_least.as_ref()).await;
    let mut page = history::events(&app.pool, &stream_type, &id, &wanted).await?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AsOf {
    /// After the event at this position
    position: Option<u64>,
    /// After everything recorded up to this time
    time: Option<jiff::Timestamp>,
}

/// The state of a stream as it was.
#[utoipa::path(get, path = "/streams/{stream_type}/{id}/state", tag = "audit", params(("stream_type" = String, Path), ("id" = String, Path), AsOf),
    security(("session" = ["auditor"])), responses((status = 200, body = StreamState)))]
async fn stream_state(
    State(app): State<App>,
    _: Auditor,
    AtLeast(at_least): AtLeast,
    Path((stream_type, id)): Path<(String, String)>,
    Query(as_of): Query<AsOf>,
) -> Answer<Read<StreamState>> {
    use commands::audit::At;
    let at = match (as_of.position, as_of.time) {
        (None, None) => At::Now,
        (Some(position), None) => At::Position(position),
        (None, Some(time)) => At::Time(time),
        (Some(_), Some(_)) => return Err(ApiError::field("time", "and position cannot be given together")),
    };
    let freshness = app.log_freshness(at_least.as_ref()).await;
    let state = history::state(&app.pool, &stream_type, &id, at).await?;
    Ok(read(freshness, StreamState { stale: freshness.is_stale(), ..state }))
}

/// Check every event of the log: places, hashes, chain, order within streams.
#[utoipa::path(post, path = "/audit/verify", tag = "audit", security(("session" = ["auditor"])), responses((status = 200, body = Verification)))]
async fn verify(State(app): State<App>, auditor: Auditor) -> Answer<Body<Verification>> {
    let started = Instant::now();
    let busy = || ApiError::new(Code::Unavailable, "The log is being verified already. Look again when that is done.");
    let _one = app.verifying.try_lock().map_err(|_| busy())?;
    let report = commands::audit::verify(&app.pool, 1).await?;
    let head_hash = history::head_hash(&app.pool).await?;
    match &report.first_bad {
        None => tracing::info!(account.id = %auditor.account, "Verified {} events: the chain holds", report.checked),
        Some(bad) => tracing::error!(position = bad.position, "The log is broken at position {}: {}", bad.position, bad.why),
    }
    Ok(Body(Verification {
        checked: report.checked,
        head: report.head,
        head_hash,
        first_bad: report.first_bad.map(|bad| BadPosition { position: bad.position, why: bad.why }),
        took_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
    }))
}

/// The mail of the development mailbox, newest first.
#[utoipa::path(get, path = "/mailbox", tag = "development", params(Listing),
    responses((status = 200, body = Page<Mail>), (status = 404, body = Problem, description = "not_found")))]
async fn mailbox(State(app): State<App>, Query(wanted): Query<Listing>) -> Answer<Body<Page<Mail>>> {
    let mailbox = app.mailbox.as_ref().ok_or_else(ApiError::not_found)?;
    Ok(Body(mailbox.page(&checked(wanted)?).await?))
}
