//! The read side: pure folds from events into documents, the loop that keeps them up to date in MongoDB and Postgres, and the readers
//! of the services. Deciding is left to the domain, who may read what to the services.
//!
//! - A [`View`] is a fold; [`launches`], [`bookings`], [`suppliers`], [`rockets`], [`spaceports`] and [`accounts`] are the views.
//! - [`run`] keeps the views of one [`Projection`] up to date; nothing in it can send a mail or a command.
//! - [`CustomerViews`], [`OperationsViews`] and [`FinanceViews`] read them.

pub mod accounts;
pub mod bookings;
mod closed;
pub mod customer;
mod databases;
mod departure;
pub mod finance;
mod freshness;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod given;
mod guards;
mod lane;
pub mod launches;
mod listing;
mod local;
pub mod operations;
mod partitions;
mod projector;
pub mod rebuild;
mod recorded;
pub mod rockets;
mod sharing;
pub mod spaceports;
mod status;
pub mod store;
pub mod suppliers;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod tsquery;
mod view;
mod words;

pub use closed::Closed;
pub use customer::CustomerViews;
pub use databases::{Databases, PrepareFault, Projection, UnknownView, ViewName, prepare};
pub use finance::{FinanceViews, JournalQuery, Totals};
pub use freshness::{Freshness, ReadFault, WAIT_MAX};
#[doc(hidden)]
pub use guards::{Guards, Step, Trial};
pub use operations::{BookingQuery, LaunchQuery, OperationsViews};
pub use partitions::{Partitions, Positions};
pub use projector::run;
pub use rebuild::{rebuild, roll_back};
pub use recorded::Recorded;
pub use status::{Status, discard, parked, pause, resume, retry, status};
pub use view::{Column, Unfit, View};
pub use words::{Blinding, EMAIL, WORD, words};
