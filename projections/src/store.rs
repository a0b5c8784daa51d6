//! Where documents of views are kept, with how far each view is. What is in them is left to the views.
//!
//! Every document carries the position of the event that wrote it and is written only if newer, so that any number of projectors may
//! write the same views: each folds every event in order, and the slower one changes nothing.

mod mongo;
mod postgres;

pub(crate) use mongo::Kept;
pub use mongo::MongoStore;
pub use postgres::PostgresStore;

use crate::Column;
use contract::finance::JournalLine;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

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
}

/// A document as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// The event that wrote it.
    pub position: u64,
    /// The document.
    pub doc: serde_json::Value,
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
    /// Up to where the view has read with this.
    pub position: u64,
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
    pub positions: BTreeMap<u32, u64>,
    /// Until when a rebuild has the right to go on.
    pub rebuilding_until: Option<Timestamp>,
    /// When a projector last looked after it.
    pub beat_at: Option<Timestamp>,
    /// What hinders that projector; empty when nothing does.
    pub fault: String,
}

impl Standing {
    /// How far the version in use is.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.positions.get(&self.version).copied().unwrap_or_default()
    }
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
    /// Writes what is newer, then how far the views are.
    async fn write(&self, changes: &[Changes]) -> Result<(), StoreFault>;
    /// Says that a projector looks after the views, and what hinders it.
    async fn beat(&self, fault: &str) -> Result<(), StoreFault>;

    /// Makes an empty version, throwing away what may be left of it.
    async fn create(&self, table: Table) -> Result<(), StoreFault>;
    /// Throws a version away.
    async fn discard(&self, table: Table) -> Result<(), StoreFault>;
    /// Puts `table` in use instead of `previous`, in one step.
    async fn switch(&self, table: Table, previous: u32) -> Result<(), StoreFault>;
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
    /// Notes that a stream set aside shall be tried again; false when it is not set aside.
    async fn ask_retry(&self, table: Table, stream_type: &str, stream_id: &str) -> Result<bool, StoreFault>;
    /// A stream is no longer set aside.
    async fn unpark(&self, table: Table, stream_type: &str, stream_id: &str) -> Result<(), StoreFault>;
}

/// Positions are counted from 1 and never come near what a signed number holds.
pub(crate) fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
pub(crate) fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or_default()
}
