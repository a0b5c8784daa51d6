//! Sessions: refresh tokens that are used once and followed by the next. Access tokens are left to `token`.

use super::account::{moment, timestamp};
use crate::keys::hex;
use contract::account::{Role, SessionRow};
use domain::id::AccountId;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use mongodb::{
    Collection, Database, IndexModel,
    bson::{DateTime, Document, doc},
    error::Error,
    options::IndexOptions,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    future::IntoFuture,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use uuid::Uuid;

/// Random bytes of a refresh token.
const TOKEN_BYTES: usize = 32;
/// How long a customer stays signed in.
const CUSTOMER_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long everyone else stays signed in.
const STAFF_FOR: SignedDuration = SignedDuration::from_hours(12);
/// Two tabs may refresh at once; the later one is turned away without ending the session.
const RACE_FOR: SignedDuration = SignedDuration::from_secs(10);
/// How long an answer about a session is believed; a sign-out is felt everywhere after it.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_secs(4);
/// How long a session of staff may rest.
const STAFF_REST_MAX: SignedDuration = SignedDuration::from_mins(30);
/// How long one has to set up the second factor that a role needs.
const ENROLLING_FOR: SignedDuration = SignedDuration::from_mins(15);
/// How exactly it is noted when a session was last used.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// How long the store has to say whether a session goes on.
const ASKED_FOR: Duration = Duration::from_secs(1);
/// How many sessions of an account are listed.
const LISTED_MAX: i64 = 100;
/// How many answers are kept.
const BELIEVED_MAX: usize = 50_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: String,
    account: String,
    token: String,
    #[serde(default)]
    previous: Option<String>,
    rotated_at: DateTime,
    created_at: DateTime,
    expires_at: DateTime,
    #[serde(default)]
    ended: bool,
    /// Of a role whose sessions may not rest for long.
    #[serde(default)]
    staff: bool,
    /// Good for nothing but to set up a second factor.
    #[serde(default)]
    enrolling: bool,
    #[serde(default)]
    device: String,
    #[serde(default)]
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_at: Option<DateTime>,
}

impl Stored {
    fn seen_at(&self) -> Timestamp {
        timestamp(self.seen_at.unwrap_or(self.rotated_at))
    }
    fn goes_on(&self, now: Timestamp) -> bool {
        !self.ended && timestamp(self.expires_at) > now && !(self.staff && now.duration_since(self.seen_at()) > STAFF_REST_MAX)
    }
}

/// With what and from where a session was started, as its owner is shown it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// In a few words.
    pub device: String,
    /// Its last part left out.
    pub address: String,
}

/// The collection of sessions.
#[derive(Debug, Clone)]
pub struct Sessions {
    stored: Collection<Stored>,
    believed: Arc<Mutex<HashMap<Uuid, (bool, Timestamp)>>>,
}

/// A session with the token that continues it once.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The session.
    pub session: Uuid,
    /// Whose.
    pub account: AccountId,
    /// `<session>.<secret>`; only its hash is kept.
    pub refresh: String,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// Whether it is good for nothing but to set up a second factor.
    pub enrolling: bool,
}

/// Why a refresh token is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Unknown, ended, expired, or used before.
    #[error("the session is over")]
    Over,
    /// It was used before: someone else has it, so the whole session is ended.
    #[error("a refresh token was used twice; its session is ended")]
    Reused(Option<AccountId>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

pub(super) fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}
pub(super) fn secret() -> String {
    let mut bytes = [0; TOKEN_BYTES];
    // Fails only where the machine has no randomness; no token may be made then.
    aws_lc_rs::rand::fill(&mut bytes).expect("the machine has randomness");
    hex(&bytes)
}

impl Sessions {
    /// In the system data.
    #[must_use]
    pub fn new(system: &Database) -> Self {
        Self { stored: system.collection("sessions"), believed: Arc::default() }
    }

    /// Makes the indexes.
    pub async fn prepare(&self) -> Result<(), Error> {
        let forget = IndexOptions::builder().expire_after(Duration::ZERO).build();
        self.stored.create_index(IndexModel::builder().keys(doc! { "expires_at": 1 }).options(forget).build()).await?;
        self.stored.create_index(IndexModel::builder().keys(doc! { "account": 1 }).build()).await?;
        Ok(())
    }

