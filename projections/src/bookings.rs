//! The bookings view: one document for each booking, with its timeline. What happens to the launch as a whole is joined when it is read.

use crate::{
    Closed, Column, Recorded, Unfit, View,
    departure::{spoken, spoken_day},
    launches::LaunchDocument,
    words::{token, tokens},
};
use contract::{
    BookingId, CancelledBy, Money, RefundReason, Seat, Status,
    booking::{Booking, BookingStatus, Payment, Refund, Step, Term, Trip},
};
use domain::{
    AnyEvent, Decider,
    booking::{Basis, PaymentState, RefundState},
    launch::{Event, Launch},
    passenger::SealedPassenger,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many steps a booking shows; the first and the latest stay.
const TIMELINE_MAX: usize = 200;
/// How many blind words of its passengers a booking is found by.
const BLIND_MAX: usize = 100;
/// Steps of a booking are told in UTC: a booking does not know its launch's zone.
const ZONE: &str = "UTC";

/// Which booking an event is about.
fn subject(event: &Event) -> Option<BookingId> {
    match event {
        Event::SeatsHeld { booking, .. }
        | Event::HoldExpired { booking, .. }
        | Event::PassengersNamed { booking, .. }
        | Event::PaymentInitiated { booking, .. }
        | Event::PaymentCaptured { booking, .. }
        | Event::PaymentDeclined { booking, .. }
        | Event::BookingConfirmed { booking, .. }
        | Event::BookingCancelled { booking, .. }
        | Event::PassengerCancelled { booking, .. }
        | Event::RefundRequested { booking, .. }
        | Event::RefundPaid { booking, .. }
        | Event::RefundFailed { booking, .. } => Some(*booking),
        Event::Scheduled { .. }
        | Event::Repriced { .. }
        | Event::Delayed { .. }
        | Event::Confirmed { .. }
        | Event::ViabilityWarned { .. }
        | Event::Aborted { .. }
        | Event::Launched { .. }
        | Event::Failed { .. } => None,
    }
}

/// A booking as the view keeps it: its list of passengers stays empty, and what stands for them is sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BookingDocument {
    /// All that is not personal.
    #[serde(flatten)]
    pub booking: Booking,
    /// Who sits where; empty until named.
    #[serde(default)]
    pub sealed: BTreeMap<Seat, SealedPassenger>,
}

impl BookingDocument {
    /// With what is shown of it, still closed.
    pub(crate) fn closed<T>(self, show: impl FnOnce(Booking) -> T) -> Closed<T> {
        let Self { booking, sealed } = self;
        Closed { customer: booking.customer, launch: booking.launch, booking: booking.id, shown: show(booking), sealed }
    }
}

impl View for BookingDocument {
    const NAME: &'static str = "bookings";
    const STREAM: &'static str = Launch::NAME;

    fn key(event: &Recorded) -> Option<String> {
        match &event.event {
            AnyEvent::Launch(launch) => subject(launch).map(|booking| booking.to_string()),
            _ => None,
        }
    }

    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit> {
        let AnyEvent::Launch(happened) = &event.event else { return Err(Unfit("not an event of a launch")) };
        let mut document = match (view, happened.as_ref()) {
            (None, Event::SeatsHeld { .. }) => Self { booking: held(event, happened)?, sealed: BTreeMap::new() },
            (None, _) => return Err(Unfit("the booking does not begin with a hold")),
            (Some(_), Event::SeatsHeld { .. }) => return Err(Unfit("the booking is already held")),
            (Some(mut document), _) => {
                change(&mut document, happened)?;
                document
            }
        };
        let booking = &mut document.booking;
        if let Some((at, title, text)) = told(booking, happened) {
            let step = Step { at, event: event.envelope.event_type.clone(), title: title.to_owned(), text, position: event.position() };
            booking.timeline.push(step);
            if booking.timeline.len() > TIMELINE_MAX {
                booking.timeline.remove(1);
            }
        }
        booking.position = event.position();
        Ok(document)
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        let Self { booking, sealed } = self;
        let blind: BTreeSet<String> = sealed.values().flat_map(|passenger| &passenger.finds).map(token).collect();
        vec![
            ("customer", Column::Text(booking.customer.to_string())),
            ("launch", Column::Text(booking.launch.to_string())),
            ("status", status_word(booking.status).into()),
            ("seats", Column::Number(booking.seats.len().try_into().unwrap_or(i64::MAX))),
            ("held_at", booking.held_at.into()),
            ("tokens", Column::Words(tokens([booking.reference.as_str()]).into_iter().chain(blind.into_iter().take(BLIND_MAX)).collect())),
        ]
    }
}

