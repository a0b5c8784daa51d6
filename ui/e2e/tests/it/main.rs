//! The journeys, clicked in a real browser against the real platform: `cargo xtask test`.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod account_page;
mod accounts;
mod browser;
mod journey;
mod markup;
mod operator;
mod platform;
