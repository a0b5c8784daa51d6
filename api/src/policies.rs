//! The policies in force, as commands carry them. Read from their own streams and kept for a few seconds.

use commands::{Executor, StoreError};
use domain::policy::Policies;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How long policies are kept before they are read again.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// Reads the policies in force.
#[derive(Debug)]
pub struct InForce {
    executor: Executor,
    kept: Mutex<Option<(Arc<Policies>, Instant)>>,
}

impl InForce {
    /// From their streams.
    #[must_use]
    pub fn new(executor: Executor) -> Self {
        Self { executor, kept: Mutex::new(None) }
    }

    /// All policies, at most a few seconds old.
    pub async fn now(&self) -> Result<Arc<Policies>, StoreError> {
        let mut kept = self.kept.lock().await;
        if let Some((policies, read_at)) = &*kept
            && read_at.elapsed() < KEPT_FOR
        {
            return Ok(policies.clone());
        }
        let policies = Arc::new(scheduler::policies::in_force(&self.executor).await?);
        *kept = Some((policies.clone(), Instant::now()));
        Ok(policies)
    }
}
