//! The log as it is written, for operators who watch: lines of all processes, as they reach the store.

use super::search::{collection, line};
use crate::problem::{Answer, ApiError};
use contract::{Code, operations::LogLine};
use futures::{Stream, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use mongodb::{
    Collection, Database,
    bson::{Bson, DateTime, Document, doc},
};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Watchers of this process at once.
const WATCHERS_MAX: usize = 16;
/// How often the store is asked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Lines of one look, at most; what is older then is left out.
const LINES_MAX: i64 = 200;
/// How late a line may reach the store and still be told.
const LATE_MAX: SignedDuration = SignedDuration::from_secs(5);
/// How long one may watch before asking again.
const WATCH_FOR: Duration = Duration::from_secs(15 * 60);

/// Room for those who watch.
#[derive(Debug, Clone)]
pub struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WATCHERS_MAX)))
    }
}

struct Watch {
    logs: Collection<Document>,
    filter: Document,
    /// Where looking begins.
    from: Timestamp,
    /// Lines told that looking may still meet.
    told: HashSet<String>,
    ready: VecDeque<LogLine>,
    until: Instant,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Watchers {
    /// Lines that match `filter` from now on, until `stop` or until it has been watched for long.
    pub fn watch(
        &self,
        system: &Database,
        filter: Document,
        stop: CancellationToken,
    ) -> Answer<impl Stream<Item = LogLine> + Send + use<>> {
        let full = |_| ApiError::new(Code::Unavailable, "Too many are watching the log already. Try again later, or search it.");
        let permit = self.0.clone().try_acquire_owned().map_err(full)?;
        let watch = Watch {
            logs: collection(system),
            filter,
            from: Timestamp::now(),
            told: HashSet::new(),
            ready: VecDeque::new(),
            until: Instant::now() + WATCH_FOR,
            stop,
            _permit: permit,
        };
        Ok(futures::stream::unfold(watch, |mut watch| async move {
            loop {
                if let Some(line) = watch.ready.pop_front() {
                    return Some((line, watch));
                }
                if Instant::now() >= watch.until {
                    return None;
                }
                tokio::select! {
                    () = watch.stop.cancelled() => return None,
                    () = sleep(LOOK_EVERY) => {}
                }
                // While the store is away there is nothing to tell; the watch goes on.
                let _ = watch.look().await;
            }
        }))
    }
}

impl Watch {
    async fn look(&mut self) -> Result<(), mongodb::error::Error> {
        let now = Timestamp::now();
        let since = self.from.max(now - LATE_MAX);
        let filter = doc! { "$and": [self.filter.clone(), { "at": { "$gte": DateTime::from_millis(since.as_millisecond()) } }] };
        let found: Vec<Document> = self.logs.find(filter).sort(doc! { "at": -1, "_id": -1 }).limit(LINES_MAX).await?.try_collect().await?;
        let ids: HashSet<String> = found.iter().map(id).collect();
        self.ready.extend(found.iter().rev().filter(|document| !self.told.contains(&id(document))).map(line));
        self.told = ids;
        Ok(())
    }
}

fn id(document: &Document) -> String {
    document.get("_id").map(Bson::to_string).unwrap_or_default()
}
