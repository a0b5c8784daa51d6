//! A booking in the making: passengers, payment, confirmation. Which of them comes next follows from the booking itself.

use super::{
    HOME, Route,
    frame::Night,
    launch_address,
    loaded::use_private,
    passengers::Passengers,
    payment::Payment,
    sign::MustSignIn,
    summary::{HoldClock, Sum, Terms},
};
use crate::{
    browser,
    client::{self, Answer},
    components::{Empty, Failed, Loading, Notice, NoticeKind, Stale, Title},
    format,
    session::{Session, use_session},
};
use contract::{
    Code,
    booking::{BookingStatus, Trip},
};
use dioxus::prelude::*;

/// How often a booking just made is looked for before it counts as missing.
const FIND_TRIES_MAX: u32 = 8;
/// Between those, in milliseconds.
const FIND_PAUSE_MS: u32 = 400;

/// The booking as the view has it once it shows the last command.
pub(super) async fn find(booking: String) -> Answer<Trip> {
    for _ in 0..FIND_TRIES_MAX {
        match client::fresh(|| client::trip(&booking), |trip| trip.stale).await {
            Err(problem) if problem.code == Code::NotFound => browser::sleep(FIND_PAUSE_MS).await,
            other => return other,
        }
    }
    client::trip(&booking).await
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Passengers,
    Payment,
    Done,
}

/// The page.
#[component]
pub(super) fn Book(launch: ReadSignal<String>, booking: ReadSignal<String>) -> Element {
    let session = use_session();
    let signed_in = use_memo(move || session.read().me().is_some());
    let mut found = use_private(signed_in.into(), move || find(booking()));
    let mut editing = use_signal(|| false);
    if *session.read() == Session::Visitor {
        return rsx! {
            MustSignIn { next: Route::Book { launch: launch(), booking: booking() }.to_string(), why: "to go on with your booking" }
        };
    }
    let reload = use_callback(move |()| {
        editing.set(false);
        found.restart();
    });
    let answer = found.read();
    match &*answer {
        None => rsx! {
            Title { text: "Your booking" }
            Night { div { class: "lead lead-small", h1 { "Your booking" } } }
            main { class: "page after-night", id: "content",
                Loading { lines: 8 }
                noscript { p { class: "noscript", "Booking needs JavaScript." } }
            }
        },
        Some(Err(problem)) if problem.code == Code::NotFound => rsx! {
            Title { text: "No such booking" }
            Night {}
            main { class: "page after-night text", id: "content",
                Empty { title: "There is no such booking of yours",
                    p { "It may belong to another account." }
                    p { Link { to: "/trips", "See my trips" } }
                }
            }
        },
        Some(Err(problem)) => rsx! {
            Title { text: "Your booking" }
            Night {}
            main { class: "page after-night", id: "content",
                Failed { what: "Your booking", problem: problem.clone(), onretry: reload }
            }
        },
        Some(Ok(trip)) => {
            let at = match trip.booking.status {
                BookingStatus::Held if trip.booking.passengers.is_empty() || editing() => At::Passengers,
                BookingStatus::Held => At::Payment,
                _ => At::Done,
            };
            rsx! {
                Steps { trip: trip.clone(), at, reload, onedit: Callback::new(move |()| editing.set(true)) }
            }
        }
    }
}

