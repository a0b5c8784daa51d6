//! Where documents of views are kept, with how far each view is. What is in them is left to the views.
//!
//! Every document carries the position of the event that wrote it and is written only if newer. How far a view is moves only for the epoch
//! in which a projector began: one that has lost its partitions meanwhile moves nothing.

mod mongo;
mod postgres;
mod together;

pub(crate) use mongo::Kept;
pub use mongo::MongoStore;
pub use postgres::PostgresStore;

use crate::{
    Column,
    partitions::{PARTS, Positions},
};
use contract::{finance::JournalLine, operations::RebuildProgress};
use jiff::Timestamp;
use nats::Envelope;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};
use uuid::Uuid;

/// One version of a view, and so one table or collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Table {
    /// The view.
    pub view: &'static str,
    /// From 1.
    pub version: u32,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_v{}", self.view, self.version)
    }
}

/// A document to write.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The event that wrote it.
    pub position: u64,
    /// The document.
    pub doc: serde_json::Value,
    /// What it is found by.
    pub columns: Vec<(&'static str, Column)>,
    /// Whether the store has no such document yet, as far as its writer knows.
    pub new: bool,
}

/// A document as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// The event that wrote it.
    pub position: u64,
    /// The document.
    pub doc: serde_json::Value,
    /// What it is found by, in whatever form the store gives it.
    pub columns: serde_json::Value,
}

/// An event by its place in the log. Another log has another event there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its position.
    pub position: u64,
    /// Its id.
    pub event_id: Uuid,
}

impl From<&Envelope> for Place {
    fn from(event: &Envelope) -> Self {
        Self { position: event.position, event_id: event.event_id }
    }
}

/// What a batch of events does to a view.
#[derive(Debug)]
pub struct Changes {
    /// The version it is about.
    pub table: Table,
    /// Documents.
    pub rows: Vec<Row>,
    /// Lines of the journal.
    pub lines: Vec<JournalLine>,
    /// Streams set aside.
    pub parked: Vec<Parked>,
    /// Ids of streams taken up again, of the view's only kind.
    pub taken_up: Vec<(&'static str, String)>,
    /// Up to where the view had read before this; 0 for partitions it leaves alone.
    pub behind: Positions,
    /// Up to where it has read with this; 0 for the same.
    pub positions: Positions,
    /// The last event it has read with this; none for the same.
    pub last: Option<Place>,
}

impl Changes {
    /// That a view which had read up to `behind` is further than any log will ever be: only a rebuild leads on from there.
    pub(crate) fn beyond_any_log(table: Table, behind: Positions) -> Self {
        let positions = Positions::beyond_any_log();
        Self { table, rows: Vec::new(), lines: Vec::new(), parked: Vec::new(), taken_up: Vec::new(), behind, positions, last: None }
    }
}

/// A stream that is set aside in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its type.
    pub stream_type: String,
    /// Its id.
    pub stream_id: String,
    /// The event that failed.
    pub position: u64,
    /// Why.
    pub why: String,
    /// Whether an operator asked to try again.
    pub retry: bool,
    /// Whether an operator gave the failing event up.
    pub discard: bool,
    /// When it was set aside.
    pub since: Timestamp,
}

/// Where a view stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The view.
    pub view: String,
    /// The version in use.
    pub version: u32,
    /// The one before, if it is kept.
    pub previous: Option<u32>,
    /// The highest version ever made.
    pub latest: u32,
    /// How far each version is.
    pub positions: BTreeMap<u32, Positions>,
    /// An event that each version has read, of late: what tells its log from another. None of versions that have read nothing since this is noted.
    pub last: BTreeMap<u32, Place>,
    /// Until when a rebuild has the right to go on.
    pub rebuilding_until: Option<Timestamp>,
    /// How far the last rebuild is, or was when it ended.
    pub rebuild: Option<RebuildProgress>,
}

impl Standing {
    /// How far each partition of the version in use is.
    #[must_use]
    pub fn positions(&self) -> Positions {
        self.positions.get(&self.version).copied().unwrap_or_default()
    }
    /// Up to where the version in use has read everything.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.positions().least()
    }
}

/// Who keeps the views of a store up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Counted up whenever who may write changes.
    pub epoch: u64,
    /// Who has which partition.
    pub holders: [Option<Uuid>; PARTS],
    /// Whether an operator stopped them all.
    pub paused: bool,
    /// The processes that take part.
    pub members: Vec<Member>,
}

/// A process that takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Another one each time it runs.
    pub id: Uuid,
    /// Counted up as long as it lives.
    pub beats: u64,
    /// When it last did, by the clock of the store or the process.
    pub beat_at: Timestamp,
    /// What hinders it; empty when nothing does.
    pub fault: String,
}

