//! A launch: one stream and one serialization point for its seats, holds, bookings, payments and refunds.
//! Talking to the payment provider, mail and clocks is left to the scheduler.

use crate::{
    Decider, Money, Named, Timer,
    booking::{Basis, Booking, Card, Delay, Payment, PaymentState, Quote, Refund, RefundState, Stage},
    id::{BookingId, CustomerId, LaunchId, PaymentId, RefundId, RocketId, SpaceportId, SupplierId},
    passenger::{NamedPassenger, Passenger, SealedPassenger},
    policy::{Policies, Viability, days},
    rocket::Destination,
    seat::{Cabin, Seat},
    slug::Slug,
    text::Line,
    upcast::{OldForm, Step},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The timer that ends a hold.
pub const EXPIRE_HOLD: &str = "expire_hold";
/// The timer that looks whether enough seats are sold.
pub const REVIEW_VIABILITY: &str = "review_viability";

/// Everything a launch is scheduled with, complete: readers need no other stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its readable address.
    pub slug: Slug,
    /// Who flies it.
    pub supplier: SupplierId,
    /// Who, as shown.
    pub supplier_name: Line,
    /// With what.
    pub rocket: RocketId,
    /// With what, as shown.
    pub rocket_name: Line,
    /// How far that goes.
    pub range: Destination,
    /// Its seats, as they are on this launch.
    pub cabin: Cabin,
    /// From where.
    pub spaceport: SpaceportId,
    /// From where, as shown.
    pub spaceport_name: Line,
    /// The spaceport's IANA time zone.
    pub zone: Line,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// To where.
    pub destination: Destination,
    /// When, UTC.
    pub departs_at: Timestamp,
    /// For each seat.
    pub price: Money,
    /// Seats to sell before the launch is confirmed.
    pub minimum_seats: u16,
    /// What it is called, where it has a name.
    pub mission: Option<Line>,
}

/// Why a launch was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AbortReason {
    /// The sky did not allow it.
    Weather,
    /// Something broke.
    Technical,
    /// It does not pay.
    Economic,
    /// Too few seats were sold.
    Viability,
}

/// Who gives a booking up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CancelledBy {
    /// The customer, at the quoted refund.
    Customer,
    /// The abort of the launch, in full.
    Abort,
}

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RefundReason {
    /// The customer cancelled.
    Cancelled,
    /// The launch was aborted.
    Aborted,
    /// The payment came after the hold and the seats were gone.
    TooLate,
    /// The booking was already paid.
    PaidTwice,
}

/// What may be asked of a launch.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // each field is named for what it holds
pub enum Command {
    /// Puts the launch on sale. `retired` says whether the rocket is; `neighbours` are the other departures of the rocket.
    Schedule { plan: Box<Plan>, retired: bool, neighbours: Vec<Timestamp>, policies: Box<Policies>, now: Timestamp },
    /// Changes the price for seats not yet held.
    Reprice { price: Money, now: Timestamp },
    /// Moves the launch to a later moment.
    Delay { departs_at: Timestamp, reason: Line, neighbours: Vec<Timestamp>, policies: Box<Policies>, now: Timestamp },
    /// Gives the launch up.
    Abort { reason: AbortReason, policies: Box<Policies>, now: Timestamp },
    /// Looks whether enough seats are sold: warns, or aborts when a warning was given in time.
    ReviewViability { policies: Box<Policies>, now: Timestamp },
    /// It flew.
    MarkLaunched { now: Timestamp },
    /// It did not survive.
    MarkFailed { reason: Line, now: Timestamp },
    /// Keeps seats for a customer while they pay.
    Hold { booking: BookingId, customer: CustomerId, vip: bool, seats: BTreeSet<Seat>, policies: Box<Policies>, now: Timestamp },
    /// Frees the seats of a hold nobody paid.
    ExpireHold { booking: BookingId, now: Timestamp },
    /// Says who sits where.
    NamePassengers {
        booking: BookingId,
        customer: CustomerId,
        passengers: BTreeMap<Seat, NamedPassenger>,
        policies: Box<Policies>,
        now: Timestamp,
    },
    /// Records that the provider is about to be asked.
    InitiatePayment { booking: BookingId, customer: CustomerId, payment: PaymentId, card: Card, now: Timestamp },
    /// Records that the provider has the money.
    CapturePayment { booking: BookingId, payment: PaymentId, reference: String, now: Timestamp },
    /// Records that the provider refused.
    DeclinePayment { booking: BookingId, payment: PaymentId, reason: String, now: Timestamp },
    /// Gives up a whole booking for the refund that was quoted.
    CancelBooking { booking: BookingId, customer: CustomerId, refund: RefundId, quoted: Money, now: Timestamp },
    /// Gives up one passenger's seat for the refund that was quoted.
    CancelPassenger { booking: BookingId, customer: CustomerId, seat: Seat, refund: RefundId, quoted: Money, now: Timestamp },
    /// Ends a booking of an aborted launch, in full.
    CancelForAbort { booking: BookingId, refund: RefundId, now: Timestamp },
    /// Records that money is back.
    SettleRefund { booking: BookingId, refund: RefundId, reference: String, now: Timestamp },
    /// Records that giving money back failed; it is tried again.
    FailRefund { booking: BookingId, refund: RefundId, reason: String, now: Timestamp },
}

