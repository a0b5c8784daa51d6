//! `/api/customer`: launches for everyone; holding, booking, paying and cancelling for customers.

use super::{cancel, export, passengers};
use crate::{
    answer::{Position, Read, list, missing, position, read},
    app::App,
    authority::Customer,
    extract::{Asked, AtLeast, BookingOfLaunch, Path, Query, page},
    listing::{SEARCH_CHARACTERS_MAX, listing},
    personal,
    problem::{Answer, ApiError, Fields},
};
use axum::{
    Json,
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use commands::{Ask, Done};
use contract::{
    BookingId, Code, List, Listing, Page, Problem, RefundId, Seat,
    booking::{Cancel, Held, HoldSeats, NamePassengers, Paid, Pay, QuoteAnswer, Trip},
    fleet::Supplier,
    launch::{Board, BoardQuery, LaunchChange, LaunchPage, Offer},
};
use domain::launch::{self, Launch};
use futures::StreamExt;
use http::{HeaderMap, StatusCode};
use scheduler::payment::{self, PayError, PaymentCard};
use serde_json::json;
use std::{collections::BTreeSet, convert::Infallible, time::Duration};
use utoipa_axum::{router::OpenApiRouter, routes};

/// How often a silent stream says that it lives.
const PING_EVERY: Duration = Duration::from_secs(15);

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(board))
        .routes(routes!(launch_page))
        .routes(routes!(live))
        .routes(routes!(suppliers))
        .routes(routes!(hold))
        .routes(routes!(name_passengers))
        .routes(routes!(pay))
        .routes(routes!(quote))
        .routes(routes!(cancel_booking))
        .routes(routes!(trips))
        .routes(routes!(trip))
        .merge(export::router())
}

/// Bookable launches.
#[utoipa::path(get, path = "/launches", tag = "launches", params(BoardQuery), responses((status = 200, body = Board)))]
async fn board(State(app): State<App>, AtLeast(at_least): AtLeast, Query(query): Query<BoardQuery>) -> Answer<Read<Board>> {
    let (page, per_page) = page(query.page, query.per_page)?;
    if query.search.chars().count() > SEARCH_CHARACTERS_MAX {
        return Err(ApiError::field("search", format!("must be at most {SEARCH_CHARACTERS_MAX} characters")));
    }
    let query = BoardQuery { page, per_page, ..query };
    let freshness = app.customer_freshness(at_least.as_ref()).await;
    let mut board = app.views.customer.board(&query, app.clock.now()).await?;
    board.launches.stale = freshness.is_stale();
    Ok(read(freshness, board))
}

/// One launch, by slug or id.
#[utoipa::path(get, path = "/launches/{launch}", tag = "launches", params(("launch" = String, Path)),
    responses((status = 200, body = LaunchPage), (status = 503, body = Problem, description = "not_shown_yet")))]
async fn launch_page(State(app): State<App>, AtLeast(at_least): AtLeast, Path(launch): Path<String>) -> Answer<Read<LaunchPage>> {
    let freshness = app.customer_freshness(at_least.as_ref()).await;
    let mut page = app.views.customer.launch(&launch).await?.ok_or_else(|| missing(freshness))?;
    page.stale = freshness.is_stale();
    // Without the event store the page is still shown; the offer is then told at the hold.
    page.offer = app.policies.now().await.ok().map(|policies| Offer::from(&*policies));
    Ok(read(freshness, page))
}

/// The launch again each time it changes: events `launch` with a `LaunchChange`, their id the position.
#[utoipa::path(get, path = "/launches/{launch}/live", tag = "launches", params(("launch" = String, Path), ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = LaunchChange)))]
async fn live(State(app): State<App>, headers: HeaderMap, Path(launch): Path<String>) -> Answer<impl IntoResponse> {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let page = app.page_of(&launch).await?;
    let too_many = || ApiError::new(Code::Unavailable, "Too many people watch right now. Reload the page to see the latest.");
    let changes = app.live.watch(page, seen, app.stop.clone()).ok_or_else(too_many)?;
    let events = changes.map(|page| {
        let event = Event::default().event("launch").id(page.position.to_string());
        Ok::<_, Infallible>(event.json_data(json!({ "launch": &*page })).unwrap_or_else(|_| Event::default().comment("unreadable")))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PING_EVERY).text("ping")))
}

/// Who flies.
#[utoipa::path(get, path = "/suppliers", tag = "launches", responses((status = 200, body = List<Supplier>)))]
async fn suppliers(State(app): State<App>, AtLeast(at_least): AtLeast) -> Answer<Read<List<Supplier>>> {
    let freshness = app.customer_freshness(at_least.as_ref()).await;
    Ok(list(freshness, app.views.customer.suppliers().await?))
}

/// Keep seats while paying for them.
#[utoipa::path(post, path = "/launches/{launch}/holds", tag = "bookings", params(("launch" = String, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = HoldSeats, security(("session" = ["customer"])), responses((status = 201, body = Held),
    (status = 409, body = Problem, description = "seats_taken no_such_seat no_seats seat_limit_reached not_open departed booking_id_used")))]
