//! The trail: who did what from where, for every sign-in, denial, limit, change of a role, export and erasure. Events of the business are
//! in the log of events, not here; lines for those who run the platform are `logs`'s.

use crate::{
    extract::PAGE_MAX,
    keys::hex,
    problem::{Answer, ApiError},
    shelf::Shelf,
    web::address::Address,
};
use contract::{
    Code, Page,
    security::{SecurityEvent, SecurityQuery},
};
use domain::id::AccountId;
use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::{
    Database, IndexModel,
    bson::{DateTime, Document, doc},
};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::HashSet, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use uuid::Uuid;

pub use contract::security::SecurityKind as Kind;

/// How much of the trail is kept, in bytes.
const KEPT_BYTES_MAX: i64 = 256 * 1024 * 1024;
/// For how long.
const KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How long storing one event may hold a request up.
const STORE_FOR: Duration = Duration::from_secs(2);
/// Events of a kind that strangers can cause at will are counted together for so long, in seconds.
const TOGETHER_SECONDS: i64 = 60;
/// How many of those may be on their way to the store; more are only counted by the log.
const ON_THEIR_WAY_MAX: usize = 32;
/// The longest reason kept, in characters.
const REASON_CHARACTERS_MAX: usize = 300;
/// Events of a page.
const PER_PAGE: u32 = 50;

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    kind: Kind,
    account: Option<AccountId>,
    actor: Option<AccountId>,
    address: String,
    reason: Cow<'static, str>,
}

impl Event {
    /// Of this kind, with nothing else known yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, account: None, actor: None, address: String::new(), reason: Cow::Borrowed("") }
    }
    /// Whom it is about.
    #[must_use]
    pub fn account(mut self, account: impl Into<Option<AccountId>>) -> Self {
        self.account = account.into();
        self
    }
    /// Who did it, where that is another than whom it is about.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<Option<AccountId>>) -> Self {
        self.actor = actor.into();
        self
    }
    /// From where.
    #[must_use]
    pub fn address(mut self, address: &Address) -> Self {
        self.address = address.to_string();
        self
    }
    /// Why, as an operator gave it, or which rule it was. Stored, never in a log line.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// Whether strangers can cause it as often as they like.
const fn at_will(kind: Kind) -> bool {
    matches!(kind, Kind::Denied | Kind::Limited | Kind::ForeignOrigin)
}

/// Where events are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trail {
    shelf: Shelf,
    way: Arc<Semaphore>,
}

impl Trail {
    /// In the system data.
    #[must_use]
    pub fn new(system: &Database) -> Self {
        Self { shelf: Shelf::new(system, "security_events", KEPT_BYTES_MAX, KEPT_FOR), way: Arc::new(Semaphore::new(ON_THEIR_WAY_MAX)) }
    }

    /// Makes the indexes.
    pub async fn prepare(&self) -> Result<(), mongodb::error::Error> {
        self.shelf.prepare().await?;
        for name in ["account", "kind"] {
            self.shelf.lines.create_index(IndexModel::builder().keys(doc! { name: 1, "at": -1 }).build()).await?;
        }
        Ok(())
    }

    /// Where entries are kept.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Notes an event: a line in the log, and an entry here. Never fails the request; where the store is away, the line is what is left.
    pub async fn note(&self, event: Event) {
        let (account, actor) = (shown(event.account), shown(event.actor));
        let kind = event.kind.as_str();
        if at_will(event.kind) {
            tracing::debug!(security.event = kind, account.id = said(&account), "Security event {kind}");
            if let Ok(permit) = self.way.clone().try_acquire_owned() {
                let trail = self.clone();
                tokio::spawn(async move {
                    trail.store(event, &account, &actor).await;
                    drop(permit);
                });
            }
            return;
        }
        tracing::info!(security.event = kind, account.id = said(&account), actor.id = said(&actor), "Security event {kind}");
        self.store(event, &account, &actor).await;
    }

