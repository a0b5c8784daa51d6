//! The bus and the ordered feed of the log. Knows bytes, positions and subjects, how to give way, and leaves
//! what an event means to others.
//!
//! Postgres is the truth; JetStream is transport. Everything here can be lost and refilled from the view `recorded`.

pub mod bus;
pub mod envelope;
pub mod feed;
pub mod moment;
pub mod rush;
pub mod transaction;

pub use bus::{Bus, BusError, Hint};
pub use envelope::{Envelope, PARTITIONS, partition, subject};
pub use feed::{Feed, FeedError, Follower};
pub use moment::Moment;
pub use rush::Rush;
