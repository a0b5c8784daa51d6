//! Accounts: who may sign in, as what. Kept in MongoDB's system data; name and address are sealed for the person, and found by a blind
//! index only. Passwords are left to `password`, links in mails to `link`, where mail goes to `addresses`.

use crate::problem::{Answer, ApiError, Fields};
use contract::{
    Code, CustomerId, Email, Line, SupplierId,
    account::{AccountState, Role},
};
use domain::{id::AccountId, sealed::Sealed};
use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{DateTime, Document, doc, serialize_to_bson},
    error::{ErrorKind, WriteFailure},
    options::IndexOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{fmt, time::Duration};
use uuid::Uuid;
use vault::{PersonId, Place, Vault};

/// Name of the blind index of addresses.
const EMAIL: &str = "email";
/// How long an account that was asked for may stay unconfirmed.
pub const UNCONFIRMED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Accounts of one page of the operators' list.
pub const PER_PAGE: u32 = 50;

/// The person behind an account. Never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// How to be called.
    pub name: Line,
    /// As typed.
    pub email: Email,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder { .. }")
    }
}

/// A second factor.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Factor {
    /// The secret, sealed.
    pub(crate) secret: Sealed,
    /// Since when it is in force; not yet, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_at: Option<DateTime>,
    /// The newest step a code was accepted of: none of it or before is again.
    #[serde(default)]
    pub(crate) last_step: i64,
}

/// Someone who may sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    #[serde(rename = "_id")]
    id: String,
    /// The address as compared; unique. Not there before it is confirmed, nor once the person is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_key: Option<String>,
    /// The address an unconfirmed account asks for: several may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<Sealed>,
    /// The stored hash; empty where none was chosen yet.
    #[serde(default)]
    password: String,
    /// What it may do.
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    /// Whether it may sign in.
    #[serde(default = "active")]
    pub state: AccountState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp: Option<Factor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp_next: Option<Factor>,
    /// Hashes of recovery codes.
    #[serde(default)]
    recovery: Vec<String>,
    created_at: DateTime,
    #[serde(default = "DateTime::now")]
    changed_at: DateTime,
    /// When an unconfirmed account is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forget_at: Option<DateTime>,
}

const fn active() -> AccountState {
    AccountState::Active
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("role", &self.role).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Account {
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
    /// Since when.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        timestamp(self.created_at)
    }
    /// The stored hash of its password, where it has one.
    pub(crate) fn password(&self) -> Option<&str> {
        Some(self.password.as_str()).filter(|hash| !hash.is_empty())
    }
    /// Whether nothing about it was changed since it was read as `before`.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        self.changed_at == before.changed_at
    }
    /// What it is once nobody disables it: an address that was never proved stays unproved, and who was invited has to choose a password.
    pub(crate) fn enabled(&self) -> AccountState {
        if self.asked_key.is_some() || self.password.is_empty() { AccountState::Unconfirmed } else { AccountState::Active }
    }
    /// The second factor in force.
    pub(crate) fn factor(&self) -> Option<&Factor> {
        self.totp.as_ref().filter(|factor| factor.confirmed_at.is_some())
    }
    /// The second factor that is being set up.
    pub(crate) fn next_factor(&self) -> Option<&Factor> {
        self.totp_next.as_ref()
    }
    /// How many recovery codes are left.
    pub(crate) fn recovery_codes(&self) -> u8 {
        u8::try_from(self.recovery.len()).unwrap_or(u8::MAX)
    }
}

/// What a new account is made of.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its id, also the person's.
    pub id: AccountId,
    /// Whose.
    pub holder: Holder,
    /// The hash of the password; empty for one that is still to be chosen.
    pub password: String,
    /// What it may do.
    pub role: Role,
    /// Of a supplier's member.
    pub supplier: Option<SupplierId>,
    /// Unconfirmed or active.
    pub state: AccountState,
}

/// The collection of accounts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Accounts {
    stored: Collection<Account>,
    vault: Vault,
}

const DUPLICATE_KEY: i32 = 11_000;

fn is_duplicate(error: &mongodb::error::Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
        _ => false,
    }
}