    /// Starts a session, from nowhere in particular.
    pub async fn start(&self, account: AccountId, role: Role, now: Timestamp) -> Result<Issued, Error> {
        self.start_from(account, role, Origin::default(), now).await
    }

    /// Starts a session.
    pub async fn start_from(&self, account: AccountId, role: Role, origin: Origin, now: Timestamp) -> Result<Issued, Error> {
        let expires_at = now + if role.is_staff() { STAFF_FOR } else { CUSTOMER_FOR };
        self.insert(account, role, origin, false, expires_at, now).await
    }

    /// Starts one that is good for nothing but to set up a second factor.
    pub async fn start_enrolling(&self, account: AccountId, role: Role, origin: Origin, now: Timestamp) -> Result<Issued, Error> {
        self.insert(account, role, origin, true, now + ENROLLING_FOR, now).await
    }

    async fn insert(
        &self,
        account: AccountId,
        role: Role,
        Origin { device, address }: Origin,
        enrolling: bool,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Issued, Error> {
        let (session, secret) = (Uuid::new_v4(), secret());
        self.stored
            .insert_one(Stored {
                id: session.to_string(),
                account: account.to_string(),
                token: digest(&secret),
                previous: None,
                rotated_at: moment(now),
                created_at: moment(now),
                expires_at: moment(expires_at),
                ended: false,
                staff: role.is_staff(),
                enrolling,
                device,
                address,
                seen_at: Some(moment(now)),
            })
            .await?;
        Ok(Issued { session, account, refresh: format!("{session}.{secret}"), expires_at, enrolling })
    }

    /// Continues a session: the token is spent and the next one issued. Of two at once, one gets it.
    pub async fn refresh(&self, token: &str, now: Timestamp) -> Result<Issued, RefreshError> {
        let (session, spent) = split(token).ok_or(RefreshError::Over)?;
        let Some(stored) = self.stored.find_one(doc! { "_id": session.to_string() }).await? else { return Err(RefreshError::Over) };
        let expires_at = timestamp(stored.expires_at);
        if !stored.goes_on(now) {
            return Err(RefreshError::Over);
        }
        let spent = digest(spent);
        if stored.token != spent {
            let raced = stored.previous.as_deref() == Some(&spent) && now.duration_since(timestamp(stored.rotated_at)) <= RACE_FOR;
            if raced {
                return Err(RefreshError::Over);
            }
            self.end(session, now).await?;
            return Err(RefreshError::Reused(stored.account.parse().ok().map(AccountId)));
        }
        let next = secret();
        let continued = self
            .stored
            .update_one(
                doc! { "_id": session.to_string(), "token": &spent, "ended": false },
                doc! { "$set": { "token": digest(&next), "previous": &spent, "rotated_at": moment(now), "seen_at": moment(now) } },
            )
            .await?;
        if continued.modified_count == 0 {
            return Err(RefreshError::Over);
        }
        let account = AccountId(stored.account.parse().map_err(|_| RefreshError::Over)?);
        Ok(Issued { session, account, refresh: format!("{session}.{next}"), expires_at, enrolling: stored.enrolling })
    }

    /// Ends a session.
    pub async fn end(&self, session: Uuid, now: Timestamp) -> Result<(), Error> {
        self.stored.update_one(doc! { "_id": session.to_string() }, doc! { "$set": { "ended": true } }).await?;
        self.believe(session, false, now);
        Ok(())
    }

    /// Ends all sessions of an account, but for one. Says how many.
    pub async fn end_all(&self, account: AccountId, but: Option<Uuid>, now: Timestamp) -> Result<u32, Error> {
        let mut open = open_of(account, now);
        if let Some(but) = but {
            open.insert("_id", doc! { "$ne": but.to_string() });
        }
        let ended = self.stored.update_many(open, doc! { "$set": { "ended": true } }).await?.modified_count;
        // Which they were is not known here: all are asked about again.
        self.believed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(u32::try_from(ended).unwrap_or(u32::MAX))
    }

    /// Ends one of the sessions of an account; false when it has none such.
    pub async fn end_own(&self, account: AccountId, session: Uuid, now: Timestamp) -> Result<bool, Error> {
        let mut own = open_of(account, now);
        own.insert("_id", session.to_string());
        let ended = self.stored.update_one(own, doc! { "$set": { "ended": true } }).await?.modified_count == 1;
        if ended {
            self.believe(session, false, now);
        }
        Ok(ended)
    }

    /// The newest of the sessions of an account that go on.
    async fn open(&self, account: AccountId, now: Timestamp) -> Result<Vec<Stored>, Error> {
        let found = self.stored.find(open_of(account, now)).sort(doc! { "seen_at": -1 }).limit(LISTED_MAX).await?;
        found.try_filter(|stored| std::future::ready(stored.goes_on(now))).try_collect().await
    }

    /// The sessions of an account that go on, last used first; `current` is the one that asks.
    pub async fn list(&self, account: AccountId, current: Uuid, now: Timestamp) -> Result<Vec<SessionRow>, Error> {
        let found = self.open(account, now).await?;
        let rows = found.into_iter().filter_map(|stored| {
            let id: Uuid = stored.id.parse().ok()?;
            Some(SessionRow {
                id,
                started_at: timestamp(stored.created_at),
                seen_at: stored.seen_at(),
                device: stored.device,
                address: stored.address,
                current: id == current,
            })
        });
        Ok(rows.collect())
    }

    /// Forgets the sessions of a person altogether.
    pub async fn erase(&self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        self.end_all(account, None, now).await?;
        self.stored.delete_many(doc! { "account": account.to_string() }).await?;
        Ok(())
    }

    /// The session a refresh token belongs to and whose it is, if it is still good for one.
    pub async fn of_token(&self, token: &str) -> Result<Option<(Uuid, AccountId)>, Error> {
        let Some((session, secret)) = split(token) else { return Ok(None) };
        let stored = self.stored.find_one(doc! { "_id": session.to_string() }).await?;
        let good = stored.filter(|stored| !stored.ended && stored.token == digest(secret));
        Ok(good.and_then(|stored| Some((session, AccountId(stored.account.parse().ok()?)))))
    }

    /// Whether a session goes on. Asked with every request, so the answer is believed for a few seconds. A session the store cannot be asked
    /// about fails: it may have been ended.
    pub async fn goes_on(&self, session: Uuid, now: Timestamp) -> Result<bool, Error> {
        let known = self.believed.lock().unwrap_or_else(PoisonError::into_inner).get(&session).copied();
        if let Some((goes_on, asked_at)) = known
            && now.duration_since(asked_at).abs() <= BELIEVED_FOR
        {
            return Ok(goes_on);
        }
        let asked = self.stored.find_one(doc! { "_id": session.to_string() }).into_future();
        let late = |_| Error::custom("whether a session goes on was not answered in time".to_owned());
        let stored = tokio::time::timeout(ASKED_FOR, asked).await.map_err(late)??;
        let goes_on = stored.as_ref().is_some_and(|stored| stored.goes_on(now));
        if goes_on && stored.is_some_and(|stored| now.duration_since(stored.seen_at()) >= SEEN_EVERY) {
            let seen = doc! { "$max": { "seen_at": moment(now) } };
            self.stored.update_one(doc! { "_id": session.to_string() }, seen).await?;
        }
        self.believe(session, goes_on, now);
        Ok(goes_on)
    }

    fn believe(&self, session: Uuid, goes_on: bool, now: Timestamp) {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if believed.len() >= BELIEVED_MAX {
            believed.retain(|_, (_, asked_at)| now.duration_since(*asked_at).abs() <= BELIEVED_FOR);
        }
        believed.insert(session, (goes_on, now));
    }
}

fn open_of(account: AccountId, now: Timestamp) -> Document {
    doc! { "account": account.to_string(), "ended": false, "expires_at": { "$gt": moment(now) } }
}

fn split(token: &str) -> Option<(Uuid, &str)> {
    let (session, secret) = token.split_once('.')?;
    (secret.len() == TOKEN_BYTES * 2).then_some(())?;
    Some((session.parse().ok()?, secret))
}
