//! Signing up, in and out.

use crate::{AccountId, CustomerId, SupplierId};
use serde::{Deserialize, Serialize};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Books for themselves.
    Customer,
    /// A member of one supplier.
    Supplier,
    /// Bookings, launches and money.
    Employee,
    /// Keeps the system healthy.
    Operator,
    /// Reads everything as events, changes nothing.
    Auditor,
}

/// Open a customer account (`POST /api/core/accounts`). Answer: [`Me`], signed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignUp {
    /// How to be called.
    pub name: String,
    /// Where to write; the sign-in.
    pub email: String,
    /// At least 12 characters; any Unicode, nothing trimmed, at most 1024 bytes.
    pub password: String,
}

/// Sign in (`POST /api/core/session`). Answer: [`Me`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// The address of the account.
    pub email: String,
    /// Its password.
    pub password: String,
}

macro_rules! hide {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), " { .. }")) // a password never reaches a log
            }
        }
    )*};
}
hide! { SignUp SignIn }

/// Who is signed in (`GET /api/core/session`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The account.
    pub account: AccountId,
    /// How to be called.
    pub name: String,
    /// The address of the account.
    pub email: String,
    /// What it may do.
    pub role: Role,
    /// Of a customer.
    pub customer: Option<CustomerId>,
    /// Of a supplier's member.
    pub supplier: Option<SupplierId>,
    /// Of a customer: six seats instead of four.
    pub vip: bool,
}