pub(super) fn moment(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}
pub(super) fn timestamp(at: DateTime) -> Timestamp {
    Timestamp::from_millisecond(at.timestamp_millis()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn of(id: AccountId) -> Document {
    doc! { "_id": id.to_string() }
}
fn as_it_stands(account: &Account) -> Document {
    doc! { "_id": &account.id, "state": account.state.as_str() }
}
fn place(id: AccountId, field: &'static str) -> Place<'static> {
    Place::new(format!("account/{id}"), field)
}

fn email_taken() -> ApiError {
    ApiError::new(Code::EmailTaken, "There is an account with this e-mail already. Sign in instead.")
        .with(json!({ "fields": { "email": "has an account already" } }))
}

impl Accounts {
    /// In the system data; persons' details are sealed with `vault`.
    #[must_use]
    pub fn new(system: &Database, vault: Vault) -> Self {
        Self { stored: system.collection("accounts"), vault }
    }

    /// Makes the indexes, and seals what was stored before there was a vault.
    pub async fn prepare(&self) -> Answer<()> {
        // One that is not there is not indexed: unconfirmed and erased accounts have no address.
        let unique = IndexOptions::builder().name("addresses".to_owned()).unique(true).sparse(true).build();
        let forgotten = IndexOptions::builder().expire_after(Duration::ZERO).build();
        self.stored.create_index(IndexModel::builder().keys(doc! { "email_key": 1 }).options(unique).build()).await?;
        self.stored.create_index(IndexModel::builder().keys(doc! { "forget_at": 1 }).options(forgotten).build()).await?;
        for keys in [doc! { "supplier": 1 }, doc! { "asked_key": 1 }, doc! { "created_at": -1, "_id": 1 }] {
            self.stored.create_index(IndexModel::builder().keys(keys).build()).await?;
        }
        self.seal_old().await
    }

    async fn seal_old(&self) -> Answer<()> {
        let plain = self.stored.clone_with_type::<Document>();
        let mut found = plain.find(doc! { "email": { "$exists": true } }).await?;
        while let Some(old) = found.try_next().await? {
            let text = |name: &str| old.get_str(name).unwrap_or_default();
            let id = AccountId(text("_id").parse().map_err(ApiError::internal)?);
            let (name, email) = (Line::new(text("name")), Email::new(text("email")));
            let (Ok(name), Ok(email)) = (name, email) else {
                return Err(ApiError::internal(anyhow::anyhow!("account {id} is unreadable")));
            };
            let key = self.key(&email);
            let person = self.seal(id, &Holder { name, email }).await?;
            let set = doc! { "email_key": key, "person": serialize_to_bson(&person).map_err(ApiError::internal)?, "state": "active" };
            plain.update_one(of(id), doc! { "$set": set, "$unset": { "name": "", "email": "" } }).await?;
        }
        Ok(())
    }

    fn key(&self, email: &Email) -> String {
        self.vault.blind(EMAIL, &email.normalised()).to_string()
    }

    async fn seal(&self, id: AccountId, holder: &Holder) -> Answer<Sealed> {
        Ok(self.vault.seal(PersonId(id.0), &place(id, "person"), holder).await?)
    }

    /// Adds an account; refused when the address has one that is confirmed.
    pub async fn add(&self, new: NewAccount, now: Timestamp) -> Answer<Account> {
        let key = self.key(&new.holder.email);
        // An invited one has its address at once; one that anybody asked for, when it is confirmed.
        let asked = new.state == AccountState::Unconfirmed && new.role == Role::Customer;
        if !asked && self.by_key(&key).await?.is_some() {
            return Err(email_taken());
        }
        let account = Account {
            id: new.id.to_string(),
            email_key: (!asked).then(|| key.clone()),
            asked_key: asked.then_some(key),
            person: Some(self.seal(new.id, &new.holder).await?),
            password: new.password,
            role: new.role,
            supplier: new.supplier.map(|id| id.to_string()),
            state: new.state,
            totp: None,
            totp_next: None,
            recovery: Vec::new(),
            created_at: moment(now),
            changed_at: moment(now),
            forget_at: asked.then(|| moment(now + UNCONFIRMED_FOR)),
        };
        match self.stored.insert_one(&account).await {
            Ok(_) => Ok(account),
            Err(error) if is_duplicate(&error) => Err(email_taken()),
            Err(error) => Err(error.into()),
        }
    }

    async fn by_key(&self, key: &str) -> Result<Option<Account>, mongodb::error::Error> {
        self.stored.find_one(doc! { "email_key": key }).await
    }

    /// The account with this confirmed address.
    pub async fn by_email(&self, email: &Email) -> Result<Option<Account>, mongodb::error::Error> {
        self.by_key(&self.key(email)).await
    }

    /// The account with this id.
    pub async fn by_id(&self, id: AccountId) -> Result<Option<Account>, mongodb::error::Error> {
        self.stored.find_one(of(id)).await
    }

    /// Who is behind an account; none once erased.
    pub async fn holder(&self, account: &Account) -> Answer<Option<Holder>> {
        let Some(sealed) = &account.person else { return Ok(None) };
        let id = account.id();
        Ok(self.vault.open(PersonId(id.0), &place(id, "person"), sealed).await?)
    }

    /// Who is behind several accounts, in their order.
    pub async fn holders(&self, accounts: &[Account]) -> Answer<Vec<Option<Holder>>> {
        let nobody = Sealed::from_text(String::new());
        let known = accounts.iter().filter(|account| account.person.is_some());
        let asked: Vec<_> = known
            .map(|account| {
                let id = account.id();
                (PersonId(id.0), place(id, "person"), account.person.as_ref().unwrap_or(&nobody))
            })
            .collect();
        let mut opened = self.vault.open_many::<Holder>(&asked).await?.into_iter();
        Ok(accounts.iter().map(|account| account.person.as_ref().and_then(|_| opened.next().flatten())).collect())
    }

    /// Name and address of the holder of an account; none when there is none any more.
    pub async fn person(&self, id: AccountId) -> Answer<Option<(Line, Email)>> {
        let Some(account) = self.by_id(id).await? else { return Ok(None) };
        Ok(self.holder(&account).await?.map(|holder| (holder.name, holder.email)))
    }

    async fn set(&self, id: AccountId, set: Document, unset: Document, now: Timestamp) -> Result<(), mongodb::error::Error> {
        self.set_where(of(id), set, unset, now).await.map(drop)
    }

    /// Says whether there was such an account.
    async fn set_where(&self, which: Document, mut set: Document, unset: Document, now: Timestamp) -> Result<bool, mongodb::error::Error> {
        set.insert("changed_at", moment(now));
        let mut change = doc! { "$set": set };
        if !unset.is_empty() {
            change.insert("$unset", unset);
        }
        Ok(self.stored.update_one(which, change).await?.matched_count == 1)
    }

    /// Replaces the hash of a password that was checked, unless there is another password by now.
    pub async fn rehash(&self, account: &Account, password: &str) -> Result<(), mongodb::error::Error> {
        let same = doc! { "_id": &account.id, "password": &account.password };
        self.stored.update_one(same, doc! { "$set": { "password": password } }).await?;
        Ok(())
    }

    /// Sets another password. One who was invited may sign in from now on. False when the account was disabled or erased meanwhile.
    pub async fn set_password(&self, account: &Account, password: &str, now: Timestamp) -> Result<bool, mongodb::error::Error> {
        let mut set = doc! { "password": password };
        if account.state == AccountState::Unconfirmed {
            set.insert("state", AccountState::Active.as_str());
        }
        self.set_where(as_it_stands(account), set, doc! {}, now).await
    }

    /// Opens an account that was asked for: from now on it has its address, and nobody else may ask for that.
    /// False when it was disabled meanwhile.
    pub async fn confirm(&self, account: &Account, now: Timestamp) -> Answer<bool> {
        let Some(key) = &account.asked_key else { return Ok(false) };
        let set = doc! { "email_key": key, "state": AccountState::Active.as_str() };
        match self.set_where(as_it_stands(account), set, doc! { "asked_key": "", "forget_at": "" }, now).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) if is_duplicate(&error) => return Err(email_taken()),
            Err(error) => return Err(error.into()),
        }
        // Others who asked for it, or the same person before.
        let others: Vec<Account> = self.stored.find(doc! { "asked_key": key }).await?.try_collect().await?;
        for other in others {
            self.vault.erase(PersonId(other.id().0)).await?;
            self.stored.delete_one(of(other.id())).await?;
        }
        Ok(true)
    }

    /// Disables or enables.
    pub async fn set_state(&self, id: AccountId, state: AccountState, now: Timestamp) -> Result<(), mongodb::error::Error> {
        self.set(id, doc! { "state": state.as_str() }, doc! {}, now).await
    }

    /// Gives another role.
    pub async fn set_role(
        &self,
        id: AccountId,
        role: Role,
        supplier: Option<SupplierId>,
        now: Timestamp,
    ) -> Result<(), mongodb::error::Error> {
        match supplier {
            Some(supplier) => self.set(id, doc! { "role": role.as_str(), "supplier": supplier.to_string() }, doc! {}, now).await,
            None => self.set(id, doc! { "role": role.as_str() }, doc! { "supplier": "" }, now).await,
        }
    }

    /// Keeps the secret of a second factor that is being set up.
    pub(crate) async fn start_factor(&self, id: AccountId, secret: &[u8], now: Timestamp) -> Answer<()> {
        let sealed = self.vault.seal(PersonId(id.0), &place(id, "totp"), &secret).await?;
        let factor = Factor { secret: sealed, confirmed_at: None, last_step: 0 };
        let set = doc! { "totp_next": serialize_to_bson(&factor).map_err(ApiError::internal)? };
        Ok(self.set(id, set, doc! {}, now).await?)
    }

    /// The secret of a factor.
    pub(crate) async fn secret(&self, id: AccountId, factor: &Factor) -> Answer<Vec<u8>> {
        let opened = self.vault.open(PersonId(id.0), &place(id, "totp"), &factor.secret).await?;
        opened.ok_or_else(ApiError::not_found)
    }

    /// Puts the factor that was set up in force, with these hashes of recovery codes.
    pub(crate) async fn confirm_factor(&self, id: AccountId, factor: &Factor, step: i64, codes: &[String], now: Timestamp) -> Answer<()> {
        let factor = Factor { confirmed_at: Some(moment(now)), last_step: step, ..factor.clone() };
        let set = doc! { "totp": serialize_to_bson(&factor).map_err(ApiError::internal)?, "recovery": codes };
        Ok(self.set(id, set, doc! { "totp_next": "" }, now).await?)
    }

    /// Puts a factor with this secret in force at once, without recovery codes: for the demo.
    pub(crate) async fn enrol(&self, id: AccountId, secret: &[u8], now: Timestamp) -> Answer<()> {
        let sealed = self.vault.seal(PersonId(id.0), &place(id, "totp"), &secret).await?;
        self.confirm_factor(id, &Factor { secret: sealed, confirmed_at: None, last_step: 0 }, 0, &[], now).await
    }

    /// Takes the second factor away.
    pub(crate) async fn remove_factor(&self, id: AccountId, now: Timestamp) -> Result<(), mongodb::error::Error> {
        let none: [String; 0] = [];
        self.set(id, doc! { "recovery": none.as_slice() }, doc! { "totp": "", "totp_next": "" }, now).await
    }

    /// Replaces the hashes of the recovery codes.
    pub(crate) async fn set_recovery(&self, id: AccountId, codes: &[String], now: Timestamp) -> Result<(), mongodb::error::Error> {
        self.set(id, doc! { "recovery": codes }, doc! {}, now).await
    }

    /// Spends the code of a step; false when that step, or a later one, was used already.
    pub(crate) async fn spend_step(&self, id: AccountId, step: i64) -> Result<bool, mongodb::error::Error> {
        let newer = doc! { "_id": id.to_string(), "totp.last_step": { "$lt": step } };
        let spent = self.stored.update_one(newer, doc! { "$set": { "totp.last_step": step } }).await?;
        Ok(spent.modified_count == 1)
    }

    /// Spends a recovery code, by its hash; false when there is no such.
    pub(crate) async fn spend_recovery(&self, id: AccountId, code: &str) -> Result<bool, mongodb::error::Error> {
        let has = doc! { "_id": id.to_string(), "recovery": code };
        Ok(self.stored.update_one(has, doc! { "$pull": { "recovery": code } }).await?.modified_count == 1)
    }

    /// Leaves nothing of a person but that there was an account. Its sessions are ended by the caller.
    pub async fn erase(&self, id: AccountId, now: Timestamp) -> Result<(), mongodb::error::Error> {
        let gone = ["email_key", "asked_key", "person", "password", "supplier", "totp", "totp_next", "recovery", "forget_at"];
        let unset: Document = gone.iter().map(|name| ((*name).to_owned(), "".into())).collect();
        self.set(id, doc! { "state": AccountState::Erased.as_str() }, unset, now).await
    }

    /// The first member of a supplier, to write to.
    pub(super) async fn member_of(&self, supplier: SupplierId) -> Result<Option<Account>, mongodb::error::Error> {
        let active = doc! { "supplier": supplier.to_string(), "state": AccountState::Active.as_str() };
        self.stored.find_one(active).sort(doc! { "created_at": 1 }).await
    }

    /// A page of accounts, newest first, and how many there are. `search` is a whole address or an id.
    pub(super) async fn page(&self, search: &str, role: &str, state: &str, page: u32) -> Answer<(Vec<Account>, u64)> {
        let mut filter = Document::new();
        let mut fields = Fields::default();
        let search = search.trim();
        if let Ok(id) = search.parse::<Uuid>() {
            filter.insert("_id", id.to_string());
        } else if !search.is_empty()
            && let Some(email) = fields.take("search", Email::new(search).map_err(|_| "must be a whole e-mail address or an id"))
        {
            let key = self.key(&email);
            filter.insert("$or", vec![doc! { "email_key": &key }, doc! { "asked_key": &key }]);
        }
        for (name, value, known) in [
            ("role", role, Role::ALL.map(Role::as_str).as_slice()),
            ("state", state, AccountState::ALL.map(AccountState::as_str).as_slice()),
        ] {
            if value.is_empty() {
                continue;
            }
            if !known.contains(&value) {
                fields.refuse(name, "is none there is");
            }
            filter.insert(name, value);
        }
        fields.check()?;
        let total = self.stored.count_documents(filter.clone()).await?;
        let skip = u64::from(page.max(1) - 1) * u64::from(PER_PAGE);
        let found = self.stored.find(filter).sort(doc! { "created_at": -1, "_id": 1 }).skip(skip).limit(PER_PAGE.into()).await?;
        Ok((found.try_collect().await?, total))
    }
}

/// A fresh account id.
#[must_use]
pub fn new_id() -> AccountId {
    AccountId(Uuid::new_v4())
}
