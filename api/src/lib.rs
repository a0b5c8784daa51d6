//! The four services and everything the binary `astro` runs. Rules are the domain's, reads the projections', time and mail the scheduler's.
//!
//! - [`services`]: the routes of the customer, supplier, employee and core services; [`web`] is what goes around them.
//! - [`authority`]: who may call a handler, as extractors; [`extract`]: what else handlers take.
//! - [`problem`] and [`refusal`]: the one shape of errors, and what refusals are called outside.
//! - [`roles`]: what one process runs, and how it stops.

pub mod answer;
pub mod app;
pub mod asking;
pub mod audit;
pub mod authority;
pub mod certificates;
pub mod config;
pub mod core;
pub mod customer;
pub mod demo;
pub mod employee;
pub mod extract;
pub mod import;
pub mod kept;
pub mod keys;
pub mod listing;
pub mod logs;
pub mod mongo;
pub mod mongo_users;
pub mod personal;
pub mod policies;
pub mod problem;
pub mod refusal;
pub mod roles;
pub mod services;
pub mod shelf;
pub mod supplier;
pub mod tls;
pub mod web;
