//! What operators do about views: look at how far they are, pause them, make them anew, go back, and decide about streams set aside.

use crate::{
    app::App,
    authority::{Operator, Overseer},
    extract::{Json, Path},
    problem::{Answer, ApiError},
};
use axum::{Json as Body, extract::State};
use contract::{
    Problem,
    operations::{AskRebuild, InUse, ParkedStream, Projections},
};
use http::StatusCode;
use projections::{Projection, ViewName, rebuild::Differing};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(views))
        .routes(routes!(parked))
        .routes(routes!(retry))
        .routes(routes!(discard))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rebuild))
        .routes(routes!(roll_back))
}

/// The path of a stream that is set aside in a view.
#[derive(Debug, serde::Deserialize)]
struct StreamOfView {
    view: String,
    stream_type: String,
    stream_id: String,
}

fn view(name: &str) -> Answer<ViewName> {
    name.parse().map_err(|_| ApiError::not_found())
}

fn projection(name: &str) -> Answer<Projection> {
    name.parse().map_err(|_| ApiError::not_found())
}

/// Says in the log who did what, for good.
fn note(operator: Operator, what: &str) {
    tracing::info!(account.id = %operator.account, "Operator {} {what}", operator.account);
}

/// How far each view has read, and what holds the log back.
#[utoipa::path(get, path = "/projections", tag = "projections", security(("session" = ["operator", "auditor"])),
    responses((status = 200, body = Projections)))]
async fn views(State(app): State<App>, _: Overseer) -> Answer<Body<Projections>> {
    let log = commands::sequence::status(&app.pool).await?;
    let now = app.clock.now();
    let projections::Status { views, head } = projections::status(&app.databases, now).await?;
    Ok(Body(Projections {
        views,
        head,
        unsequenced: log.unsequenced,
        oldest_writer_ms: log.oldest_writer.map(|age| age.as_millis().try_into().unwrap_or(u64::MAX)),
        held_back: log.held_back(),
        stopped: log.stopped,
        sequencer: log.holder,
        epoch: log.epoch,
        as_of: now,
    }))
}

/// The streams that are set aside in a view because one of their events failed.
#[utoipa::path(get, path = "/projections/{view}/parked", tag = "projections", params(("view" = String, Path)),
    security(("session" = ["operator"])), responses((status = 200, body = Vec<ParkedStream>)))]
async fn parked(State(app): State<App>, _: Operator, Path(name): Path<String>) -> Answer<Body<Vec<ParkedStream>>> {
    let name = view(&name)?;
    let parked = projections::parked(&app.databases, name).await?;
    let shown = parked.into_iter().map(|stream| ParkedStream {
        view: name.to_string(),
        stream_type: stream.stream_type,
        stream_id: stream.stream_id,
        position: stream.position,
        why: stream.why,
        retrying: stream.retry,
    });
    Ok(Body(shown.collect()))
}

/// Try a stream again that is set aside, within a second.
#[utoipa::path(post, path = "/projections/{view}/parked/{stream_type}/{stream_id}/retry", tag = "projections",
    params(("view" = String, Path), ("stream_type" = String, Path), ("stream_id" = String, Path)), security(("session" = ["operator"])),
    responses((status = 204, description = "It is tried again")))]
async fn retry(State(app): State<App>, operator: Operator, Path(path): Path<StreamOfView>) -> Answer<StatusCode> {
    let StreamOfView { view: name, stream_type, stream_id } = path;
    let found = projections::retry(&app.databases, view(&name)?, &stream_type, &stream_id).await?;
    found.then_some(()).ok_or_else(ApiError::not_found)?;
    note(operator, &format!("has {stream_type}/{stream_id} tried again in {name}"));
    Ok(StatusCode::NO_CONTENT)
}

/// Go on without the event that failed: the view keeps the document as it was before it, and folds what follows.
#[utoipa::path(post, path = "/projections/{view}/parked/{stream_type}/{stream_id}/discard", tag = "projections",
    params(("view" = String, Path), ("stream_type" = String, Path), ("stream_id" = String, Path)), security(("session" = ["operator"])),
    responses((status = 204, description = "The event is skipped in this view; a rebuild meets it again")))]
async fn discard(State(app): State<App>, operator: Operator, Path(path): Path<StreamOfView>) -> Answer<StatusCode> {
    let StreamOfView { view: name, stream_type, stream_id } = path;
    let found = projections::discard(&app.databases, view(&name)?, &stream_type, &stream_id).await?;
    found.then_some(()).ok_or_else(ApiError::not_found)?;
    note(operator, &format!("skips the failed event of {stream_type}/{stream_id} in {name}"));
    Ok(StatusCode::NO_CONTENT)
}

/// Stop the projectors of a projection, within a second: its views are shown as they are.
#[utoipa::path(post, path = "/projections/{projection}/pause", tag = "projections", params(("projection" = String, Path)),
    security(("session" = ["operator"])), responses((status = 204, description = "Paused, also when it was")))]
async fn pause(State(app): State<App>, operator: Operator, Path(name): Path<String>) -> Answer<StatusCode> {
    let projection = projection(&name)?;
    projections::pause(&app.databases, projection).await?;
    note(operator, &format!("pauses the {projection} views"));
    Ok(StatusCode::NO_CONTENT)
}

/// Let the projectors of a projection go on, from where they stopped.
#[utoipa::path(post, path = "/projections/{projection}/resume", tag = "projections", params(("projection" = String, Path)),
    security(("session" = ["operator"])), responses((status = 204, description = "Running, also when it was")))]
async fn resume(State(app): State<App>, operator: Operator, Path(name): Path<String>) -> Answer<StatusCode> {
    let projection = projection(&name)?;
    projections::resume(&app.databases, projection).await?;
    note(operator, &format!("resumes the {projection} views"));
    Ok(StatusCode::NO_CONTENT)
}

/// Make a view anew from the log beside the one in use, compare, and switch. `GET /projections` shows how far it is.
#[utoipa::path(post, path = "/projections/{view}/rebuild", tag = "projections", params(("view" = String, Path)), request_body = AskRebuild,
    security(("session" = ["operator"])), responses((status = 202, description = "It goes on when this request has ended"),
    (status = 409, body = Problem, description = "rebuild_going_on")))]
async fn rebuild(State(app): State<App>, operator: Operator, Path(name): Path<String>, Json(ask): Json<AskRebuild>) -> Answer<StatusCode> {
    let name = view(&name)?;
    let (differing, even) = if ask.accept_differences { (Differing::Accept, " even if it differs") } else { (Differing::Refuse, "") };
    app.rebuilds.start(app.databases.clone(), name, differing).await?;
    note(operator, &format!("rebuilds {name}{even}"));
    Ok(StatusCode::ACCEPTED)
}

/// Put the form before back in use, after it has caught up.
#[utoipa::path(post, path = "/projections/{view}/roll_back", tag = "projections", params(("view" = String, Path)),
    security(("session" = ["operator"])), responses((status = 200, body = InUse),
    (status = 409, body = Problem, description = "rebuild_going_on nothing_to_go_back_to refused")))]
async fn roll_back(State(app): State<App>, operator: Operator, Path(name): Path<String>) -> Answer<Body<InUse>> {
    let name = view(&name)?;
    let version = projections::roll_back(&app.databases, name).await?;
    note(operator, &format!("went back to version {version} of {name}"));
    Ok(Body(InUse { view: name.to_string(), version }))
}