/// What has happened to a launch. Stored forever: add variants, never edit them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs)] // each field is named for what it holds
pub enum Event {
    /// On sale.
    Scheduled { plan: Box<Plan>, viability_reviews: Vec<Timestamp>, policy_version: u32, at: Timestamp },
    /// Another price for seats not yet held.
    Repriced { price: Money, was: Money, at: Timestamp },
    /// Another moment.
    Delayed {
        departs_at: Timestamp,
        was: Timestamp,
        reason: Line,
        free_cancellation_until: Timestamp,
        viability_reviews: Vec<Timestamp>,
        policy_version: u32,
        at: Timestamp,
    },
    /// The minimum of seats is sold.
    Confirmed { sold: u16, at: Timestamp },
    /// Too few seats are sold; given up at `aborts_at` unless that changes.
    ViabilityWarned { sold: u16, needed: u16, aborts_at: Timestamp, policy_version: u32, at: Timestamp },
    /// Given up; the supplier is charged `fee`.
    Aborted { reason: AbortReason, fee: Money, policy_version: u32, at: Timestamp },
    /// It flew.
    Launched { at: Timestamp },
    /// It did not survive.
    Failed { reason: Line, at: Timestamp },
    /// Seats are kept for a customer.
    SeatsHeld {
        booking: BookingId,
        customer: CustomerId,
        seats: BTreeSet<Seat>,
        price_each: Money,
        expires_at: Timestamp,
        release_at: Timestamp,
        seat_limit_version: u32,
        hold_version: u32,
        cancellation: crate::policy::Versioned<crate::policy::Cancellation>,
        at: Timestamp,
    },
    /// The seats of an unpaid hold are free again.
    HoldExpired { booking: BookingId, customer: CustomerId, seats: BTreeSet<Seat>, at: Timestamp },
    /// Who sits where; sealed, so that only the vault can tell.
    PassengersNamed { booking: BookingId, passengers: BTreeMap<Seat, SealedPassenger>, policy_version: u32, at: Timestamp },
    /// The provider is asked for money.
    PaymentInitiated { booking: BookingId, payment: PaymentId, amount: Money, card: Card, at: Timestamp },
    /// The provider has the money.
    PaymentCaptured { booking: BookingId, payment: PaymentId, amount: Money, reference: String, at: Timestamp },
    /// The provider refused.
    PaymentDeclined { booking: BookingId, payment: PaymentId, reason: String, at: Timestamp },
    /// The seats are sold to the customer.
    BookingConfirmed { booking: BookingId, customer: CustomerId, seats: BTreeSet<Seat>, total: Money, at: Timestamp },
    /// A booking is given up; `freed` seats are on sale again.
    BookingCancelled {
        booking: BookingId,
        customer: CustomerId,
        by: CancelledBy,
        freed: BTreeSet<Seat>,
        percent: u8,
        refund: Money,
        basis: Basis,
        policy_version: u32,
        at: Timestamp,
    },
    /// One passenger's seat is given up.
    PassengerCancelled {
        booking: BookingId,
        customer: CustomerId,
        seat: Seat,
        freed: bool,
        percent: u8,
        refund: Money,
        basis: Basis,
        policy_version: u32,
        at: Timestamp,
    },
    /// Money is to go back.
    RefundRequested { booking: BookingId, refund: RefundId, payment: PaymentId, amount: Money, reason: RefundReason, at: Timestamp },
    /// Money is back.
    RefundPaid { booking: BookingId, refund: RefundId, amount: Money, reference: String, at: Timestamp },
    /// Giving money back failed; it is tried again.
    RefundFailed { booking: BookingId, refund: RefundId, reason: String, at: Timestamp },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Scheduled { .. } => "scheduled",
            Self::Repriced { .. } => "repriced",
            Self::Delayed { .. } => "delayed",
            Self::Confirmed { .. } => "confirmed",
            Self::ViabilityWarned { .. } => "viability_warned",
            Self::Aborted { .. } => "aborted",
            Self::Launched { .. } => "launched",
            Self::Failed { .. } => "failed",
            Self::SeatsHeld { .. } => "seats_held",
            Self::HoldExpired { .. } => "hold_expired",
            Self::PassengersNamed { .. } => "passengers_named",
            Self::PaymentInitiated { .. } => "payment_initiated",
            Self::PaymentCaptured { .. } => "payment_captured",
            Self::PaymentDeclined { .. } => "payment_declined",
            Self::BookingConfirmed { .. } => "booking_confirmed",
            Self::BookingCancelled { .. } => "booking_cancelled",
            Self::PassengerCancelled { .. } => "passenger_cancelled",
            Self::RefundRequested { .. } => "refund_requested",
            Self::RefundPaid { .. } => "refund_paid",
            Self::RefundFailed { .. } => "refund_failed",
        }
    }
    fn version(&self) -> u32 {
        match self {
            Self::PassengersNamed { .. } => 2,
            _ => 1,
        }
    }
}

/// Passengers in the open: before there was a vault.
#[derive(Deserialize)]
struct PassengersNamedV1 {
    booking: BookingId,
    passengers: BTreeMap<Seat, Passenger>,
    policy_version: u32,
    at: Timestamp,
}

impl OldForm<Event> for PassengersNamedV1 {
    const EVENT_TYPE: &'static str = "passengers_named";
    const VERSION: u32 = 1;
    fn upcast(self) -> Vec<Event> {
        let Self { booking, passengers, policy_version, at } = self;
        let passengers = passengers.iter().map(|(seat, passenger)| (*seat, SealedPassenger::plain(passenger))).collect();
        vec![Event::PassengersNamed { booking, passengers, policy_version, at }]
    }
}

