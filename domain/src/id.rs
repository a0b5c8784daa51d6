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
