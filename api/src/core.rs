//! The core service: accounts and sessions, operations and audit.

pub mod account;
mod history;
pub mod password;
pub mod routes;
pub mod session;
pub mod throttle;
pub mod token;
