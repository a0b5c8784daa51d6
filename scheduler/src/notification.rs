//! Mails to be sent, in MongoDB system data: one per cause and recipient, claimed before it is sent, its outcome recorded. What is
//! uncertain is shown to the operators and not sent again by itself. Letters are sealed for whom they are to. When there is something to write about is the reactions' to say.

mod mailer;
mod sender;

pub use mailer::{Mailer, MailerError};
pub(crate) use sender::send_due;

use crate::{
    letter::Letter,
    mongo::{self, unopened},
};
use contract::{
    operations::{Notification, NotificationState},
    page::{Listing, Page},
};
use domain::{
    id::{AccountId, CustomerId, SupplierId},
    sealed::Sealed,
};
use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Document, doc},
};
use std::{fmt, str::FromStr, time::Duration};
use uuid::Uuid;
use vault::{PersonId, Place, Vault, VaultError};

/// How often a mail is tried before it is given up.
pub const ATTEMPTS_MAX: u32 = 12;
/// How long to wait after the first failure; each further one doubles it.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// How many that are due are looked up at once.
const DUE_MAX: i64 = 512;
/// How many are claimed at once: each write waits for the disk. So many are shown as uncertain where a process is ended while it sends.
const CLAIMED_MAX: usize = 16;
/// The longest error kept, in characters.
const ERROR_CHARACTERS_MAX: usize = 300;

/// Who a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// A customer's account.
    Customer(CustomerId),
    /// A supplier's contact.
    Supplier(SupplierId),
    /// Anyone's account, also one that is not confirmed yet.
    Account(AccountId),
}

impl Recipient {
    /// Under whose key letters to them are: a supplier is no person.
    fn person(self) -> PersonId {
        match self {
            Self::Customer(id) => id.into(),
            Self::Account(id) => id.into(),
            Self::Supplier(_) => PersonId::INSTALLATION,
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer:{id}"),
            Self::Supplier(id) => write!(f, "supplier:{id}"),
            Self::Account(id) => write!(f, "account:{id}"),
        }
    }
}

impl FromStr for Recipient {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = "not a recipient";
        match text.split_once(':') {
            Some(("customer", id)) => id.parse().map(Self::Customer).map_err(|_| bad),
            Some(("supplier", id)) => id.parse().map(Self::Supplier).map_err(|_| bad),
            Some(("account", id)) => id.parse().map(Self::Account).map_err(|_| bad),
            _ => Err(bad),
        }
    }
}

/// A letter about something that happened.
#[derive(Debug, Clone)]
pub struct Written {
    /// What it is about: an event, or whatever else is written about once.
    pub cause: Uuid,
    /// Who it is for.
    pub recipient: Recipient,
    /// What it says.
    pub letter: Letter,
    /// When that happened.
    pub at: Timestamp,
}

/// How sending went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sending {
    /// The mail server has it.
    Sent,
    /// It surely has not; try again.
    Failed(String),
    /// It surely has not, and never will.
    Hopeless(String),
    /// It may have it.
    Uncertain(String),
}

/// A notification that is ours to send.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) id: String,
    pub(crate) recipient: Recipient,
    pub(crate) letter: Letter,
    pub(crate) message_id: String,
    attempts: u32,
}

/// The notifications of an installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notifications {
    collection: Collection<Document>,
    vault: Vault,
}

/// Where the letter of a notification belongs.
fn place(id: &str) -> Place<'static> {
    Place::new(format!("notification/{id}"), "letter")
}

impl Notifications {
    /// Kept in the collection `notifications` of the system data.
    #[must_use]
    pub fn new(system: &Database, vault: Vault) -> Self {
        Self { collection: system.collection("notifications"), vault }
    }

    pub(crate) async fn index(&self) -> mongodb::error::Result<()> {
        let due = IndexModel::builder().keys(doc! { "state": 1, "next_try_at": 1 }).build();
        let listed = IndexModel::builder().keys(doc! { "at": -1 }).build();
        self.collection.create_indexes([due, listed]).await?;
        Ok(())
    }