/// The stored word of a status.
#[must_use]
pub fn status_word(status: BookingStatus) -> &'static str {
    match status {
        BookingStatus::Held => "held",
        BookingStatus::Confirmed => "confirmed",
        BookingStatus::Expired => "expired",
        BookingStatus::Cancelled => "cancelled",
        BookingStatus::Flown => "flown",
    }
}

fn held(event: &Recorded, happened: &Event) -> Result<Booking, Unfit> {
    let Event::SeatsHeld { booking, customer, seats, price_each, expires_at, cancellation, at, .. } = happened else {
        return Err(Unfit("the booking does not begin with a hold"));
    };
    let terms = cancellation.numbers.tiers.iter().filter(|tier| tier.percent > 0);
    Ok(Booking {
        id: *booking,
        reference: booking.reference(),
        customer: *customer,
        launch: event.stream_id().parse().map_err(|_| Unfit("the stream id of a launch is a UUID"))?,
        status: BookingStatus::Held,
        seats: seats.iter().copied().collect(),
        passengers: Vec::new(),
        price_each: *price_each,
        total: price_each.times(seats.len()),
        paid: Money::ZERO,
        refunded: Money::ZERO,
        expires_at: Some(*expires_at),
        held_at: *at,
        confirmed_at: None,
        payments: Vec::new(),
        refunds: Vec::new(),
        terms: terms.map(|tier| Term { percent: tier.percent, days_before: tier.days_before }).collect(),
        timeline: Vec::new(),
        cancelled_by: None,
        position: event.position(),
    })
}

fn change(document: &mut BookingDocument, event: &Event) -> Result<(), Unfit> {
    let BookingDocument { booking, sealed } = document;
    match event {
        Event::HoldExpired { .. } => ends(booking, BookingStatus::Expired),
        Event::PassengersNamed { passengers, .. } => sealed.clone_from(passengers),
        Event::PaymentInitiated { payment, amount, card, at, .. } => booking.payments.push(Payment {
            id: *payment,
            amount: *amount,
            card: format!("{} {}", card.brand, card.last4),
            state: PaymentState::Initiated,
            at: *at,
            reason: String::new(),
        }),
        Event::PaymentCaptured { payment, amount, .. } => {
            let known = booking.payments.iter_mut().find(|known| known.id == *payment).ok_or(Unfit("the payment was not initiated"))?;
            known.state = PaymentState::Captured;
            booking.paid = booking.paid.plus(*amount);
        }
        Event::PaymentDeclined { payment, reason, .. } => {
            let known = booking.payments.iter_mut().find(|known| known.id == *payment).ok_or(Unfit("the payment was not initiated"))?;
            known.state = PaymentState::Declined;
            known.reason.clone_from(reason);
        }
        Event::BookingConfirmed { at, .. } => {
            ends(booking, BookingStatus::Confirmed);
            booking.confirmed_at = Some(*at);
        }
        Event::BookingCancelled { by, .. } => {
            ends(booking, BookingStatus::Cancelled);
            booking.cancelled_by = Some(*by);
        }
        Event::PassengerCancelled { seat, .. } => {
            booking.seats.retain(|kept| kept != seat);
            sealed.remove(seat);
            booking.total = booking.price_each.times(booking.seats.len());
        }
        Event::RefundRequested { refund, amount, reason, at, .. } => {
            booking.refunds.push(Refund { id: *refund, amount: *amount, reason: *reason, state: RefundState::Requested, at: *at });
            booking.refunded = booking.refunded.plus(*amount);
        }
        Event::RefundPaid { refund, .. } => refund_state(booking, *refund, RefundState::Paid)?,
        Event::RefundFailed { refund, .. } => refund_state(booking, *refund, RefundState::Failed)?,
        Event::SeatsHeld { .. }
        | Event::Scheduled { .. }
        | Event::Repriced { .. }
        | Event::Delayed { .. }
        | Event::Confirmed { .. }
        | Event::ViabilityWarned { .. }
        | Event::Aborted { .. }
        | Event::Launched { .. }
        | Event::Failed { .. } => {}
    }
    Ok(())
}

