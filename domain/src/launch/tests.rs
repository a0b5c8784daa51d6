//! What a launch promises, in sentences. Random sequences are left to `properties`.
#![allow(clippy::unwrap_used)]

mod aborting;
mod cancelling;
mod delaying;
mod ending;
mod holding;
mod paying;
mod scheduling;
mod seating;
mod viability;

use super::*;
use crate::{
    policy::{self, Numbers},
    sealed::{Blind, Sealed},
    spec::{Outcome, given},
};
use jiff::civil::Date;
use uuid::Uuid;

/// Two years and a half before [`DEPARTURE`].
pub(super) const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01T00:00:00Z
/// Noon of 15 June 2028.
pub(super) const DEPARTURE: Timestamp = Timestamp::constant(1_844_683_200, 0);
pub(super) const PRICE: Money = Money::dollars(1_000_000);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const ANN: CustomerId = CustomerId(Uuid::from_u128(0xA));
const BOB: CustomerId = CustomerId(Uuid::from_u128(0xB));
const CEM: CustomerId = CustomerId(Uuid::from_u128(0xC));
const LAUNCH_IDS: Uuid = Uuid::from_u128(0x1A);

#[test]
fn the_calendar_of_these_tests_is_right() {
    assert_eq!(NOW.to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(DEPARTURE.to_string(), "2028-06-15T12:00:00Z");
}

pub(super) fn booking(n: u32) -> BookingId {
    BookingId(Uuid::from_u128(n.into()))
}
pub(super) fn payment(n: u32) -> PaymentId {
    PaymentId(Uuid::from_u128(n.into()))
}
pub(super) fn refund(n: u32) -> RefundId {
    RefundId(Uuid::from_u128(n.into()))
}
/// The refund the rules ask for by themselves when a payment cannot be kept.
fn not_kept(of: u32) -> RefundId {
    RefundId::derived(payment(of).0, "not kept")
}
pub(super) fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}
pub(super) fn seat(label: &str) -> Seat {
    label.parse().unwrap()
}
/// `1A 1B`.
pub(super) fn seats(labels: &str) -> BTreeSet<Seat> {
    labels.split_whitespace().map(seat).collect()
}
pub(super) fn card() -> Card {
    Card { brand: "visa".into(), last4: "4242".into() }
}
/// One of that day; which, the rules cannot see, so the day stands for the person.
pub(super) fn born(day: &str) -> NamedPassenger {
    let details = SealedPassenger { sealed: Sealed::from_text(format!("x1:{day}")), finds: vec![Blind::from_text("00".to_owned())] };
    NamedPassenger { born: day.parse::<Date>().unwrap(), details }
}
fn passengers(labels: &str) -> BTreeMap<Seat, NamedPassenger> {
    seats(labels).into_iter().map(|seat| (seat, born("1990-05-01"))).collect()
}
fn kept(passengers: BTreeMap<Seat, NamedPassenger>) -> BTreeMap<Seat, SealedPassenger> {
    passengers.into_iter().map(|(seat, passenger)| (seat, passenger.details)).collect()
}
fn before_departure(days: u16) -> Timestamp {
    earlier(DEPARTURE, policy::days(days))
}

/// Six rows of four, the last one blocked: 20 seats to sell, of which 20 % are 4.
pub(super) fn plan() -> Plan {
    Plan {
        slug: "atlas-v-551-cape-canaveral-low-earth-2028-06-15".parse().unwrap(),
        supplier: SupplierId::derived(LAUNCH_IDS, "supplier"),
        supplier_name: line("Starway"),
        rocket: RocketId::derived(LAUNCH_IDS, "rocket"),
        rocket_name: line("Atlas V 551"),
        range: Destination::Station,
        cabin: Cabin::new(6, 4, seats("6A 6B 6C 6D")).unwrap(),
        spaceport: SpaceportId::derived(LAUNCH_IDS, "spaceport"),
        spaceport_name: line("Cape Canaveral"),
        zone: line("America/New_York"),
        latitude: 28.5,
        longitude: -80.5,
        destination: Destination::LowEarth,
        departs_at: DEPARTURE,
        price: PRICE,
        minimum_seats: 3,
        mission: None,
    }
}
pub(super) fn founding() -> Box<Policies> {
    Box::default()
}
/// The founding policies, with these published as version 1.
fn published(numbers: Numbers) -> Box<Policies> {
    let mut policies = Policies::default();
    policies.put(1, &numbers);
    Box::new(policies)
}

