//! `/api/supplier`: a supplier's own rockets and launches. What belongs to another answers as if it did not exist.

use super::schedule::{moment, schedule};
use crate::{
    answer::{Position, Read, list, missing, position, read},
    app::App,
    authority::SupplierMember,
    extract::{Asked, AskedBare, AtLeast, Path, Query},
    listing::{self, listing},
    problem::{Answer, ApiError, Fields},
};
use axum::{Json, extract::State};
use commands::Done;
use contract::{
    Cabin, LaunchId, Line, List, Listing, Money, Page, Problem, RocketId,
    finance::BookingRow,
    fleet::{Abort, AbortQuote, AddRocket, Delay, Outcome, Reprice, Rocket, ScheduleLaunch, Scheduled, Spaceport, SupplierSummary},
    launch::{LaunchCard, LaunchPage},
};
use domain::{
    booking::Stage,
    launch::{self, Launch, Manifest},
    rocket::{self, Build},
};
use http::StatusCode;
use projections::{BookingQuery, LaunchQuery};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(launches, schedule_launch))
        .routes(routes!(launch_page))
        .routes(routes!(bookings))
        .routes(routes!(rockets, add_rocket))
        .routes(routes!(retire_rocket))
        .routes(routes!(spaceports))
        .routes(routes!(reprice))
        .routes(routes!(delay))
        .routes(routes!(abort_quote))
        .routes(routes!(abort))
        .routes(routes!(outcome))
}

impl App {
    /// A launch of the member's supplier, as it stands.
    async fn own_launch(&self, member: SupplierMember, launch: &str) -> Answer<(LaunchId, Box<Manifest>)> {
        let id = self.launch_id(launch).await?;
        match self.executor.load::<Launch>(&id).await?.state {
            Launch::Open { manifest, .. } | Launch::Ended { manifest, .. } if manifest.plan.supplier == member.supplier => {
                Ok((id, manifest))
            }
            Launch::Open { .. } | Launch::Ended { .. } | Launch::Unscheduled => Err(ApiError::not_found()),
        }
    }
}

/// My desk at a glance.
#[utoipa::path(get, path = "/summary", tag = "desk", security(("session" = ["supplier"])), 
    responses((status = 200, body = SupplierSummary), (status = 404, body = Problem, description = "not_found"),
    (status = 503, body = Problem, description = "not_shown_yet")))]
async fn summary(State(app): State<App>, member: SupplierMember, AtLeast(at_least): AtLeast) -> Answer<Read<SupplierSummary>> {
    let freshness = app.desk_freshness(at_least.as_ref()).await;
    let summary = app.views.operations.supplier_summary(member.supplier, &app.views.finance, app.clock.now()).await?;
    let summary = summary.ok_or_else(|| missing(freshness))?;
    Ok(read(freshness, SupplierSummary { stale: freshness.is_stale(), ..summary }))
}

/// My launches, soonest first.
#[utoipa::path(get, path = "/launches", tag = "launches", params(listing::Launches), security(("session" = ["supplier"])),
    responses((status = 200, body = Page<LaunchCard>)))]
async fn launches(
    State(app): State<App>,
    member: SupplierMember,
    AtLeast(at_least): AtLeast,
    Query(query): Query<listing::Launches>,
) -> Answer<Read<Page<LaunchCard>>> {
    let listing = listing(query.page, query.per_page, query.search)?;
    let wanted = LaunchQuery { supplier: Some(member.supplier), status: query.status, listing };
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let mut page = app.views.operations.launches(&wanted, app.clock.now()).await?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// Put a launch on sale.
#[utoipa::path(post, path = "/launches", tag = "launches", params(("Idempotency-Key" = uuid::Uuid, Header)), request_body = ScheduleLaunch,
    security(("session" = ["supplier"])), responses((status = 201, body = Scheduled), (status = 404, body = Problem, description = "not_found"),
    (status = 409, body = Problem, description = "too_soon out_of_range rocket_retired turnaround_too_short price_out_of_range minimum_out_of_range")))]
async fn schedule_launch(
    State(app): State<App>,
    member: SupplierMember,
    Asked { body, key }: Asked<ScheduleLaunch>,
) -> Answer<(StatusCode, Position, Json<Scheduled>)> {
    let (scheduled, at) = schedule(&app, member.supplier, body, &member.ask(key)).await?;
    Ok((StatusCode::CREATED, position(&at), Json(scheduled)))
}

/// One of my launches, by slug or id.
#[utoipa::path(get, path = "/launches/{launch}", tag = "launches", params(("launch" = String, Path)), security(("session" = ["supplier"])),
    responses((status = 200, body = LaunchPage), (status = 503, body = Problem, description = "not_shown_yet")))]