/// It is held no more.
fn ends(booking: &mut Booking, status: BookingStatus) {
    booking.status = status;
    booking.expires_at = None;
}

fn refund_state(booking: &mut Booking, refund: contract::RefundId, state: RefundState) -> Result<(), Unfit> {
    let known = booking.refunds.iter_mut().find(|known| known.id == refund).ok_or(Unfit("the refund was not requested"))?;
    known.state = state;
    Ok(())
}

/// The step of the timeline that tells the event, with the booking as it is after it.
fn told(booking: &Booking, event: &Event) -> Option<(Timestamp, &'static str, String)> {
    Some(match event {
        Event::SeatsHeld { seats, price_each, expires_at, at, .. } => (
            *at,
            "Seats held",
            format!("{} kept for you until {} at {price_each} each.", subject_of(seats.iter()), spoken(*expires_at, ZONE)),
        ),
        Event::HoldExpired { seats, at, .. } => {
            (*at, "Hold ended", format!("It was not paid in time, so {} free again.", lower(&subject_of(seats.iter()))))
        }
        Event::PassengersNamed { passengers, at, .. } => (*at, "Passengers named", format!("{} on board.", people(passengers.len()))),
        Event::PaymentInitiated { amount, card, at, .. } => {
            (*at, "Payment started", format!("{amount} with {} ending in {}.", card.brand, card.last4))
        }
        Event::PaymentCaptured { amount, at, .. } => (*at, "Payment received", format!("We received {amount}.")),
        Event::PaymentDeclined { reason, at, .. } => {
            (*at, "Payment declined", format!("The card was declined ({}). Nothing was charged.", reason.replace('_', " ")))
        }
        Event::BookingConfirmed { seats, total, at, .. } => {
            (*at, "Booking confirmed", format!("{} yours, paid with {total}.", subject_of(seats.iter())))
        }
        Event::BookingCancelled { by, percent, refund, basis, at, .. } => {
            let text = match by {
                CancelledBy::Abort if refund.is_positive() => format!("The launch was aborted. {refund} goes back to you, in full."),
                CancelledBy::Abort => "The launch was aborted. Nothing had been paid.".to_owned(),
                CancelledBy::Customer => format!("You cancelled the booking. {}", back(*percent, *refund, basis)),
            };
            (*at, "Booking cancelled", text)
        }
        Event::PassengerCancelled { seat, percent, refund, basis, at, .. } => {
            (*at, "Passenger cancelled", format!("You gave up seat {seat}. {}", back(*percent, *refund, basis)))
        }
        Event::RefundRequested { amount, reason, at, .. } => {
            let why = match reason {
                RefundReason::Cancelled => "because you cancelled",
                RefundReason::Aborted => "because the launch was aborted",
                RefundReason::TooLate => "because the payment came after the hold had ended and the seats were gone",
                RefundReason::PaidTwice => "because the booking was already paid",
            };
            (*at, "Refund on its way", format!("{amount} goes back to your card, {why}."))
        }
        Event::RefundPaid { amount, at, .. } => (*at, "Refund paid", format!("{amount} is back on your card.")),
        Event::RefundFailed { refund, at, .. } => {
            let amount = booking.refunds.iter().find(|known| known.id == *refund).map_or(Money::ZERO, |known| known.amount);
            (*at, "Refund delayed", format!("The payment provider did not take the refund of {amount}. We try again by ourselves."))
        }
        Event::Scheduled { .. }
        | Event::Repriced { .. }
        | Event::Delayed { .. }
        | Event::Confirmed { .. }
        | Event::ViabilityWarned { .. }
        | Event::Aborted { .. }
        | Event::Launched { .. }
        | Event::Failed { .. } => return None,
    })
}

