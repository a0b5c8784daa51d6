//! Accounts: signing up, in and out, second factors, sessions; and what operators do with accounts.

use crate::{AccountId, CustomerId, SupplierId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Supplier, Self::Employee, Self::Operator, Self::Auditor];

    /// Its name, as stored and asked for.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Employee => "employee",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
    /// Everyone but customers: longer passwords, a second factor, shorter sessions.
    #[must_use]
    pub const fn is_staff(self) -> bool {
        !matches!(self, Self::Customer)
    }
}

/// The shortest password of a customer, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The shortest password of everyone else, in characters.
pub const STAFF_PASSWORD_CHARACTERS_MIN: usize = 15;
/// The longest password, in bytes: refused before it is hashed.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// The longest reason an operator may give, in characters.
pub const REASON_CHARACTERS_MAX: usize = 300;

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), " { .. }")) // a password or a code never reaches a log
            }
        }
    )*};
}

forms! {
    /// Ask for a customer account (`POST /api/core/accounts`). Answered alike whether or not the address has one; the mail says more.
    SignUp {
        /// How to be called.
        name: String,
        /// Where to write; the sign-in.
        email: String,
        /// At least 12 characters; any Unicode, nothing trimmed, at most 1024 bytes.
        password: String,
    }
    /// Open the account that was asked for (`POST /api/core/accounts/confirm`).
    Confirm {
        /// From the link in the mail.
        token: String,
    }
    /// Sign in (`POST /api/core/session`). Answer: [`Me`].
    SignIn {
        /// The address of the account.
        email: String,
        /// Its password.
        password: String,
        /// The six digits of the second factor, or a recovery code, once asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    }
    /// Ask for a link to set another password (`POST /api/core/password/forgotten`). Answered alike for every address.
    Forgotten {
        /// The address of the account.
        email: String,
    }
    /// Set a password by a link (`POST /api/core/password/reset`): all sessions end.
    ResetPassword {
        /// From the link in the mail.
        token: String,
        /// At least 12 characters, 15 for staff.
        password: String,
    }
    /// Change the password (`POST /api/core/password`): all other sessions end.
    ChangePassword {
        /// The one until now.
        current: String,
        /// The one from now on.
        new: String,
    }
    /// Begin to set up a second factor (`POST /api/core/totp`). Answer: [`TotpStart`].
    StartTotp {
        /// Needed but for those who signed in only to set one up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
    }
    /// Set it up (`POST /api/core/totp/confirm`). Answer: [`RecoveryCodes`].
    ConfirmTotp {
        /// The six digits the app shows.
        code: String,
    }
    /// Take it away (`DELETE /api/core/totp`, customers only), or make new recovery codes (`POST /api/core/recovery-codes`).
    Reauthenticate {
        /// The password.
        password: String,
        /// The six digits, or a recovery code; of no account without a second factor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    }
    /// A new second factor, not in force yet.
    TotpStart {
        /// Base 32, to type in.
        secret: String,
        /// `otpauth://`, as in the picture.
        uri: String,
        /// The picture to scan, SVG.
        qr: String,
    }
    /// Shown once, never again.
    RecoveryCodes {
        /// Each opens the account once, in place of the six digits.
        codes: Vec<String>,
    }
    /// Forget me (`POST /api/core/erasure`). Cannot be taken back.
    Erase {
        /// The password of the account.
        password: String,
    }
    /// Invite staff (`POST /api/core/accounts/staff`). Answer: [`AccountRow`].
    Invite {
        /// How to be called.
        name: String,
        /// Where the link goes.
        email: String,
        /// Any but customer.
        role: Role,
        /// For the role supplier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supplier: Option<SupplierId>,
        /// Why; kept with what happened.
        reason: String,
    }
    /// Something an operator does to an account.
    WithReason {
        /// Why; kept with what happened.
        reason: String,
    }
    /// Another role for a member of staff (`POST /api/core/accounts/{id}/role`).
    ChangeRole {
        /// Any but customer.
        role: Role,
        /// For the role supplier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supplier: Option<SupplierId>,
        /// Why; kept with what happened.
        reason: String,
    }
}

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
    /// Signed in only to set up the second factor that the role needs.
    #[serde(default)]
    pub enrolling: bool,
    /// Whether a second factor is in force.
    #[serde(default)]
    pub second_factor: bool,
    /// How many recovery codes are left.
    #[serde(default)]
    pub recovery_codes: u8,
}

/// One of one's own sessions (`GET /api/core/sessions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRow {
    /// The session.
    pub id: Uuid,
    /// With what, such as `Firefox on Linux`.
    pub device: String,
    /// From where, its last part left out.
    pub address: String,
    /// Since when.
    pub started_at: Timestamp,
    /// When it was last used, to a minute or so.
    pub seen_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// What an account is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AccountState {
    /// Asked for or invited, not opened yet.
    Unconfirmed,
    /// May sign in.
    Active,
    /// May not, by an operator's word.
    Disabled,
    /// The person was erased.
    Erased,
}

impl AccountState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unconfirmed, Self::Active, Self::Disabled, Self::Erased];

    /// Its name, as stored and asked for.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Erased => "erased",
        }
    }
}

/// An account as operators see it (`GET /api/core/accounts`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountRow {
    /// The account.
    pub id: AccountId,
    /// How to be called; empty once erased.
    pub name: String,
    /// Its address; empty once erased.
    pub email: String,
    /// What it may do.
    pub role: Role,
    /// Of a supplier's member.
    pub supplier: Option<SupplierId>,
    /// Whether it may sign in.
    pub state: AccountState,
    /// Whether a second factor is in force.
    pub second_factor: bool,
    /// Sessions that go on; counted for a single account only.
    pub sessions: Option<u32>,
    /// Since when.
    pub created_at: Timestamp,
}

/// Which accounts are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct AccountQuery {
    /// A whole e-mail address or an id; names cannot be searched, they are sealed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Only with this role.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Only in this state.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// From 1; 0 counts as 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub page: u32,
}

fn is_zero(page: &u32) -> bool {
    *page == 0
}
