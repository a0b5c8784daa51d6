//! The core service: accounts and sessions, operations and audit.

pub mod account;
mod accounts;
pub mod addresses;
pub mod device;
pub mod erase;
mod history;
mod leaving;
pub mod link;
mod observe;
pub mod password;
mod people;
mod projections;
pub mod rebuilds;
pub mod routes;
mod second_factor;
pub mod session;
mod sign_in;
pub mod throttle;
pub mod token;
pub mod totp;
