//! My bookings, newest first.

use super::{HOME, Route, frame::Night, loaded::use_private, sign::MustSignIn};
use crate::{
    client::{self, ListQuery},
    components::{BookingPill, Empty, Failed, LaunchPill, Loading, Pager, Stale, Title},
    format,
    session::{Session, use_session},
};
use contract::{
    Status,
    booking::{BookingStatus, Trip},
};
use dioxus::prelude::*;

/// How many bookings a page has.
const PER_PAGE: u32 = 10;

/// The page.
#[component]
pub(super) fn Trips(page: ReadSignal<u32>) -> Element {
    let session = use_session();
    let signed_in = use_memo(move || session.read().me().is_some());
    let mut trips = use_private(signed_in.into(), move || {
        let query = ListQuery { page: page().max(1), per_page: PER_PAGE, ..ListQuery::default() };
        async move { client::fresh(|| client::trips(&query), |page| page.stale).await }
    });
    if *session.read() == Session::Visitor {
        return rsx! {
            MustSignIn { next: Route::Trips { page: page() }.to_string(), why: "to see your trips" }
        };
    }
    let answer = trips.read();
    rsx! {
        Title { text: "My trips" }
        Night {
            div { class: "lead lead-small",
                h1 { "My trips" }
            }
        }
        main { class: "page after-night", id: "content",
            match &*answer {
                None => rsx! {
                    Loading { lines: 6 }
                    noscript { p { class: "noscript", "Your trips need JavaScript." } }
                },
                Some(Err(problem)) => rsx! {
                    Failed { what: "Your trips", problem: problem.clone(), onretry: Callback::new(move |()| trips.restart()) }
                },
                Some(Ok(found)) if found.items.is_empty() => rsx! {
                    Empty { title: "No trips yet",
                        p { "Seats you hold and book are listed here, with every payment and refund." }
                        p { Link { class: "btn", "data-kind": "primary", to: HOME, "Find a launch" } }
                    }
                },
                Some(Ok(found)) => rsx! {
                    if found.stale {
                        Stale {}
                    }
                    ul { class: "rows",
                        for trip in found.items.iter() {
                            li { key: "{trip.booking.id}", TripRow { trip: trip.clone() } }
                        }
                    }
                    Pager {
                        page: found.page,
                        pages: found.pages(),
                        total: found.total,
                        noun: "bookings",
                        href: Callback::new(|page| Route::Trips { page }.to_string()),
                        onpage: Callback::new(|page| {
                            navigator().push(Route::Trips { page });
                        }),
                    }
                },
            }
        }
    }
}

#[component]
fn TripRow(trip: Trip) -> Element {
    let booking = &trip.booking;
    let launch = &trip.launch;
    let local = format::local(&launch.departure);
    let to = match booking.status {
        BookingStatus::Held => Route::Book { launch: launch.slug.to_string(), booking: booking.id.to_string() },
        _ => Route::TripPage { booking: booking.id.to_string() },
    };
    rsx! {
        Link { class: "card launch", to,
            div { class: "date",
                b { {format!("{:02}", local.day())} }
                span {
                    "{format::month(local.month())} {local.year()}"
                    br {}
                    {format::short_weekday(local)}
                }
            }
            div { class: "launch-what",
                h2 { class: "route",
                    {launch.spaceport_name.clone()}
                    span { class: "arrow", role: "img", "aria-label": "to", "\u{2192}" }
                    {launch.destination.title()}
                }
                p { class: "muted small",
                    "{launch.rocket_name} \u{b7} {launch.supplier_name} \u{b7} "
                    span { class: "nowrap", {format::local_clock(&launch.departure)} }
                }
            }
            div { class: "seats small",
                div { class: "pills",
                    BookingPill { status: booking.status }
                    if matches!(launch.status, Status::Delayed | Status::Aborted | Status::Failed) {
                        LaunchPill { status: launch.status, detail: super::board::status_detail(launch) }
                    }
                }
                span { class: "muted",
                    {format::plural(booking.seats.len() as u64, "seat", "seats")}
                    ": {format::and(&booking.seats)}"
                }
            }
            div { class: "price",
                {booking.total.to_string()}
                if booking.refunded.is_positive() {
                    span { class: "muted small", "{booking.refunded} back" }
                } else {
                    span { class: "muted small num", {booking.reference.clone()} }
                }
            }
            span { class: "btn row-go", "data-kind": "quiet", "aria-hidden": "true",
                if booking.status == BookingStatus::Held { "Go on" } else { "View" }
            }
        }
    }
}
