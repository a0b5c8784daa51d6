//! One of my bookings: who flies, what was paid and refunded, what happened, and giving seats up.

use super::{
    Route, board::status_detail, book::find, cancel::CancelDialog, frame::Night, launch::ViewerTime, launch_address, loaded::use_private,
    payment::exact, sign::MustSignIn, summary::Terms,
};
use crate::{
    browser,
    components::{BookingPill, Button, ButtonKind, Empty, Failed, LaunchPill, Loading, Moment, Notice, NoticeKind, Stale, Timeline, Title},
    format,
    session::{Session, use_session},
};
use contract::{
    CancelledBy, Code, RefundReason, Seat, Status,
    booking::{Booking, BookingStatus, Payment, PaymentState, Refund, RefundState, Trip},
};
use dioxus::prelude::*;

/// The page.
#[component]
pub(super) fn TripPage(booking: ReadSignal<String>) -> Element {
    let session = use_session();
    let signed_in = use_memo(move || session.read().me().is_some());
    let mut found = use_private(signed_in.into(), move || find(booking()));
    if *session.read() == Session::Visitor {
        return rsx! {
            MustSignIn { next: Route::TripPage { booking: booking() }.to_string(), why: "to see your booking" }
        };
    }
    let reload = use_callback(move |()| found.restart());
    let answer = found.read();
    match &*answer {
        None => rsx! {
            Title { text: "Your trip" }
            Night { div { class: "lead lead-small", h1 { "Your trip" } } }
            main { class: "page after-night", id: "content",
                Loading { lines: 8 }
                noscript { p { class: "noscript", "Your trips need JavaScript." } }
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
            Title { text: "Your trip" }
            Night {}
            main { class: "page after-night", id: "content",
                Failed { what: "Your trip", problem: problem.clone(), onretry: reload }
            }
        },
        Some(Ok(trip)) => rsx! { Shown { trip: trip.clone(), reload } },
    }
}

/// What would be cancelled: nothing asked, all seats, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    All,
    One(Seat),
}

