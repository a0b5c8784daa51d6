//! What every request passes, whatever it asks for: limits, headers, static files and the shells of the pages.

pub mod address;
pub mod around;
pub mod cors;
pub mod forward;
pub mod guard;
pub mod headers;
pub mod health;
pub mod limits;
pub mod metrics;
pub mod pages;
pub mod serve;
pub mod statics;
