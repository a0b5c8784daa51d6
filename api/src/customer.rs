//! The customer service: launches for everyone, bookings for customers.

mod cancel;
mod export;
pub mod live;
mod passengers;
pub mod routes;
