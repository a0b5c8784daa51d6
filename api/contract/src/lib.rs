//! What the services and the pages say to each other: every request and answer, every code of an error.
//! Rules are left to `domain`; how answers are made is left to `api` and `projections`.

pub mod account;
pub mod booking;
pub mod export;
pub mod finance;
pub mod fleet;
pub mod launch;
pub mod operations;
pub mod page;
pub mod problem;
pub mod security;

pub use domain::{
    Money,
    booking::{Basis, Quote},
    id::{AccountId, BookingId, CustomerId, LaunchId, PaymentId, RefundId, RocketId, SpaceportId, SupplierId},
    launch::{AbortReason, CancelledBy, RefundReason, Status},
    passenger::{Email, Passenger, Phone},
    rocket::Destination,
    seat::{Cabin, Seat},
    slug::Slug,
    text::Line,
};
pub use page::{List, Listing, Page};
pub use problem::{Code, Problem};

/// Header of a command: a UUID of the client's choice. The same key with the same body gives the same answer.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Header of a command's answer (`launch/<id>@<n>`), and of a read that must not be older than it.
pub const POSITION: &str = "Astro-Position";
/// Header of every answer: what the request is called in the log.
pub const REQUEST_ID: &str = "Request-Id";
/// Header of a read that may be out of date.
pub const STALE: &str = "Astro-Stale";
