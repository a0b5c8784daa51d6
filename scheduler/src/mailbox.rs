//! The development mailbox: a mail server that delivers to nobody. What it takes anyone can read in the browser; the newest mails are kept.

mod smtp;

use crate::mongo;
use contract::{
    operations::Mail,
    page::{Listing, Page},
};
use futures::TryStreamExt;
use jiff::Timestamp;
use mail_parser::MessageParser;
use mongodb::{
    Collection, Database,
    bson::{Document, doc, oid::ObjectId},
};
use std::{io, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How many mails are kept.
pub const MAILS_MAX: u64 = 2_000;
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
}

impl Mailbox {
    /// Kept in the collection `mailbox` of the system data.
    #[must_use]
    pub fn new(system: &Database) -> Self {
        Self { collection: system.collection("mailbox") }
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
        self.collection
            .insert_one(doc! {
                "_id": ObjectId::new(),
                "message_id": mail.and_then(|mail| mail.message_id()).unwrap_or_default(),
                "at": mongo::moment(Timestamp::now()),
                "to": to.join(", "),
                "from": from,
                "subject": mail.and_then(|mail| mail.subject()).unwrap_or_default(),
                "text": text.unwrap_or_else(|| shorten(&String::from_utf8_lossy(raw))),
            })
            .await?;
        self.shrink().await
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
        let filter = mongo::search(&listing.search, &["to", "subject", "text", "message_id"]).unwrap_or_default();
        let (page, per_page, skip) = mongo::window(listing);
        let total = self.collection.count_documents(filter.clone()).await?;
        let found = self.collection.find(filter).sort(doc! { "_id": -1 }).skip(skip).limit(i64::from(per_page)).await?;
        let items = found.map_ok(|document| shown(&document)).try_collect().await?;
        Ok(Page { items, total, page, per_page, position: 0, stale: false })
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

fn shown(document: &Document) -> Mail {
    let text = |field: &str| document.get_str(field).unwrap_or_default().to_owned();
    Mail {
        id: text("message_id"),
        at: mongo::timestamp(document, "at").unwrap_or_default(),
        to: text("to"),
        from: text("from"),
        subject: text("subject"),
        text: text("text"),
    }
}
