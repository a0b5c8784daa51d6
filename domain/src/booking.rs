//! A booking inside its launch: its seats, passengers, payments and refunds, and what cancelling it gives back.
//! Deciding is left to the launch, which owns the seats.

use crate::{
    Money,
    id::{CustomerId, PaymentId, RefundId},
    passenger::SealedPassenger,
    policy::{Cancellation, Versioned, days},
    seat::Seat,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Seats of one customer on one launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    /// Whose.
    pub customer: CustomerId,
    /// When it was made: the moment of the hold.
    pub held_at: Timestamp,
    /// The price snapshot taken at the hold.
    pub price_each: Money,
    /// The seats it has, or had when it ended.
    pub seats: BTreeSet<Seat>,
    /// Who sits where; all seats or none are named.
    pub passengers: BTreeMap<Seat, SealedPassenger>,
    /// How far it got.
    pub stage: Stage,
    /// Attempts to pay.
    pub payments: BTreeMap<PaymentId, Payment>,
    /// Amounts given back.
    pub refunds: BTreeMap<RefundId, Refund>,
    /// The refund table promised at the hold.
    pub cancellation: Versioned<Cancellation>,
}

/// How far a booking got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The seats are kept while the customer pays.
    Held {
        /// What the customer sees.
        expires_at: Timestamp,
        /// When the seats go free: `expires_at` and the grace.
        release_at: Timestamp,
    },
    /// Paid.
    Confirmed {
        /// When.
        at: Timestamp,
    },
    /// Not paid in time.
    Expired,
    /// Given up.
    Cancelled,
}

/// An attempt to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// How much.
    pub amount: Money,
    /// What became of it.
    pub state: PaymentState,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PaymentState {
    /// The provider was asked.
    Initiated,
    /// The money is here.
    Captured,
    /// The provider refused.
    Declined,
}

/// An amount given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// How much.
    pub amount: Money,
    /// Of which payment.
    pub payment: PaymentId,
    /// What became of it.
    pub state: RefundState,
}

/// What became of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RefundState {
    /// To be paid.
    Requested,
    /// The money is back.
    Paid,
    /// The provider failed; it is tried again.
    Failed,
}

/// The card a payment was made with: never more than this is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Card {
    /// Such as `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
}

/// What cancelling would give back, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quote {
    /// The seats that would be given up.
    pub seats: Vec<Seat>,
    /// What was paid for them.
    pub paid: Money,
    /// The share given back.
    pub percent: u8,
    /// The amount given back: the share of each seat's price, rounded half to even per seat.
    pub refund: Money,
    /// Why this share.
    pub basis: Basis,
    /// The version of the cancellation policy applied.
    pub policy_version: u32,
    /// Whether the seats go free; on a refund of 0 % they stay sold.
    pub frees_seats: bool,
}

/// Why a share is given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "basis", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Basis {
    /// Nothing was paid yet.
    Unpaid,
    /// So many whole days are left before launch.
    TimeLeft {
        /// 24 hours each.
        days: i64,
    },
    /// The launch was delayed after the booking.
    Delayed {
        /// Until then cancelling is free.
        free_until: Timestamp,
    },
    /// The launch was aborted.
    Aborted,
}

impl Booking {
    /// What all its seats cost.
    #[must_use]
    pub fn price(&self) -> Money {
        self.price_each.times(self.seats.len())
    }
    /// The payment whose money is still here, in full or in part, if any.
    #[must_use]
    pub fn captured(&self) -> Option<(PaymentId, &Payment)> {
        let back = |of: PaymentId| {
            let refunds = self.refunds.values().filter(|refund| refund.payment == of);
            refunds.fold(Money::ZERO, |sum, refund| sum.plus(refund.amount))
        };
        let mut captured =
            self.payments.iter().map(|(id, payment)| (*id, payment)).filter(|(_, payment)| payment.state == PaymentState::Captured);
        captured.find(|(id, payment)| payment.amount > back(*id))
    }
    /// Whether the provider was asked for money and its answer is not known yet.
    #[must_use]
    pub fn is_being_paid(&self) -> bool {
        self.payments.values().any(|payment| payment.state == PaymentState::Initiated)
    }
    /// Everything captured.
    #[must_use]
    pub fn paid(&self) -> Money {
        self.payments
            .values()
            .filter(|payment| payment.state == PaymentState::Captured)
            .fold(Money::ZERO, |sum, payment| sum.plus(payment.amount))
    }
    /// Everything given back or promised so.
    #[must_use]
    pub fn refunded(&self) -> Money {
        self.refunds.values().fold(Money::ZERO, |sum, refund| sum.plus(refund.amount))
    }
    /// Whether the seats are kept for a customer who pays.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Held { .. })
    }

    /// What giving up `seats` would give back at `now`, for a launch at `departs_at` that was delayed as `delays` say.
    #[must_use]
    pub(crate) fn quote(&self, seats: &BTreeSet<Seat>, departs_at: Timestamp, delays: &[Delay], now: Timestamp) -> Quote {
        let free_until =
            delays.iter().filter(|delay| self.held_at <= delay.at && now <= delay.free_until).map(|delay| delay.free_until).max();
        let left = departs_at.duration_since(now);
        let tier = self.cancellation.numbers.tiers.iter().find(|tier| left >= days(tier.days_before)).map_or(0, |tier| tier.percent);
        let (percent, basis) = match (&self.stage, free_until) {
            (Stage::Held { .. } | Stage::Expired | Stage::Cancelled, _) => (0, Basis::Unpaid),
            (Stage::Confirmed { .. }, Some(free_until)) => (100, Basis::Delayed { free_until }),
            (Stage::Confirmed { .. }, None) => (tier, Basis::TimeLeft { days: left.as_hours() / 24 }),
        };
        self.quoted(seats, percent, basis)
    }

    /// What an abort gives back: everything still paid for.
    #[must_use]
    pub(crate) fn quote_abort(&self) -> Quote {
        let percent = if self.is_held() { 0 } else { 100 };
        self.quoted(&self.seats, percent, Basis::Aborted)
    }

    fn quoted(&self, seats: &BTreeSet<Seat>, percent: u8, basis: Basis) -> Quote {
        let paid = if self.is_held() { Money::ZERO } else { self.price_each.times(seats.len()) };
        Quote {
            seats: seats.iter().copied().collect(),
            paid,
            percent,
            refund: if self.is_held() { Money::ZERO } else { self.price_each.percent(percent).times(seats.len()) },
            basis,
            policy_version: self.cancellation.version,
            frees_seats: self.is_held() || percent > 0,
        }
    }
}

/// A delay of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// When it was announced.
    pub at: Timestamp,
    /// Until then bookings made before it may be cancelled with a full refund.
    pub free_until: Timestamp,
}
