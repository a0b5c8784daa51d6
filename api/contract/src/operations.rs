//! The system as operators and auditors see it.

use domain::id::AccountId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A line of the system log; no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// `error`, `warn`, `info`.
    pub level: String,
    /// Which part of the program.
    pub target: String,
    /// Readable alone.
    pub message: String,
    /// Named fields.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Which log lines are wanted (`GET /api/core/logs`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct LogQuery {
    /// At least this bad: `error`, `warn` or `info`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// Text of the message, target or a field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Of requests to this service: `customer`, `supplier`, `employee` or `core`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Of requests by this account, or about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Of this request, as its answer's header `Request-Id` said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
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

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NotificationState {
    /// To be sent.
    Pending,
    /// The mail server took it.
    Sent,
    /// Being sent, or the outcome is unknown; not sent again by itself.
    Uncertain,
    /// Given up after too many tries.
    Dead,
}

/// A notification, without its text and the recipient's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    /// `<event id>:<template>:<recipient id>`: one per cause and recipient.
    pub id: String,
    /// The event that caused it.
    pub cause: Uuid,
    /// Such as `booking_confirmed`.
    pub template: String,
    /// Such as `customer:<id>`.
    pub recipient: String,
    /// What became of it.
    pub state: NotificationState,
    /// How often it was tried.
    pub attempts: u32,
    /// The mail's Message-ID.
    pub message_id: String,
    /// The last error; empty when none.
    pub error: String,
    /// When it was caused.
    pub at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// A read model and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectionStatus {
    /// Such as `customer.launches`.
    pub view: String,
    /// Its form, counted up by rebuilds.
    pub version: u32,
    /// The form before it, where that is kept: one can go back to it.
    pub previous: Option<u32>,
    /// How far it has read.
    pub position: u64,
    /// How far the log is.
    pub head: u64,
    /// Events still to read.
    pub lag_events: u64,
    /// Age of the oldest event still to read, in milliseconds.
    pub lag_ms: u64,
    /// Streams set aside because one of their events failed.
    pub parked: u64,
    /// `live`, `rebuilding`, `paused`, `stopped` or the fault.
    pub state: String,
    /// Whether an operator paused its projection.
    pub paused: bool,
    /// Whether it has read another log than this one, as when an older one was put back: it stands still until it is rebuilt.
    pub ahead: bool,
    /// How far its rebuild is, or why the last one failed; none when there is nothing to say.
    pub rebuild: Option<RebuildProgress>,
    /// Its partitions, by number; empty when it has none.
    pub partitions: Vec<PartitionStatus>,
}

/// How far a rebuild is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RebuildProgress {
    /// The form it makes.
    pub version: u32,
    /// Events folded.
    pub done: u64,
    /// Events there are.
    pub total: u64,
    /// Seconds left at this rate, once there is a rate.
    pub seconds_left: Option<u64>,
    /// `reading`, `catching up`, `comparing` or `switching`; empty when none is going on.
    pub phase: String,
    /// Why the last one failed; empty when it did not.
    pub fault: String,
}

/// A part of a projection that one process works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartitionStatus {
    /// From 0.
    pub partition: u8,
    /// How far it has read.
    pub position: u64,
    /// The process that works on it; none when nobody does.
    pub holder: Option<Uuid>,
}

/// A stream that is set aside in a view (`GET /api/core/projections/{view}/parked`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedStream {
    /// Such as `customer.launches`.
    pub view: String,
    /// Such as `launch`.
    pub stream_type: String,
    /// Its id.
    pub stream_id: String,
    /// The event that failed.
    pub position: u64,
    /// Why.
    pub why: String,
    /// Whether it is about to be tried again.
    pub retrying: bool,
}

/// Asks for a view to be made anew from the log (`POST /api/core/projections/{view}/rebuild`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AskRebuild {
    /// Switch even though the new form differs from the one in use: the fold was changed on purpose.
    pub accept_differences: bool,
}

/// Which form of a view is in use now (`POST /api/core/projections/{view}/roll_back`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InUse {
    /// Such as `customer.launches`.
    pub view: String,
    /// Its form.
    pub version: u32,
}

/// The projections and the log's head (`GET /api/core/projections`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Projections {
    /// Every view.
    pub views: Vec<ProjectionStatus>,
    /// The last position of the log.
    pub head: u64,
    /// Events written and not yet in the log's order.
    pub unsequenced: u64,
    /// Age of the oldest transaction that may still write events, in milliseconds; none when there is none.
    pub oldest_writer_ms: Option<u64>,
    /// Whether that transaction keeps events from the log's order for longer than it should.
    pub held_back: bool,
    /// Why no event gets its place any more, as a sentence; none while the log goes on.
    pub stopped: Option<String>,
    /// The process that sequences; none when nobody does.
    pub sequencer: Option<Uuid>,
    /// How often that right has changed hands.
    pub epoch: u64,
    /// When this was read.
    pub as_of: Timestamp,
}

/// An event of a stream, as auditors see it (`GET /api/core/streams/{type}/{id}/events`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamEvent {
    /// Its place in the log.
    pub position: u64,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The event.
    pub event_id: Uuid,
    /// Its stored type.
    pub event_type: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// By which command.
    pub command_id: Uuid,
    /// In which conversation.
    pub correlation_id: Uuid,
    /// Caused by which event, where one did.
    pub causation_id: Option<Uuid>,
    /// What happened.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: serde_json::Value,
    /// The chained hash, hexadecimal.
    pub hash: String,
}

/// A stream found by what people know of it (`GET /api/core/streams?search=`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamHit {
    /// Such as `launch`.
    pub stream_type: String,
    /// Its id.
    pub stream_id: String,
    /// As shown, such as a slug.
    pub title: String,
}

/// What checking the log found (`POST /api/core/audit/verify`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verification {
    /// Events checked: density, body hashes, chain, order within streams.
    pub checked: u64,
    /// The last position.
    pub head: u64,
    /// The last hash, hexadecimal.
    pub head_hash: String,
    /// The first bad position and what is wrong there; none means the chain holds.
    pub first_bad: Option<BadPosition>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Where the log is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BadPosition {
    /// Where.
    pub position: u64,
    /// What is wrong.
    pub why: String,
}

/// A stream's state as of a moment (`GET /api/core/streams/{type}/{id}/state?at=`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamState {
    /// Events applied.
    pub sequence: u64,
    /// Up to which position.
    pub position: u64,
    /// Whether events of the stream up to the `Astro-Position` asked for have no place in the log yet.
    #[serde(default)]
    pub stale: bool,
    /// The state.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub state: serde_json::Value,
}

/// A mail in the development mailbox (`GET /api/core/mailbox`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mail {
    /// Its Message-ID.
    pub id: String,
    /// When it arrived.
    pub at: Timestamp,
    /// To whom.
    pub to: String,
    /// From whom.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// Its plain text.
    pub text: String,
}