#[component]
fn Shown(trip: Trip, reload: Callback<()>) -> Element {
    let booking = trip.booking.clone();
    let launch = trip.launch.clone();
    let mut asked = use_signal(|| Asked::Nothing);
    let mut done = use_signal(|| None::<String>);
    let cancellable =
        booking.status == BookingStatus::Confirmed && matches!(launch.status, Status::Scheduled | Status::Confirmed | Status::Delayed);
    let local = format::local(&launch.departure);
    let unpaid = booking.status == BookingStatus::Held;
    rsx! {
        Title { text: "Trip {booking.reference}" }
        Night {
            div { class: "launch-lead launch-lead-small",
                div {
                    p { class: "eyebrow",
                        "{format::long_day(local)}, {format::local_clock(&launch.departure)}"
                        ViewerTime { at: launch.departure.at, spaceport_offset: launch.departure.offset_minutes }
                    }
                    h1 {
                        {launch.spaceport_name.clone()}
                        span { class: "arrow", role: "img", "aria-label": "to", "\u{2192}" }
                        span { class: "nowrap", {launch.destination.title()} }
                    }
                    div { class: "launch-by",
                        span {
                            "{launch.rocket_name} by {launch.supplier_name}, booking "
                            span { class: "num", {booking.reference.clone()} }
                        }
                        BookingPill { status: booking.status }
                        if !matches!(launch.status, Status::Scheduled | Status::Confirmed) {
                            LaunchPill { status: launch.status, detail: status_detail(&launch) }
                        }
                    }
                }
            }
        }
        main { class: "page split", id: "content",
            div { class: "stack",
                if trip.stale {
                    Stale {}
                }
                if let Some(words) = done() {
                    Notice { kind: NoticeKind::Good, id: "done", {words} }
                }
                if booking.cancelled_by == Some(CancelledBy::Abort) {
                    Notice { kind: NoticeKind::Warn, "The launch was aborted, so this booking was cancelled and everything paid goes back to you." }
                }
                if unpaid {
                    Notice { kind: NoticeKind::Warn,
                        "These seats are kept for you but not paid yet. "
                        Link { class: "text", to: Route::Book { launch: launch.slug.to_string(), booking: booking.id.to_string() }, "Go on booking" }
                    }
                }
                section { class: "card padded",
                    h2 { class: "section-title", "Passengers" }
                    if booking.passengers.is_empty() {
                        p { class: "muted", "{format::seats(&booking.seats)}; nobody was named." }
                    } else {
                        ul { class: "passes",
                            for passenger in booking.passengers.iter() {
                                li { key: "{passenger.seat}", class: "pass", "data-state": if booking.seats.contains(&passenger.seat) { "on" } else { "off" },
                                    span { class: "pass-seat num", {passenger.seat.to_string()} }
                                    span {
                                        b { {passenger.name.clone()} }
                                        if let Some(born) = passenger.born {
                                            span { class: "muted small", "{passenger.email}, born {format::day(born.into())}" }
                                        }
                                    }
                                    if cancellable && booking.seats.len() > 1 && booking.seats.contains(&passenger.seat) {
                                        button {
                                            class: "plain small",
                                            id: "give-up-{passenger.seat}",
                                            r#type: "button",
                                            "aria-label": "Cancel this seat, {passenger.seat} of {passenger.name}",
                                            onclick: {
                                                let seat = passenger.seat;
                                                move |_| asked.set(Asked::One(seat))
                                            },
                                            "Cancel this seat"
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                MoneySection { booking: booking.clone() }
                section { class: "card padded",
                    h2 { class: "section-title", "What has happened" }
                    Timeline { steps: steps(&booking) }
                }
            }
            aside { class: "card panel", "aria-label": "Booking",
                h2 { class: "panel-title", "Booking " span { class: "num", {booking.reference.clone()} } }
                dl { class: "sum",
                    dt { "Paid" }
                    dd { class: "num", {exact(booking.paid)} }
                    dt { "Refunded" }
                    dd { class: "num", {exact(booking.refunded)} }
                    dt { class: "total", "Net" }
                    dd { class: "num total", {exact(booking.paid.minus(booking.refunded))} }
                }
                if cancellable {
                    Terms { terms: booking.terms.clone(), departure: launch.departure.clone() }
                    div { class: "panel-actions", id: "give-up-all",
                        Button { kind: ButtonKind::Danger, onclick: move |_| asked.set(Asked::All), "Cancel the booking" }
                    }
                }
                Link { class: "btn", "data-kind": "quiet", "data-wide": "true", to: launch_address(&launch.slug, ""), "The launch" }
            }
        }
        if asked() != Asked::Nothing {
            CancelDialog {
                launch: launch.slug.to_string(),
                booking: booking.id.to_string(),
                seat: match asked() { Asked::One(seat) => Some(seat), Asked::All | Asked::Nothing => None },
                back_to: match asked() { Asked::One(seat) => format!("give-up-{seat}"), Asked::All | Asked::Nothing => "give-up-all".to_owned() },
                onclose: Callback::new(move |()| asked.set(Asked::Nothing)),
                ondone: Callback::new(move |words: String| {
                    asked.set(Asked::Nothing);
                    done.set(Some(words));
                    reload.call(());
                }),
            }
        }
    }
}

/// By the viewer's own clock: what happened to the booking happened to them. The page is drawn in the browser only.
fn own_time(at: jiff::Timestamp) -> String {
    format::moment(format::civil(at, browser::viewer_offset_minutes(at).unwrap_or(0)))
}

#[component]
fn MoneySection(booking: Booking) -> Element {
    rsx! {
        section { class: "card padded",
            h2 { class: "section-title", "Payments and refunds" }
            if booking.payments.is_empty() && booking.refunds.is_empty() {
                p { class: "muted", "Nothing was paid." }
            } else {
                div { class: "scroll",
                    table { class: "money",
                        thead {
                            tr {
                                th { scope: "col", "When" }
                                th { scope: "col", "What" }
                                th { scope: "col", "State" }
                                th { scope: "col", class: "r", "Amount, USD" }
                            }
                        }
                        tbody {
                            for payment in booking.payments.iter() {
                                PaymentLine { key: "{payment.id}", payment: payment.clone() }
                            }
                            for refund in booking.refunds.iter() {
                                RefundLine { key: "{refund.id}", refund: refund.clone() }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[component]
fn PaymentLine(payment: Payment) -> Element {
    let Payment { amount, card, state, at, reason, .. } = payment;
    let (shown, word) = match state {
        PaymentState::Captured => ("Paid", "captured"),
        PaymentState::Declined => ("Declined", "declined"),
        PaymentState::Initiated => ("Waiting for the provider", "initiated"),
    };
    rsx! {
        tr {
            td { class: "num small", {own_time(at)} }
            td { "Payment, {card}" }
            td {
                {shown}
                if !reason.is_empty() {
                    span { class: "muted small", ": {reason.replace('_', \" \")}" }
                }
            }
            td { class: "r num", "data-state": word, {exact(amount).replace('$', "")} }
        }
    }
}

#[component]
fn RefundLine(refund: Refund) -> Element {
    let why = match refund.reason {
        RefundReason::Cancelled => "you cancelled",
        RefundReason::Aborted => "the launch was aborted",
        RefundReason::TooLate => "the payment came too late",
        RefundReason::PaidTwice => "it was paid twice",
    };
    let shown = match refund.state {
        RefundState::Paid => "Paid back",
        RefundState::Failed => "Being tried again",
        RefundState::Requested => "On its way",
    };
    rsx! {
        tr {
            td { class: "num small", {own_time(refund.at)} }
            td {
                "Refund"
                span { class: "muted small", ", {why}" }
            }
            td { {shown} }
            td { class: "r num", "\u{2212}{exact(refund.amount).replace('$', \"\")}" }
        }
    }
}

fn steps(booking: &Booking) -> Vec<Moment> {
    let tone = |event: &str| match event {
        "booking_confirmed" | "confirmed" | "payment_captured" | "refund_paid" | "launched" => "good",
        "hold_expired" | "payment_declined" | "delayed" | "passenger_cancelled" | "viability_warned" => "warn",
        "booking_cancelled" | "aborted" | "failed" | "refund_failed" => "bad",
        _ => "",
    };
    let step = |step: &contract::booking::Step| Moment {
        title: step.title.clone(),
        when: own_time(step.at),
        text: step.text.clone(),
        tone: tone(&step.event),
    };
    booking.timeline.iter().rev().map(step).collect()
}
