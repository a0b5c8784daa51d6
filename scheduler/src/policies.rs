//! The policies in force, read from their streams.

use commands::{Executor, StoreError};
use domain::policy::{Name, Policies, Policy};

/// Every policy as it stands now.
pub async fn in_force(executor: &Executor) -> Result<Policies, StoreError> {
    let mut policies = Policies::default();
    for name in Name::ALL {
        match executor.load::<Policy>(name).await?.state {
            Policy::Founding => {}
            Policy::Published { version, numbers } => policies.put(version, &numbers),
        }
    }
    Ok(policies)
}
