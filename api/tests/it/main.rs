//! The services over HTTP, with real servers behind them: everything runs in this process, each test in a namespace of its own.
#![allow(clippy::unwrap_used)]

mod accounts;
mod bad_input;
mod boundaries;
mod canaries;
mod client;
mod crash;
mod documents;
mod guarded;
mod headers;
mod hostile;
mod idempotency;
mod import;
mod journey;
mod limits;
mod live;
mod logs;
mod matrix;
mod metrics;
mod operations;
mod operators;
mod pages;
mod people;
mod personal;
mod sessions;
mod stale;
mod totp;
mod transport;
mod wire;
mod world;
