//! All bookings, with one open beside the list. Passengers are shown, nothing of their cards.

use crate::{
    client::{self, ListQuery},
    components::{BookingPill, Choice, Empty, LaunchPill, Pill, Stale, Timeline},
    desk::{
        Column, Detail, PageHead, Pages, Row, Search, Sieve, Sift, Table, amount, booking_states, departure_line, draw, exact,
        payment_word, refund_word, steps, words,
    },
    format,
};
use contract::{
    RefundReason,
    booking::{Booking, Trip},
    finance::BookingRow,
};
use dioxus::prelude::*;

const BASE: &str = "/employee/bookings";

/// The columns of a list of bookings.
pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::data("Booking"),
        Column::text("Launch"),
        Column::text("State").lead(),
        Column::text("Passengers").later(),
        Column::number("Seats").later(),
        Column::number("Total, USD"),
        Column::number("Paid, USD").later(),
    ]
}

/// The cells of a booking.
pub(super) fn row(row: &BookingRow) -> Row {
    let departs = format::day(format::civil(row.departs_at, 0));
    let passengers = if row.passengers.is_empty() { "not named yet".to_owned() } else { format::and(&row.passengers) };
    Row {
        key: row.id.to_string(),
        cells: vec![
            rsx! { "{row.reference}" },
            rsx! {
                "{row.rocket_name} to {row.destination.title()}"
                small { "{departs}" }
            },
            rsx! {
                BookingPill { status: row.status }
            },
            rsx! {
                span { class: if row.passengers.is_empty() { "quiet" } else { "clip" }, "{passengers}" }
            },
            rsx! { "{row.seats}" },
            rsx! { {amount(row.total)} },
            rsx! { {amount(row.paid)} },
        ],
    }
}

/// The page.
#[component]
pub fn Bookings(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery { page: sift.page(), per_page: 25, search: sift.search.clone(), status: sift.status.clone(), ..ListQuery::default() }
    });
    let list = use_resource(move || {
        let query = query();
        async move { client::bookings(&query).await }
    });
    let navigator = use_navigator();
    let now = sift.read().clone();
    rsx! {
        PageHead { title: "Bookings", desk: "Employee" }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Reference, rocket, passenger" }
            Choice {
                id: "status",
                label: "State",
                value: now.status.clone(),
                options: booking_states(),
                onchange: {
                    let now = now.clone();
                    move |status| { navigator.push(Sift { status, ..now.on_page(1) }.under(BASE)); }
                },
            }
        }
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            {draw(list, "The list of bookings", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card",
                            Empty { title: "No booking matches",
                                if now.narrows() { "Take a filter away to see more." } else { "The first one shows here." }
                            }
                        }
                    };
                }
                let rows = page.items.iter().map(row).collect::<Vec<_>>();
                rsx! {
                    div {
                        if page.stale {
                            Stale {}
                        }
                        Table { caption: "Bookings", columns: columns(), rows, base: BASE, sift: now.clone(),
                            Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "bookings", position: page.position }
                        }
                    }
                }
            })}
            if !now.open.is_empty() {
                BookingDetail { key: "{now.open}", sift: now.clone() }
            }
        }
    }
}

#[component]
fn BookingDetail(sift: Sift) -> Element {
    let id = sift.open.clone();
    let trip = use_resource(move || {
        let id = id.clone();
        async move { client::booking(&id).await }
    });
    let heading = match &*trip.read() {
        Some(Ok(trip)) => trip.booking.reference.clone(),
        _ => "Booking".to_owned(),
    };
    rsx! {
        Detail { title: heading, base: BASE, sift,
            {draw(trip, "The booking", |trip| rsx! { TripDetail { trip: trip.clone() } })}
        }
    }
}

#[component]
fn TripDetail(trip: Trip) -> Element {
    let Trip { booking, launch, stale, .. } = trip;
    rsx! {
        if stale {
            Stale {}
        }
        dl { class: "pairs",
            dt { "State" }
            dd { BookingPill { status: booking.status } }
            dt { "Launch" }
            dd {
                Link { to: "/employee/launches?open={launch.slug}", "{launch.rocket_name} to {launch.destination.title()}" }
            }
            dt { "Departs" }
            dd {
                {departure_line(&launch.departure)}
                " "
                LaunchPill { status: launch.status }
            }
            dt { "Seats" }
            dd { class: "num", {format::and(&booking.seats)} }
            dt { "Each" }
            dd { class: "num", {exact(booking.price_each)} }
            dt { "Total" }
            dd { class: "num", {exact(booking.total)} }
            dt { "Paid" }
            dd { class: "num", {exact(booking.paid)} }
            dt { "Refunded" }
            dd { class: "num", {exact(booking.refunded)} }
            dt { class: "total", "Kept" }
            dd { class: "num total", {exact(booking.paid.minus(booking.refunded))} }
        }
        Link { class: "btn", "data-kind": "quiet", to: "/employee/journal?booking={booking.id}", "Why? Its lines in the journal" }
        if !booking.passengers.is_empty() {
            section {
                h3 { "Passengers" }
                dl { class: "pairs",
                    for passenger in booking.passengers.iter() {
                        dt { class: "num", "{passenger.seat}" }
                        dd { "{passenger.name}" }
                    }
                }
            }
        }
        Money { booking: booking.clone() }
        section {
            h3 { "What has happened" }
            Timeline { steps: steps(&booking.timeline) }
        }
    }
}

const fn reason(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::Cancelled => "cancelled",
        RefundReason::Aborted => "launch aborted",
        RefundReason::TooLate => "paid too late",
        RefundReason::PaidTwice => "paid twice",
    }
}

#[component]
fn Money(booking: Booking) -> Element {
    if booking.payments.is_empty() && booking.refunds.is_empty() {
        return rsx! {};
    }
    rsx! {
        section {
            h3 { "Payments and refunds" }
            ul { class: "moves",
                for payment in booking.payments.iter() {
                    li { key: "{payment.id}",
                        span {
                            "{payment.card}"
                            small { {format::utc(payment.at)} }
                            if !payment.reason.is_empty() {
                                small { {words(&payment.reason)} }
                            }
                        }
                        Pill { state: payment_word(payment.state).0, text: payment_word(payment.state).1 }
                        span { class: "num", {exact(payment.amount)} }
                    }
                }
                for refund in booking.refunds.iter() {
                    li { key: "{refund.id}",
                        span {
                            "Refund, {reason(refund.reason)}"
                            small { {format::utc(refund.at)} }
                        }
                        Pill { state: refund_word(refund.state).0, text: refund_word(refund.state).1 }
                        span { class: "num", "-{exact(refund.amount)}" }
                    }
                }
            }
        }
    }
}
