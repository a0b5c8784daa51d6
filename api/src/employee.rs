//! `/api/employee`: all bookings and launches, and the money. Reads only.

use crate::{
    answer::{Read, list, missing, read},
    app::App,
    authority::Employee,
    extract::{AtLeast, Path, Query, page},
    listing::{self, listing},
    problem::Answer,
};
use axum::extract::State;
use contract::{
    BookingId, List, Listing, Page, Problem,
    booking::Trip,
    finance::{BookingRow, Journal, LaunchRevenue, SupplierRevenue, Today},
    launch::{LaunchCard, LaunchPage},
};
use projections::{BookingQuery, JournalQuery, LaunchQuery};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(today))
        .routes(routes!(bookings))
        .routes(routes!(booking))
        .routes(routes!(launches))
        .routes(routes!(launch_page))
        .routes(routes!(launch_revenue))
        .routes(routes!(supplier_revenue))
        .routes(routes!(journal))
}

/// Sales at a glance.
#[utoipa::path(get, path = "/today", tag = "desk", security(("session" = ["employee"])), responses((status = 200, body = Today)))]
async fn today(State(app): State<App>, _: Employee, AtLeast(at_least): AtLeast) -> Answer<Read<Today>> {
    let freshness = app.desk_freshness(at_least.as_ref()).await;
    let (today, latest) = app.views.operations.today(&app.views.finance, app.clock.now()).await?;
    let latest = app.open_rows(latest).await?;
    Ok(read(freshness, Today { stale: freshness.is_stale(), latest, ..today }))
}

/// All bookings, newest first.
#[utoipa::path(get, path = "/bookings", tag = "bookings", params(listing::Bookings), security(("session" = ["employee"])),
    responses((status = 200, body = Page<BookingRow>)))]
async fn bookings(
    State(app): State<App>,
    _: Employee,
    AtLeast(at_least): AtLeast,
    Query(query): Query<listing::Bookings>,
) -> Answer<Read<Page<BookingRow>>> {
    let listing = listing(query.page, query.per_page, query.search)?;
    let wanted = BookingQuery { status: query.status, listing, ..BookingQuery::default() };
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let page = app.desk_bookings(&wanted, true).await?;
    let mut page = app.open_row_page(page).await?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// One booking.
#[utoipa::path(get, path = "/bookings/{booking}", tag = "bookings", params(("booking" = BookingId, Path)), security(("session" = ["employee"])),
    responses((status = 200, body = Trip), (status = 503, body = Problem, description = "not_shown_yet")))]
async fn booking(State(app): State<App>, _: Employee, AtLeast(at_least): AtLeast, Path(booking): Path<BookingId>) -> Answer<Read<Trip>> {
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let trip = app.views.operations.trip(booking).await?.ok_or_else(|| missing(freshness))?;
    let mut trip = app.open_trip(trip).await?;
    trip.stale = freshness.is_stale();
    Ok(read(freshness, trip))
}

/// All launches, soonest first.
#[utoipa::path(get, path = "/launches", tag = "launches", params(listing::Launches), security(("session" = ["employee"])),
    responses((status = 200, body = Page<LaunchCard>)))]
async fn launches(
    State(app): State<App>,
    _: Employee,
    AtLeast(at_least): AtLeast,
    Query(query): Query<listing::Launches>,
) -> Answer<Read<Page<LaunchCard>>> {
    let listing = listing(query.page, query.per_page, query.search)?;
    let wanted = LaunchQuery { supplier: None, status: query.status, listing };
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let mut page = app.views.operations.launches(&wanted, app.clock.now()).await?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// One launch, by slug or id.
#[utoipa::path(get, path = "/launches/{launch}", tag = "launches", params(("launch" = String, Path)), security(("session" = ["employee"])),
    responses((status = 200, body = LaunchPage), (status = 503, body = Problem, description = "not_shown_yet")))]
async fn launch_page(
    State(app): State<App>,
    _: Employee,
    AtLeast(at_least): AtLeast,
    Path(launch): Path<String>,
) -> Answer<Read<LaunchPage>> {
    let freshness = app.operations_freshness(at_least.as_ref()).await;
    let mut page = app.views.operations.launch(&launch).await?.ok_or_else(|| missing(freshness))?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// Revenue by launch, most net first.
#[utoipa::path(get, path = "/revenue/launches", tag = "money", params(Listing), security(("session" = ["employee"])),
    responses((status = 200, body = Page<LaunchRevenue>)))]
async fn launch_revenue(
    State(app): State<App>,
    _: Employee,
    AtLeast(at_least): AtLeast,
    Query(query): Query<Listing>,
) -> Answer<Read<Page<LaunchRevenue>>> {
    let wanted = listing(query.page, query.per_page, query.search)?;
    let freshness = app.finance_freshness(at_least.as_ref()).await;
    let mut page = app.views.finance.revenue_by_launch(&wanted).await?;
    page.stale = freshness.is_stale();
    Ok(read(freshness, page))
}

/// Revenue by supplier, most net first.
#[utoipa::path(get, path = "/revenue/suppliers", tag = "money", security(("session" = ["employee"])),
    responses((status = 200, body = List<SupplierRevenue>)))]
async fn supplier_revenue(State(app): State<App>, _: Employee, AtLeast(at_least): AtLeast) -> Answer<Read<List<SupplierRevenue>>> {
    let freshness = app.finance_freshness(at_least.as_ref()).await;
    Ok(list(freshness, app.views.finance.revenue_by_supplier().await?))
}

/// The double-entry journal, newest first, with its balances.
#[utoipa::path(get, path = "/journal", tag = "money", params(listing::Journal), security(("session" = ["employee"])),
    responses((status = 200, body = Journal)))]
async fn journal(
    State(app): State<App>,
    _: Employee,
    AtLeast(at_least): AtLeast,
    Query(query): Query<listing::Journal>,
) -> Answer<Read<Journal>> {
    let (page, per_page) = page(query.page, query.per_page)?;
    let freshness = app.finance_freshness(at_least.as_ref()).await;
    let wanted = JournalQuery { launch: query.launch, booking: query.booking, page, per_page };
    let mut journal = app.views.finance.journal(&wanted).await?;
    journal.lines.stale = freshness.is_stale();
    Ok(read(freshness, journal))
}
