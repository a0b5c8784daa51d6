//! Links in mails: 256 random bits, kept as a hash, good once and for a while. What one opens is left to the routes.

use super::{
    account::{UNCONFIRMED_FOR, moment},
    session::{digest, secret},
};
use domain::id::AccountId;
use jiff::Timestamp;
use mongodb::{Collection, Database, IndexModel, bson::doc, error::Error, options::IndexOptions};
use scheduler::letter::Token;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a link to set another password is good.
pub const RESET_FOR: Duration = Duration::from_secs(15 * 60);
/// How long an invitation is.
pub const INVITATION_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// The longest secret looked up, in characters.
const SECRET_CHARACTERS_MAX: usize = 64;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Opens an account that was asked for.
    Confirm,
    /// Sets another password.
    Reset,
    /// Sets the first password of one who was invited.
    Invite,
}

impl Purpose {
    const fn lasts(self) -> Duration {
        match self {
            Self::Confirm => UNCONFIRMED_FOR,
            Self::Reset => RESET_FOR,
            Self::Invite => INVITATION_FOR,
        }
    }
    const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Reset => "reset",
            Self::Invite => "invite",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    hash: String,
    account: String,
    purpose: Purpose,
    expires_at: mongodb::bson::DateTime,
}

/// A link that was just made.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its secret, for the mail.
    pub token: Token,
    /// The same, to print.
    pub secret: String,
    /// Until when it is good.
    pub until: Timestamp,
}

/// The collection of links.
#[derive(Debug, Clone)]
pub struct Links(Collection<Stored>);

impl Links {
    /// In the system data.
    #[must_use]
    pub fn new(system: &Database) -> Self {
        Self(system.collection("links"))
    }

    /// Makes the indexes.
    pub async fn prepare(&self) -> Result<(), Error> {
        let forget = IndexOptions::builder().expire_after(Duration::ZERO).build();
        self.0.create_index(IndexModel::builder().keys(doc! { "expires_at": 1 }).options(forget).build()).await?;
        self.0.create_index(IndexModel::builder().keys(doc! { "account": 1 }).build()).await?;
        Ok(())
    }

    /// Makes a link; older ones of the account for the same purpose are good no more.
    pub async fn issue(&self, account: AccountId, purpose: Purpose, now: Timestamp) -> Result<Issued, Error> {
        let (secret, until) = (secret(), now + purpose.lasts());
        self.0.delete_many(doc! { "account": account.to_string(), "purpose": purpose.as_str() }).await?;
        let stored = Stored { hash: digest(&secret), account: account.to_string(), purpose, expires_at: moment(until) };
        self.0.insert_one(stored).await?;
        Ok(Issued { token: Token::new(secret.clone()), secret, until })
    }

    /// Whose a link is and what it is for, if it is still good.
    pub async fn look(&self, secret: &str, now: Timestamp) -> Result<Option<(AccountId, Purpose)>, Error> {
        if secret.len() > SECRET_CHARACTERS_MAX {
            return Ok(None);
        }
        let good = doc! { "_id": digest(secret), "expires_at": { "$gt": moment(now) } };
        let found = self.0.find_one(good).await?;
        Ok(found.and_then(|link| Some((AccountId(link.account.parse().ok()?), link.purpose))))
    }

    /// Uses a link up; false when someone else did meanwhile.
    pub async fn spend(&self, secret: &str) -> Result<bool, Error> {
        Ok(self.0.delete_one(doc! { "_id": digest(secret) }).await?.deleted_count == 1)
    }

    /// Makes all links of an account worthless.
    pub async fn revoke(&self, account: AccountId) -> Result<(), Error> {
        self.0.delete_many(doc! { "account": account.to_string() }).await?;
        Ok(())
    }
}
