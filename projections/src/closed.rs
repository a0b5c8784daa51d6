//! What is read of bookings while it is still sealed. Opening it is left to the services, which have the vault.

use contract::{BookingId, CustomerId, LaunchId, Seat};
use domain::passenger::SealedPassenger;
use std::collections::BTreeMap;

/// An answer about a booking whose list of passengers is empty still: they are in `sealed`.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed<T> {
    /// All that is not personal.
    pub shown: T,
    /// Under whose key.
    pub customer: CustomerId,
    /// On which launch they were named.
    pub launch: LaunchId,
    /// In which booking.
    pub booking: BookingId,
    /// Who sits where; empty until named.
    pub sealed: BTreeMap<Seat, SealedPassenger>,
}
