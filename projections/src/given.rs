//! Test support: given events, then a document.

use crate::{Recorded, Unfit, View};
use domain::{
    AnyEvent, Decider, Money, Named,
    booking::Card,
    id::{BookingId, CustomerId, LaunchId, PaymentId, RefundId, RocketId, SpaceportId, SupplierId},
    launch::{Event, Plan},
    passenger::SealedPassenger,
    policy::Policies,
    rocket::Destination,
    sealed::{Blind, Sealed},
    seat::{Cabin, Seat},
    text::Line,
};
use jiff::{SignedDuration, Timestamp};
use nats::Envelope;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(crate) const LAUNCH: LaunchId = LaunchId(Uuid::from_u128(0x1A));
pub(crate) const SUPPLIER: SupplierId = SupplierId(Uuid::from_u128(0x5));
pub(crate) const ANN: CustomerId = CustomerId(Uuid::from_u128(0xA));
pub(crate) const PRICE: Money = Money::dollars(1_000_000);

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
pub(crate) fn now() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}
pub(crate) fn departure() -> Timestamp {
    at("2028-06-15T12:00:00Z")
}
pub(crate) fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}
pub(crate) fn seats(labels: &str) -> BTreeSet<Seat> {
    labels.split_whitespace().map(|label| label.parse().unwrap()).collect()
}
pub(crate) fn booking(n: u128) -> BookingId {
    BookingId(Uuid::from_u128(n))
}
pub(crate) fn payment(n: u128) -> PaymentId {
    PaymentId(Uuid::from_u128(n))
}
pub(crate) fn refund(n: u128) -> RefundId {
    RefundId(Uuid::from_u128(n))
}
pub(crate) fn card() -> Card {
    Card { brand: "visa".into(), last4: "4242".into() }
}
pub(crate) fn passengers(labels: &str) -> BTreeMap<Seat, SealedPassenger> {
    let passenger = SealedPassenger { sealed: Sealed::from_text("x1:AAAA".into()), finds: vec![Blind::from_text("00ff".into())] };
    seats(labels).into_iter().map(|seat| (seat, passenger.clone())).collect()
}

/// Six rows of four, the last one blocked: 20 seats to sell.
pub(crate) fn plan() -> Plan {
    Plan {
        slug: "atlas-v-551-cape-canaveral-low-earth-2028-06-15".parse().unwrap(),
        supplier: SUPPLIER,
        supplier_name: line("Starway"),
        rocket: RocketId(Uuid::from_u128(0x20)),
        rocket_name: line("Atlas V 551"),
        range: Destination::Station,
        cabin: Cabin::new(6, 4, seats("6A 6B 6C 6D")).unwrap(),
        spaceport: SpaceportId(Uuid::from_u128(0x30)),
        spaceport_name: line("Cape Canaveral"),
        zone: line("America/New_York"),
        latitude: 28.5,
        longitude: -80.5,
        destination: Destination::LowEarth,
        departs_at: departure(),
        price: PRICE,
        minimum_seats: 3,
        mission: Some(line("Étoile")),
    }
}
pub(crate) fn scheduled() -> Event {
    Event::Scheduled { plan: Box::new(plan()), viability_reviews: vec![], policy_version: 0, at: now() }
}
pub(crate) fn held(n: u128, labels: &str) -> Event {
    let expires_at = now() + SignedDuration::from_mins(15);
    Event::SeatsHeld {
        booking: booking(n),
        customer: ANN,
        seats: seats(labels),
        price_each: PRICE,
        expires_at,
        release_at: expires_at + SignedDuration::from_mins(5),
        seat_limit_version: 0,
        hold_version: 0,
        cancellation: Policies::default().cancellation,
        at: now(),
    }
}
pub(crate) fn initiated(n: u128, amount: Money) -> Event {
    Event::PaymentInitiated { booking: booking(n), payment: payment(n), amount, card: card(), at: now() }
}
pub(crate) fn captured(n: u128, amount: Money) -> Event {
    Event::PaymentCaptured { booking: booking(n), payment: payment(n), amount, reference: "r".into(), at: now() }
}
pub(crate) fn confirmed(n: u128, labels: &str) -> Event {
    let seats = seats(labels);
    Event::BookingConfirmed { booking: booking(n), customer: ANN, total: PRICE.times(seats.len()), seats, at: now() }
}

/// An event as recorded at `position`, the `sequence`-th of its stream.
pub(crate) fn recorded(stream_type: &str, stream_id: Uuid, position: u64, event: AnyEvent) -> Recorded {
    let name = match &event {
        AnyEvent::Supplier(event) => event.name(),
        AnyEvent::Spaceport(event) => event.name(),
        AnyEvent::Rocket(event) => event.name(),
        AnyEvent::Slug(event) => event.name(),
        AnyEvent::Launch(event) => event.name(),
        AnyEvent::Customer(event) => event.name(),
        AnyEvent::Policy(event) => event.name(),
    };
    let envelope = Envelope {
        position,
        event_id: Uuid::from_u128(position.into()),
        stream_type: stream_type.to_owned(),
        stream_id: stream_id.to_string(),
        sequence: position,
        event_type: name.to_owned(),
        event_version: 1,
        recorded_at: now(),
        command_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        causation_id: None,
        actor: "system".to_owned(),
        payload: serde_json::value::RawValue::from_string("null".to_owned()).unwrap(),
    };
    Recorded { envelope, event }
}

/// The events of the one launch, from position 1 on.
pub(crate) fn of_launch(events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    let record = |(position, event)| recorded(domain::launch::Launch::NAME, LAUNCH.0, position, AnyEvent::Launch(Box::new(event)));
    (1..).zip(events).map(record).collect()
}

/// Folds the events into the document `id`.
pub(crate) fn folded<V: View>(events: &[Recorded], id: &str) -> Result<Option<V>, Unfit> {
    let mine = events.iter().filter(|event| V::key(event).as_deref() == Some(id));
    mine.into_iter().try_fold(None, |view, event| V::project(view, event).map(Some))
}
