//! Money as employees see it.

use crate::{BookingId, Destination, LaunchId, Money, Slug, Status, SupplierId, booking::BookingStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the double-entry journal. The lines of one position sum to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalLine {
    /// The event that caused it, by position.
    pub position: u64,
    /// The line within the event, from 0.
    pub line: u16,
    /// When.
    pub at: Timestamp,
    /// Such as `cash`, `customer_deposits`, `refunds_payable`, `supplier_receivables`, `abort_fees`.
    pub account: String,
    /// Debit positive, credit negative.
    pub amount: Money,
    /// The event's stored type.
    pub event: String,
    /// On which launch.
    pub launch: LaunchId,
    /// For which booking, where it is about one.
    pub booking: Option<BookingId>,
    /// Of which supplier.
    pub supplier: SupplierId,
}

/// The journal, and its sums over the whole selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Journal {
    /// The lines, newest first.
    pub lines: crate::Page<JournalLine>,
    /// Balance by account.
    pub balances: Vec<AccountBalance>,
    /// The sum of all lines; anything but zero is an alarm.
    pub sum: Money,
}

/// The balance of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountBalance {
    /// Which.
    pub account: String,
    /// Debit positive.
    pub balance: Money,
}

/// Revenue of one launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaunchRevenue {
    /// Which launch.
    pub launch: LaunchId,
    /// Its readable address.
    pub slug: Slug,
    /// With what.
    pub rocket_name: String,
    /// To where.
    pub destination: Destination,
    /// Who flies it.
    pub supplier: SupplierId,
    /// Who, as shown.
    pub supplier_name: String,
    /// When.
    pub departs_at: Timestamp,
    /// How sure it is.
    pub status: Status,
    /// Seats sold.
    pub sold: u16,
    /// Seats in all.
    pub capacity: u16,
    /// Captured.
    pub captured: Money,
    /// Given back or promised so.
    pub refunded: Money,
    /// Captured minus refunded.
    pub net: Money,
}

/// Revenue of one supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupplierRevenue {
    /// Who.
    pub supplier: SupplierId,
    /// Who, as shown.
    pub supplier_name: String,
    /// Launches with money.
    pub launches: u64,
    /// Captured.
    pub captured: Money,
    /// Given back or promised so.
    pub refunded: Money,
    /// Captured minus refunded.
    pub net: Money,
    /// Abort fees charged.
    pub fees: Money,
}

/// The employee's day (`GET /api/employee/today`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Today {
    /// Captured since midnight UTC.
    pub captured_today: Money,
    /// Captured in all.
    pub captured: Money,
    /// Refunds requested in all.
    pub refunded: Money,
    /// Bookings confirmed and not cancelled.
    pub bookings: u64,
    /// Their seats.
    pub seats: u64,
    /// Bookings held now.
    pub held: u64,
    /// Net revenue by month, oldest first, the last twelve.
    pub by_month: Vec<MonthRevenue>,
    /// Launches with the most net revenue.
    pub top_launches: Vec<LaunchRevenue>,
    /// The latest bookings.
    pub latest: Vec<BookingRow>,
    /// When this was read.
    pub as_of: Timestamp,
    /// Of which position of the log this speaks.
    pub position: u64,
    /// Whether it may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
}

/// Net revenue of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonthRevenue {
    /// `yyyy-mm`.
    pub month: String,
    /// Captured minus refunded.
    pub net: Money,
}

/// A booking in a desk's list. Passengers' details stay in the booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BookingRow {
    /// The booking.
    pub id: BookingId,
    /// What to say on the phone.
    pub reference: String,
    /// On which launch.
    pub launch: LaunchId,
    /// Its readable address.
    pub slug: Slug,
    /// To where.
    pub destination: Destination,
    /// With what.
    pub rocket_name: String,
    /// When it departs.
    pub departs_at: Timestamp,
    /// How far it got.
    pub status: BookingStatus,
    /// How many seats.
    pub seats: u16,
    /// Names of the passengers, where named.
    pub passengers: Vec<String>,
    /// Price times seats.
    pub total: Money,
    /// Captured.
    pub paid: Money,
    /// Given back or promised so.
    pub refunded: Money,
    /// When it was held.
    pub held_at: Timestamp,
}