    async fn store(&self, event: Event, account: &str, actor: &str) {
        let now = Timestamp::now();
        let kind = event.kind.as_str();
        let reason: String = event.reason.chars().filter(|c| !c.is_control()).take(REASON_CHARACTERS_MAX).collect();
        let id = if at_will(event.kind) {
            let minute = now.as_second() / TOGETHER_SECONDS;
            hex(&Sha256::digest(format!("{kind}|{account}|{}|{reason}|{minute}", event.address))[..16])
        } else {
            Uuid::now_v7().simple().to_string()
        };
        let first = doc! { "at": DateTime::from_millis(now.as_millisecond()), "kind": kind, "account": account, "actor": actor,
        "address": event.address, "reason": reason };
        let update = doc! { "$setOnInsert": first, "$inc": { "times": 1_i64 } };
        let stored = timeout(STORE_FOR, self.shelf.lines.update_one(doc! { "_id": id }, update).upsert(true).into_future()).await;
        match stored {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(security.event = kind, "A security event is in this log only: {error:#}"),
            Err(_) => tracing::error!(security.event = kind, "A security event is in this log only: the store did not answer in time"),
        }
    }

    /// Forgets from where a person came, once they are erased. That they were here, and what was done, stays.
    pub async fn forget(&self, account: AccountId) -> Result<(), mongodb::error::Error> {
        self.shelf.lines.update_many(doc! { "account": account.to_string() }, doc! { "$set": { "address": "" } }).await?;
        Ok(())
    }

    /// Events that match, newest first.
    pub async fn search(&self, query: &SecurityQuery) -> Answer<Page<SecurityEvent>> {
        let mut filter = Document::new();
        if !query.kind.is_empty() {
            let known: HashSet<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            if !known.contains(query.kind.as_str()) {
                return Err(ApiError::field("kind", "is none there is"));
            }
            filter.insert("kind", &query.kind);
        }
        if let Some(account) = query.account {
            let account = account.to_string();
            filter.insert("$or", vec![doc! { "account": &account }, doc! { "actor": &account }]);
        }
        let time = between(query.from, query.to);
        if !time.is_empty() {
            filter.insert("at", time);
        }
        let page = query.page.max(1);
        if page > PAGE_MAX {
            return Err(ApiError::new(Code::BadRequest, "There are no such pages. Narrow the search instead."));
        }
        let lines = &self.shelf.lines;
        let total = lines.count_documents(filter.clone()).await?;
        let skip = u64::from(page - 1) * u64::from(PER_PAGE);
        let found = lines.find(filter).sort(doc! { "at": -1, "_id": -1 }).skip(skip).limit(PER_PAGE.into()).await?;
        let items = found.try_collect::<Vec<Document>>().await?.iter().map(read).collect();
        Ok(Page { items, total, page, per_page: PER_PAGE, position: 0, stale: false })
    }
}

/// The condition that a time is from `from` on and before `to`.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Document {
    let at = |time: Timestamp| DateTime::from_millis(time.as_millisecond());
    let mut time = Document::new();
    if let Some(from) = from {
        time.insert("$gte", at(from));
    }
    if let Some(to) = to {
        time.insert("$lt", at(to));
    }
    time
}

/// What is unknown is not a field of the line.
fn said(account: &str) -> Option<&str> {
    Some(account).filter(|account| !account.is_empty())
}

fn shown(account: Option<AccountId>) -> String {
    account.map(|account| account.to_string()).unwrap_or_default()
}

fn read(document: &Document) -> SecurityEvent {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let at = document.get_datetime("at").ok().and_then(|at| Timestamp::from_millisecond(at.timestamp_millis()).ok());
    SecurityEvent {
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        kind: text("kind"),
        account: text("account").parse().ok(),
        actor: text("actor").parse().ok(),
        address: text("address"),
        reason: text("reason"),
        times: document.get_i64("times").ok().and_then(|times| u64::try_from(times).ok()).unwrap_or(1),
    }
}
