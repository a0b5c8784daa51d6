//! The pages as a server sends them, asked of services that are made up here: what a visitor without JavaScript gets, and what
//! the policy of ours would forbid. How pages behave in a browser is left to `e2e`.
#![allow(clippy::unwrap_used)]

mod components;
mod pages;
