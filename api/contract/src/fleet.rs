//! Suppliers, spaceports and rockets, and what a supplier may ask.

use crate::{AbortReason, Cabin, Destination, Money, RocketId, Seat, SpaceportId, SupplierId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A supplier as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Supplier {
    /// The supplier.
    pub id: SupplierId,
    /// As shown.
    pub name: String,
    /// As registered.
    pub legal_name: String,
    /// One line about it; empty when unknown.
    pub description: String,
    /// Country or state code.
    pub country: String,
}

/// A spaceport as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Spaceport {
    /// The spaceport.
    pub id: SpaceportId,
    /// As shown.
    pub name: String,
    /// Town and country.
    pub location: String,
    /// IANA time zone.
    pub zone: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// A rocket as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rocket {
    /// The rocket.
    pub id: RocketId,
    /// Whose.
    pub supplier: SupplierId,
    /// As shown.
    pub name: String,
    /// The farthest destination it reaches.
    pub range: Destination,
    /// Its seats.
    pub cabin: Cabin,
    /// Seats that may be sold.
    pub capacity: u16,
    /// Out of service.
    pub retired: bool,
}

/// Bring a rocket into service (`POST /api/supplier/rockets`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddRocket {
    /// As shown.
    pub name: String,
    /// The farthest destination it reaches.
    pub range: Destination,
    /// Rows in the cabin.
    pub rows: u8,
    /// Seats in each row.
    pub seats_per_row: u8,
    /// Seats nobody may have.
    #[serde(default)]
    pub blocked: Vec<Seat>,
}

/// Put a launch on sale (`POST /api/supplier/launches`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleLaunch {
    /// One of the supplier's own rockets.
    pub rocket: RocketId,
    /// From where.
    pub spaceport: SpaceportId,
    /// To where.
    pub destination: Destination,
    /// Date and time at the spaceport: `2028-01-02T14:20`.
    pub departs_local: String,
    /// Dollars per seat, such as `1250000` or `1,250,000.50`.
    pub price: String,
    /// Seats to sell before the launch is confirmed.
    pub minimum_seats: u16,
    /// What it is called.
    #[serde(default)]
    pub mission: Option<String>,
}

/// Another price for seats not yet held (`POST .../launches/{id}/price`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reprice {
    /// Dollars per seat.
    pub price: String,
}

/// A later moment (`POST .../launches/{id}/delay`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delay {
    /// Date and time at the spaceport: `2028-01-09T14:20`.
    pub departs_local: String,
    /// One line for the customers.
    pub reason: String,
}

/// Give the launch up (`POST .../launches/{id}/abort`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Abort {
    /// Why.
    pub reason: AbortReason,
}

/// What an abort would do, shown before the button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AbortQuote {
    /// Bookings that would be cancelled.
    pub bookings: u32,
    /// Given back to customers.
    pub refunds: Money,
    /// Charged to the supplier.
    pub fee: Money,
}

/// How a departed launch went (`POST .../launches/{id}/outcome`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// It flew.
    Launched {}, // with brackets, or serde lets fields it does not know pass
    /// It did not survive.
    Failed {
        /// One line about it.
        reason: String,
    },
}

/// A supplier's desk at a glance (`GET /api/supplier/summary`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupplierSummary {
    /// Who.
    pub supplier: Supplier,
    /// Launches on sale.
    pub open_launches: u64,
    /// Seats sold on them.
    pub sold: u64,
    /// Seats on them in all.
    pub capacity: u64,
    /// Captured minus refunded, all launches.
    pub net_revenue: Money,
    /// The next departure.
    pub next_departure: Option<Timestamp>,
    /// Of which position of the log this speaks.
    pub position: u64,
    /// Whether it may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
}

/// A launch is on sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scheduled {
    /// The launch.
    pub id: crate::LaunchId,
    /// Its readable address.
    pub slug: crate::Slug,
}
