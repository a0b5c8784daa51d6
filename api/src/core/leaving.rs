//! A customer asks to be forgotten. Refused while a booking is open or money is on its way; then an event, and what follows from it.

use super::sign_in::cleared;
use crate::{
    app::App,
    audit::{Event, Kind},
    authority::{Customer, SignedIn},
    extract::Json,
    problem::{Answer, ApiError},
    web::address::Address,
};
use axum::{extract::State, response::IntoResponse};
use commands::{Ask, ask::digest, sequence};
use contract::{BookingId, Code, CustomerId, LaunchId, Listing, Problem, account::Erase, page::PER_PAGE_MAX};
use domain::{
    Actor, Decider,
    booking::{Booking, PaymentState, RefundState, Stage},
    customer::{self, Customer as Record},
    launch::Launch,
};
use http::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Bookings looked at: nobody has more.
const BOOKINGS_MAX: u32 = 10_000;

/// The route.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(erase))
}

/// Forget me: the account, my details in every booking, my mails and sessions. Cannot be taken back.
#[utoipa::path(post, path = "/erasure", tag = "accounts", request_body = Erase, security(("session" = ["customer"])), responses(
    (status = 204, description = "Everything is forgotten"), (status = 202, description = "It is decided, and being done"),
    (status = 409, body = Problem, description = "open_bookings"), (status = 429, body = Problem, description = "too_many_requests")))]
async fn erase(
    State(app): State<App>,
    address: Address,
    customer: Customer,
    SignedIn(claims): SignedIn,
    Json(form): Json<Erase>,
) -> Answer<impl IntoResponse> {
    let account = app.accounts.by_id(customer.account).await?.ok_or_else(ApiError::not_found)?;
    app.recheck(&claims, &account, &form.password, "password", &address).await?;
    let open = app.open_bookings(customer.customer).await?;
    if !open.is_empty() {
        let message =
            "You have bookings that are not over, or money is still on its way to you. Cancel them, or wait for it, then ask again.";
        return Err(ApiError::new(Code::OpenBookings, message).with(json!({ "bookings": open })));
    }
    let now = app.clock.now();
    let ask = Ask::new(
        Uuid::new_v5(&customer.account.0, b"erase"),
        Actor::Customer(customer.customer),
        digest(&[b"erase", customer.account.0.as_bytes()]),
    );
    app.executor.execute::<Record>(&customer.customer, customer::Command::Erase { now }, &ask).await?;
    app.trail.note(Event::new(Kind::Erased).account(customer.account).address(&address)).await;
    match app.erasure.forget(customer.account, now).await {
        Ok(()) => Ok((StatusCode::NO_CONTENT, cleared())),
        Err(error) => {
            // The event is there, so the scheduler goes on with it.
            tracing::warn!(account.id = %customer.account, "An erasure is left to the scheduler: {error:?}");
            Ok((StatusCode::ACCEPTED, cleared()))
        }
    }
}

impl App {
    /// The bookings of a customer that keep them from being forgotten, as their launches say: views only say which launches to look at.
    async fn open_bookings(&self, customer: CustomerId) -> Answer<Vec<BookingId>> {
        let mut launches = BTreeSet::new();
        // What the customer has just done counts, too: first what is on its way into the log, then what the view may not have read yet.
        for launch in sequence::ahead_of_the_log(&self.pool, Launch::NAME, "seats_held", "customer", &customer.to_string()).await? {
            launches.extend(launch.parse::<LaunchId>());
        }
        if self.views.customer.wait_until(self.feed.head().await?).await?.is_stale() {
            return Err(ApiError::unavailable(anyhow::anyhow!("the customers' views have not read all that was booked")));
        }
        for page in 1..=BOOKINGS_MAX / PER_PAGE_MAX {
            let listing = Listing { page, per_page: PER_PAGE_MAX, search: String::new() };
            let trips = self.views.customer.bookings_of(customer, &listing, &|kind, text| self.blind(kind, text)).await?;
            launches.extend(trips.items.iter().map(|trip| trip.launch));
            if u64::from(page) >= trips.pages() {
                break;
            }
        }
        let mut open = Vec::new();
        for launch in launches {
            let still = move |state: &Launch| {
                let over = matches!(state, Launch::Ended { .. });
                let bookings = state.manifest().into_iter().flat_map(|manifest| &manifest.bookings);
                let own = bookings.filter(|(_, booking)| booking.customer == customer && is_open(booking, over));
                own.map(|(id, _)| *id).collect::<Vec<_>>()
            };
            open.extend(self.executor.see(&launch, still).await?);
        }
        Ok(open)
    }
}

/// Whether a booking still binds both sides; `over` says whether its launch has flown, failed or was given up.
fn is_open(booking: &Booking, over: bool) -> bool {
    let kept = match booking.stage {
        Stage::Held { .. } => true,
        Stage::Confirmed { .. } => !over,
        Stage::Expired | Stage::Cancelled => false,
    };
    let paying = booking.payments.values().any(|payment| payment.state == PaymentState::Initiated);
    let returning = booking.refunds.values().any(|refund| refund.state != RefundState::Paid);
    kept || paying || returning
}
