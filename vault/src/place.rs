//! Whose a sealed value is, and where it belongs.

use domain::id::{AccountId, BookingId, CustomerId, LaunchId};
use domain::seat::Seat;
use std::{borrow::Cow, fmt};
use uuid::Uuid;

/// A person with a data key: the account and the customer of that person have the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub Uuid);

impl PersonId {
    /// This installation itself: for what is kept about many at once. Never erased.
    pub const INSTALLATION: Self = Self(Uuid::nil());
}
impl From<AccountId> for PersonId {
    fn from(id: AccountId) -> Self {
        Self(id.0)
    }
}
impl From<CustomerId> for PersonId {
    fn from(id: CustomerId) -> Self {
        Self(id.0)
    }
}
impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a sealed value belongs: a stream or document, and the event or field in it. A value opens in its own place only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    stream: Cow<'a, str>,
    field: Cow<'a, str>,
}

impl<'a> Place<'a> {
    /// Such as `launch/<id>` and `passengers_named/<booking>/<seat>`.
    pub fn new(stream: impl Into<Cow<'a, str>>, field: impl Into<Cow<'a, str>>) -> Self {
        Self { stream: stream.into(), field: field.into() }
    }
    /// What is bound to the ciphertext: no two places and persons give the same bytes.
    pub(crate) fn bytes(&self, person: PersonId) -> Vec<u8> {
        let stream = self.stream.as_bytes();
        let length = u64::try_from(stream.len()).unwrap_or(u64::MAX).to_be_bytes();
        [person.0.as_bytes().as_slice(), &length, stream, self.field.as_bytes()].concat()
    }
}

impl Place<'static> {
    /// The details of the passenger in a seat of a booking.
    #[must_use]
    pub fn passenger(launch: LaunchId, booking: BookingId, seat: Seat) -> Self {
        Self::new(format!("launch/{launch}"), format!("passengers_named/{booking}/{seat}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_are_the_same_bytes() {
        let person = PersonId(Uuid::from_u128(7));
        assert_ne!(Place::new("ab", "c").bytes(person), Place::new("a", "bc").bytes(person));
        assert_ne!(Place::new("ab", "c").bytes(person), Place::new("ab", "c").bytes(PersonId::INSTALLATION));
    }
}
