//! The read side against real servers: events in, documents out, whatever happens between.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod board;
mod desks;
mod faults;
mod keeping_up;
mod parking;
mod rebuilding;
#[cfg(debug_assertions)]
mod together;
mod torture;
mod world;