/// Why a launch refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
#[allow(missing_docs)] // each field is named for what it holds
pub enum Refusal {
    #[error("the launch is already scheduled")]
    AlreadyScheduled,
    #[error("there is no such launch")]
    UnknownLaunch,
    #[error("a launch is scheduled at least {lead_days} day(s) ahead")]
    TooSoon { lead_days: u16, earliest: Timestamp },
    #[error("the rocket reaches {range:?}, not {destination:?}")]
    OutOfRange { range: Destination, destination: Destination },
    #[error("the rocket is retired")]
    RocketRetired,
    #[error("the rocket departs at {other} already and needs {turnaround_days} day(s) between launches")]
    TurnaroundTooShort { other: Timestamp, turnaround_days: u16 },
    #[error("the price must be more than nothing and at most {max}")]
    PriceOutOfRange { max: Money },
    #[error("the minimum must be 1 to {capacity} seats")]
    MinimumOutOfRange { capacity: u16 },
    #[error("a delay moves the launch to a later moment than {departs_at}")]
    NotLater { departs_at: Timestamp },
    #[error("the launch is {status}; nothing can be booked or changed on it")]
    NotOpen { status: Status },
    #[error("the launch has departed or is about to")]
    Departed,
    #[error("the launch has not departed yet")]
    NotDeparted,
    #[error("fewer than {minimum} seats are sold, so the launch is not confirmed")]
    NotConfirmed { minimum: u16 },
    #[error("choose at least one seat")]
    NoSeats,
    #[error("this cabin has no seat {seat} to sell")]
    NoSuchSeat { seat: Seat },
    #[error("{} just taken", list(seats))]
    SeatsTaken { seats: BTreeSet<Seat> },
    #[error("one customer may have {limit} seats on a launch and has {already}")]
    SeatLimitReached { limit: u8, already: u16 },
    #[error("the id of the booking, or of its payment or refund, is already used")]
    BookingIdUsed,
    #[error("there is no such booking")]
    UnknownBooking,
    #[error("the hold ended at {expired_at}; the seats are free again")]
    HoldExpired { expired_at: Timestamp },
    #[error("the hold lasts until {release_at}")]
    HoldNotOver { release_at: Timestamp },
    #[error("each of the seats {} needs one passenger", list(seats))]
    PassengersDoNotMatch { seats: BTreeSet<Seat> },
    #[error("the passenger of {seat} will be {age} on launch day; passengers are {from} to {to}")]
    AgeOutOfRange { seat: Seat, age: i16, from: u8, to: u8 },
    #[error("say who sits where before paying")]
    PassengersMissing,
    #[error("a payment is already on its way")]
    PaymentInFlight,
    #[error("the booking is {stage}")]
    BookingClosed { stage: String },
    #[error("there is no such payment")]
    UnknownPayment,
    #[error("the payment was declined")]
    PaymentDeclined,
    #[error("the booking is already cancelled")]
    AlreadyCancelled,
    #[error("the launch has departed; it cannot be cancelled any more")]
    TooLateToCancel,
    #[error("the refund is now {refund}; look at the new quote")]
    QuoteChanged { refund: Money },
    #[error("no passenger sits in {seat}")]
    NoPassenger { seat: Seat },
    #[error("the launch is not aborted")]
    NotAborted,
    #[error("there is no such refund")]
    UnknownRefund,
}

fn list(seats: &BTreeSet<Seat>) -> String {
    let labels: Vec<String> = seats.iter().map(ToString::to_string).collect();
    if let [one] = labels.as_slice() { format!("seat {one} was") } else { format!("seats {} were", labels.join(", ")) }
}

/// The status shown for a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Status {
    /// On sale, the minimum not yet sold.
    Scheduled,
    /// On sale, the minimum sold.
    Confirmed,
    /// On sale, moved to a later moment.
    Delayed,
    /// Given up.
    Aborted,
    /// Flew.
    Launched,
    /// Did not survive.
    Failed,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Scheduled => "scheduled",
            Self::Confirmed => "confirmed",
            Self::Delayed => "delayed",
            Self::Aborted => "aborted",
            Self::Launched => "launched",
            Self::Failed => "failed",
        })
    }
}

/// Where a launch stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Launch {
    /// Nobody scheduled it.
    #[default]
    Unscheduled,
    /// On sale until it departs.
    Open {
        /// Seats and bookings.
        manifest: Box<Manifest>,
        /// How sure it is.
        standing: Standing,
    },
    /// Over; only money moves on it.
    Ended {
        /// Seats and bookings.
        manifest: Box<Manifest>,
        /// How it ended.
        ending: Ending,
    },
}

/// How sure an open launch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// The minimum is not yet sold.
    Scheduled,
    /// The minimum is sold.
    Confirmed,
    /// Moved to a later moment.
    Delayed,
}

/// How a launch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Given up.
    Aborted,
    /// Flew.
    Launched,
    /// Did not survive.
    Failed,
}

/// The seats and bookings of a launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// As scheduled, with the current date and price.
    pub plan: Plan,
    /// Every booking ever made on it.
    pub bookings: BTreeMap<BookingId, Booking>,
    /// Who has each seat that is not free: held, or sold.
    pub taken: BTreeMap<Seat, BookingId>,
    /// How many of the taken seats are only held.
    pub held: u16,
    /// Seats of each customer, all own bookings together: held, sold, and of expired holds whose payment may still bring them back.
    pub seats_of: BTreeMap<CustomerId, u16>,
    /// Every delay, first to last: a later one does not take back what an earlier one promised.
    pub delays: Vec<Delay>,
    /// When to look whether enough seats are sold, for the current date: the warnings, and last the decision.
    pub viability_reviews: Vec<Timestamp>,
    /// The last warning of too few seats sold, for the current date.
    pub warned: Option<Warning>,
}

/// A warning that too few seats are sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// When it was given.
    pub at: Timestamp,
    /// Not before then the launch is given up.
    pub aborts_at: Timestamp,
}

impl Manifest {
    /// Seats sold.
    #[must_use]
    pub fn sold(&self) -> u16 {
        count(self.taken.len()) - self.held
    }
    /// Seats that may be sold in all.
    #[must_use]
    pub fn capacity(&self) -> u16 {
        count(self.plan.cabin.capacity())
    }

    fn booking_of(&self, booking: BookingId, customer: CustomerId) -> Result<&Booking, Refusal> {
        self.bookings.get(&booking).filter(|known| known.customer == customer).ok_or(Refusal::UnknownBooking)
    }
    fn booking(&self, booking: BookingId) -> Result<&Booking, Refusal> {
        self.bookings.get(&booking).ok_or(Refusal::UnknownBooking)
    }
    /// The provider gives money back once per id: under a used one a refund would be promised and never come.
    fn unused(&self, refund: RefundId) -> Result<(), Refusal> {
        let used = self.bookings.values().any(|known| known.refunds.contains_key(&refund));
        if used { Err(Refusal::BookingIdUsed) } else { Ok(()) }
    }
    fn is_free(&self, seat: Seat) -> bool {
        self.plan.cabin.sells(seat) && !self.taken.contains_key(&seat)
    }