/// The store failed. Views wait until it is back.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// MongoDB failed.
    #[error("MongoDB failed")]
    Mongo(#[from] mongodb::error::Error),
    /// MongoDB refused some writes.
    #[error("MongoDB refused to write {0}")]
    Refused(String),
    /// Postgres failed.
    #[error("Postgres failed")]
    Postgres(#[from] sqlx::Error),
    /// A stored document cannot be read.
    #[error("a document of {table} is not readable")]
    Unreadable {
        /// Which version of which view.
        table: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// A document cannot be put into the form of MongoDB.
    #[error("a document cannot be stored")]
    Unstorable(#[from] mongodb::bson::error::Error),
    /// Who may write has changed since; nothing of this counts.
    #[error("another has the right to write now")]
    Fenced,
    /// The version to switch to is not as far as the one in use.
    #[error("the version in use moves on faster than the other can follow")]
    Behind,
    /// The view is not set up: `projections::prepare` was not run.
    #[error("the view {0} is not set up")]
    Missing(String),
}

/// A database of views.
#[async_trait::async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Sets up the views that are not there yet, empty at version 1.
    async fn prepare(&self, views: &[&'static str]) -> Result<(), StoreFault>;
    /// Where all views stand.
    async fn standings(&self) -> Result<HashMap<String, Standing>, StoreFault>;
    /// The documents with these ids, as far as there are any.
    async fn read(&self, table: Table, ids: &[String]) -> Result<Vec<Stored>, StoreFault>;
    /// Up to `limit` documents in the order of their ids, after `after`.
    async fn scan(&self, table: Table, after: &str, limit: u32) -> Result<Vec<Stored>, StoreFault>;
    /// Writes what is newer, then how far the views are; fails as [`StoreFault::Fenced`] when the epoch is another than `fence`, or when the
    /// store does not know that a view was read to where this goes on: it was put back, or its last writes went with a crash. A rebuild
    /// writes a version that nobody else reads yet and gives no epoch.
    async fn write(&self, fence: Option<u64>, changes: &[Changes]) -> Result<(), StoreFault>;

    /// Who keeps the views up to date.
    async fn sharing(&self) -> Result<Sharing, StoreFault>;
    /// Says that a process takes part and what hinders it, and learns who else does.
    async fn beat(&self, member: Uuid, fault: &str) -> Result<Sharing, StoreFault>;
    /// Deals the partitions out anew, which begins the epoch after `epoch`; false when that is over already.
    async fn deal(&self, epoch: u64, holders: [Option<Uuid>; PARTS]) -> Result<bool, StoreFault>;
    /// A process no longer takes part. With `beats` only if it gave no sign of life since then.
    async fn forget(&self, member: Uuid, beats: Option<u64>) -> Result<(), StoreFault>;
    /// A projector begins in `epoch`: from now on nothing counts that a process of an epoch before it still sets aside. Fails as
    /// [`StoreFault::Fenced`] when it is over already. Nothing to do where all of a write is one transaction.
    async fn begin(&self, _epoch: u64) -> Result<(), StoreFault> {
        Ok(())
    }
    /// Stops every projector of the views, or lets them go on; begins a new epoch.
    async fn pause(&self, paused: bool) -> Result<(), StoreFault>;

    /// Makes an empty version, throwing away what may be left of it.
    async fn create(&self, table: Table) -> Result<(), StoreFault>;
    /// Throws a version away.
    async fn discard(&self, table: Table) -> Result<(), StoreFault>;
    /// Puts `table` in use instead of `previous`, in one step, and begins a new epoch, so that every projector looks again; false when
    /// `previous` is not in use any more. Fails as [`StoreFault::Behind`] when `previous` is further than `no_further` in some partition,
    /// for readers would lose what they have seen.
    async fn switch(&self, table: Table, previous: u32, no_further: Positions) -> Result<bool, StoreFault>;
    /// Keeps how far a rebuild is, for whoever asks.
    async fn report(&self, view: &'static str, progress: &RebuildProgress) -> Result<(), StoreFault>;
    /// Stands for all lines of the journal up to a position, where the version has any.
    async fn lines_digest(&self, _table: Table, _up_to: u64) -> Result<Option<String>, StoreFault> {
        Ok(None)
    }
    /// Takes or extends the right to rebuild a view until `until`; false when another has it. Giving `None` gives it back.
    async fn claim(
        &self,
        view: &'static str,
        held: Option<Timestamp>,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<bool, StoreFault>;

    /// The streams set aside in a version.
    async fn parked(&self, table: Table) -> Result<Vec<Parked>, StoreFault>;
    /// Notes that a stream set aside shall be tried again, with or without the event that failed; false when it is not set aside.
    async fn ask_retry(&self, table: Table, stream_type: &str, stream_id: &str, discard: bool) -> Result<bool, StoreFault>;
}

/// Positions are counted from 1 and never beyond what a signed number holds; the last of those is [`Positions::beyond_any_log`].
pub(crate) fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
pub(crate) fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or_default()
}