#[component]
fn Steps(trip: Trip, at: At, reload: Callback<()>, onedit: Callback<()>) -> Element {
    let booking = trip.booking.clone();
    let seats = format::and(&booking.seats);
    let launch = trip.launch.clone();
    let heading = match (at, booking.status) {
        (At::Passengers, _) => "Who is flying?",
        (At::Payment, _) => "Pay",
        (At::Done, BookingStatus::Confirmed | BookingStatus::Flown) => "You are going to space",
        (At::Done, BookingStatus::Expired) => "The hold ended",
        (At::Done, _) => "This booking is over",
    };
    use_effect(use_reactive!(|at| {
        let _ = at;
        browser::focus("step-title");
    }));
    rsx! {
        Title { text: heading }
        Night {
            div { class: "lead lead-small",
                p { class: "eyebrow",
                    "{launch.spaceport_name} to {launch.destination.title()}, {format::day(format::local(&launch.departure))}"
                }
                h1 { id: "step-title", tabindex: "-1", {heading} }
                StepList { at, confirmed: booking.status != BookingStatus::Expired && booking.status != BookingStatus::Cancelled }
            }
        }
        main { class: "page split", id: "content",
            div { class: "stack",
                if trip.stale {
                    Stale {}
                }
                match at {
                    At::Passengers => rsx! { Passengers { trip: trip.clone(), onnamed: reload } },
                    At::Payment => rsx! { Payment { trip: trip.clone(), onpaid: reload, onedit } },
                    At::Done => rsx! { Outcome { trip: trip.clone() } },
                }
            }
            aside { class: "card panel", "aria-label": "Your booking", "data-place": "book",
                if let Some(expires_at) = booking.expires_at.filter(|_| at < At::Done) {
                    HoldClock { seats: booking.seats.clone(), expires_at, onover: reload }
                }
                h2 { class: "panel-title", "{launch.rocket_name}" }
                p { class: "small muted",
                    "{format::long_day(format::local(&launch.departure))}, {format::local_clock(&launch.departure)}"
                }
                Sum {
                    seats,
                    number: booking.seats.len() as u64,
                    price_each: booking.price_each,
                    total: booking.total,
                    words: if at == At::Done && booking.paid.is_positive() { "Paid" } else { "To pay today" },
                }
                Terms { terms: booking.terms.clone(), departure: launch.departure.clone() }
                p { class: "small muted panel-aside", "Reference " span { class: "num", {booking.reference.clone()} } }
            }
        }
    }
}

#[component]
fn StepList(at: At, confirmed: bool) -> Element {
    let state = |step: At| match step.cmp(&at) {
        std::cmp::Ordering::Less => "done",
        std::cmp::Ordering::Equal => "here",
        std::cmp::Ordering::Greater => "ahead",
    };
    rsx! {
        if confirmed {
            ol { class: "steps", "aria-label": "Steps of the booking",
                li { "data-state": "done", "Seats" }
                for (step , words) in [(At::Passengers, "Passengers"), (At::Payment, "Payment"), (At::Done, "Confirmation")] {
                    li { key: "{words}", "data-state": state(step), "aria-current": (step == at).then_some("step"), {words} }
                }
            }
        }
    }
}

/// How it ended.
#[component]
fn Outcome(trip: Trip) -> Element {
    let booking = trip.booking.clone();
    let to_trip = Route::TripPage { booking: booking.id.to_string() };
    match booking.status {
        BookingStatus::Confirmed | BookingStatus::Flown => rsx! {
            section { class: "card padded stack",
                Notice { kind: NoticeKind::Good,
                    b { "Paid: {booking.paid}. " }
                    "{format::seats(&booking.seats)} "
                    if booking.seats.len() == 1 { "is" } else { "are" }
                    " yours. A confirmation is on its way to the address of your account."
                }
                div {
                    h2 { class: "section-title", "Boarding" }
                    ul { class: "passes",
                        for passenger in booking.passengers.iter() {
                            li { key: "{passenger.seat}", class: "pass",
                                span { class: "pass-seat num", {passenger.seat.to_string()} }
                                span {
                                    b { {passenger.name.clone()} }
                                    span { class: "muted small", "{trip.launch.spaceport_name} to {trip.launch.destination.title()}" }
                                }
                                span { class: "num small muted", {booking.reference.clone()} }
                            }
                        }
                    }
                }
                div { class: "row",
                    Link { class: "btn", "data-kind": "primary", to: to_trip, "See my trip" }
                    Link { class: "btn", "data-kind": "quiet", to: HOME, "More launches" }
                }
            }
        },
        BookingStatus::Expired => rsx! {
            section { class: "card padded stack",
                Notice { kind: NoticeKind::Warn,
                    "The seats were not paid for in time, so they are free for others again. Nothing was charged."
                    if booking.paid.is_positive() {
                        " A payment that came too late, {booking.paid}, goes back to the card."
                    }
                }
                div { class: "row",
                    Link {
                        class: "btn",
                        "data-kind": "primary",
                        to: launch_address(&trip.launch.slug, &booking.seats.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
                        "Choose seats again"
                    }
                    Link { class: "btn", "data-kind": "quiet", to: to_trip, "Details" }
                }
            }
        },
        BookingStatus::Cancelled | BookingStatus::Held => rsx! {
            section { class: "card padded stack",
                Notice { kind: NoticeKind::Info, "This booking was cancelled. Its page has every payment and refund." }
                div { class: "row",
                    Link { class: "btn", "data-kind": "primary", to: to_trip, "See the booking" }
                }
            }
        },
    }
}
