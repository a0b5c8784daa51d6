//! Where mail goes: the holders of accounts, suppliers' contacts or else their first member. And how they are forgotten.

use super::{account::Accounts, erase::Erasure};
use async_trait::async_trait;
use commands::Executor;
use contract::{CustomerId, SupplierId};
use domain::{id::AccountId, supplier::Supplier};
use jiff::Timestamp;
use scheduler::address::{AddressBook, AddressError, Person};
use std::fmt;

/// The address book.
#[derive(Debug, Clone)]
pub struct Addresses {
    accounts: Accounts,
    executor: Executor,
    erasure: Erasure,
}

impl Addresses {
    /// Over the accounts and the suppliers' own streams.
    #[must_use]
    pub fn new(accounts: Accounts, executor: Executor, erasure: Erasure) -> Self {
        Self { accounts, executor, erasure }
    }
}

fn unread(error: impl fmt::Debug) -> AddressError {
    AddressError(format!("{error:?}"))
}

#[async_trait]
impl AddressBook for Addresses {
    async fn customer(&self, id: CustomerId) -> Result<Option<Person>, AddressError> {
        self.account(AccountId(id.0)).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Person>, AddressError> {
        let person = self.accounts.person(id).await.map_err(unread)?;
        Ok(person.map(|(name, email)| Person { name: name.to_string(), email: email.to_string() }))
    }

    async fn supplier(&self, id: SupplierId) -> Result<Option<Person>, AddressError> {
        let Supplier::Active { profile } = self.executor.load::<Supplier>(&id).await.map_err(unread)?.state else { return Ok(None) };
        if let Some(contact) = profile.contact {
            return Ok(Some(Person { name: profile.display_name.to_string(), email: contact.to_string() }));
        }
        match self.accounts.member_of(id).await.map_err(unread)? {
            Some(member) => self.account(member.id()).await,
            None => Ok(None),
        }
    }

    async fn forget(&self, id: CustomerId) -> Result<(), AddressError> {
        self.erasure.forget(AccountId(id.0), Timestamp::now()).await.map_err(unread)
    }
}