async fn hold(
    State(app): State<App>,
    customer: Customer,
    Path(launch): Path<String>,
    Asked { body, key }: Asked<HoldSeats>,
) -> Answer<(StatusCode, Position, Json<Held>)> {
    let ask = customer.ask(key);
    let launch = app.launch_id(&launch).await?;
    let booking = BookingId::derived(ask.command_id, "booking");
    let command = launch::Command::Hold {
        booking,
        customer: customer.customer,
        vip: app.is_vip(customer.customer).await?,
        seats: body.seats.into_iter().collect::<BTreeSet<Seat>>(),
        policies: Box::new((*app.policies.now().await?).clone()),
        now: app.clock.now(),
    };
    let Done { events, at, .. } = app.executor.execute::<Launch>(&launch, command, &ask).await?;
    let held = events.iter().find_map(|event| match event {
        launch::Event::SeatsHeld { seats, price_each, expires_at, .. } => Some(Held {
            booking,
            launch,
            seats: seats.iter().copied().collect(),
            price_each: *price_each,
            total: price_each.times(seats.len()),
            expires_at: *expires_at,
        }),
        _ => None,
    });
    let held = held.ok_or_else(|| ApiError::internal(anyhow::anyhow!("a hold on launch {launch} caused no event")))?;
    Ok((StatusCode::CREATED, position(&at), Json(held)))
}

/// Say who sits where.
#[utoipa::path(put, path = "/launches/{launch}/bookings/{booking}/passengers", tag = "bookings",
    params(("launch" = String, Path), ("booking" = BookingId, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = NamePassengers, security(("session" = ["customer"])), responses((status = 204, description = "Named"),
    (status = 409, body = Problem, description = "passengers_do_not_match age_out_of_range hold_expired booking_closed not_open")))]
async fn name_passengers(
    State(app): State<App>,
    customer: Customer,
    Path(path): Path<BookingOfLaunch>,
    Asked { body, key }: Asked<NamePassengers>,
) -> Answer<(StatusCode, Position)> {
    let passengers = passengers::read(&body.passengers)?;
    let launch = app.launch_id(&path.launch).await?;
    let passengers = personal::seal(&app.vault, launch, path.booking, customer.customer, passengers).await?;
    let command = launch::Command::NamePassengers {
        booking: path.booking,
        customer: customer.customer,
        passengers,
        policies: Box::new((*app.policies.now().await?).clone()),
        now: app.clock.now(),
    };
    let ask = customer.ask(key);
    // What the key is compared by is kept for ever: nobody is to guess names from it.
    let ask = Ask { request_hash: app.vault.keyed(&ask.request_hash), ..ask };
    let done = app.executor.execute::<Launch>(&launch, command, &ask).await?;
    Ok((StatusCode::NO_CONTENT, position(&done.at)))
}

/// Pay for a held booking. The card goes to the provider and is not stored.
#[utoipa::path(post, path = "/launches/{launch}/bookings/{booking}/payments", tag = "bookings",
    params(("launch" = String, Path), ("booking" = BookingId, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = Pay, security(("session" = ["customer"])), responses((status = 200, body = Paid),
    (status = 400, body = Problem, description = "bad_card"), (status = 402, body = Problem, description = "payment_declined"),
    (status = 409, body = Problem, description = "passengers_missing payment_in_flight payment_unknown hold_expired booking_closed not_open")))]
async fn pay(
    State(app): State<App>,
    customer: Customer,
    Path(path): Path<BookingOfLaunch>,
    Asked { body, key }: Asked<Pay>,
) -> Answer<(Position, Json<Paid>)> {
    let now = app.clock.now();
    let card = PaymentCard::parse(&body.card_number, &body.expiry, &body.cvc, now).map_err(bad_card)?;
    let launch = app.launch_id(&path.launch).await?;
    let order = payment::Order { launch, booking: path.booking, customer: customer.customer, card };
    match payment::pay(&app.executor, &*app.gateway, &*app.clock, order, &customer.ask(key)).await {
        Ok(paid) => Ok((position(&paid.at), Json(Paid { payment: paid.payment, confirmed: paid.confirmed, amount: paid.amount }))),
        Err(PayError::BadCard(bad)) => Err(bad_card(bad)),
        Err(PayError::Declined { payment, reason, at }) => {
            let why = match reason.as_str() {
                "insufficient_funds" => "The card does not have enough on it. Nothing was charged; try another card.",
                _ => "The card was declined. Nothing was charged; try another card.",
            };
            Err(ApiError::new(Code::PaymentDeclined, why).with(json!({ "reason": reason, "payment": payment })).at(&at))
        }
        Err(PayError::Unknown { payment, at }) => {
            let why =
                "The payment provider has not answered yet. Do not pay again: we look after it, and your booking shows what became of it.";
            Err(ApiError::new(Code::PaymentUnknown, why).with(json!({ "payment": payment })).at(&at))
        }
        Err(PayError::Failed(failure)) => Err(failure.into()),
    }
}

