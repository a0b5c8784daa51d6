//! Launches as everyone may see them: the board and the page of one launch.

use crate::{Cabin, Destination, LaunchId, Money, RocketId, Seat, Slug, SpaceportId, Status, SupplierId, booking::Term};
use domain::policy::{Policies, Tier};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment with the spaceport's own time beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Departure {
    /// UTC.
    pub at: Timestamp,
    /// IANA time zone of the spaceport.
    pub zone: String,
    /// The zone's offset at that moment, minutes east of UTC.
    pub offset_minutes: i32,
    /// The zone's abbreviation at that moment, such as `EST`.
    pub abbreviation: String,
}

/// One line of the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaunchCard {
    /// The launch.
    pub id: LaunchId,
    /// Its readable address.
    pub slug: Slug,
    /// Its name, where it has one.
    pub mission: Option<String>,
    /// Who flies it.
    pub supplier: SupplierId,
    /// Who, as shown.
    pub supplier_name: String,
    /// With what.
    pub rocket: RocketId,
    /// With what, as shown.
    pub rocket_name: String,
    /// From where.
    pub spaceport: SpaceportId,
    /// From where, as shown.
    pub spaceport_name: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// To where.
    pub destination: Destination,
    /// When.
    pub departure: Departure,
    /// When it was to depart before the last delay.
    pub delayed_from: Option<Timestamp>,
    /// For each seat, today.
    pub price: Money,
    /// How sure it is.
    pub status: Status,
    /// Seats that may be sold in all.
    pub capacity: u16,
    /// Sold.
    pub sold: u16,
    /// Kept for someone who is paying.
    pub held: u16,
    /// Seats to sell before it is confirmed.
    pub minimum_seats: u16,
}

impl LaunchCard {
    /// Seats nobody has.
    #[must_use]
    pub fn left(&self) -> u16 {
        self.capacity.saturating_sub(self.sold).saturating_sub(self.held)
    }
}

/// One launch with its seats and story.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaunchPage {
    /// What the board shows too.
    #[serde(flatten)]
    pub card: LaunchCard,
    /// The cabin.
    pub cabin: Cabin,
    /// Seats that are not free; all others of the cabin are.
    pub taken: Vec<TakenSeat>,
    /// What has happened, oldest first.
    pub history: Vec<Happening>,
    /// Until then a booking made before the last delay may be cancelled in full.
    pub free_cancellation_until: Option<Timestamp>,
    /// What a booking made now is promised; left out where only the launch changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Of which position of the log this speaks.
    pub position: u64,
    /// Whether it may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
}

/// What a booking made now is promised, by the policies in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Offer {
    /// Seats one customer may have on a launch.
    pub seats_max: u8,
    /// Seats a VIP may have on a launch.
    pub seats_max_vip: u8,
    /// How long seats are kept for paying.
    pub hold_minutes: u16,
    /// What cancelling gives back by date; below the last nothing.
    pub terms: Vec<Term>,
}

impl From<&Policies> for Offer {
    fn from(policies: &Policies) -> Self {
        let limit = &policies.seat_limit.numbers;
        let term = |tier: &Tier| Term { percent: tier.percent, days_before: tier.days_before };
        Self {
            seats_max: limit.standard,
            seats_max_vip: limit.vip,
            hold_minutes: policies.hold.numbers.minutes,
            terms: policies.cancellation.numbers.tiers.iter().map(term).collect(),
        }
    }
}

/// A seat that is not free. Whose it is stays private.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TakenSeat {
    /// Which.
    pub seat: Seat,
    /// Kept for someone who is paying, rather than sold.
    pub held: bool,
}

/// One thing that happened to a launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// The event's stored type, such as `delayed`.
    pub event: String,
    /// A short heading, such as `Date moved`.
    pub title: String,
    /// One sentence about it; empty when the title says all.
    pub text: String,
}

/// What a second browser is told when seats, price, date or status change (server-sent event `launch`, id = position).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaunchChange {
    /// The whole page again; it is small.
    pub launch: LaunchPage,
}

/// How the board is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BoardSort {
    /// Soonest first.
    #[default]
    Date,
    /// Cheapest first.
    Price,
    /// Most seats left first.
    Seats,
}

/// What the board shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct BoardQuery {
    /// Words of rocket, supplier, spaceport, destination or mission; all must match, by their beginning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Only there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Only by this supplier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<SupplierId>,
    /// Departing on this day (UTC) or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<jiff::civil::Date>,
    /// Departing on this day (UTC) or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::civil::Date>,
    /// Whole US dollars per seat, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_max: Option<u64>,
    /// Seats still free, at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seats: Option<u16>,
    /// The order.
    #[serde(skip_serializing_if = "is_default")]
    pub sort: BoardSort,
    /// From 1.
    pub page: u32,
    /// 1 to 100.
    pub per_page: u32,
}

fn is_default(sort: &BoardSort) -> bool {
    *sort == BoardSort::default()
}

impl Default for BoardQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            destination: None,
            supplier: None,
            from: None,
            until: None,
            price_max: None,
            seats: None,
            sort: BoardSort::Date,
            page: 1,
            per_page: crate::page::PER_PAGE,
        }
    }
}

/// The board: bookable launches, and how many there are for each destination under the other filters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Board {
    /// The launches.
    pub launches: crate::Page<LaunchCard>,
    /// Bookable launches by destination, under all filters but the destination.
    pub destinations: Vec<DestinationCount>,
    /// The next bookable launch with seats, whatever the filters.
    pub next: Option<LaunchCard>,
}

/// How many launches go somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DestinationCount {
    /// Where.
    pub destination: Destination,
    /// How many.
    pub launches: u64,
}