/// What has happened so far; grows sentence by sentence.
#[derive(Clone)]
struct Past {
    events: Vec<Event>,
    now: Timestamp,
    price: Money,
}

fn nothing_yet() -> Past {
    Past { events: vec![], now: NOW, price: PRICE }
}
fn on_sale() -> Past {
    on_sale_as(plan())
}
fn on_sale_as(plan: Plan) -> Past {
    nothing_yet().then(Event::Scheduled {
        viability_reviews: reviews(plan.departs_at, &Policies::default().viability.numbers, NOW),
        plan: Box::new(plan),
        policy_version: 0,
        at: NOW,
    })
}

impl Past {
    fn then(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
    /// What follows happens at `now`.
    fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }
    fn held(self, n: u32, customer: CustomerId, labels: &str) -> Self {
        let event = seats_held(n, customer, labels, self.price, self.now);
        self.then(event)
    }
    fn named(self, n: u32, labels: &str) -> Self {
        let at = self.now;
        self.then(Event::PassengersNamed { booking: booking(n), passengers: kept(passengers(labels)), policy_version: 0, at })
    }
    /// Payment `n` of booking `n`.
    fn paying(self, n: u32, labels: &str) -> Self {
        let (amount, at) = (self.price.times(seats(labels).len()), self.now);
        self.then(Event::PaymentInitiated { booking: booking(n), payment: payment(n), amount, card: card(), at })
    }
    fn expired(self, n: u32, customer: CustomerId, labels: &str) -> Self {
        let at = self.now;
        self.then(Event::HoldExpired { booking: booking(n), customer, seats: seats(labels), at })
    }
    fn ready_to_pay(self, n: u32, customer: CustomerId, labels: &str) -> Self {
        self.held(n, customer, labels).named(n, labels).paying(n, labels)
    }
    fn booked(self, n: u32, customer: CustomerId, labels: &str) -> Self {
        let past = self.ready_to_pay(n, customer, labels);
        let (captured, confirmed) = (captured(n, labels, past.now), confirmed(n, customer, labels, past.now));
        past.then(captured).then(confirmed)
    }
    fn confirmed(self, sold: u16) -> Self {
        let at = self.now;
        self.then(Event::Confirmed { sold, at })
    }
    fn delayed_to(self, departs_at: Timestamp) -> Self {
        let now = self.now;
        let events = given::<Launch>(self.events.clone()).0.decide(&delay(departs_at, now)).unwrap();
        events.into_iter().fold(self, Self::then)
    }
    fn aborted(self) -> Self {
        let at = self.now;
        self.then(Event::Aborted { reason: AbortReason::Technical, fee: Money::dollars(1_000), policy_version: 0, at })
    }
    fn launched(self) -> Self {
        let at = self.now;
        self.then(Event::Launched { at })
    }
    /// Decided and applied.
    fn after(self, command: Command) -> Self {
        let events = given::<Launch>(self.events.clone()).0.decide(&command).unwrap();
        events.into_iter().fold(self, Self::then)
    }
    fn launch(&self) -> Launch {
        given::<Launch>(self.events.clone()).0
    }
    fn manifest(&self) -> Manifest {
        self.launch().manifest().unwrap().clone()
    }
    fn when(self, command: Command) -> Outcome<Event, Refusal> {
        given::<Launch>(self.events).when(command)
    }
}

pub(super) fn seats_held(n: u32, customer: CustomerId, labels: &str, price_each: Money, at: Timestamp) -> Event {
    Event::SeatsHeld {
        booking: booking(n),
        customer,
        seats: seats(labels),
        price_each,
        expires_at: later(at, MINUTE * 15),
        release_at: later(at, MINUTE * 20),
        seat_limit_version: 0,
        hold_version: 0,
        cancellation: Policies::default().cancellation,
        at,
    }
}
fn captured(n: u32, labels: &str, at: Timestamp) -> Event {
    let amount = PRICE.times(seats(labels).len());
    Event::PaymentCaptured { booking: booking(n), payment: payment(n), amount, reference: "ch_1".into(), at }
}
fn confirmed(n: u32, customer: CustomerId, labels: &str, at: Timestamp) -> Event {
    let total = PRICE.times(seats(labels).len());
    Event::BookingConfirmed { booking: booking(n), customer, seats: seats(labels), total, at }
}
fn refund_of(n: u32, id: RefundId, amount: Money, reason: RefundReason, at: Timestamp) -> Event {
    Event::RefundRequested { booking: booking(n), refund: id, payment: payment(n), amount, reason, at }
}