/// `Seat 2C is` or `Seats 2C and 2D are`
fn subject_of<'a>(seats: impl ExactSizeIterator<Item = &'a Seat>) -> String {
    let labels: Vec<String> = seats.map(ToString::to_string).collect();
    match labels.split_last() {
        None => "No seat is".to_owned(),
        Some((one, [])) => format!("Seat {one} is"),
        Some((last, others)) => format!("Seats {} and {last} are", others.join(", ")),
    }
}

fn lower(sentence: &str) -> String {
    sentence.to_lowercase().chars().take(1).chain(sentence.chars().skip(1)).collect()
}

fn people(n: usize) -> String {
    if n == 1 { "1 passenger".to_owned() } else { format!("{n} passengers") }
}

/// What cancelling gives back, and why.
fn back(percent: u8, refund: Money, basis: &Basis) -> String {
    match basis {
        Basis::Unpaid => "Nothing had been paid.".to_owned(),
        Basis::Aborted => format!("The launch was aborted, so {refund} goes back to you."),
        Basis::Delayed { free_until } => {
            format!("The launch had been moved, so until {} all of it goes back to you: {refund}.", spoken_day(*free_until, ZONE))
        }
        Basis::TimeLeft { days } if percent == 0 => format!("With {days} days left before launch nothing is given back."),
        Basis::TimeLeft { days } => format!("With {days} days left before launch {percent} % goes back to you: {refund}."),
    }
}

/// A booking with its launch: its status as the launch's makes it, and what happened to the launch since, in the timeline.
#[must_use]
pub(crate) fn trip(document: BookingDocument, launch: LaunchDocument) -> Closed<Trip> {
    document.closed(|booking| with_launch(booking, launch))
}

fn with_launch(mut booking: Booking, launch: LaunchDocument) -> Trip {
    let ended = match booking.status {
        BookingStatus::Expired | BookingStatus::Cancelled => {
            let end = |step: &&Step| matches!(step.event.as_str(), "hold_expired" | "booking_cancelled");
            booking.timeline.iter().rev().find(end).map_or(booking.position, |step| step.position)
        }
        BookingStatus::Held | BookingStatus::Confirmed | BookingStatus::Flown => u64::MAX,
    };
    let begun = booking.timeline.first().map_or(0, |step| step.position);
    let LaunchDocument { page, marks, .. } = launch;
    let of_launch = page.history.into_iter().zip(marks).filter(|(happening, mark)| {
        let told = matches!(happening.event.as_str(), "delayed" | "confirmed" | "aborted" | "launched" | "failed");
        told && (begun..ended).contains(mark)
    });
    booking.timeline.extend(of_launch.map(|(happening, position)| Step {
        at: happening.at,
        event: happening.event,
        title: format!("Launch: {}", lower(&happening.title)),
        text: happening.text,
        position,
    }));
    booking.timeline.sort_by_key(|step| step.position);
    booking.status = seen(booking.status, page.card.status);
    Trip { booking, launch: page.card, stale: false }
}

/// The status of a booking on a launch.
#[must_use]
pub(crate) fn seen(status: BookingStatus, launch: Status) -> BookingStatus {
    match (status, launch) {
        (BookingStatus::Confirmed, Status::Launched) => BookingStatus::Flown,
        (status, _) => status,
    }
}
