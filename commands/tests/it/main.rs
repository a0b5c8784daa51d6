//! The write side against real servers.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod audit;
mod cabin;
mod command_log;
mod executor;
mod feed;
mod forms;
mod idle;
mod launch;
mod own_nats;
mod proxy;
mod restore;
mod sequencer;
mod snapshots;
mod timers;
mod torture;
mod transactions;
mod world;
