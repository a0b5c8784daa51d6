//! What happened around sign-ins, rights and limits, as operators and auditors see it.

use domain::id::AccountId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SecurityKind { $($(#[$doc])* $name,)* }

        impl SecurityKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name, as stored and asked for.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// An account was asked for.
    SignedUp "signed_up";
    /// Its e-mail address was confirmed.
    AccountConfirmed "account_confirmed";
    /// A session began.
    SignedIn "signed_in";
    /// The e-mail or the password was wrong.
    SignInFailed "sign_in_failed";
    /// The code of the second factor was wrong.
    SecondFactorFailed "second_factor_failed";
    /// Too many failures: the sign-in was not even tried.
    SignInThrottled "sign_in_throttled";
    /// A session was ended by its owner.
    SignedOut "signed_out";
    /// A session was ended from another one, or by an operator.
    SessionEnded "session_ended";
    /// A refresh token came a second time: its family was ended.
    RefreshReused "refresh_reused";
    /// The password was changed by one who knew it.
    PasswordChanged "password_changed";
    /// A link to set a new password was asked for.
    PasswordResetAsked "password_reset_asked";
    /// A new password was set by such a link.
    PasswordReset "password_reset";
    /// A second factor was set up.
    TotpEnrolled "totp_enrolled";
    /// The second factor was taken away.
    TotpRemoved "totp_removed";
    /// A recovery code was used in place of the second factor.
    RecoveryCodeUsed "recovery_code_used";
    /// New recovery codes were made; the old ones are worth nothing.
    RecoveryCodesRenewed "recovery_codes_renewed";
    /// One who is signed in did not know the password that a change needs.
    PasswordCheckFailed "password_check_failed";
    /// Something was asked for without the right to it.
    Denied "denied";
    /// More was asked for than a limit allows.
    Limited "limited";
    /// The role of an account was changed.
    RoleChanged "role_changed";
    /// An account was disabled.
    AccountDisabled "account_disabled";
    /// An account was enabled again.
    AccountEnabled "account_enabled";
    /// A member of staff was invited.
    StaffInvited "staff_invited";
    /// A person took their data out.
    DataExported "data_exported";
    /// A person was erased.
    Erased "erased";
    /// Keys were wrapped anew.
    KeysRotated "keys_rotated";
    /// Another site's page tried to change something.
    ForeignOrigin "foreign_origin";
}

/// One entry of the trail (`GET /api/core/security-events`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecurityEvent {
    /// When, or when the first of several.
    pub at: Timestamp,
    /// Such as `sign_in_failed`.
    pub kind: String,
    /// Whom it is about, where that is known.
    pub account: Option<AccountId>,
    /// Who did it, where that is another.
    pub actor: Option<AccountId>,
    /// From where; empty where unknown, or once the person is erased.
    pub address: String,
    /// Why, or which rule; often empty.
    pub reason: String,
    /// How often within a minute; 1 for most.
    pub times: u64,
}

/// Which entries are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct SecurityQuery {
    /// One kind, such as `denied`; empty for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// About or by this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// From this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// From 1; 0 counts as 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub page: u32,
}

fn is_zero(page: &u32) -> bool {
    *page == 0
}
