//! Reading what one has written: waiting until a view has reached a version of a stream, for a moment at most.

use crate::{
    Guards, Projection,
    local::Local,
    partitions::Partitions,
    store::{Standing, Store, StoreFault},
};
use nats::{Feed, FeedError, partition};
use std::time::Duration;
use tokio::time::Instant;

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
    #[error(transparent)]
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

/// Where views are, and how to learn that they have moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub projection: Projection,
    pub store: &'a dyn Store,
    pub feed: &'a Feed,
    pub local: &'a Local,
    pub guards: Guards,
}

impl Reader<'_> {
    /// Waits until all views have read the event `sequence` of the stream.
    pub(crate) async fn wait_for(self, stream_type: &str, stream_id: &str, sequence: u64) -> Result<Freshness, ReadFault> {
        if sequence == 0 || !self.guards.wait {
            return Ok(Freshness::Fresh);
        }
        let deadline = Instant::now() + WAIT_MAX;
        match self.feed.await_position(stream_type, stream_id, sequence, deadline).await? {
            Some(position) => self.wait(std::iter::once(partition(stream_id)).collect(), position, deadline).await,
            None => Ok(Freshness::Stale),
        }
    }

    /// Waits until all views have read everything up to `position`.
    pub(crate) async fn wait_until(self, position: u64) -> Result<Freshness, ReadFault> {
        self.wait(Partitions::ALL, position, Instant::now() + WAIT_MAX).await
    }

    /// The projector of this process says when it gets there; only where another has the partitions the store is asked from time to time.
    async fn wait(self, some: Partitions, position: u64, deadline: Instant) -> Result<Freshness, ReadFault> {
        let mut pause = ASK_EVERY;
        loop {
            if !self.local.is_behind(self.projection, some, position) {
                let (least, most) = self.reached_by(some).await?;
                // A view that is ahead of the log has read another one, which is no more.
                if most > position && most > self.feed.head().await? {
                    return Ok(Freshness::Stale);
                }
                if least >= position {
                    return Ok(Freshness::Fresh);
                }
            }
            if Instant::now() >= deadline {
                return Ok(Freshness::Stale);
            }
            self.local.news(self.projection, some, position, pause, deadline).await;
            pause = (pause * 2).min(ASK_EVERY_MAX);
        }
    }

    /// Up to where all views have read everything.
    pub(crate) async fn reached(self) -> Result<u64, StoreFault> {
        Ok(self.reached_by(Partitions::ALL).await?.0)
    }

    /// Up to where all views have read some partitions, and how far any view is in any.
    async fn reached_by(self, some: Partitions) -> Result<(u64, u64), StoreFault> {
        let standings = self.store.standings().await?;
        let all = || standings.values().map(Standing::positions);
        let least = all().map(|positions| positions.least_of(some)).min().unwrap_or_default();
        Ok((least, all().map(|positions| positions.most()).max().unwrap_or_default()))
    }
}