async fn launch_page(
    State(app): State<App>,
    member: SupplierMember,
    AtLeast(at_least): AtLeast,
    Path(launch): Path<String>,
) -> Answer<Read<LaunchPage>> {
    let (id, _) = app.own_launch(member, &launch).await?;
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let mut page = app.views.operations.launch(&id.to_string()).await?.ok_or_else(|| missing(freshness))?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// The bookings of one of my launches.
#[utoipa::path(get, path = "/launches/{launch}/bookings", tag = "launches", params(("launch" = String, Path), Listing),
    security(("session" = ["supplier"])), responses((status = 200, body = Page<BookingRow>)))]
async fn bookings(
    State(app): State<App>,
    member: SupplierMember,
    AtLeast(at_least): AtLeast,
    Path(launch): Path<String>,
    Query(query): Query<Listing>,
) -> Answer<Read<Page<BookingRow>>> {
    let listing = listing(query.page, query.per_page, query.search)?;
    let (id, _) = app.own_launch(member, &launch).await?;
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let wanted = BookingQuery { launch: Some(id), listing, ..BookingQuery::default() };
    let page = app.desk_bookings(&wanted, false).await?;
    let mut page = app.open_manifest(page).await?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// My rockets.
#[utoipa::path(get, path = "/rockets", tag = "rockets", security(("session" = ["supplier"])), responses((status = 200, body = List<Rocket>)))]
async fn rockets(State(app): State<App>, member: SupplierMember, AtLeast(at_least): AtLeast) -> Answer<Read<List<Rocket>>> {
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    Ok(list(freshness, app.views.operations.rockets(member.supplier).await?))
}

/// Bring a rocket into service.
#[utoipa::path(post, path = "/rockets", tag = "rockets", params(("Idempotency-Key" = uuid::Uuid, Header)), request_body = AddRocket,
    security(("session" = ["supplier"])), responses((status = 201, body = Rocket), (status = 409, body = Problem, description = "already_exists")))]
async fn add_rocket(
    State(app): State<App>,
    member: SupplierMember,
    Asked { body, key }: Asked<AddRocket>,
) -> Answer<(StatusCode, Position, Json<Rocket>)> {
    let mut fields = Fields::default();
    let name = fields.take("name", Line::new(&body.name));
    let cabin = fields.take("rows", Cabin::new(body.rows, body.seats_per_row, body.blocked.into_iter().collect()));
    let (Some(name), Some(cabin)) = (name, cabin) else { return Err(fields.into_error()) };
    let ask = member.ask(key);
    let id = RocketId::derived(ask.command_id, "rocket");
    let build = Build { name, model: None, range: body.range, cabin };
    let command = rocket::Command::Add { supplier: member.supplier, build: build.clone(), now: app.clock.now() };
    let Done { at, .. } = app.executor.execute::<rocket::Rocket>(&id, command, &ask).await?;
    let rocket = Rocket {
        id,
        supplier: member.supplier,
        name: build.name.to_string(),
        range: build.range,
        capacity: build.cabin.capacity().try_into().unwrap_or(u16::MAX),
        cabin: build.cabin,
        retired: false,
    };
    Ok((StatusCode::CREATED, position(&at), Json(rocket)))
}

/// Take a rocket out of service.
#[utoipa::path(post, path = "/rockets/{rocket}/retire", tag = "rockets",
    params(("rocket" = RocketId, Path), ("Idempotency-Key" = uuid::Uuid, Header)), security(("session" = ["supplier"])),
    responses((status = 204, description = "Retired")))]
async fn retire_rocket(
    State(app): State<App>,
    member: SupplierMember,
    Path(id): Path<RocketId>,
    AskedBare(key): AskedBare,
) -> Answer<(StatusCode, Position)> {
    match app.executor.load::<rocket::Rocket>(&id).await?.state {
        rocket::Rocket::Active { supplier, .. } | rocket::Rocket::Retired { supplier, .. } if supplier == member.supplier => {}
        rocket::Rocket::Active { .. } | rocket::Rocket::Retired { .. } | rocket::Rocket::Unknown => return Err(ApiError::not_found()),
    }
    let command = rocket::Command::Retire { now: app.clock.now() };
    let Done { at, .. } = app.executor.execute::<rocket::Rocket>(&id, command, &member.ask(key)).await?;
    Ok((StatusCode::NO_CONTENT, position(&at)))
}

/// Where launches leave from.
#[utoipa::path(get, path = "/spaceports", tag = "launches", security(("session" = ["supplier"])), responses((status = 200, body = List<Spaceport>)))]
async fn spaceports(State(app): State<App>, _: SupplierMember, AtLeast(at_least): AtLeast) -> Answer<Read<List<Spaceport>>> {
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    Ok(list(freshness, app.views.operations.spaceports().await?))
}

/// Another price for seats not yet held.
#[utoipa::path(post, path = "/launches/{launch}/price", tag = "launches", params(("launch" = String, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = Reprice, security(("session" = ["supplier"])), responses((status = 204, description = "Repriced"),
    (status = 409, body = Problem, description = "price_out_of_range not_open departed")))]