    /// Puts letters in the queue, but for those whose recipients were already written to about the same cause, and those to people who
    /// were erased.
    pub async fn add(&self, letters: &[Written]) -> mongodb::error::Result<()> {
        let mut fresh = Vec::with_capacity(letters.len());
        for Written { cause, recipient, letter, at } in letters {
            let id = format!("{cause}:{}:{recipient}", letter.template());
            let sealed = match self.vault.seal(recipient.person(), &place(&id), letter).await {
                Ok(sealed) => sealed,
                Err(VaultError::Erased) => continue,
                Err(error) => return Err(unopened(&error)),
            };
            fresh.push(doc! {
                "_id": &id,
                "cause": cause.to_string(),
                "template": letter.template(),
                "recipient": recipient.to_string(),
                "letter": sealed.as_str(),
                "state": PENDING,
                "attempts": 0,
                "message_id": format!("{}@astro-bookings.example", Uuid::new_v5(cause, id.as_bytes())),
                "error": "",
                "at": mongo::moment(*at),
                "next_try_at": mongo::moment(*at),
            });
        }
        if fresh.is_empty() {
            return Ok(());
        }
        match self.collection.insert_many(fresh).ordered(false).await {
            Ok(_) => Ok(()),
            Err(error) if mongo::duplicates(&error).is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Those that wait longest, by their ids: many at once, for a server may walk over all that are due to find the first.
    pub(crate) async fn due(&self, now: Timestamp) -> mongodb::error::Result<Vec<String>> {
        let due = doc! { "state": PENDING, "next_try_at": { "$lte": mongo::moment(now) } };
        let first = self.collection.find(due).sort(doc! { "next_try_at": 1 }).projection(doc! { "_id": 1 }).limit(DUE_MAX);
        let first: Vec<Document> = first.await?.try_collect().await?;
        Ok(first.iter().filter_map(|found| found.get_str("_id").ok()).map(str::to_owned).collect())
    }

    /// Takes those of `ids` that are due and nobody else took. From here on until their outcome is recorded they count as uncertain. Those
    /// to people who were erased are deleted.
    pub(crate) async fn claim(&self, ids: &[String], now: Timestamp) -> mongodb::error::Result<Vec<Claimed>> {
        let claim = Uuid::new_v4().to_string();
        let change = doc! { "$set": { "state": UNCERTAIN, "error": "being sent", "claim": &claim }, "$inc": { "attempts": 1 } };
        // Since they were looked up another process may have tried one and put it off.
        let due = doc! { "_id": { "$in": ids }, "state": PENDING, "next_try_at": { "$lte": mongo::moment(now) } };
        self.collection.update_many(due, change).await?;
        let taken = self.collection.find(doc! { "_id": { "$in": ids }, "claim": claim }).sort(doc! { "next_try_at": 1 });
        let taken: Vec<Document> = taken.await?.try_collect().await?;
        let mut claimed = Vec::with_capacity(taken.len());
        for found in taken {
            let unreadable = || mongodb::error::Error::custom("a notification is not readable".to_owned());
            let text = |field: &str| found.get_str(field).map(str::to_owned).map_err(|_| unreadable());
            let id = text("_id")?;
            let recipient: Recipient = text("recipient")?.parse().map_err(|_| unreadable())?;
            let Some(letter) = self.open(&id, recipient, text("letter")?).await? else {
                self.collection.delete_one(doc! { "_id": &id }).await?;
                continue;
            };
            let (message_id, attempts) = (text("message_id")?, mongo::count(&found, "attempts"));
            claimed.push(Claimed { id, recipient, letter, message_id, attempts });
        }
        Ok(claimed)
    }

    /// Gives back what was claimed and not tried.
    pub(crate) async fn let_go(&self, claimed: &[Claimed]) -> mongodb::error::Result<()> {
        if claimed.is_empty() {
            return Ok(());
        }
        let change = doc! { "$set": { "state": PENDING, "error": "" }, "$inc": { "attempts": -1 } };
        self.collection.update_many(uncertain(claimed), change).await?;
        Ok(())
    }

    /// Records that all these were sent.
    pub(crate) async fn sent(&self, claimed: &[Claimed], now: Timestamp) -> mongodb::error::Result<()> {
        if claimed.is_empty() {
            return Ok(());
        }
        let change = doc! { "$set": { "state": SENT, "error": "", "sent_at": mongo::moment(now) } };
        self.collection.update_many(uncertain(claimed), change).await?;
        Ok(())
    }

    async fn open(&self, id: &str, recipient: Recipient, letter: String) -> mongodb::error::Result<Option<Letter>> {
        self.vault.open(recipient.person(), &place(id), &Sealed::from_text(letter)).await.map_err(|error| unopened(&error))
    }

    /// What was written to a person, oldest first, with the letters; at most `limit`.
    pub async fn to_person(&self, person: Uuid, limit: i64) -> mongodb::error::Result<Vec<(Notification, Letter)>> {
        let found = self.collection.find(doc! { "recipient": { "$in": names(person) } }).sort(doc! { "at": 1, "_id": 1 }).limit(limit);
        let found: Vec<Document> = found.await?.try_collect().await?;
        let mut letters = Vec::with_capacity(found.len());
        for document in found {
            let (notification, text) = (shown(&document), document.get_str("letter").unwrap_or_default().to_owned());
            let Ok(recipient) = notification.recipient.parse() else { continue };
            if let Some(letter) = self.open(&notification.id, recipient, text).await? {
                letters.push((notification, letter));
            }
        }
        Ok(letters)
    }

    /// Deletes everything written to a person.
    pub async fn forget(&self, person: Uuid) -> mongodb::error::Result<()> {
        self.collection.delete_many(doc! { "recipient": { "$in": names(person) } }).await?;
        Ok(())
    }

    /// Records how sending went.
    pub(crate) async fn settle(&self, claimed: &Claimed, sending: &Sending, now: Timestamp) -> mongodb::error::Result<()> {
        let short = |error: &str| error.chars().take(ERROR_CHARACTERS_MAX).collect::<String>();
        let set = match sending {
            Sending::Sent => return self.sent(std::slice::from_ref(claimed), now).await,
            Sending::Failed(error) if claimed.attempts >= ATTEMPTS_MAX => doc! { "state": DEAD, "error": short(error) },
            Sending::Failed(error) => {
                let wait = (RETRY_AFTER * 2_u32.saturating_pow(claimed.attempts.saturating_sub(1).min(16))).min(RETRY_AFTER_MAX);
                doc! { "state": PENDING, "error": short(error), "next_try_at": mongo::moment(now + wait) }
            }
            Sending::Hopeless(error) => doc! { "state": DEAD, "error": short(error) },
            Sending::Uncertain(error) => doc! { "state": UNCERTAIN, "error": short(error) },
        };
        self.collection.update_one(doc! { "_id": &claimed.id, "state": UNCERTAIN }, doc! { "$set": set }).await?;
        Ok(())
    }

    /// The notifications, newest first; `search` looks in ids (cause, template, recipient), states and errors.
    pub async fn page(&self, listing: &Listing) -> mongodb::error::Result<Page<Notification>> {
        let mut filter = doc! { "state": { "$ne": DISCARDED } };
        if let Some(words) = mongo::search(&listing.search, &["_id", "state", "error"]) {
            filter.extend(words);
        }
        let (page, per_page, skip) = mongo::window(listing);
        let total = self.collection.count_documents(filter.clone()).await?;
        let found = self.collection.find(filter).sort(doc! { "at": -1, "_id": 1 }).skip(skip).limit(i64::from(per_page)).await?;
        let items = found.map_ok(|document| shown(&document)).try_collect().await?;
        Ok(Page { items, total, page, per_page, position: 0, stale: false })
    }

    /// Sends a dead or uncertain notification once more, at an operator's word. Says whether there was one.
    pub async fn retry(&self, id: &str, now: Timestamp) -> mongodb::error::Result<bool> {
        let filter = doc! { "_id": id, "state": { "$in": [DEAD, UNCERTAIN] } };
        let set = doc! { "$set": { "state": PENDING, "attempts": 0, "next_try_at": mongo::moment(now) } };
        Ok(self.collection.update_one(filter, set).await?.matched_count == 1)
    }

    /// Gives a notification up, at an operator's word: it is never sent and no longer listed. Says whether there was one.
    pub async fn discard(&self, id: &str) -> mongodb::error::Result<bool> {
        let filter = doc! { "_id": id, "state": { "$in": [PENDING, DEAD, UNCERTAIN] } };
        Ok(self.collection.update_one(filter, doc! { "$set": { "state": DISCARDED } }).await?.matched_count == 1)
    }
}

fn uncertain(claimed: &[Claimed]) -> Document {
    let ids: Vec<&str> = claimed.iter().map(|claimed| &*claimed.id).collect();
    doc! { "_id": { "$in": ids }, "state": UNCERTAIN }
}

/// What a person is called as a recipient.
fn names(person: Uuid) -> [String; 2] {
    [Recipient::Customer(CustomerId(person)), Recipient::Account(AccountId(person))].map(|recipient| recipient.to_string())
}

const PENDING: &str = "pending";
const SENT: &str = "sent";
const UNCERTAIN: &str = "uncertain";
const DEAD: &str = "dead";
const DISCARDED: &str = "discarded";

fn shown(document: &Document) -> Notification {
    let text = |field: &str| document.get_str(field).unwrap_or_default().to_owned();
    Notification {
        id: text("_id"),
        cause: text("cause").parse().unwrap_or_default(),
        template: text("template"),
        recipient: text("recipient"),
        state: match document.get_str("state") {
            Ok(PENDING) => NotificationState::Pending,
            Ok(SENT) => NotificationState::Sent,
            Ok(DEAD) => NotificationState::Dead,
            _ => NotificationState::Uncertain,
        },
        attempts: mongo::count(document, "attempts"),
        message_id: text("message_id"),
        error: text("error"),
        at: mongo::timestamp(document, "at").unwrap_or_default(),
        sent_at: mongo::timestamp(document, "sent_at"),
    }
}
