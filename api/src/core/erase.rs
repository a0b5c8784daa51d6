//! Forgetting a person: all that is kept of them outside the log, and the key without which nothing in the log can be read. One function
//! for the request that asks for it and for the job that finishes it. Whether it may be done is asked in `leaving`.

use super::{account::Accounts, link::Links, session::Sessions};
use crate::{app::Servers, audit::Trail, problem::Answer};
use anyhow::Result;
use domain::id::AccountId;
use jiff::Timestamp;
use scheduler::{Mailbox, Notifications};
use vault::Vault;

/// Everything a person is forgotten by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Erasure {
    accounts: Accounts,
    links: Links,
    sessions: Sessions,
    notifications: Notifications,
    mailbox: Mailbox,
    trail: Trail,
    vault: Vault,
}

impl Erasure {
    /// Over these servers.
    pub fn new(servers: &Servers) -> Result<Self> {
        let (system, vault) = (&servers.mongo.system, servers.vault()?);
        Ok(Self {
            accounts: Accounts::new(system, vault.clone()),
            links: Links::new(system),
            sessions: Sessions::new(system),
            notifications: Notifications::new(system, vault.clone()),
            mailbox: Mailbox::new(system, vault.clone()),
            trail: Trail::new(system),
            vault: vault.clone(),
        })
    }

    /// Forgets the person behind an account. May be asked again, also when it broke off: what needs the address comes before the address
    /// goes, and the key goes last.
    pub async fn forget(&self, account: AccountId, now: Timestamp) -> Answer<()> {
        if let Some((_, email)) = self.accounts.person(account).await? {
            self.mailbox.forget(email.as_str()).await?;
        }
        self.links.revoke(account).await?;
        self.sessions.erase(account, now).await?;
        self.notifications.forget(account.0).await?;
        self.trail.forget(account).await?;
        self.accounts.erase(account, now).await?;
        self.vault.erase(account.into()).await?;
        Ok(())
    }
}
