//! The four web apps: customer, supplier, employee and admin. Components get values and callbacks, pages get a route and
//! load, [`client`] alone speaks HTTP. What is true is left to the services; what may be asked of them to `contract`.
//!
//! Styles live in `assets/*.css`; there are no `style` attributes, the content security policy forbids them.

pub mod account;
pub mod admin;
pub mod browser;
pub mod client;
pub mod components;
pub mod customer;
pub mod desk;
pub mod employee;
pub mod format;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
pub mod supplier;
