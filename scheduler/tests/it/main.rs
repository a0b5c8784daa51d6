//! The scheduler against real servers: Postgres, MongoDB and SMTP. Only the payment provider and the clock are of our own making.
#![allow(clippy::unwrap_used)]

mod abort;
mod hold;
mod jobs;
mod mail;
mod pay;
mod trip;
mod world;
