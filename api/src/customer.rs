//! The customer service: launches for everyone, bookings for customers.

mod cancel;
pub mod live;
mod passengers;
pub mod routes;
