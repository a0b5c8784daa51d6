//! Tells browsers about changes of the launches they look at. One subscription of the bus for the whole process; what changed is read once and
//! given to everyone who looks at that launch. Hints may be lost, so launches somebody looks at are looked at again now and then.

use contract::{LaunchId, launch::LaunchPage};
use futures::{Stream, StreamExt, future::BoxFuture};
use nats::Feed;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// Browsers at once; more are told to come back.
const CONNECTIONS_MAX: usize = 5_000;
/// How often launches somebody looks at are read again, for the case that a hint was lost or that none comes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long to leave the bus alone after it failed.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What the projector says after it wrote a launch.
const TOPIC: &str = "view.launches.*";

/// Reads a launch page as it is now.
pub type ReadPage = Arc<dyn Fn(LaunchId) -> BoxFuture<'static, Option<LaunchPage>> + Send + Sync>;

type Latest = watch::Sender<Arc<LaunchPage>>;

struct Inner {
    looked_at: Mutex<HashMap<LaunchId, Latest>>,
    room: Arc<Semaphore>,
    read: ReadPage,
}

/// The launches browsers look at.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("room", &self.0.room.available_permits()).finish_non_exhaustive()
    }
}

impl Live {
    /// Nobody looks yet.
    #[must_use]
    pub fn new(read: ReadPage) -> Self {
        Self(Arc::new(Inner { looked_at: Mutex::default(), room: Arc::new(Semaphore::new(CONNECTIONS_MAX)), read }))
    }

    /// Hears hints and passes on what changed, until `stop`.
    pub async fn run(self, feed: Feed, stop: CancellationToken) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let hints = match feed.bus() {
                Some(bus) => bus.listen(TOPIC).await.ok(),
                None => None,
            };
            let Some(mut hints) = hints else {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(LISTEN_AGAIN_AFTER) => {}
                }
                self.look_at_all().await;
                continue;
            };
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    hint = hints.next() => match hint {
                        Some(hint) => {
                            if let Some(launch) = hint.topic.rsplit('.').next().and_then(|id| id.parse().ok()) {
                                self.look_at(launch).await;
                            }
                        }
                        None => break,
                    },
                    _ = look.tick() => self.look_at_all().await,
                }
            }
        }
    }

    async fn look_at_all(&self) {
        let launches: Vec<LaunchId> = {
            let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
            looked_at.retain(|_, latest| latest.receiver_count() > 0);
            looked_at.keys().copied().collect()
        };
        for launch in launches {
            self.look_at(launch).await;
        }
    }

    async fn look_at(&self, launch: LaunchId) {
        let watched = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&launch);
        if !watched {
            return;
        }
        if let Some(page) = (self.0.read)(launch).await {
            self.tell(page);
        }
    }

    fn tell(&self, page: LaunchPage) {
        let looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = looked_at.get(&page.card.id) {
            latest.send_if_modified(|known| {
                let news = page.position > known.position || (page.position == known.position && page.stale != known.stale);
                if news {
                    *known = Arc::new(page);
                }
                news
            });
        }
    }

    /// The page each time it changes, or is found to be out of date or so no more, beginning with `page` unless the browser has seen its
    /// position. None when too many look already.
    #[must_use]
    pub fn watch(
        &self,
        page: LaunchPage,
        seen: Option<u64>,
        stop: CancellationToken,
    ) -> Option<impl Stream<Item = Arc<LaunchPage>> + Send + use<>> {
        let permit = self.0.room.clone().try_acquire_owned().ok()?;
        let receiver = {
            let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
            let latest = looked_at.entry(page.card.id).or_insert_with(|| watch::Sender::new(Arc::new(page.clone())));
            latest.subscribe()
        };
        self.tell(page);
        let watching = Watching { receiver, seen: seen.unwrap_or_default(), stale: false, first: seen.is_none(), stop, _permit: permit };
        Some(futures::stream::unfold(watching, |mut watching| async move {
            loop {
                let page = watching.receiver.borrow_and_update().clone();
                let news = page.position > watching.seen || (page.position == watching.seen && page.stale != watching.stale);
                if watching.first || news {
                    watching.first = false;
                    watching.seen = page.position;
                    watching.stale = page.stale;
                    return Some((page, watching));
                }
                tokio::select! {
                    () = watching.stop.cancelled() => return None,
                    changed = watching.receiver.changed() => changed.ok()?,
                }
            }
        }))
    }
}

struct Watching {
    receiver: watch::Receiver<Arc<LaunchPage>>,
    seen: u64,
    stale: bool,
    first: bool,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
}
