//! Everything kept about one customer, as they may take it with them.

use crate::{
    AccountId,
    account::{AccountState, Role, SessionRow},
    booking::Trip,
    operations::NotificationState,
    security::SecurityEvent,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// All that is kept (`GET /api/customer/export`). Payments and refunds are in the bookings; of cards only brand and last digits are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Export {
    /// When this was written.
    pub made_at: Timestamp,
    /// Whether the bookings may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
    /// The account.
    pub account: ExportedAccount,
    /// Bookings with their passengers, payments and refunds, newest first.
    pub bookings: Vec<Trip>,
    /// Mails sent or to be sent, oldest first.
    pub mails: Vec<ExportedMail>,
    /// Sessions that go on.
    pub sessions: Vec<SessionRow>,
    /// What happened to the account and from where, newest first.
    pub security_events: Vec<SecurityEvent>,
}

/// The account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportedAccount {
    /// Its id; also the customer's in bookings.
    pub id: AccountId,
    /// As called.
    pub name: String,
    /// Where mail goes.
    pub email: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may sign in.
    pub state: AccountState,
    /// Whether the VIP limits hold.
    pub vip: bool,
    /// Whether a second factor is asked for.
    pub second_factor: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportedMail {
    /// When there was something to write about.
    pub at: Timestamp,
    /// When it was sent, if it was.
    pub sent_at: Option<Timestamp>,
    /// What became of it.
    pub state: NotificationState,
    /// What it is about.
    pub subject: String,
    /// Its words; empty where they hold the secret of a link.
    pub text: String,
}