async fn reprice(
    State(app): State<App>,
    member: SupplierMember,
    Path(launch): Path<String>,
    Asked { body, key }: Asked<Reprice>,
) -> Answer<(StatusCode, Position)> {
    let price = body.price.parse::<Money>().map_err(|why| ApiError::field("price", why))?;
    let (id, _) = app.own_launch(member, &launch).await?;
    let command = launch::Command::Reprice { price, now: app.clock.now() };
    let Done { at, .. } = app.executor.execute::<Launch>(&id, command, &member.ask(key)).await?;
    Ok((StatusCode::NO_CONTENT, position(&at)))
}

/// Move a launch to a later moment.
#[utoipa::path(post, path = "/launches/{launch}/delay", tag = "launches", params(("launch" = String, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = Delay, security(("session" = ["supplier"])), responses((status = 204, description = "Delayed; its customers are told"),
    (status = 409, body = Problem, description = "not_later turnaround_too_short not_open departed")))]
async fn delay(
    State(app): State<App>,
    member: SupplierMember,
    Path(launch): Path<String>,
    Asked { body, key }: Asked<Delay>,
) -> Answer<(StatusCode, Position)> {
    let (id, manifest) = app.own_launch(member, &launch).await?;
    let mut fields = Fields::default();
    let departs_at = fields.take("departs_local", moment(&body.departs_local, manifest.plan.zone.as_str()));
    let reason = fields.take("reason", Line::new(&body.reason));
    let (Some((departs_at, _)), Some(reason)) = (departs_at, reason) else { return Err(fields.into_error()) };
    let policies = app.policies.now().await?;
    let neighbours = app.departures_of(manifest.plan.rocket, id, &policies).await?;
    let command = launch::Command::Delay { departs_at, reason, neighbours, policies: Box::new((*policies).clone()), now: app.clock.now() };
    let Done { at, .. } = app.executor.execute::<Launch>(&id, command, &member.ask(key)).await?;
    Ok((StatusCode::NO_CONTENT, position(&at)))
}

/// What an abort would do.
#[utoipa::path(get, path = "/launches/{launch}/abort-quote", tag = "launches", params(("launch" = String, Path)), security(("session" = ["supplier"])),
    responses((status = 200, body = AbortQuote)))]
async fn abort_quote(State(app): State<App>, member: SupplierMember, Path(launch): Path<String>) -> Answer<Json<AbortQuote>> {
    let (_, manifest) = app.own_launch(member, &launch).await?;
    let fee = app.policies.now().await?.abort_fee.numbers.amount;
    let mut quote = AbortQuote { bookings: 0, refunds: Money::ZERO, fee };
    for booking in manifest.bookings.values() {
        match booking.stage {
            Stage::Held { .. } => quote.bookings += 1,
            Stage::Confirmed { .. } => {
                quote.bookings += 1;
                quote.refunds = quote.refunds.plus(booking.price());
            }
            Stage::Expired | Stage::Cancelled => {}
        }
    }
    Ok(Json(quote))
}

/// Give a launch up: all bookings are cancelled and refunded in full.
#[utoipa::path(post, path = "/launches/{launch}/abort", tag = "launches", params(("launch" = String, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = Abort, security(("session" = ["supplier"])), responses((status = 204, description = "Aborted; refunds and mails follow"),
    (status = 409, body = Problem, description = "not_open departed")))]
async fn abort(
    State(app): State<App>,
    member: SupplierMember,
    Path(launch): Path<String>,
    Asked { body, key }: Asked<Abort>,
) -> Answer<(StatusCode, Position)> {
    let (id, _) = app.own_launch(member, &launch).await?;
    let policies = Box::new((*app.policies.now().await?).clone());
    let command = launch::Command::Abort { reason: body.reason, policies, now: app.clock.now() };
    let Done { at, .. } = app.executor.execute::<Launch>(&id, command, &member.ask(key)).await?;
    Ok((StatusCode::NO_CONTENT, position(&at)))
}

/// Say how a departed launch went.
#[utoipa::path(post, path = "/launches/{launch}/outcome", tag = "launches", params(("launch" = String, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = Outcome, security(("session" = ["supplier"])), responses((status = 204, description = "Recorded"),
    (status = 409, body = Problem, description = "not_departed not_confirmed not_open")))]
async fn outcome(
    State(app): State<App>,
    member: SupplierMember,
    Path(launch): Path<String>,
    Asked { body, key }: Asked<Outcome>,
) -> Answer<(StatusCode, Position)> {
    let now = app.clock.now();
    let command = match body {
        Outcome::Launched {} => launch::Command::MarkLaunched { now },
        Outcome::Failed { reason } => {
            launch::Command::MarkFailed { reason: Line::new(&reason).map_err(|why| ApiError::field("reason", why))?, now }
        }
    };
    let (id, _) = app.own_launch(member, &launch).await?;
    let Done { at, .. } = app.executor.execute::<Launch>(&id, command, &member.ask(key)).await?;
    Ok((StatusCode::NO_CONTENT, position(&at)))
}
