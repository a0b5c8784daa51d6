//! The core service: accounts and sessions, operations and audit.

pub mod account;
mod history;
mod observe;
pub mod password;
mod projections;
pub mod rebuilds;
pub mod routes;
pub mod session;
pub mod throttle;
pub mod token;
