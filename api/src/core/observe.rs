//! What operators and auditors see of how the platform is used: the log, as kept and as it is written, and the trail.

use crate::{
    app::App,
    authority::{Operator, Overseer, SignedIn},
    extract::Query,
    logs::search,
    problem::{Answer, ApiError},
};
use axum::{
    Json as Body,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use contract::{
    Page,
    operations::{LogLine, LogQuery},
    security::{SecurityEvent, SecurityQuery},
};
use futures::{Stream, StreamExt};
use std::{convert::Infallible, time::Duration};
use tokio::time::sleep;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// How often it is looked whether the session of one who watches goes on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The routes.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log_lines)).routes(routes!(log_live)).routes(routes!(security_events))
}

/// The system log, newest first.
#[utoipa::path(get, path = "/logs", tag = "operations", params(LogQuery), security(("session" = ["operator"])),
    responses((status = 200, body = Page<LogLine>)))]
async fn log_lines(State(app): State<App>, _: Operator, Query(query): Query<LogQuery>) -> Answer<Body<Page<LogLine>>> {
    search::search(&app.system, &query).await.map(Body)
}

/// The system log as it is written: each line that matches is an event `line`. Times and pages of the query mean nothing here.
#[utoipa::path(get, path = "/logs/live", tag = "operations", params(LogQuery), security(("session" = ["operator"])),
    responses((status = 200, content_type = "text/event-stream", body = String, description = "Events `line`, each a LogLine as JSON")))]
async fn log_live(
    State(app): State<App>,
    _: Operator,
    SignedIn(claims): SignedIn,
    Query(query): Query<LogQuery>,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let filter = search::filter(&LogQuery { from: None, to: None, ..query })?;
    let lines = app.watchers.watch(&app.system, filter, app.stop.clone())?;
    let events = lines
        .take_until(over(app.clone(), claims.sid))
        .filter_map(|line| async move { Event::default().event("line").json_data(&line).ok().map(Ok) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Ends with the session, or when nobody can say whether it goes on.
async fn over(app: App, session: Uuid) {
    while app.sessions.goes_on(session, app.clock.now()).await.unwrap_or(false) {
        sleep(LOOK_EVERY).await;
    }
}

/// The trail: who did what from where, newest first.
#[utoipa::path(get, path = "/security-events", tag = "audit", params(SecurityQuery), security(("session" = ["operator", "auditor"])),
    responses((status = 200, body = Page<SecurityEvent>)))]
async fn security_events(
    State(app): State<App>,
    _: Overseer,
    Query(query): Query<SecurityQuery>,
) -> Result<Body<Page<SecurityEvent>>, ApiError> {
    app.trail.search(&query).await.map(Body)
}
