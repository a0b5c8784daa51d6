//! Sessions: refresh tokens that are used once and followed by the next. Access tokens are left to `token`.

use crate::keys::hex;
use contract::account::Role;
use domain::id::AccountId;
use jiff::{SignedDuration, Timestamp};
use mongodb::{
    Collection, Database, IndexModel,
    bson::{DateTime, doc},
    error::Error,
    options::IndexOptions,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
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
}

/// Why a refresh token is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Unknown, ended, expired, or used before.
    #[error("the session is over")]
    Over,
    /// It was used before: someone else has it, so the whole session is ended.
    #[error("a refresh token was used twice; its session is ended")]
    Reused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

fn moment(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}
fn timestamp(at: DateTime) -> Timestamp {
    Timestamp::from_millisecond(at.timestamp_millis()).unwrap_or(Timestamp::UNIX_EPOCH)
}
fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}
fn secret() -> String {
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
        Ok(())
    }

    /// Starts a session.
    pub async fn start(&self, account: AccountId, role: Role, now: Timestamp) -> Result<Issued, Error> {
        let (session, secret) = (Uuid::new_v4(), secret());
        let expires_at = now + if role == Role::Customer { CUSTOMER_FOR } else { STAFF_FOR };
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
            })
            .await?;
        Ok(Issued { session, account, refresh: format!("{session}.{secret}"), expires_at })
    }

    /// Continues a session: the token is spent and the next one issued. Of two at once, one gets it.
    pub async fn refresh(&self, token: &str, now: Timestamp) -> Result<Issued, RefreshError> {
        let (session, spent) = split(token).ok_or(RefreshError::Over)?;
        let Some(stored) = self.stored.find_one(doc! { "_id": session.to_string() }).await? else { return Err(RefreshError::Over) };
        let expires_at = timestamp(stored.expires_at);
        if stored.ended || expires_at <= now {
            return Err(RefreshError::Over);
        }
        let spent = digest(spent);
        if stored.token != spent {
            let raced = stored.previous.as_deref() == Some(&spent) && now.duration_since(timestamp(stored.rotated_at)) <= RACE_FOR;
            if raced {
                return Err(RefreshError::Over);
            }
            self.end(session, now).await?;
            return Err(RefreshError::Reused);
        }
        let next = secret();
        let continued = self
            .stored
            .update_one(
                doc! { "_id": session.to_string(), "token": &spent, "ended": false },
                doc! { "$set": { "token": digest(&next), "previous": &spent, "rotated_at": moment(now) } },
            )
            .await?;
        if continued.modified_count == 0 {
            return Err(RefreshError::Over);
        }
        let account = AccountId(stored.account.parse().map_err(|_| RefreshError::Over)?);
        Ok(Issued { session, account, refresh: format!("{session}.{next}"), expires_at })
    }

    /// Ends a session.
    pub async fn end(&self, session: Uuid, now: Timestamp) -> Result<(), Error> {
        self.stored.update_one(doc! { "_id": session.to_string() }, doc! { "$set": { "ended": true } }).await?;
        self.believe(session, false, now);
        Ok(())
    }

    /// The session a refresh token belongs to, if it is still good for one.
    pub async fn of_token(&self, token: &str) -> Result<Option<Uuid>, Error> {
        let Some((session, secret)) = split(token) else { return Ok(None) };
        let stored = self.stored.find_one(doc! { "_id": session.to_string() }).await?;
        Ok(stored.filter(|stored| stored.token == digest(secret)).map(|_| session))
    }

    /// Whether a session goes on. Asked with every request, so the answer is believed for a few seconds. While the store cannot be asked, the
    /// signed token alone counts for the minutes it lasts: commands go on without MongoDB.
    pub async fn goes_on(&self, session: Uuid, now: Timestamp) -> bool {
        let known = self.believed.lock().unwrap_or_else(PoisonError::into_inner).get(&session).copied();
        if let Some((goes_on, asked_at)) = known
            && now.duration_since(asked_at).abs() <= BELIEVED_FOR
        {
            return goes_on;
        }
        match tokio::time::timeout(Duration::from_secs(1), self.stored.find_one(doc! { "_id": session.to_string() })).await {
            Ok(Ok(stored)) => {
                let goes_on = stored.is_some_and(|stored| !stored.ended && timestamp(stored.expires_at) > now);
                self.believe(session, goes_on, now);
                goes_on
            }
            Ok(Err(_)) | Err(_) => {
                let goes_on = known.is_none_or(|(goes_on, _)| goes_on);
                self.believe(session, goes_on, now);
                goes_on
            }
        }
    }

    fn believe(&self, session: Uuid, goes_on: bool, now: Timestamp) {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if believed.len() >= BELIEVED_MAX {
            believed.retain(|_, (_, asked_at)| now.duration_since(*asked_at).abs() <= BELIEVED_FOR);
        }
        believed.insert(session, (goes_on, now));
    }
}

fn split(token: &str) -> Option<(Uuid, &str)> {
    let (session, secret) = token.split_once('.')?;
    (secret.len() == TOKEN_BYTES * 2).then_some(())?;
    Some((session.parse().ok()?, secret))
}