    fn take(&mut self, seats: &BTreeSet<Seat>, booking: BookingId, customer: CustomerId, held: bool) {
        for seat in seats {
            self.taken.insert(*seat, booking);
        }
        *self.seats_of.entry(customer).or_default() += count(seats.len());
        if held {
            self.held += count(seats.len());
        }
    }
    fn free(&mut self, seats: &BTreeSet<Seat>, was_held: bool) {
        for seat in seats {
            self.taken.remove(seat);
        }
        if was_held {
            self.held = self.held.saturating_sub(count(seats.len()));
        }
    }
    fn forget(&mut self, customer: CustomerId, seats: usize) {
        if let Some(total) = self.seats_of.get_mut(&customer) {
            *total = total.saturating_sub(count(seats));
            if *total == 0 {
                self.seats_of.remove(&customer);
            }
        }
    }
}

fn count(seats: usize) -> u16 {
    u16::try_from(seats).unwrap_or(u16::MAX)
}

impl Launch {
    /// Seats and bookings, once scheduled.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Unscheduled => None,
            Self::Open { manifest, .. } | Self::Ended { manifest, .. } => Some(manifest),
        }
    }
    /// The status shown, once scheduled.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Some(match self {
            Self::Unscheduled => return None,
            Self::Open { standing: Standing::Scheduled, .. } => Status::Scheduled,
            Self::Open { standing: Standing::Confirmed, .. } => Status::Confirmed,
            Self::Open { standing: Standing::Delayed, .. } => Status::Delayed,
            Self::Ended { ending: Ending::Aborted, .. } => Status::Aborted,
            Self::Ended { ending: Ending::Launched, .. } => Status::Launched,
            Self::Ended { ending: Ending::Failed, .. } => Status::Failed,
        })
    }

    /// What cancelling the booking, or only the passenger of `seat`, would give back at `now`.
    pub fn quote(&self, booking: BookingId, customer: CustomerId, seat: Option<Seat>, now: Timestamp) -> Result<Quote, Refusal> {
        let manifest = self.manifest().ok_or(Refusal::UnknownLaunch)?;
        let known = manifest.booking_of(booking, customer)?;
        match known.stage {
            Stage::Held { .. } | Stage::Confirmed { .. } => {}
            Stage::Expired => return Err(closed(&known.stage)),
            Stage::Cancelled => return Err(Refusal::AlreadyCancelled),
        }
        match self {
            Self::Open { .. } if now < manifest.plan.departs_at => {}
            Self::Ended { ending: Ending::Aborted, .. } => return Ok(known.quote_abort()),
            Self::Open { .. } | Self::Ended { .. } | Self::Unscheduled => return Err(Refusal::TooLateToCancel),
        }
        let seats = match seat {
            None => known.seats.clone(),
            Some(seat) if known.is_held() || !known.seats.contains(&seat) => return Err(Refusal::NoPassenger { seat }),
            Some(seat) => BTreeSet::from([seat]),
        };
        Ok(known.quote(&seats, manifest.plan.departs_at, &manifest.delays, now))
    }

    fn open(&self) -> Result<(&Manifest, Standing), Refusal> {
        match self {
            Self::Unscheduled => Err(Refusal::UnknownLaunch),
            Self::Open { manifest, standing } => Ok((manifest, *standing)),
            Self::Ended { ending, .. } => Err(Refusal::NotOpen {
                status: match ending {
                    Ending::Aborted => Status::Aborted,
                    Ending::Launched => Status::Launched,
                    Ending::Failed => Status::Failed,
                },
            }),
        }
    }
    fn known(&self) -> Result<&Manifest, Refusal> {
        self.manifest().ok_or(Refusal::UnknownLaunch)
    }

    fn schedule(
        &self,
        plan: &Plan,
        retired: bool,
        neighbours: &[Timestamp],
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unscheduled => {}
            Self::Open { .. } | Self::Ended { .. } => return Err(Refusal::AlreadyScheduled),
        }
        let lead_days = policies.scheduling.numbers.lead_days;
        let earliest = later(now, days(lead_days));
        if plan.departs_at < earliest {
            return Err(Refusal::TooSoon { lead_days, earliest });
        }
        if retired {
            return Err(Refusal::RocketRetired);
        }
        if plan.destination > plan.range {
            return Err(Refusal::OutOfRange { range: plan.range, destination: plan.destination });
        }
        turnaround(plan.departs_at, neighbours, policies)?;
        check_price(plan.price)?;
        let capacity = count(plan.cabin.capacity());
        if plan.minimum_seats == 0 || plan.minimum_seats > capacity {
            return Err(Refusal::MinimumOutOfRange { capacity });
        }
        let viability_reviews = reviews(plan.departs_at, &policies.viability.numbers, now);
        Ok(vec![Event::Scheduled { plan: Box::new(plan.clone()), viability_reviews, policy_version: policies.scheduling.version, at: now }])
    }

    fn delay(
        &self,
        departs_at: Timestamp,
        reason: &Line,
        neighbours: &[Timestamp],
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let (manifest, _) = self.open()?;
        let was = manifest.plan.departs_at;
        if departs_at == was {
            return Ok(vec![]);
        }
        if departs_at < was || departs_at <= now {
            return Err(Refusal::NotLater { departs_at: was });
        }
        turnaround(departs_at, neighbours, policies)?;
        Ok(vec![Event::Delayed {
            departs_at,
            was,
            reason: reason.clone(),
            free_cancellation_until: later(now, days(policies.cancellation.numbers.free_days_after_delay)),
            viability_reviews: reviews(departs_at, &policies.viability.numbers, now),
            policy_version: policies.cancellation.version,
            at: now,
        }])
    }

    fn abort(&self, reason: AbortReason, policies: &Policies, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        if matches!(self, Self::Ended { ending: Ending::Aborted, .. }) {
            return Ok(vec![]);
        }
        self.open()?;
        Ok(vec![Event::Aborted { reason, fee: policies.abort_fee.numbers.amount, policy_version: policies.abort_fee.version, at: now }])
    }

    fn review_viability(&self, policies: &Policies, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let Self::Open { manifest, .. } = self else { return Ok(vec![]) };
        let Viability { percent_sold, warnings_days_ahead, .. } = &policies.viability.numbers;
        let needed = (u32::from(manifest.capacity()) * u32::from(*percent_sold)).div_ceil(100);
        let (Some(first), Some(decision)) = (manifest.viability_reviews.first(), manifest.viability_reviews.last()) else {
            return Ok(vec![]);
        };
        // A timer set for the date before a delay comes too early for the new one.
        if u32::from(manifest.sold()) >= needed || now < *first || now >= manifest.plan.departs_at {
            return Ok(vec![]);
        }
        let notice = days(warnings_days_ahead.iter().copied().min().unwrap_or_default());
        let aborts_at = match manifest.warned {
            Some(warned) if now >= warned.aborts_at => return self.abort(AbortReason::Viability, policies, now),
            // One warning for each moment set for it, so that looking twice says nothing twice.
            Some(warned) if !manifest.viability_reviews.iter().any(|due| warned.at < *due && *due <= now) => return Ok(vec![]),
            Some(warned) => warned.aborts_at,
            None => later(now, notice).max(*decision),
        };
        // Too close to its date to be warned in time: it flies with whom it has.
        if aborts_at >= manifest.plan.departs_at {
            return Ok(vec![]);
        }
        Ok(vec![Event::ViabilityWarned {
            sold: manifest.sold(),
            needed: u16::try_from(needed).unwrap_or(u16::MAX),
            aborts_at,
            policy_version: policies.viability.version,
            at: now,
        }])
    }

    fn hold(
        &self,
        booking: BookingId,
        customer: CustomerId,
        vip: bool,
        seats: &BTreeSet<Seat>,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let (manifest, _) = self.open()?;
        if let Some(known) = manifest.bookings.get(&booking) {
            return match known.stage {
                _ if known.customer != customer || known.seats != *seats => Err(Refusal::BookingIdUsed),
                Stage::Held { .. } | Stage::Confirmed { .. } => Ok(vec![]),
                Stage::Expired | Stage::Cancelled => Err(closed(&known.stage)),
            };
        }
        if now >= manifest.plan.departs_at {
            return Err(Refusal::Departed);
        }
        if seats.is_empty() {
            return Err(Refusal::NoSeats);
        }
        if let Some(seat) = seats.iter().find(|seat| !manifest.plan.cabin.sells(**seat)) {
            return Err(Refusal::NoSuchSeat { seat: *seat });
        }
        let taken: BTreeSet<Seat> = seats.iter().copied().filter(|seat| manifest.taken.contains_key(seat)).collect();
        if !taken.is_empty() {
            return Err(Refusal::SeatsTaken { seats: taken });
        }
        let limits = &policies.seat_limit.numbers;
        let limit = if vip { limits.vip } else { limits.standard };
        let already = manifest.seats_of.get(&customer).copied().unwrap_or_default();
        if usize::from(already) + seats.len() > usize::from(limit) {
            return Err(Refusal::SeatLimitReached { limit, already });
        }
        let hold = &policies.hold.numbers;
        let expires_at = later(now, SignedDuration::from_mins(hold.minutes.into()));
        Ok(vec![Event::SeatsHeld {
            booking,
            customer,
            seats: seats.clone(),
            price_each: manifest.plan.price,
            expires_at,
            release_at: later(expires_at, SignedDuration::from_mins(hold.grace_minutes.into())),
            seat_limit_version: policies.seat_limit.version,
            hold_version: policies.hold.version,
            cancellation: policies.cancellation.clone(),
            at: now,
        }])
    }

    fn expire_hold(&self, booking: BookingId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let known = self.known()?.booking(booking)?;
        match known.stage {
            Stage::Held { release_at, .. } if now < release_at => Err(Refusal::HoldNotOver { release_at }),
            Stage::Held { .. } => Ok(vec![Event::HoldExpired { booking, customer: known.customer, seats: known.seats.clone(), at: now }]),
            Stage::Confirmed { .. } | Stage::Expired | Stage::Cancelled => Ok(vec![]),
        }
    }

    fn name_passengers(
        &self,
        booking: BookingId,
        customer: CustomerId,
        passengers: &BTreeMap<Seat, NamedPassenger>,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let (manifest, _) = self.open()?;
        let known = manifest.booking_of(booking, customer)?;
        still_held(known, now)?;
        if !passengers.keys().eq(known.seats.iter()) {
            return Err(Refusal::PassengersDoNotMatch { seats: known.seats.clone() });
        }
        let age = &policies.passenger_age;
        for (seat, passenger) in passengers {
            if !passenger.may_fly(manifest.plan.departs_at, &age.numbers) {
                let years = passenger.age_at(manifest.plan.departs_at);
                return Err(Refusal::AgeOutOfRange { seat: *seat, age: years, from: age.numbers.from, to: age.numbers.to });
            }
        }
        let passengers: BTreeMap<_, _> = passengers.iter().map(|(seat, passenger)| (*seat, passenger.details.clone())).collect();
        if known.passengers == passengers {
            return Ok(vec![]);
        }
        Ok(vec![Event::PassengersNamed { booking, passengers, policy_version: age.version, at: now }])
    }

    fn initiate_payment(
        &self,
        booking: BookingId,
        customer: CustomerId,
        payment: PaymentId,
        card: &Card,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let manifest = self.known()?;
        let known = manifest.booking_of(booking, customer)?;
        if known.payments.contains_key(&payment) {
            return Ok(vec![]);
        }
        self.open()?;
        still_held(known, now)?;
        if known.passengers.is_empty() {
            return Err(Refusal::PassengersMissing);
        }
        if known.is_being_paid() {
            return Err(Refusal::PaymentInFlight);
        }
        // The provider takes money once per id: under a used one this booking would be confirmed with the money of another.
        if manifest.bookings.values().any(|other| other.payments.contains_key(&payment)) {
            return Err(Refusal::BookingIdUsed);
        }
        Ok(vec![Event::PaymentInitiated { booking, payment, amount: known.price(), card: card.clone(), at: now }])
    }

    fn capture_payment(&self, booking: BookingId, payment: PaymentId, reference: &str, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let manifest = self.known()?;
        let known = manifest.booking(booking)?;
        let paid = known.payments.get(&payment).ok_or(Refusal::UnknownPayment)?;
        match paid.state {
            PaymentState::Captured => return Ok(vec![]),
            PaymentState::Declined => return Err(Refusal::PaymentDeclined),
            PaymentState::Initiated => {}
        }
        let captured = Event::PaymentCaptured { booking, payment, amount: paid.amount, reference: reference.to_owned(), at: now };
        let confirmed =
            || Event::BookingConfirmed { booking, customer: known.customer, seats: known.seats.clone(), total: paid.amount, at: now };
        let back = |reason| Event::RefundRequested {
            booking,
            refund: RefundId::derived(payment.0, "not kept"),
            payment,
            amount: paid.amount,
            reason,
            at: now,
        };
        let departed = now >= manifest.plan.departs_at;
        let second = match (self, &known.stage) {
            (Self::Ended { ending: Ending::Aborted, .. }, _) => back(RefundReason::Aborted),
            (Self::Open { .. }, Stage::Held { .. }) if !departed => confirmed(),
            (Self::Open { .. }, Stage::Expired) if !departed && known.seats.iter().all(|seat| manifest.is_free(*seat)) => confirmed(),
            (_, Stage::Confirmed { .. }) => back(RefundReason::PaidTwice),
            (_, Stage::Cancelled) => back(RefundReason::Cancelled),
            (_, Stage::Held { .. } | Stage::Expired) => back(RefundReason::TooLate),
        };
        let mut events = vec![captured, second];
        let sold = manifest.sold() + count(known.seats.len());
        let unsure = matches!(self, Self::Open { standing: Standing::Scheduled | Standing::Delayed, .. });
        if unsure && matches!(events[1], Event::BookingConfirmed { .. }) && sold >= manifest.plan.minimum_seats {
            events.push(Event::Confirmed { sold, at: now });
        }
        Ok(events)
    }

    fn decline_payment(&self, booking: BookingId, payment: PaymentId, reason: &str, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let known = self.known()?.booking(booking)?;
        match known.payments.get(&payment).ok_or(Refusal::UnknownPayment)?.state {
            PaymentState::Initiated => Ok(vec![Event::PaymentDeclined { booking, payment, reason: reason.to_owned(), at: now }]),
            PaymentState::Declined | PaymentState::Captured => Ok(vec![]),
        }
    }

    fn cancel(
        &self,
        booking: BookingId,
        customer: CustomerId,
        seat: Option<Seat>,
        refund: RefundId,
        quoted: Money,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let quote = self.quote(booking, customer, seat, now)?;
        if quote.refund != quoted {
            return Err(Refusal::QuoteChanged { refund: quote.refund });
        }
        let manifest = self.known()?;
        manifest.unused(refund)?;
        Ok(cancelled(booking, manifest.booking_of(booking, customer)?, quote, CancelledBy::Customer, refund, now))
    }

    fn cancel_for_abort(&self, booking: BookingId, refund: RefundId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let Self::Ended { manifest, ending: Ending::Aborted } = self else { return Err(Refusal::NotAborted) };
        let known = manifest.booking(booking)?;
        match known.stage {
            Stage::Held { .. } | Stage::Confirmed { .. } => {
                manifest.unused(refund)?;
                Ok(cancelled(booking, known, known.quote_abort(), CancelledBy::Abort, refund, now))
            }
            Stage::Expired | Stage::Cancelled => Ok(vec![]),
        }
    }

    fn refund(&self, booking: BookingId, refund: RefundId) -> Result<&Refund, Refusal> {
        self.known()?.booking(booking)?.refunds.get(&refund).ok_or(Refusal::UnknownRefund)
    }

    fn end(&self, now: Timestamp, event: Event) -> Result<Vec<Event>, Refusal> {
        match (self, &event) {
            (Self::Ended { ending: Ending::Launched, .. }, Event::Launched { .. })
            | (Self::Ended { ending: Ending::Failed, .. }, Event::Failed { .. }) => return Ok(vec![]),
            _ => {}
        }
        let (manifest, standing) = self.open()?;
        if now < manifest.plan.departs_at {
            return Err(Refusal::NotDeparted);
        }
        match standing {
            Standing::Scheduled => Err(Refusal::NotConfirmed { minimum: manifest.plan.minimum_seats }),
            Standing::Confirmed | Standing::Delayed => Ok(vec![event]),
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn check_price(price: Money) -> Result<(), Refusal> {
    if price.is_positive() && price <= Money::MAX { Ok(()) } else { Err(Refusal::PriceOutOfRange { max: Money::MAX }) }
}

fn turnaround(departs_at: Timestamp, neighbours: &[Timestamp], policies: &Policies) -> Result<(), Refusal> {
    let turnaround_days = policies.scheduling.numbers.turnaround_days;
    let close = |other: &&Timestamp| departs_at.duration_since(**other).abs() < days(turnaround_days);
    match neighbours.iter().find(close) {
        Some(other) => Err(Refusal::TurnaroundTooShort { other: *other, turnaround_days }),
        None => Ok(()),
    }
}

/// The moments still ahead at which to look whether enough seats are sold: each warning, and the decision.
fn reviews(departs_at: Timestamp, viability: &Viability, now: Timestamp) -> Vec<Timestamp> {
    let decided_at = earlier(departs_at, days(viability.days_before));
    let ahead = viability.warnings_days_ahead.iter().map(|ahead| earlier(decided_at, days(*ahead))).chain([decided_at]);
    let mut ahead: Vec<Timestamp> = ahead.map(|at| at.max(now)).collect();
    ahead.sort_unstable();
    ahead.dedup();
    ahead
}

fn still_held(booking: &Booking, now: Timestamp) -> Result<(), Refusal> {
    match booking.stage {
        Stage::Held { expires_at, .. } if now < expires_at => Ok(()),
        Stage::Held { expires_at, .. } => Err(Refusal::HoldExpired { expired_at: expires_at }),
        Stage::Confirmed { .. } | Stage::Expired | Stage::Cancelled => Err(closed(&booking.stage)),
    }
}

fn closed(stage: &Stage) -> Refusal {
    let word = match stage {
        Stage::Held { .. } => "held",
        Stage::Confirmed { .. } => "confirmed",
        Stage::Expired => "expired",
        Stage::Cancelled => "cancelled",
    };
    Refusal::BookingClosed { stage: word.to_owned() }
}

fn cancelled(booking: BookingId, known: &Booking, quote: Quote, by: CancelledBy, refund: RefundId, at: Timestamp) -> Vec<Event> {
    let Quote { seats, percent, refund: amount, basis, policy_version, frees_seats, .. } = quote;
    let customer = known.customer;
    let first = match seats.as_slice() {
        [seat] if known.seats.len() > 1 => Event::PassengerCancelled {
            booking,
            customer,
            seat: *seat,
            freed: frees_seats,
            percent,
            refund: amount,
            basis,
            policy_version,
            at,
        },
        _ => {
            let freed = if frees_seats { known.seats.clone() } else { BTreeSet::new() };
            Event::BookingCancelled { booking, customer, by, freed, percent, refund: amount, basis, policy_version, at }
        }
    };
    let reason = match by {
        CancelledBy::Customer => RefundReason::Cancelled,
        CancelledBy::Abort => RefundReason::Aborted,
    };
    let back = known.captured().filter(|_| amount.is_positive()).map(|(payment, _)| Event::RefundRequested {
        booking,
        refund,
        payment,
        amount,
        reason,
        at,
    });
    [first].into_iter().chain(back).collect()
}

impl Decider for Launch {
    type Id = LaunchId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "launch";
    const OLD_FORMS: &'static [Step<Event>] = &[Step::from::<PassengersNamedV1>()];
    /// 2: passengers are sealed.
    const STATE_VERSION: u32 = 2;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Schedule { plan, retired, neighbours, policies, now } => self.schedule(plan, *retired, neighbours, policies, *now),
            Command::Reprice { price, now } => {
                let (manifest, _) = self.open()?;
                check_price(*price)?;
                if manifest.plan.price == *price {
                    return Ok(vec![]);
                }
                Ok(vec![Event::Repriced { price: *price, was: manifest.plan.price, at: *now }])
            }
            Command::Delay { departs_at, reason, neighbours, policies, now } => self.delay(*departs_at, reason, neighbours, policies, *now),
            Command::Abort { reason, policies, now } => self.abort(*reason, policies, *now),
            Command::ReviewViability { policies, now } => self.review_viability(policies, *now),
            Command::MarkLaunched { now } => self.end(*now, Event::Launched { at: *now }),
            Command::MarkFailed { reason, now } => self.end(*now, Event::Failed { reason: reason.clone(), at: *now }),
            Command::Hold { booking, customer, vip, seats, policies, now } => self.hold(*booking, *customer, *vip, seats, policies, *now),
            Command::ExpireHold { booking, now } => self.expire_hold(*booking, *now),
            Command::NamePassengers { booking, customer, passengers, policies, now } => {
                self.name_passengers(*booking, *customer, passengers, policies, *now)
            }
            Command::InitiatePayment { booking, customer, payment, card, now } => {
                self.initiate_payment(*booking, *customer, *payment, card, *now)
            }
            Command::CapturePayment { booking, payment, reference, now } => self.capture_payment(*booking, *payment, reference, *now),
            Command::DeclinePayment { booking, payment, reason, now } => self.decline_payment(*booking, *payment, reason, *now),
            Command::CancelBooking { booking, customer, refund, quoted, now } => {
                self.cancel(*booking, *customer, None, *refund, *quoted, *now)
            }
            Command::CancelPassenger { booking, customer, seat, refund, quoted, now } => {
                self.cancel(*booking, *customer, Some(*seat), *refund, *quoted, *now)
            }
            Command::CancelForAbort { booking, refund, now } => self.cancel_for_abort(*booking, *refund, *now),
            Command::SettleRefund { booking, refund, reference, now } => match self.refund(*booking, *refund)? {
                Refund { state: RefundState::Paid, .. } => Ok(vec![]),
                Refund { state: RefundState::Requested | RefundState::Failed, amount, .. } => Ok(vec![Event::RefundPaid {
                    booking: *booking,
                    refund: *refund,
                    amount: *amount,
                    reference: reference.clone(),
                    at: *now,
                }]),
            },
            Command::FailRefund { booking, refund, reason, now } => match self.refund(*booking, *refund)?.state {
                RefundState::Paid => Ok(vec![]),
                RefundState::Requested | RefundState::Failed => {
                    Ok(vec![Event::RefundFailed { booking: *booking, refund: *refund, reason: reason.clone(), at: *now }])
                }
            },
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (Self::Unscheduled, Event::Scheduled { plan, viability_reviews, .. }) => {
                let manifest = Manifest {
                    plan: (**plan).clone(),
                    bookings: BTreeMap::new(),
                    taken: BTreeMap::new(),
                    held: 0,
                    seats_of: BTreeMap::new(),
                    delays: Vec::new(),
                    viability_reviews: viability_reviews.clone(),
                    warned: None,
                };
                Self::Open { manifest: Box::new(manifest), standing: Standing::Scheduled }
            }
            (Self::Unscheduled, _) => Self::Unscheduled,
            (Self::Open { mut manifest, .. }, Event::Delayed { departs_at, free_cancellation_until, viability_reviews, at, .. }) => {
                manifest.plan.departs_at = *departs_at;
                manifest.delays.push(Delay { at: *at, free_until: *free_cancellation_until });
                manifest.viability_reviews.clone_from(viability_reviews);
                manifest.warned = None;
                Self::Open { manifest, standing: Standing::Delayed }
            }
            (Self::Open { manifest, .. }, Event::Confirmed { .. }) => Self::Open { manifest, standing: Standing::Confirmed },
            (Self::Open { manifest, .. }, Event::Aborted { .. }) => Self::Ended { manifest, ending: Ending::Aborted },
            (Self::Open { manifest, .. }, Event::Launched { .. }) => Self::Ended { manifest, ending: Ending::Launched },
            (Self::Open { manifest, .. }, Event::Failed { .. }) => Self::Ended { manifest, ending: Ending::Failed },
            (Self::Open { mut manifest, standing }, event) => {
                manifest.apply(event);
                Self::Open { manifest, standing }
            }
            (Self::Ended { mut manifest, ending }, event) => {
                manifest.apply(event);
                Self::Ended { manifest, ending }
            }
        }
    }
}

