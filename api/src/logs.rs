//! The system log: readable lines on stdout, and the same without personal data in MongoDB for operators to search.

use crate::{
    extract::PAGE_MAX,
    problem::{Answer, ApiError},
};
use contract::{
    Code, Page,
    operations::{LogLine, LogQuery},
};
use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Bson, DateTime, Document, doc},
};
use serde_json::{Map, Value};
use std::{
    fmt,
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{EnvFilter, Layer, layer::Context, layer::SubscriberExt, util::SubscriberInitExt};

/// Lines that may wait to be stored; more are dropped and counted.
const WAITING_MAX: usize = 4_096;
/// Lines stored at once.
const BATCH_MAX: usize = 256;
/// The longest message or field kept, in characters.
const TEXT_CHARACTERS_MAX: usize = 2_000;
/// How much of the log is kept, in bytes.
const KEPT_BYTES: i64 = 64 * 1024 * 1024;
/// How often storing is tried again while MongoDB is away.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Lines of a page.
const PER_PAGE: u32 = 50;
const COLLECTION: &str = "logs";

struct Line {
    at: Timestamp,
    level: &'static str,
    target: String,
    message: String,
    fields: Map<String, Value>,
}

/// Lines on their way to MongoDB.
#[derive(Debug)]
pub struct Lines {
    waiting: mpsc::Receiver<Line>,
    dropped: Arc<AtomicU64>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("message", &self.message).finish_non_exhaustive()
    }
}

struct Keep {
    lines: mpsc::Sender<Line>,
    dropped: Arc<AtomicU64>,
}

#[derive(Default)]
struct Read {
    message: String,
    fields: Map<String, Value>,
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Visit for Read {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = cut(format!("{value:?}"));
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.insert(field.name().to_owned(), Value::String(text));
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = cut(value.to_owned());
        } else {
            self.fields.insert(field.name().to_owned(), Value::String(cut(value.to_owned())));
        }
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let level = match *meta.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            // Too much for a log that people search.
            _ => return,
        };
        let mut read = Read::default();
        event.record(&mut read);
        let line = Line { at: Timestamp::now(), level, target: meta.target().to_owned(), message: read.message, fields: read.fields };
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Starts logging to stdout. The lines returned are stored by [`keep`].
pub fn start(filter: &str) -> anyhow::Result<Lines> {
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow::anyhow!("ASTRO_LOG: {error}"))?;
    let (lines, waiting) = mpsc::channel(WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    tracing_subscriber::registry()
        .with(filter)
        .with(tracing_subscriber::fmt::layer().with_target(false).with_ansi(std::io::stdout().is_terminal()))
        .with(Keep { lines, dropped: dropped.clone() })
        .try_init()?;
    Ok(Lines { waiting, dropped })
}

/// Makes the collection, limited by size.
pub async fn prepare(system: &Database) -> Result<(), mongodb::error::Error> {
    if system.list_collection_names().filter(doc! { "name": COLLECTION }).await?.is_empty() {
        let made = system.create_collection(COLLECTION).capped(true).size(KEPT_BYTES.cast_unsigned()).await;
        if let Err(error) = made {
            // Another process may have made it meanwhile.
            if system.list_collection_names().filter(doc! { "name": COLLECTION }).await?.is_empty() {
                return Err(error);
            }
        }
    }
    let logs: Collection<Document> = system.collection(COLLECTION);
    logs.create_index(IndexModel::builder().keys(doc! { "at": -1 }).build()).await?;
    Ok(())
}

