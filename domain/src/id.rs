//! One id type per kind of thing, so that they cannot be mixed up.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = Uuid))]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
        impl $name {
            /// The id that follows from `parent` and `name`: the same each time it is asked for.
            #[must_use]
            pub fn derived(parent: Uuid, name: &str) -> Self {
                Self(Uuid::new_v5(&parent, name.as_bytes()))
            }
        }
    )*};
}

ids! {
    /// A launch agency that owns rockets and schedules launches.
    SupplierId;
    /// A place launches leave from.
    SpaceportId;
    /// A vehicle with a cabin.
    RocketId;
    /// One departure; one stream.
    LaunchId;
    /// Seats of one customer on one launch, from the hold on.
    BookingId;
    /// One who books.
    CustomerId;
    /// One attempt to be paid; also the idempotency key at the payment provider.
    PaymentId;
    /// One amount given back; also the idempotency key at the payment provider.
    RefundId;
    /// A person's sign-in, whatever the role.
    AccountId;
}

impl BookingId {
    /// What a customer says on the phone, such as `B-7Q2K-91XA`: 40 bits that follow from the id, whoever chose it, in Crockford's
    /// base 32, which has no letter that looks like a digit.
    #[must_use]
    pub fn reference(self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let digest = Uuid::new_v5(&self.0, b"reference").into_bytes();
        let bits = digest[..5].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let letters: String = (0..8).rev().map(|n| char::from(ALPHABET[(bits >> (5 * n) & 31) as usize])).collect();
        format!("B-{}-{}", &letters[..4], &letters[4..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_reference_is_fixed_for_ever() {
        assert_eq!([0, 1].map(|n| BookingId(Uuid::from_u128(n)).reference()), ["B-J8DW-M48C", "B-72PG-5XX5"]);
    }
}
