//! Accounts: who may sign in, as what. Kept in MongoDB's system data; passwords are left to `password`.

use crate::problem::{Answer, ApiError};
use async_trait::async_trait;
use commands::Executor;
use contract::{Code, Email, Line, SupplierId, account::Role};
use domain::{
    id::{AccountId, CustomerId},
    supplier::Supplier,
};
use jiff::Timestamp;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{DateTime, doc},
    error::{ErrorKind, WriteFailure},
    options::IndexOptions,
};
use scheduler::address::{AddressBook, AddressError, Person};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use uuid::Uuid;

/// Someone who may sign in. Personal data: never logged.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    /// The account.
    #[serde(rename = "_id")]
    id: String,
    /// How to be called.
    pub name: Line,
    /// As typed.
    pub email: Email,
    /// As compared; unique.
    email_key: String,
    /// The stored hash.
    pub(crate) password: String,
    /// What it may do.
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    created_at: DateTime,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Account {
    /// A new account.
    #[must_use]
    pub fn new(
        id: AccountId,
        name: Line,
        email: Email,
        password: String,
        role: Role,
        supplier: Option<SupplierId>,
        now: Timestamp,
    ) -> Self {
        let email_key = email.normalised();
        Self {
            id: id.to_string(),
            name,
            email,
            email_key,
            password,
            role,
            supplier: supplier.map(|id| id.to_string()),
            created_at: DateTime::from_millis(now.as_millisecond()),
        }
    }
    /// The account.
    #[must_use]
    pub fn id(&self) -> AccountId {
        AccountId(self.id.parse().unwrap_or_default())
    }
    /// The supplier it is a member of, if it is one's.
    #[must_use]
    pub fn supplier(&self) -> Option<SupplierId> {
        self.supplier.as_deref()?.parse().ok()
    }
    /// The customer it is, if it is one.
    #[must_use]
    pub fn customer(&self) -> Option<CustomerId> {
        (self.role == Role::Customer).then(|| CustomerId(self.id().0))
    }
}

/// The collection of accounts.
#[derive(Debug, Clone)]
pub struct Accounts(Collection<Account>);

const DUPLICATE_KEY: i32 = 11_000;

fn is_duplicate(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE_KEY)
}

impl Accounts {
    /// In the system data.
    #[must_use]
    pub fn new(system: &Database) -> Self {
        Self(system.collection("accounts"))
    }

    /// Makes the indexes.
    pub async fn prepare(&self) -> Result<(), mongodb::error::Error> {
        let unique = IndexOptions::builder().unique(true).build();
        self.0.create_index(IndexModel::builder().keys(doc! { "email_key": 1 }).options(unique).build()).await?;
        self.0.create_index(IndexModel::builder().keys(doc! { "supplier": 1 }).build()).await?;
        Ok(())
    }

    /// Adds an account; refused when the address has one.
    pub async fn add(&self, account: &Account) -> Answer<()> {
        match self.0.insert_one(account).await {
            Ok(_) => Ok(()),
            Err(error) if is_duplicate(&error) => {
                Err(ApiError::new(Code::EmailTaken, "There is an account with this e-mail already. Sign in instead.")
                    .with(json!({ "fields": { "email": "has an account already; sign in instead" } })))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The account with this address.
    pub async fn by_email(&self, email: &Email) -> Result<Option<Account>, mongodb::error::Error> {
        self.0.find_one(doc! { "email_key": email.normalised() }).await
    }

    /// The account with this id.
    pub async fn by_id(&self, id: AccountId) -> Result<Option<Account>, mongodb::error::Error> {
        self.0.find_one(doc! { "_id": id.to_string() }).await
    }

    /// Replaces the hash of a password that was checked.
    pub async fn rehash(&self, id: AccountId, password: &str) -> Result<(), mongodb::error::Error> {
        self.0.update_one(doc! { "_id": id.to_string() }, doc! { "$set": { "password": password } }).await?;
        Ok(())
    }

    async fn member_of(&self, supplier: SupplierId) -> Result<Option<Account>, mongodb::error::Error> {
        self.0.find_one(doc! { "supplier": supplier.to_string() }).sort(doc! { "created_at": 1 }).await
    }
}

/// Where mail goes: customers' accounts, suppliers' contacts or else their first member.
#[derive(Debug, Clone)]
pub struct Addresses {
    accounts: Accounts,
    executor: Executor,
}

impl Addresses {
    /// Over the accounts and the suppliers' own streams.
    #[must_use]
    pub fn new(accounts: Accounts, executor: Executor) -> Self {
        Self { accounts, executor }
    }
}

fn unread(error: impl fmt::Display) -> AddressError {
    AddressError(error.to_string())
}

#[async_trait]
impl AddressBook for Addresses {
    async fn customer(&self, id: CustomerId) -> Result<Option<Person>, AddressError> {
        self.account(AccountId(id.0)).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Person>, AddressError> {
        let account = self.accounts.by_id(id).await.map_err(unread)?;
        Ok(account.map(|account| Person { name: account.name.to_string(), email: account.email.to_string() }))
    }

    async fn supplier(&self, id: SupplierId) -> Result<Option<Person>, AddressError> {
        let Supplier::Active { profile } = self.executor.load::<Supplier>(&id).await.map_err(unread)?.state else { return Ok(None) };
        if let Some(contact) = profile.contact {
            return Ok(Some(Person { name: profile.display_name.to_string(), email: contact.to_string() }));
        }
        let member = self.accounts.member_of(id).await.map_err(unread)?;
        Ok(member.map(|member| Person { name: member.name.to_string(), email: member.email.to_string() }))
    }
}

/// A fresh account id.
#[must_use]
pub fn new_id() -> AccountId {
    AccountId(Uuid::new_v4())
}
