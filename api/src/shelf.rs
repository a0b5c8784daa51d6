//! Collections of lines that grow by themselves and are kept within a size and an age. What a line is, is left to who writes it.

use jiff::Timestamp;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    error::Error,
    options::IndexOptions,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often shelves are trimmed.
const TRIM_EVERY: Duration = Duration::from_secs(60);
/// What is left of a shelf that was too large, in percent: so that trimming is rare.
const LEFT_PERCENT: i64 = 90;

/// A collection with the time `at` in every document. Not a capped one: those keep no age and let nothing be taken out.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// Where it is.
    pub lines: Collection<Document>,
    database: Database,
    bytes_max: i64,
    kept_for: Duration,
}

impl Shelf {
    /// The collection `name`, with at most `bytes_max` bytes, and nothing older than `kept_for`.
    #[must_use]
    pub fn new(database: &Database, name: &str, bytes_max: i64, kept_for: Duration) -> Self {
        Self { lines: database.collection(name), database: database.clone(), bytes_max, kept_for }
    }

    /// Makes the index by time, which also has the server forget what is too old.
    pub async fn prepare(&self) -> Result<(), Error> {
        let forget = IndexOptions::builder().expire_after(self.kept_for).build();
        self.lines.create_index(IndexModel::builder().keys(doc! { "at": -1 }).options(forget).build()).await?;
        Ok(())
    }

    /// Takes away what is too old and, when there is too much, the oldest of the rest. Gives how many lines went.
    pub async fn trim(&self, now: Timestamp) -> Result<u64, Error> {
        let kept_for = i64::try_from(self.kept_for.as_millis()).unwrap_or(i64::MAX);
        let oldest = DateTime::from_millis(now.as_millisecond().saturating_sub(kept_for));
        let mut gone = self.lines.delete_many(doc! { "at": { "$lt": oldest } }).await?.deleted_count;
        let figures = self.database.run_command(doc! { "collStats": self.lines.name() }).await?;
        let (bytes, lines) = (number(&figures, "size"), number(&figures, "count"));
        if bytes > self.bytes_max && lines > 0 {
            let each = (bytes / lines).max(1);
            let left = u64::try_from(self.bytes_max / 100 * LEFT_PERCENT / each).unwrap_or(0);
            let last = self.lines.find_one(doc! {}).sort(doc! { "at": -1 }).skip(left).projection(doc! { "at": 1 }).await?;
            if let Some(at) = last.as_ref().and_then(|line| line.get_datetime("at").ok()) {
                gone += self.lines.delete_many(doc! { "at": { "$lte": *at } }).await?.deleted_count;
            }
        }
        Ok(gone)
    }
}

/// Keeps all of them small until `stop`.
pub async fn trim(shelves: Vec<Shelf>, stop: CancellationToken) {
    loop {
        for shelf in &shelves {
            if let Err(error) = shelf.trim(Timestamp::now()).await {
                tracing::warn!("Old lines of {} could not be taken away: {error:#}", shelf.lines.name());
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TRIM_EVERY) => {}
        }
    }
}

fn number(figures: &Document, name: &str) -> i64 {
    match figures.get(name) {
        Some(Bson::Int32(value)) => i64::from(*value),
        Some(Bson::Int64(value)) => *value,
        #[allow(clippy::cast_possible_truncation)] // bytes; what is beyond 2^53 of them is too much anyway
        Some(Bson::Double(value)) => *value as i64,
        _ => 0,
    }
}
