//! The write side: decides commands, appends what they cause to the event store, gives every event its place in the log and puts it
//! on the bus. What a command means is the domain's; what is shown of it is the projections'.
//!
//! - [`Executor`] decides and appends; the same command id gets the same answer for ever.
//! - [`sequence`] gives committed events dense positions, chains their hashes and relays them to JetStream.
//! - [`audit`] checks all that from the stored rows alone, and shows any stream as it was.

pub mod aggregate;
pub mod ask;
pub mod audit;
pub mod clock;
pub mod executor;
pub mod forms;
#[doc(hidden)]
pub mod guards;
pub mod hash;
pub mod outcome;
pub mod sequence;
pub mod store;
pub mod timers;
pub mod wake;

pub use ask::Ask;
pub use executor::{Executor, Limits, Loaded};
pub use forms::check as check_forms;
pub use outcome::{Done, Failure, StreamVersion};
pub use store::{StoreError, beside, connect, connect_by_key, migrate};
pub use wake::Wake;
