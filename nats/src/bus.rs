//! The connection to NATS: one JetStream stream that mirrors the log, and hints that may be lost. What is published, and when, is the relay's.

use crate::Envelope;
use async_nats::{
    Client, ConnectOptions, HeaderMap, ServerAddr, Subject,
    connection::State,
    header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID},
    jetstream::{
        Context,
        consumer::{DeliverPolicy, ReplayPolicy, pull},
        context::{ContextBuilder, GetStreamErrorKind, PublishAckFuture},
        stream::{Config, DiscardPolicy, RawMessageErrorKind, RetentionPolicy, StorageType},
    },
    rustls::ClientConfig,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::{future::IntoFuture, str::FromStr, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// How many of the newest events JetStream keeps; older ones are read from Postgres.
pub const KEPT_EVENTS_MAX: u64 = 1_000_000;
/// How many events are published for one ack.
const UNACKED_MAX: usize = 500;
/// The largest message, well above the largest event the executor accepts.
const MESSAGE_BYTES_MAX: i32 = 1_000_000;
/// How long the server remembers message ids, so that a repeated publish is a duplicate.
const DUPLICATES_FOR: Duration = Duration::from_secs(120);
/// How long an ack or an answer of the server may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long connecting may hold up the start; the client goes on trying behind it.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);

/// The bus did not do what was asked; Postgres still has everything.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Not connected now; the client keeps trying.
    #[error("not connected to NATS")]
    Down,
    /// An event was stored elsewhere than at its position: the stream is not ours.
    #[error("NATS stored position {position} as {stored}")]
    Misplaced {
        /// The event's position in the log.
        position: u64,
        /// Where the stream has it.
        stored: u64,
    },
    /// The stream has no message there.
    #[error("the stream has nothing at {position}")]
    Nothing {
        /// Where it was looked for.
        position: u64,
    },
    /// Any other failure of the client or the server.
    #[error("{doing}: {source}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: async_nats::Error,
    },
}

fn failed<E: Into<async_nats::Error>>(doing: &'static str) -> impl FnOnce(E) -> BusError {
    move |source| BusError::Failed { doing, source: source.into() }
}

/// A small wake-up that came over the bus. Hints may be lost; nothing depends on them.
#[derive(Debug, Clone)]
pub struct Hint {
    /// The topic, without the installation's prefix.
    pub topic: String,
    /// What was said.
    pub payload: Bytes,
}

/// A connection, and the names that keep one installation apart from another on the same server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    jetstream: Context,
    prefix: Arc<str>,
    stream: Arc<str>,
    /// Whether an event may be stored at its own position only.
    at_its_position: bool,
}

pub(crate) type Messages = pull::Ordered;

impl Bus {
    /// Connects to `url`. `prefix` (letters, digits, `_`) keeps installations on one server apart. A server that is down is no failure:
    /// the client keeps trying, and until then everything answers [`BusError::Down`].
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, BusError> {
        Self::connect_over(url, prefix, None).await
    }

