//! Reading what one has written: waiting until a view has reached a version of a stream, for a moment at most.

use crate::store::{Store, StoreFault};
use nats::{Feed, FeedError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a read waits for a view.
pub const WAIT_MAX: Duration = Duration::from_secs(2);
/// How often a view is asked at first; less often as time goes on.
const ASK_EVERY: Duration = Duration::from_millis(3);
/// How often a view is asked at the least.
const ASK_EVERY_MAX: Duration = Duration::from_millis(40);

/// Whether a view has reached what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It has.
    Fresh,
    /// Not in time: what it says is older.
    Stale,
}

impl Freshness {
    /// Whether what the view says is older than asked for.
    #[must_use]
    pub fn is_stale(self) -> bool {
        self == Self::Stale
    }
}

/// Reading a view failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The store of the view failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The log could not be read.
    #[error("read the log")]
    Feed(#[from] FeedError),
}
impl From<mongodb::error::Error> for ReadFault {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Store(error.into())
    }
}
impl From<sqlx::Error> for ReadFault {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Waits until all views of the store have read the event `sequence` of the stream.
pub(crate) async fn wait_for(
    store: &dyn Store,
    feed: &Feed,
    stream_type: &str,
    stream_id: &str,
    sequence: u64,
) -> Result<Freshness, ReadFault> {
    if sequence == 0 {
        return Ok(Freshness::Fresh);
    }
    let deadline = Instant::now() + WAIT_MAX;
    match feed.await_position(stream_type, stream_id, sequence, deadline).await? {
        Some(position) => wait_until(store, position, deadline).await,
        None => Ok(Freshness::Stale),
    }
}

/// Waits until all views of the store have read up to `position`.
pub(crate) async fn wait_until(store: &dyn Store, position: u64, deadline: Instant) -> Result<Freshness, ReadFault> {
    let mut pause = ASK_EVERY;
    loop {
        if reached(store).await? >= position {
            return Ok(Freshness::Fresh);
        }
        if Instant::now() + pause > deadline {
            return Ok(Freshness::Stale);
        }
        sleep(pause).await;
        pause = (pause * 2).min(ASK_EVERY_MAX);
    }
}

/// Up to where all views of the store have read.
pub(crate) async fn reached(store: &dyn Store) -> Result<u64, StoreFault> {
    Ok(store.standings().await?.values().map(crate::store::Standing::position).min().unwrap_or_default())
}