fn bad_card(bad: payment::BadCard) -> ApiError {
    let mut fields = Fields::default();
    fields.refuse(bad.field(), bad);
    ApiError::new(Code::BadCard, format!("This card cannot be used: {bad}.")).with(fields.details())
}

#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QuoteFor {
    /// Only this passenger's seat; all when absent
    seat: Option<Seat>,
}

/// What cancelling would give back.
#[utoipa::path(get, path = "/launches/{launch}/bookings/{booking}/quote", tag = "bookings",
    params(("launch" = String, Path), ("booking" = BookingId, Path), QuoteFor), security(("session" = ["customer"])),
    responses((status = 200, body = QuoteAnswer),
    (status = 409, body = Problem, description = "already_cancelled booking_closed too_late_to_cancel no_passenger")))]
async fn quote(
    State(app): State<App>,
    customer: Customer,
    Path(path): Path<BookingOfLaunch>,
    Query(query): Query<QuoteFor>,
) -> Answer<Json<QuoteAnswer>> {
    use crate::refusal::Told;
    let launch = app.launch_id(&path.launch).await?;
    let (customer, now) = (customer.customer, app.clock.now());
    let quote = app.executor.see(&launch, move |state: &Launch| state.quote(path.booking, customer, query.seat, now)).await?;
    let quote = quote.map_err(|refusal| refusal.told())?;
    Ok(Json(cancel::answer(quote)))
}

/// Give a booking or one passenger's seat up, for the refund that was quoted.
#[utoipa::path(post, path = "/launches/{launch}/bookings/{booking}/cancellation", tag = "bookings",
    params(("launch" = String, Path), ("booking" = BookingId, Path), ("Idempotency-Key" = uuid::Uuid, Header)),
    request_body = Cancel, security(("session" = ["customer"])), responses((status = 200, body = QuoteAnswer),
    (status = 409, body = Problem, description = "quote_changed already_cancelled booking_closed too_late_to_cancel no_passenger")))]
async fn cancel_booking(
    State(app): State<App>,
    customer: Customer,
    Path(path): Path<BookingOfLaunch>,
    Asked { body, key }: Asked<Cancel>,
) -> Answer<(Position, Json<QuoteAnswer>)> {
    let ask = customer.ask(key);
    let launch = app.launch_id(&path.launch).await?;
    let (booking, customer, now) = (path.booking, customer.customer, app.clock.now());
    let (refund, quoted) = (RefundId::derived(ask.command_id, "refund"), body.refund);
    let command = match body.seat {
        None => launch::Command::CancelBooking { booking, customer, refund, quoted, now },
        Some(seat) => launch::Command::CancelPassenger { booking, customer, seat, refund, quoted, now },
    };
    let Done { events, at, .. } = app.executor.execute::<Launch>(&launch, command, &ask).await?;
    let done = app.executor.see(&launch, move |state: &Launch| cancel::done(state, booking, body.seat, &events)).await?;
    let done = done.ok_or_else(|| ApiError::internal(anyhow::anyhow!("a cancellation on launch {launch} caused no event")))?;
    Ok((position(&at), Json(done)))
}

/// My bookings, newest first.
#[utoipa::path(get, path = "/bookings", tag = "bookings", params(Listing), security(("session" = ["customer"])),
    responses((status = 200, body = Page<Trip>)))]
async fn trips(
    State(app): State<App>,
    customer: Customer,
    AtLeast(at_least): AtLeast,
    Query(query): Query<Listing>,
) -> Answer<Read<Page<Trip>>> {
    let wanted = listing(query.page, query.per_page, query.search)?;
    let freshness = app.customer_freshness(at_least.as_ref()).await;
    let trips = app.views.customer.bookings_of(customer.customer, &wanted, &|kind, text| app.blind(kind, text)).await?;
    let mut trips = app.open_trips(trips).await?;
    trips.stale = freshness.is_stale();
    Ok(read(freshness, trips))
}

/// One of my bookings.
#[utoipa::path(get, path = "/bookings/{booking}", tag = "bookings", params(("booking" = BookingId, Path)), security(("session" = ["customer"])),
    responses((status = 200, body = Trip), (status = 503, body = Problem, description = "not_shown_yet")))]
async fn trip(
    State(app): State<App>,
    customer: Customer,
    AtLeast(at_least): AtLeast,
    Path(booking): Path<BookingId>,
) -> Answer<Read<Trip>> {
    let freshness = app.customer_freshness(at_least.as_ref()).await;
    let trip = app.views.customer.trip(customer.customer, booking).await?.ok_or_else(|| missing(freshness))?;
    let mut trip = app.open_trip(trip).await?;
    trip.stale = freshness.is_stale();
    Ok(read(freshness, trip))
}
