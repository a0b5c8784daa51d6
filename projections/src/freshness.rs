//! Reading what one has written: waiting until a view has reached a version of a stream, for a moment at most. And knowing whether a view
//! is late for everybody.

use crate::{
    Guards, Projection,
    local::Local,
    partitions::Partitions,
    store::{Standing, Store, StoreFault},
};
use nats::{Feed, FeedError, partition};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a read waits for a view.
pub const WAIT_MAX: Duration = Duration::from_secs(2);
/// How often a view is asked at first; less often as time goes on.
const ASK_EVERY: Duration = Duration::from_millis(3);
/// How often a view is asked at the least.
const ASK_EVERY_MAX: Duration = Duration::from_millis(40);

/// After how long an event that a view has not read makes it late.
pub(crate) const LATE_AFTER: Duration = Duration::from_secs(2);
/// How long it is believed that a view is not late, or that nobody can say.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// How long a read waits to learn whether its view is late.
const LOOK_WAIT_MAX: Duration = Duration::from_millis(500);

/// Whether a view has reached what was asked for, and all that was recorded more than a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It has.
    Fresh,
    /// It has what was asked for, but not what was recorded 2 s ago, or nobody can say: its projector or the log stands still, or what it
    /// has read is of another log.
    Late,
    /// Not in time: what it says is older than asked for.
    Stale,
}

impl Freshness {
    /// Whether what the view says may be out of date.
    #[must_use]
    pub fn is_stale(self) -> bool {
        self != Self::Fresh
    }

    /// Whether it is known to be older than asked for.
    #[must_use]
    pub fn is_older_than_asked(self) -> bool {
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
    /// Whether all views show the event `sequence` of the stream, if one is asked for, after waiting for it; and whether they are late.
    pub(crate) async fn freshness(self, at_least: Option<(&str, &str, u64)>) -> Result<Freshness, ReadFault> {
        if let Some((stream_type, stream_id, sequence)) = at_least
            && self.wait_for(stream_type, stream_id, sequence).await?.is_stale()
        {
            return Ok(Freshness::Stale);
        }
        Ok(if self.are_late().await { Freshness::Late } else { Freshness::Fresh })
    }

    /// Looks once in a while, and each time while they are late.
    async fn are_late(self) -> bool {
        if let Some(late) = self.local.believed_late(self.projection) {
            return late;
        }
        let found = timeout(LOOK_WAIT_MAX, self.look_whether_late()).await;
        let (late, believed) = match found {
            Ok(Ok(late)) => (late, !late),
            Ok(Err(_)) | Err(_) => (true, true),
        };
        if believed {
            self.local.believe_late(self.projection, late, BELIEVED_FOR);
        }
        late
    }

    async fn look_whether_late(self) -> Result<bool, ReadFault> {
        let (least, most) = self.reached_by(Partitions::ALL).await?;
        // A view that is ahead of the log has read another one, which is no more.
        if most > self.feed.head().await? {
            return Ok(true);
        }
        let is_late = |age: Option<Duration>| age.is_some_and(|age| age > LATE_AFTER);
        Ok(is_late(self.feed.age(least + 1).await?) || is_late(self.feed.waiting().await?))
    }

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