impl Launch {
    /// When the launch wants to be looked at again because of `event`.
    #[must_use]
    pub fn timers(event: &Event) -> Vec<Timer> {
        let reviews = |moments: &[Timestamp]| {
            moments.iter().map(|due_at| Timer { kind: REVIEW_VIABILITY, subject: String::new(), due_at: *due_at }).collect()
        };
        match event {
            Event::SeatsHeld { booking, release_at, .. } => {
                vec![Timer { kind: EXPIRE_HOLD, subject: booking.to_string(), due_at: *release_at }]
            }
            Event::Scheduled { viability_reviews, .. } | Event::Delayed { viability_reviews, .. } => reviews(viability_reviews),
            Event::ViabilityWarned { aborts_at, .. } => reviews(&[*aborts_at]),
            _ => vec![],
        }
    }
}

impl Manifest {
    /// Applies what happened to seats, bookings and money.
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Repriced { price, .. } => self.plan.price = *price,
            Event::ViabilityWarned { aborts_at, at, .. } => self.warned = Some(Warning { at: *at, aborts_at: *aborts_at }),
            Event::SeatsHeld { booking, customer, seats, price_each, expires_at, release_at, cancellation, at, .. } => {
                self.take(seats, *booking, *customer, true);
                let held = Booking {
                    customer: *customer,
                    held_at: *at,
                    price_each: *price_each,
                    seats: seats.clone(),
                    passengers: BTreeMap::new(),
                    stage: Stage::Held { expires_at: *expires_at, release_at: *release_at },
                    payments: BTreeMap::new(),
                    refunds: BTreeMap::new(),
                    cancellation: cancellation.clone(),
                };
                self.bookings.insert(*booking, held);
            }
            Event::HoldExpired { booking, customer, seats, .. } => {
                self.free(seats, true);
                // A payment on its way may still bring the seats back, so until it is settled they count.
                if !self.bookings.get(booking).is_some_and(Booking::is_being_paid) {
                    self.forget(*customer, seats.len());
                }
                self.change(*booking, |known| known.stage = Stage::Expired);
            }
            Event::PassengersNamed { booking, passengers, .. } => self.change(*booking, |known| known.passengers.clone_from(passengers)),
            Event::PaymentInitiated { booking, payment, amount, .. } => self.change(*booking, |known| {
                known.payments.insert(*payment, Payment { amount: *amount, state: PaymentState::Initiated });
            }),
            Event::PaymentCaptured { booking, payment, .. } => self.settle(*booking, *payment, PaymentState::Captured),
            Event::PaymentDeclined { booking, payment, .. } => self.settle(*booking, *payment, PaymentState::Declined),
            Event::BookingConfirmed { booking, customer, seats, at, .. } => {
                if self.bookings.get(booking).is_some_and(Booking::is_held) {
                    self.held = self.held.saturating_sub(count(seats.len()));
                } else {
                    self.take(seats, *booking, *customer, false);
                }
                self.change(*booking, |known| known.stage = Stage::Confirmed { at: *at });
            }
            Event::BookingCancelled { booking, customer, freed, .. } => {
                let was = self.bookings.get(booking);
                let (was_held, seats) = was.map_or((false, 0), |known| (known.is_held(), known.seats.len()));
                self.free(freed, was_held);
                self.forget(*customer, seats);
                self.change(*booking, |known| known.stage = Stage::Cancelled);
            }
            Event::PassengerCancelled { booking, customer, seat, freed, .. } => {
                if *freed {
                    self.free(&BTreeSet::from([*seat]), false);
                }
                self.forget(*customer, 1);
                self.change(*booking, |known| {
                    known.seats.remove(seat);
                    known.passengers.remove(seat);
                });
            }
            Event::RefundRequested { booking, refund, payment, amount, .. } => self.change(*booking, |known| {
                known.refunds.insert(*refund, Refund { amount: *amount, payment: *payment, state: RefundState::Requested });
            }),
            Event::RefundPaid { booking, refund, .. } => self.give_back(*booking, *refund, RefundState::Paid),
            Event::RefundFailed { booking, refund, .. } => self.give_back(*booking, *refund, RefundState::Failed),
            // These change the launch itself, not its manifest.
            Event::Scheduled { .. }
            | Event::Delayed { .. }
            | Event::Confirmed { .. }
            | Event::Aborted { .. }
            | Event::Launched { .. }
            | Event::Failed { .. } => {}
        }
    }

    fn change(&mut self, booking: BookingId, how: impl FnOnce(&mut Booking)) {
        if let Some(known) = self.bookings.get_mut(&booking) {
            how(known);
        }
    }
    fn settle(&mut self, booking: BookingId, payment: PaymentId, state: PaymentState) {
        let counted = self.bookings.get(&booking).is_some_and(|known| known.stage == Stage::Expired && known.is_being_paid());
        self.change(booking, |known| {
            if let Some(payment) = known.payments.get_mut(&payment) {
                payment.state = state;
            }
        });
        if let Some(known) = self.bookings.get(&booking).filter(|known| counted && !known.is_being_paid()) {
            self.forget(known.customer, known.seats.len());
        }
    }
    fn give_back(&mut self, booking: BookingId, refund: RefundId, state: RefundState) {
        self.change(booking, |known| {
            if let Some(refund) = known.refunds.get_mut(&refund) {
                refund.state = state;
            }
        });
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
