//! Tells the sequencer that something was committed: at once in the same process, by a hint over the bus across processes.
//! A lost wake-up costs latency only; the sequencer also polls.

use nats::Bus;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// The topic of the hint across processes.
pub(crate) const APPEND_HINT: &str = "hint.append";

/// A bell between executors and the sequencer. Clones ring the same bell.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    here: Arc<Notify>,
    /// Whether the sequencer that gives positions is in this process.
    leads: Arc<AtomicBool>,
    away: Option<Arc<Away>>,
}

#[derive(Debug)]
struct Away {
    bus: Bus,
    /// Whether a hint is on its way, so that a thousand commits make one hint and not a thousand.
    sending: AtomicBool,
}

impl Wake {
    /// For an executor and a sequencer in one process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For an executor whose sequencer runs in another process.
    #[must_use]
    pub fn over(bus: Bus) -> Self {
        Self { away: Some(Arc::new(Away { bus, sending: AtomicBool::new(false) })), ..Self::default() }
    }

    /// Says that something was committed.
    pub fn wake(&self) {
        self.here.notify_one();
        let Some(away) = self.away.as_ref().filter(|_| !self.leads.load(Ordering::Relaxed)) else { return };
        if away.sending.swap(true, Ordering::AcqRel) {
            return;
        }
        let away = away.clone();
        tokio::spawn(async move {
            // Cleared first: what is committed from now on needs a hint of its own.
            away.sending.store(false, Ordering::Release);
            if let Err(error) = away.bus.notify(APPEND_HINT, "").await {
                tracing::trace!("No hint sent: {error:#}");
            }
        });
    }

    /// The sequencer of this process leads, until this is dropped: nobody elsewhere need be told of commits.
    pub(crate) fn leads(&self) -> Leads {
        self.leads.store(true, Ordering::Relaxed);
        Leads(self.leads.clone())
    }

    /// Passes a hint of another process on, in this process only.
    pub(crate) fn ring_here(&self) {
        self.here.notify_one();
    }

    /// Waits until something was committed.
    pub(crate) async fn woken(&self) {
        self.here.notified().await;
    }
}

/// See [`Wake::leads`].
#[derive(Debug)]
pub(crate) struct Leads(Arc<AtomicBool>);

impl Drop for Leads {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
