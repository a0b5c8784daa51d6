//! The development mailbox: a mail server that delivers to nobody. What it takes anyone can read in the browser; the newest mails are kept,
//! sealed for the installation, so that nobody finds them on its disks.

mod smtp;

use crate::mongo::{self, unopened};
use contract::{
    operations::Mail,
    page::{Listing, Page},
};
use domain::sealed::Sealed;
use futures::TryStreamExt;
use jiff::Timestamp;
use mail_parser::MessageParser;
use mongodb::{
    Collection, Database,
    bson::{Document, doc, oid::ObjectId},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use vault::{PersonId, Place, Vault};

/// The kind of a blind recipient.
const TO: &str = "mail_to";
/// How many mails are kept.
pub const MAILS_MAX: u64 = 2_000;
/// After so many mails it is looked how many there are, and those beyond are thrown away.
const SHRINK_EVERY: u32 = 100;
/// How many conversations are held at once.
const CONVERSATIONS_MAX: usize = 32;
/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The longest text shown, in characters.
const TEXT_CHARACTERS_MAX: usize = 20_000;

/// The mails of a mailbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailbox {
    collection: Collection<Document>,
    vault: Vault,
    /// How many mails came.
    came: Arc<AtomicU32>,
}

/// Where a mail belongs.
fn place(id: ObjectId) -> Place<'static> {
    Place::new(format!("mailbox/{id}"), "mail")
}

impl Mailbox {
    /// Kept in the collection `mailbox` of the system data.
    #[must_use]
    pub fn new(system: &Database, vault: Vault) -> Self {
        Self { collection: system.collection("mailbox"), vault, came: Arc::default() }
    }

    /// Takes mail on `listener` until `stop`; with `tls` only encrypted, from the first byte on.
    pub async fn serve(&self, listener: TcpListener, tls: Option<TlsAcceptor>, stop: CancellationToken) {
        let mut conversations = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept(), if conversations.len() < CONVERSATIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        let (mailbox, tls) = (self.clone(), tls.clone());
                        conversations.spawn(async move {
                            if let Err(error) = take(stream, tls, &mailbox).await {
                                tracing::debug!("A mail conversation broke off: {error}");
                            }
                        });
                    }
                    Err(error) => tracing::warn!("The mailbox cannot accept a connection: {error}"),
                },
                Some(_) = conversations.join_next(), if !conversations.is_empty() => {}
            }
        }
        conversations.shutdown().await;
    }

    /// Keeps a mail as it came over the wire.
    async fn keep(&self, to: &[String], raw: &[u8]) -> mongodb::error::Result<()> {
        let mail = MessageParser::default().parse(raw);
        let mail = mail.as_ref();
        let shorten = |text: &str| text.chars().take(TEXT_CHARACTERS_MAX).collect::<String>();
        let text = mail.and_then(|mail| mail.body_text(0)).map(|text| shorten(&text));
        let from = mail.and_then(|mail| mail.from()?.first()?.address()).unwrap_or_default();
        let id = ObjectId::new();
        let mail = Mail {
            id: mail.and_then(|mail| mail.message_id()).unwrap_or_default().to_owned(),
            at: Timestamp::now(),
            to: to.join(", "),
            from: from.to_owned(),
            subject: mail.and_then(|mail| mail.subject()).unwrap_or_default().to_owned(),
            text: text.unwrap_or_else(|| shorten(&String::from_utf8_lossy(raw))),
        };
        let sealed = self.vault.seal(PersonId::INSTALLATION, &place(id), &mail).await.map_err(|error| unopened(&error))?;
        let to: Vec<String> = to.iter().map(|address| self.vault.blind(TO, address).to_string()).collect();
        self.collection.insert_one(doc! { "_id": id, "to": to, "mail": sealed.as_str() }).await?;
        if self.came.fetch_add(1, Ordering::Relaxed).is_multiple_of(SHRINK_EVERY) { self.shrink().await } else { Ok(()) }
    }

    /// Throws away what came for an address.
    pub async fn forget(&self, address: &str) -> mongodb::error::Result<()> {
        self.collection.delete_many(doc! { "to": self.vault.blind(TO, address).to_string() }).await?;
        Ok(())
    }

    /// Throws away the oldest mails beyond what is kept.
    async fn shrink(&self) -> mongodb::error::Result<()> {
        let newest_too_many =
            self.collection.find_one(doc! {}).sort(doc! { "_id": -1 }).skip(MAILS_MAX).projection(doc! { "_id": 1 }).await?;
        if let Some(id) = newest_too_many.and_then(|found| found.get_object_id("_id").ok()) {
            self.collection.delete_many(doc! { "_id": { "$lte": id } }).await?;
        }
        Ok(())
    }

    /// The mails, newest first; `search` looks in recipient, subject and text.
    pub async fn page(&self, listing: &Listing) -> mongodb::error::Result<Page<Mail>> {
        let (page, per_page, skip) = mongo::window(listing);
        let sought = listing.search.trim().to_lowercase();
        if !sought.is_empty() {
            // Sealed, so all of them are opened: no more are kept than that takes.
            let mut found = self.open(0, MAILS_MAX).await?;
            let has = |text: &str| text.to_lowercase().contains(&sought);
            found.retain(|mail| has(&mail.to) || has(&mail.subject) || has(&mail.text) || has(&mail.id));
            let total = found.len() as u64;
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let items = found.into_iter().skip(skip).take(per_page as usize).collect();
            return Ok(Page { items, total, page, per_page, position: 0, stale: false });
        }
        let total = self.collection.count_documents(doc! {}).await?;
        Ok(Page { items: self.open(skip, u64::from(per_page)).await?, total, page, per_page, position: 0, stale: false })
    }

    /// Mails from the `skip`th newest on.
    async fn open(&self, skip: u64, limit: u64) -> mongodb::error::Result<Vec<Mail>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found: Vec<Document> =
            self.collection.find(doc! {}).sort(doc! { "_id": -1 }).skip(skip).limit(limit).await?.try_collect().await?;
        let sealed: Vec<(Place<'_>, Sealed)> = found
            .iter()
            .filter_map(|document| {
                Some((place(document.get_object_id("_id").ok()?), Sealed::from_text(document.get_str("mail").ok()?.to_owned())))
            })
            .collect();
        let asked: Vec<_> = sealed.iter().map(|(place, sealed)| (PersonId::INSTALLATION, place.clone(), sealed)).collect();
        let opened = self.vault.open_many::<Mail>(&asked).await.map_err(|error| unopened(&error))?;
        Ok(opened.into_iter().flatten().collect())
    }
}

async fn take(stream: TcpStream, tls: Option<TlsAcceptor>, mailbox: &Mailbox) -> io::Result<()> {
    // A conversation of small turns: nothing is gained by waiting for more to send.
    stream.set_nodelay(true)?;
    match tls {
        None => smtp::converse(stream, mailbox).await,
        Some(tls) => smtp::converse(timeout(HANDSHAKE_MAX, tls.accept(stream)).await??, mailbox).await,
    }
}