/// Stores lines until `stop`, and those that wait then. While MongoDB is away lines wait, and are dropped when there are too many.
pub async fn keep(mut lines: Lines, system: Database, stop: CancellationToken) {
    let logs: Collection<Document> = system.collection(COLLECTION);
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        let stopping = tokio::select! {
            read = lines.waiting.recv_many(&mut batch, BATCH_MAX) => { if read == 0 { return } false }
            () = stop.cancelled() => {
                while batch.len() < BATCH_MAX && let Ok(line) = lines.waiting.try_recv() {
                    batch.push(line);
                }
                true
            }
        };
        let dropped = lines.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            batch.push(Line {
                at: Timestamp::now(),
                level: "warn",
                target: module_path!().to_owned(),
                message: format!("{dropped} log lines were dropped: more were written than could be stored"),
                fields: Map::new(),
            });
        }
        let mut documents: Vec<Document> = batch.drain(..).map(document).collect();
        while !documents.is_empty() {
            match logs.insert_many(&documents).await {
                Ok(_) => documents.clear(),
                Err(_) if stopping || stop.is_cancelled() => return,
                // Said on stdout by those who miss MongoDB; saying it here would only add lines.
                Err(_) => tokio::time::sleep(RETRY_EVERY).await,
            }
        }
        if stopping {
            return;
        }
    }
}

fn document(line: Line) -> Document {
    let text = line.fields.values().filter_map(Value::as_str).fold(format!("{} {}", line.target, line.message), |mut text, value| {
        text.push(' ');
        text.push_str(value);
        text
    });
    let fields: Document = line.fields.into_iter().map(|(name, value)| (name.replace(['.', '$'], "_"), bson(value))).collect();
    doc! {
        "at": DateTime::from_millis(line.at.as_millisecond()),
        "level": line.level,
        "severity": severity(line.level),
        "target": line.target,
        "message": line.message,
        "fields": fields,
        "text": text.to_lowercase(),
    }
}

fn bson(value: Value) -> Bson {
    match value {
        Value::Bool(value) => value.into(),
        Value::Number(value) => value.as_i64().map_or_else(|| Bson::String(value.to_string()), Bson::Int64),
        Value::String(value) => value.into(),
        other => Bson::String(other.to_string()),
    }
}

fn json(value: Bson) -> Value {
    match value {
        Bson::Boolean(value) => value.into(),
        Bson::Int32(value) => value.into(),
        Bson::Int64(value) => value.into(),
        Bson::String(value) => value.into(),
        other => Value::String(other.to_string()),
    }
}

fn severity(level: &str) -> i32 {
    match level {
        "error" => 3,
        "warn" => 2,
        _ => 1,
    }
}

/// Lines that match, newest first.
pub async fn search(system: &Database, query: &LogQuery) -> Answer<Page<LogLine>> {
    let mut filter = Document::new();
    match query.level.as_str() {
        "" | "info" => {}
        level @ ("warn" | "error") => drop(filter.insert("severity", doc! { "$gte": severity(level) })),
        _ => return Err(ApiError::field("level", "must be error, warn or info")),
    }
    if !query.search.is_empty() {
        let words = query.search.to_lowercase().split_whitespace().map(literal).collect::<Vec<_>>();
        filter.insert("$and", words.into_iter().map(|word| doc! { "text": { "$regex": word } }).collect::<Vec<_>>());
    }
    let page = query.page.max(1);
    if page > PAGE_MAX {
        return Err(ApiError::new(Code::BadRequest, "There are no such pages. Narrow the search instead."));
    }
    let logs: Collection<Document> = system.collection(COLLECTION);
    let total = logs.count_documents(filter.clone()).await?;
    let found = logs
        .find(filter)
        .sort(doc! { "at": -1 })
        .skip(u64::from(page - 1) * u64::from(PER_PAGE))
        .limit(PER_PAGE.into())
        .await?
        .try_collect::<Vec<Document>>()
        .await?;
    let items = found.into_iter().map(line).collect();
    Ok(Page { items, total, page, per_page: PER_PAGE, position: 0, stale: false })
}

/// `word` as a regular expression that means it literally.
fn literal(word: &str) -> String {
    word.chars().fold(String::with_capacity(word.len()), |mut text, c| {
        if !c.is_alphanumeric() && c.is_ascii() {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

fn line(document: Document) -> LogLine {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let at = document.get_datetime("at").ok().and_then(|at| Timestamp::from_millisecond(at.timestamp_millis()).ok());
    let fields = document.get_document("fields").cloned().unwrap_or_default();
    LogLine {
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        level: text("level"),
        target: text("target"),
        message: text("message"),
        fields: fields.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}