fn schedule(plan: Plan, now: Timestamp) -> Command {
    schedule_under(founding(), plan, now)
}
fn schedule_under(policies: Box<Policies>, plan: Plan, now: Timestamp) -> Command {
    Command::Schedule { plan: Box::new(plan), retired: false, neighbours: vec![], policies, now }
}
fn reprice(price: Money, now: Timestamp) -> Command {
    Command::Reprice { price, now }
}
fn delay(departs_at: Timestamp, now: Timestamp) -> Command {
    Command::Delay { departs_at, reason: line("High winds"), neighbours: vec![], policies: founding(), now }
}
fn abort(now: Timestamp) -> Command {
    Command::Abort { reason: AbortReason::Technical, policies: founding(), now }
}
fn review(now: Timestamp) -> Command {
    Command::ReviewViability { policies: founding(), now }
}
fn mark_launched(now: Timestamp) -> Command {
    Command::MarkLaunched { now }
}
fn mark_failed(now: Timestamp) -> Command {
    Command::MarkFailed { reason: line("Engine fire"), now }
}
fn hold(n: u32, customer: CustomerId, labels: &str, now: Timestamp) -> Command {
    hold_under(founding(), n, customer, labels, now)
}
fn hold_under(policies: Box<Policies>, n: u32, customer: CustomerId, labels: &str, now: Timestamp) -> Command {
    Command::Hold { booking: booking(n), customer, vip: false, seats: seats(labels), policies, now }
}
fn hold_as_vip(n: u32, customer: CustomerId, labels: &str, now: Timestamp) -> Command {
    Command::Hold { booking: booking(n), customer, vip: true, seats: seats(labels), policies: founding(), now }
}
fn expire(n: u32, now: Timestamp) -> Command {
    Command::ExpireHold { booking: booking(n), now }
}
fn name(n: u32, customer: CustomerId, passengers: BTreeMap<Seat, NamedPassenger>, now: Timestamp) -> Command {
    Command::NamePassengers { booking: booking(n), customer, passengers, policies: founding(), now }
}
fn pay(n: u32, customer: CustomerId, by: u32, now: Timestamp) -> Command {
    Command::InitiatePayment { booking: booking(n), customer, payment: payment(by), card: card(), now }
}
fn capture(n: u32, by: u32, now: Timestamp) -> Command {
    Command::CapturePayment { booking: booking(n), payment: payment(by), reference: "ch_1".into(), now }
}
fn decline(n: u32, by: u32, now: Timestamp) -> Command {
    Command::DeclinePayment { booking: booking(n), payment: payment(by), reason: "insufficient_funds".into(), now }
}
fn cancel(n: u32, customer: CustomerId, quoted: Money, now: Timestamp) -> Command {
    Command::CancelBooking { booking: booking(n), customer, refund: refund(n), quoted, now }
}
fn cancel_seat(n: u32, customer: CustomerId, label: &str, quoted: Money, now: Timestamp) -> Command {
    let refund = RefundId::derived(booking(n).0, label);
    Command::CancelPassenger { booking: booking(n), customer, seat: seat(label), refund, quoted, now }
}
fn cancel_for_abort(n: u32, now: Timestamp) -> Command {
    Command::CancelForAbort { booking: booking(n), refund: refund(n), now }
}
fn settle(n: u32, id: RefundId, now: Timestamp) -> Command {
    Command::SettleRefund { booking: booking(n), refund: id, reference: "re_1".into(), now }
}
fn fail(n: u32, id: RefundId, now: Timestamp) -> Command {
    Command::FailRefund { booking: booking(n), refund: id, reason: "unreachable".into(), now }
}
