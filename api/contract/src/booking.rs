//! Bookings as their customer sees them, and what a customer may ask.

use crate::{BookingId, CancelledBy, CustomerId, LaunchId, Money, PaymentId, Quote, RefundId, RefundReason, Seat, launch::LaunchCard};
pub use domain::booking::{PaymentState, RefundState};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// How far a booking got, as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BookingStatus {
    /// Seats are kept until `expires_at`.
    Held,
    /// Paid.
    Confirmed,
    /// Not paid in time.
    Expired,
    /// Given up, or the launch was aborted.
    Cancelled,
    /// The launch flew.
    Flown,
}

/// A booking, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Booking {
    /// The booking.
    pub id: BookingId,
    /// What to say on the phone: derived from the id, such as `B-7Q2K-91XA`.
    pub reference: String,
    /// Whose.
    pub customer: CustomerId,
    /// On which launch.
    pub launch: LaunchId,
    /// How far it got.
    pub status: BookingStatus,
    /// The seats it has, or had when it ended.
    pub seats: Vec<Seat>,
    /// Who sits where; empty until named.
    pub passengers: Vec<SeatPassenger>,
    /// The price snapshot.
    pub price_each: Money,
    /// Price times seats.
    pub total: Money,
    /// Captured so far.
    pub paid: Money,
    /// Given back or promised so.
    pub refunded: Money,
    /// When the hold ends; only while held.
    pub expires_at: Option<Timestamp>,
    /// When it was held.
    pub held_at: Timestamp,
    /// When it was paid.
    pub confirmed_at: Option<Timestamp>,
    /// Attempts to pay, oldest first.
    pub payments: Vec<Payment>,
    /// Money back, oldest first.
    pub refunds: Vec<Refund>,
    /// What cancelling gives back by date; percent 0 is not listed.
    pub terms: Vec<Term>,
    /// What has happened, oldest first.
    pub timeline: Vec<Step>,
    /// Who ended it, where it was cancelled.
    pub cancelled_by: Option<CancelledBy>,
    /// Of which position of the log this speaks.
    pub position: u64,
}

/// A booking with its launch as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Trip {
    /// The booking.
    pub booking: Booking,
    /// The launch.
    pub launch: LaunchCard,
    /// Whether it may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
}

/// A passenger in a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeatPassenger {
    /// Where.
    pub seat: Seat,
    /// As in the passport; [`SeatPassenger::ERASED`] where the customer was erased.
    pub name: String,
    /// Where to write.
    pub email: String,
    /// Where to call.
    pub phone: String,
    /// Day of birth; none where the customer was erased.
    pub born: Option<Date>,
}

impl SeatPassenger {
    /// What stands for the name of a passenger whose customer was erased.
    pub const ERASED: &'static str = "Details erased";

    /// One whose customer was erased.
    #[must_use]
    pub fn erased(seat: Seat) -> Self {
        Self { seat, name: Self::ERASED.to_owned(), email: String::new(), phone: String::new(), born: None }
    }
}

/// An attempt to pay, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payment {
    /// The payment.
    pub id: PaymentId,
    /// How much.
    pub amount: Money,
    /// Such as `visa 4242`.
    pub card: String,
    /// What became of it.
    pub state: PaymentState,
    /// When it was started.
    pub at: Timestamp,
    /// Why it was declined; empty otherwise.
    pub reason: String,
}

/// Money back, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Refund {
    /// The refund.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: RefundReason,
    /// What became of it.
    pub state: RefundState,
    /// When it was asked for.
    pub at: Timestamp,
}

/// What cancelling gives back until a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Term {
    /// The share.
    pub percent: u8,
    /// Days before launch, at least.
    pub days_before: u16,
}

/// One step of a booking's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// The event's stored type.
    pub event: String,
    /// A short heading.
    pub title: String,
    /// One sentence; empty when the title says all.
    pub text: String,
    /// Its position in the log.
    pub position: u64,
}

/// Keep these seats (`POST /api/customer/launches/{slug}/holds`). Answer: [`Held`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HoldSeats {
    /// 1 to 6 seats.
    pub seats: Vec<Seat>,
}

/// Seats are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Held {
    /// The booking that begins with the hold.
    pub booking: BookingId,
    /// Its launch.
    pub launch: LaunchId,
    /// The seats.
    pub seats: Vec<Seat>,
    /// For each.
    pub price_each: Money,
    /// In all.
    pub total: Money,
    /// Pay before then.
    pub expires_at: Timestamp,
}

/// Who sits where (`PUT /api/customer/bookings/{id}/passengers`). All seats of the booking, once each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamePassengers {
    /// One for each seat; texts as typed, errors come back per field as `passengers.<seat>.<field>`.
    pub passengers: Vec<PassengerForm>,
}

/// A passenger as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PassengerForm {
    /// Such as `2C`.
    pub seat: String,
    /// As in the passport.
    pub name: String,
    /// Where to write.
    pub email: String,
    /// Where to call.
    pub phone: String,
    /// `yyyy-mm-dd`.
    pub born: String,
}

/// Pay for a held booking (`POST /api/customer/bookings/{id}/payments`). The card goes to the provider and is not stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pay {
    /// 12 to 19 digits, spaces allowed.
    pub card_number: String,
    /// `mm/yy`.
    pub expiry: String,
    /// 3 or 4 digits.
    pub cvc: String,
}

impl std::fmt::Debug for Pay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pay { .. }") // a card never reaches a log
    }
}

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Paid {
    /// The payment.
    pub payment: PaymentId,
    /// Whether the seats are now sold to the customer. If not, the money goes back and the timeline says why.
    pub confirmed: bool,
    /// What was captured.
    pub amount: Money,
}

/// Give up the booking or one passenger's seat for the refund quoted (`POST .../bookings/{id}/cancellation`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cancel {
    /// Only this passenger's seat; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<Seat>,
    /// `refund` of the quote that was shown.
    pub refund: Money,
}

/// What cancelling would give back (`GET .../bookings/{id}/quote?seat=2C`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuoteAnswer {
    /// The quote.
    pub quote: Quote,
    /// One sentence saying why this share.
    pub because: String,
}
