//! Rebuilds that operators start here: they go on when the request has ended, and end with the process. Folding, comparing and
//! switching are `projections`'.

use crate::problem::{Answer, ApiError};
use projections::{
    Databases, ViewName,
    rebuild::{Differing, RebuildFault},
};
use std::error::Error;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The rebuilds of this process. Cheap to clone. A view has one at a time, so there are never more than views.
#[derive(Debug, Clone, Default)]
pub struct Rebuilds {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Rebuilds {
    /// Starts one. Comes back as soon as it reads the log, or with why it cannot begin.
    pub async fn start(&self, databases: Databases, view: ViewName, differing: Differing) -> Answer<()> {
        if self.stop.is_cancelled() {
            return Err(ApiError::unavailable(anyhow::anyhow!("the process is stopping")));
        }
        let (begin, begun) = oneshot::channel();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut begin = Some(begin);
            let outcome = projections::rebuild(&databases, view, differing, &stop, |_| {
                if let Some(begin) = begin.take() {
                    let _ = begin.send(Ok(()));
                }
            })
            .await;
            let early = match outcome {
                Ok(rebuilt) if rebuilt.switched => {
                    let (version, events, seconds) = (rebuilt.version, rebuilt.events, rebuilt.took.as_secs());
                    tracing::info!(%view, version, events, "Rebuilt {view} as version {version} from {events} events in {seconds} s");
                    Ok(())
                }
                Ok(rebuilt) => {
                    let differing = rebuilt.differing;
                    tracing::warn!(%view, differing, "The rebuilt {view} differs in {differing} documents; the live version stays in use");
                    Ok(())
                }
                Err(fault @ RebuildFault::Busy) => Err(fault),
                Err(fault) => {
                    let cause = fault.source().map(|source| format!(": {source}")).unwrap_or_default();
                    tracing::warn!(%view, "The rebuild of {view} ended: {fault}{cause}");
                    Err(fault)
                }
            };
            if let Some(begin) = begin {
                let _ = begin.send(early);
            }
        });
        match begun.await {
            // An event that cannot be folded is told with the progress, however soon it is met.
            Ok(Ok(()) | Err(RebuildFault::Poison { .. })) => Ok(()),
            Ok(Err(fault)) => Err(fault.into()),
            Err(gone) => Err(ApiError::internal(gone)),
        }
    }

    /// Waits for `stop`, then until every rebuild has ended.
    pub async fn end_with(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
