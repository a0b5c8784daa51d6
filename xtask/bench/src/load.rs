//! What loads have in common: clients that work at the same time, launches that are sold one after another, how long each command took.

use crate::sales::SEATS_PER_ROW;
use anyhow::Result;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::sync::OnceCell;

/// Rows of the largest launch.
pub(crate) const ROWS_MAX: usize = 60;
/// Its seats.
pub(crate) const SEATS: usize = ROWS_MAX * SEATS_PER_ROW;

/// What a load came to.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Of each command, in milliseconds.
    pub(crate) latencies: Vec<f64>,
}

impl Load {
    pub(crate) fn of(latencies: Vec<f64>, begun: Instant) -> Self {
        Self { per_second: latencies.len() as f64 / begun.elapsed().as_secs_f64(), latencies }
    }
}

pub(crate) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Who schedules launches to be sold.
pub(crate) trait Schedules: Clone + Send + Sync + 'static {
    type Launch: Send + Sync + 'static;
    /// A new launch of [`SEATS`].
    fn schedule(&self) -> impl Future<Output = Result<Self::Launch>> + Send;
}

/// Launches one after another, of which each seat is sold once. The next is scheduled while one is being sold, so that who sells need not
/// wait in between. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Season<S: Schedules>(Arc<Launches<S>>);

struct Launches<S: Schedules> {
    supplier: S,
    next: AtomicUsize,
    scheduled: Mutex<HashMap<usize, Scheduled<S::Launch>>>,
}

/// A launch that is scheduled once, whoever asks for it.
type Scheduled<L> = Arc<OnceCell<Arc<L>>>;

impl<S: Schedules> Season<S> {
    pub(crate) async fn open(supplier: S) -> Result<Self> {
        let season = Self(Arc::new(Launches { supplier, next: AtomicUsize::new(0), scheduled: Mutex::default() }));
        season.launch(0).await?;
        Ok(season)
    }

    /// The launch of this number, scheduled by whoever asks for it first.
    async fn launch(&self, number: usize) -> Result<Arc<S::Launch>> {
        let launch = self.0.scheduled.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().clone();
        let scheduled = launch.get_or_try_init(async || anyhow::Ok(Arc::new(self.0.supplier.schedule().await?)));
        Ok(scheduled.await?.clone())
    }

    /// The next seat: its launch and its number there.
    pub(crate) async fn seat(&self) -> Result<(Arc<S::Launch>, usize)> {
        let n = self.0.next.fetch_add(1, Ordering::Relaxed);
        if n % SEATS == SEATS / 2 {
            self.launch(n / SEATS + 1).await?;
        }
        Ok((self.launch(n / SEATS).await?, n % SEATS))
    }
}

/// What `clients` do at the same time, each saying how long its commands took.
pub(crate) async fn together<C>(clients: impl Iterator<Item = C>, begun: Instant) -> Result<Load>
where
    C: Future<Output = Result<Vec<f64>>> + Send + 'static,
{
    let clients: Vec<_> = clients.map(tokio::spawn).collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    Ok(Load::of(latencies, begun))
}