    /// The same over TLS, where it is given: a server that does not speak it, or is not the one, is not connected to.
    pub async fn connect_over(url: &str, prefix: &str, tls: Option<ClientConfig>) -> Result<Self, BusError> {
        // Answers come to subjects of the user's own, so that users can be kept from hearing each other's.
        let address = ServerAddr::from_str(url).map_err(failed("read the address of NATS"))?;
        let user = address.username().unwrap_or(prefix);
        let mut options = ConnectOptions::new().name(format!("astro {prefix}")).custom_inbox_prefix(format!("_INBOX_{user}"));
        // The client leaves aside what an address says of the user.
        if let (Some(user), Some(password)) = (address.username(), address.password()) {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        if let Some(tls) = tls {
            options = options.require_tls(true).tls_client_config(tls);
        }
        let client = options.retry_on_initial_connect().connect(address).await.map_err(failed("connect to NATS"))?;
        let connected = async {
            while client.connection_state() != State::Connected {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(CONNECT_WAIT_MAX, connected).await.is_err() {
            tracing::warn!("NATS does not answer yet; going on without it");
        }
        Ok(Self::with_client(client, prefix))
    }

    /// The same over a connection made elsewhere, for instance with TLS.
    #[must_use]
    pub fn with_client(client: Client, prefix: &str) -> Self {
        let jetstream = ContextBuilder::new().timeout(ANSWER_WAIT_MAX).ack_timeout(ANSWER_WAIT_MAX).build(client.clone());
        Self { client, jetstream, prefix: prefix.into(), stream: format!("{}_EVENTS", prefix.to_uppercase()).into(), at_its_position: true }
    }

    /// One that does not say at which sequence an event belongs: for the test that proves that this matters.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    #[must_use]
    pub fn without_expected_sequence(self) -> Self {
        Self { at_its_position: false, ..self }
    }

    /// Whether the server can be reached now.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    fn up(&self) -> Result<(), BusError> {
        if self.connected() { Ok(()) } else { Err(BusError::Down) }
    }

    /// The last position the stream holds; `None` when there is no stream.
    pub async fn head(&self) -> Result<Option<u64>, BusError> {
        self.up()?;
        match self.jetstream.get_stream(&*self.stream).await {
            Ok(stream) => Ok(Some(stream.cached_info().state.last_sequence)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(answer) if answer.error_code() == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(failed("ask NATS for the stream")(error)),
            },
        }
    }

    /// Creates the stream so that the event at `first` can be published next.
    pub async fn create(&self, first: u64) -> Result<(), BusError> {
        self.up()?;
        self.jetstream
            .create_stream(Config {
                name: self.stream.to_string(),
                subjects: vec![format!("{}.ev.>", self.prefix)],
                retention: RetentionPolicy::Limits,
                storage: StorageType::File,
                discard: DiscardPolicy::Old,
                max_messages: KEPT_EVENTS_MAX.try_into().unwrap_or(i64::MAX),
                max_message_size: MESSAGE_BYTES_MAX,
                duplicate_window: DUPLICATES_FOR,
                num_replicas: 1,
                deny_delete: true,
                deny_purge: true,
                allow_direct: true,
                first_sequence: (first > 1).then_some(first),
                ..Config::default()
            })
            .await
            .map_err(failed("create the stream"))?;
        Ok(())
    }

    /// Throws the stream away; it is refilled from Postgres.
    pub async fn delete(&self) -> Result<(), BusError> {
        self.up()?;
        self.jetstream.delete_stream(&*self.stream).await.map_err(failed("delete the stream"))?;
        Ok(())
    }

    /// Which event the stream has at `position`, to tell our stream from a stranger's; [`BusError::Nothing`] where it has no message.
    pub async fn event_id_at(&self, position: u64) -> Result<Option<Uuid>, BusError> {
        self.up()?;
        let stream = self.jetstream.get_stream_no_info(&*self.stream).await.map_err(failed("ask NATS for the stream"))?;
        let message = stream.get_raw_message(position).await.map_err(|error| match error.kind() {
            RawMessageErrorKind::NoMessageFound => BusError::Nothing { position },
            _ => failed("read a message of the stream")(error),
        })?;
        Ok(message.headers.get(NATS_MESSAGE_ID).and_then(|id| id.as_str().parse().ok()))
    }

    /// Publishes events that follow each other and the stream's head, and waits until all are stored. After a failure, ask [`Bus::head`]
    /// where the stream is and go on from there: what it has already is refused, and changes nothing.
    ///
    /// Of so many (`UNACKED_MAX`) only the last is acknowledged: each is stored only right behind the one before it, so that the last is at its
    /// position only when all are.
    pub async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        self.up()?;
        let mut waiting = None;
        for events in events.chunks(UNACKED_MAX) {
            let Some((last, before)) = events.split_last() else { continue };
            for event in before {
                let (subject, headers, payload) = self.message(event)?;
                self.client.publish_with_headers(subject, headers, payload).await.map_err(failed("publish"))?;
            }
            let (subject, headers, payload) = self.message(last)?;
            let ack = self.jetstream.publish_with_headers(subject, headers, payload).await.map_err(failed("publish"))?;
            // While these are on their way, those before are acknowledged.
            acked(waiting.replace((last.position, ack))).await?;
        }
        acked(waiting).await
    }

    fn message(&self, event: &Envelope) -> Result<(String, HeaderMap, Bytes), BusError> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, event.event_id.to_string());
        if self.at_its_position {
            headers.insert(NATS_EXPECTED_LAST_SEQUENCE, (event.position - 1).to_string());
        }
        let payload = serde_json::to_vec(event).map_err(failed("write an envelope"))?;
        Ok((format!("{}.{}", self.prefix, event.subject()), headers, payload.into()))
    }

    /// The events after `after`, in order, as the stream has them: it may start later, and it may fall silent.
    pub(crate) async fn messages(&self, after: u64) -> Result<Messages, BusError> {
        self.up()?;
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            replay_policy: ReplayPolicy::Instant,
            ..pull::OrderedConfig::default()
        };
        let consumer = self.jetstream.create_consumer_on_stream(config, &*self.stream).await.map_err(failed("create a consumer"))?;
        consumer.messages().await.map_err(failed("read the stream"))
    }

    /// Says something small to whoever listens now.
    pub async fn notify(&self, topic: &str, payload: impl Into<Bytes>) -> Result<(), BusError> {
        self.up()?;
        self.client.publish(format!("{}.{topic}", self.prefix), payload.into()).await.map_err(failed("send a hint"))
    }

    /// Hears what is said on `topic`, which may hold the wildcards `*` and `>`.
    pub async fn listen(&self, topic: &str) -> Result<impl Stream<Item = Hint> + Send + Unpin + 'static, BusError> {
        let subject: Subject = format!("{}.{topic}", self.prefix).into();
        let skip = self.prefix.len() + 1;
        let subscription = self.client.subscribe(subject).await.map_err(failed("listen to hints"))?;
        Ok(subscription.map(move |message| Hint { topic: message.subject[skip..].to_owned(), payload: message.payload }))
    }

    /// Waits until everything said so far has left this process.
    pub async fn flush(&self) -> Result<(), BusError> {
        self.up()?;
        self.client.flush().await.map_err(failed("flush to NATS"))
    }
}

async fn acked(waiting: Option<(u64, PublishAckFuture)>) -> Result<(), BusError> {
    let Some((position, ack)) = waiting else { return Ok(()) };
    let stored = ack.into_future().await.map_err(failed("wait for an ack"))?.sequence;
    if stored == position { Ok(()) } else { Err(BusError::Misplaced { position, stored }) }
}
