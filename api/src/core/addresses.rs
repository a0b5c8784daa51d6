//! Where mail goes: the holders of accounts, suppliers' contacts or else their first member. And how they are forgotten.

use super::{account::Accounts, erase::Erasure};
use crate::kept::Kept;
use async_trait::async_trait;
use commands::Executor;
use contract::{CustomerId, SupplierId};
use domain::{id::AccountId, supplier::Supplier};
use jiff::Timestamp;
use scheduler::address::{AddressBook, AddressError, Person};
use std::{fmt, sync::Arc, time::Duration};

/// How long a supplier is remembered as it was read.
const SUPPLIER_FOR: Duration = Duration::from_secs(5);
/// How many are.
const SUPPLIERS_MAX: usize = 1_000;

/// The address book.
#[derive(Debug, Clone)]
pub struct Addresses {
    accounts: Accounts,
    executor: Executor,
    erasure: Erasure,
    suppliers: Arc<Kept<SupplierId, Supplier>>,
}

impl Addresses {
    /// Over the accounts and the suppliers' own streams.
    #[must_use]
    pub fn new(accounts: Accounts, executor: Executor, erasure: Erasure) -> Self {
        Self { accounts, executor, erasure, suppliers: Arc::new(Kept::new(SUPPLIER_FOR, SUPPLIERS_MAX)) }
    }

    /// Each of its bookings asks.
    async fn of(&self, id: SupplierId) -> Result<Supplier, AddressError> {
        if let Some(known) = self.suppliers.get(&id) {
            return Ok(known);
        }
        let supplier = self.executor.load::<Supplier>(&id).await.map_err(unread)?.state;
        self.suppliers.put(id, supplier.clone());
        Ok(supplier)
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
        let Supplier::Active { profile } = self.of(id).await? else { return Ok(None) };
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
