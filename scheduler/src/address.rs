//! Where mail goes, and who is to be forgotten. Names and addresses are kept with the accounts, outside the log; they are asked for when a mail is sent.

use async_trait::async_trait;
use domain::id::{AccountId, CustomerId, SupplierId};
use std::fmt;

/// Who a mail is for. Personal data: never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// As greeted; empty greets without a name.
    pub name: String,
    /// Where to.
    pub email: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person { .. }")
    }
}

/// The addresses cannot be read now.
#[derive(Debug, thiserror::Error)]
#[error("the address book cannot be read: {0}")]
pub struct AddressError(pub String);

/// Knows where to write to.
#[async_trait]
pub trait AddressBook: fmt::Debug + Send + Sync {
    /// A customer's name and address; none when there is no such account any more.
    async fn customer(&self, id: CustomerId) -> Result<Option<Person>, AddressError>;
    /// The holder of an account; none when there is no such account any more.
    async fn account(&self, id: AccountId) -> Result<Option<Person>, AddressError>;
    /// A supplier's contact; none when it gave none, and then no mail is made for it.
    async fn supplier(&self, id: SupplierId) -> Result<Option<Person>, AddressError>;
    /// Forgets a customer who was erased: account, sessions, mail and key. May be asked again.
    async fn forget(&self, id: CustomerId) -> Result<(), AddressError>;
}
