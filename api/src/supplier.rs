//! The supplier service: a supplier's own rockets and launches.

pub mod routes;
pub mod schedule;
