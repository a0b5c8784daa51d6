//! Views in one database of MongoDB: documents by bulk upserts that only go forward, then the positions.

use super::{Changes, Parked, Row, Standing, Store, StoreFault, Stored, Table, signed, unsigned};
use crate::Column;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use mongodb::{
    Client, Collection, Database,
    bson::{self, Bson, Document, doc, serde_helpers::HumanReadable},
    options::{DatabaseOptions, WriteConcern},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// How many documents one command writes.
const ROWS_MAX: usize = 250;
/// How many commands are under way at once.
const WRITES_AT_ONCE: usize = 4;
/// How long a write may wait for the majority.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);
/// The code of a duplicate key: another wrote the document first, and newer.
const DUPLICATE_KEY: i32 = 11_000;
/// The code of a collection that is there already.
const NAMESPACE_EXISTS: i32 = 48;

/// One database of views.
#[derive(Debug, Clone)]
pub struct MongoStore {
    database: Database,
}

/// A document as stored.
#[derive(Debug, Deserialize)]
pub(crate) struct Kept<V> {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) position: i64,
    /// Ids and the like are kept as text, as in JSON.
    #[serde(bound(deserialize = "V: Deserialize<'de>"))]
    pub(crate) doc: HumanReadable<V>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ViewEntry {
    #[serde(rename = "_id")]
    view: String,
    version: i64,
    previous: Option<i64>,
    latest: i64,
    /// By version; a key is text in BSON.
    positions: BTreeMap<String, i64>,
    rebuilding_until: Option<i64>,
    beat_at: Option<i64>,
    #[serde(default)]
    fault: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct ParkedEntry {
    table: String,
    stream_type: String,
    stream_id: String,
    position: i64,
    why: String,
    retry: bool,
}

impl MongoStore {
    /// The views in the database `name`. Writes are answered once a majority has them on disk.
    #[must_use]
    pub fn new(client: &Client, name: &str) -> Self {
        let concern = WriteConcern::builder().w(mongodb::options::Acknowledgment::Majority).journal(true).w_timeout(WRITE_WAIT_MAX).build();
        let options = DatabaseOptions::builder().write_concern(concern).build();
        Self { database: client.database_with_options(name, options) }
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The documents of one version of a view.
    pub(crate) fn kept<V: Send + Sync>(&self, table: Table) -> Collection<Kept<V>> {
        self.database.collection(&table.to_string())
    }

    fn views(&self) -> Collection<ViewEntry> {
        self.database.collection("views")
    }
    fn parked_streams(&self) -> Collection<ParkedEntry> {
        self.database.collection("parked")
    }

    /// Runs a bulk `update` command; upserts that lost against a newer document are as good as done.
    async fn update(&self, collection: &str, updates: Vec<Document>) -> Result<(), StoreFault> {
        let wait = i64::try_from(WRITE_WAIT_MAX.as_millis()).unwrap_or(i64::MAX);
        let command = doc! {
            "update": collection,
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": wait },
        };
        let answer = self.database.run_command(command).await?;
        let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        let real =
            errors.iter().filter_map(Bson::as_document).find(|error| error.get("code").and_then(number) != Some(DUPLICATE_KEY.into()));
        if let Some(error) = real {
            return Err(StoreFault::Refused(format!("{collection}: code {:?}", error.get("code").and_then(number))));
        }
        if let Ok(error) = answer.get_document("writeConcernError") {
            return Err(StoreFault::Refused(format!("{collection}: write concern code {:?}", error.get("code").and_then(number))));
        }
        Ok(())
    }

    async fn index(&self, table: Table) -> Result<(), StoreFault> {
        let keys: &[Document] = match table.view {
            "launches" => &[
                doc! { "slug": 1 },
                doc! { "departs_at": 1, "_id": 1 },
                doc! { "destination": 1, "departs_at": 1 },
                doc! { "supplier": 1, "departs_at": 1 },
                doc! { "price": 1, "departs_at": 1 },
                doc! { "seats_left": -1, "departs_at": 1 },
                doc! { "tokens": 1 },
            ],
            "bookings" => &[doc! { "customer": 1, "held_at": -1 }, doc! { "launch": 1, "held_at": 1 }],
            "rockets" => &[doc! { "supplier": 1, "name": 1 }],
            _ => &[],
        };
        for keys in keys {
            let model = mongodb::IndexModel::builder().keys(keys.clone()).build();
            self.database.collection::<Document>(&table.to_string()).create_index(model).await?;
        }
        Ok(())
    }

    async fn make(&self, table: Table) -> Result<(), StoreFault> {
        match self.database.create_collection(table.to_string()).await {
            Ok(()) => {}
            Err(error) if matches!(&*error.kind, mongodb::error::ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS) => {}
            Err(error) => return Err(error.into()),
        }
        self.index(table).await
    }
}

fn number(bson: &Bson) -> Option<i64> {
    match bson {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => Some(*number as i64),
        _ => None,
    }
}

fn value(column: &Column) -> Bson {
    match column {
        Column::Text(text) => Bson::String(text.clone()),
        Column::Number(number) => Bson::Int64(*number),
        Column::Moment(moment) => Bson::Int64(moment.as_millisecond()),
        Column::Words(words) => Bson::Array(words.iter().cloned().map(Bson::String).collect()),
    }
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}

/// The update that writes a row if it is newer.
fn newer(row: &Row) -> Result<Document, StoreFault> {
    let mut replacement = doc! { "_id": &row.id, "position": signed(row.position) };
    replacement.extend(row.columns.iter().map(|(name, column)| ((*name).to_owned(), value(column))));
    replacement.insert("doc", bson::serialize_to_bson(&row.doc)?);
    Ok(doc! { "q": { "_id": &row.id, "position": { "$lt": signed(row.position) } }, "u": replacement, "upsert": true })
}

fn set_aside(table: Table, stream: &Parked) -> Document {
    let entry = doc! {
        "table": table.to_string(), "stream_type": &stream.stream_type, "stream_id": &stream.stream_id,
        "position": signed(stream.position), "why": &stream.why, "retry": false,
    };
    doc! { "q": { "_id": parked_id(table, &stream.stream_type, &stream.stream_id) }, "u": { "$set": entry }, "upsert": true }
}

fn parked_id(table: Table, stream_type: &str, stream_id: &str) -> String {
    format!("{table}/{stream_type}/{stream_id}")
}

#[async_trait::async_trait]
impl Store for MongoStore {
    async fn prepare(&self, views: &[&'static str]) -> Result<(), StoreFault> {
        for view in views {
            self.make(Table { view, version: 1 }).await?;
            let first = doc! { "version": 1_i64, "previous": null, "latest": 1_i64, "positions": { "1": 0_i64 }, "rebuilding_until": null, "beat_at": null, "fault": "" };
            self.update("views", vec![doc! { "q": { "_id": *view }, "u": { "$setOnInsert": first }, "upsert": true }]).await?;
        }
        let model = mongodb::IndexModel::builder().keys(doc! { "table": 1, "position": 1 }).build();
        self.parked_streams().create_index(model).await?;
        Ok(())
    }

    async fn standings(&self) -> Result<HashMap<String, Standing>, StoreFault> {
        let entries: Vec<ViewEntry> = self.views().find(doc! {}).await?.try_collect().await?;
        let version = |version: i64| u32::try_from(version).unwrap_or_default();
        let standing = |entry: ViewEntry| Standing {
            version: version(entry.version),
            previous: entry.previous.map(version),
            latest: version(entry.latest),
            positions: entry.positions.into_iter().filter_map(|(version, at)| Some((version.parse().ok()?, unsigned(at)))).collect(),
            rebuilding_until: entry.rebuilding_until.map(moment),
            beat_at: entry.beat_at.map(moment),
            fault: entry.fault,
            view: entry.view,
        };
        Ok(entries.into_iter().map(|entry| (entry.view.clone(), standing(entry))).collect())
    }

    async fn read(&self, table: Table, ids: &[String]) -> Result<Vec<Stored>, StoreFault> {
        let found: Vec<Kept<serde_json::Value>> = self.kept(table).find(doc! { "_id": { "$in": ids } }).await?.try_collect().await?;
        Ok(found.into_iter().map(|Kept { id, position, doc }| Stored { id, position: unsigned(position), doc: doc.0 }).collect())
    }

    async fn scan(&self, table: Table, after: &str, limit: u32) -> Result<Vec<Stored>, StoreFault> {
        let cursor = self.kept(table).find(doc! { "_id": { "$gt": after } }).sort(doc! { "_id": 1 }).limit(limit.into()).await?;
        let found: Vec<Kept<serde_json::Value>> = cursor.try_collect().await?;
        Ok(found.into_iter().map(|Kept { id, position, doc }| Stored { id, position: unsigned(position), doc: doc.0 }).collect())
    }

    async fn write(&self, changes: &[Changes]) -> Result<(), StoreFault> {
        let mut updates = Vec::new();
        for Changes { table, rows, parked, .. } in changes {
            for rows in rows.chunks(ROWS_MAX) {
                updates.push((table.to_string(), rows.iter().map(newer).collect::<Result<Vec<_>, _>>()?));
            }
            if !parked.is_empty() {
                updates.push(("parked".to_owned(), parked.iter().map(|stream| set_aside(*table, stream)).collect()));
            }
        }
        let writing = updates.into_iter().map(|(collection, updates)| async move { self.update(&collection, updates).await });
        stream::iter(writing).buffer_unordered(WRITES_AT_ONCE).try_collect::<()>().await?;
        // The positions come last: what they say is there.
        let positions: Vec<Document> = changes
            .iter()
            .map(|Changes { table, position, .. }| {
                let field = format!("positions.{}", table.version);
                doc! { "q": { "_id": table.view, &field: { "$lt": signed(*position) } }, "u": { "$set": { &field: signed(*position) } } }
            })
            .collect();
        if positions.is_empty() { Ok(()) } else { self.update("views", positions).await }
    }

    async fn beat(&self, fault: &str) -> Result<(), StoreFault> {
        let now = Timestamp::now().as_millisecond();
        self.views().update_many(doc! {}, doc! { "$set": { "beat_at": now, "fault": fault } }).await?;
        Ok(())
    }

    async fn create(&self, table: Table) -> Result<(), StoreFault> {
        self.database.collection::<Document>(&table.to_string()).drop().await?;
        self.parked_streams().delete_many(doc! { "table": table.to_string() }).await?;
        self.make(table).await?;
        let version = i64::from(table.version);
        let change = doc! { "$max": { "latest": version }, "$set": { format!("positions.{version}"): 0_i64 } };
        self.views().update_one(doc! { "_id": table.view }, change).await?;
        Ok(())
    }

    async fn discard(&self, table: Table) -> Result<(), StoreFault> {
        self.views().update_one(doc! { "_id": table.view }, doc! { "$unset": { format!("positions.{}", table.version): "" } }).await?;
        self.parked_streams().delete_many(doc! { "table": table.to_string() }).await?;
        self.database.collection::<Document>(&table.to_string()).drop().await?;
        Ok(())
    }

    async fn switch(&self, table: Table, previous: u32) -> Result<(), StoreFault> {
        let change = doc! { "$set": { "version": i64::from(table.version), "previous": i64::from(previous) } };
        self.views().update_one(doc! { "_id": table.view }, change).await?;
        Ok(())
    }

    async fn claim(
        &self,
        view: &'static str,
        held: Option<Timestamp>,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<bool, StoreFault> {
        let mut free = vec![doc! { "rebuilding_until": null }, doc! { "rebuilding_until": { "$lt": now.as_millisecond() } }];
        free.extend(held.map(|held| doc! { "rebuilding_until": held.as_millisecond() }));
        let filter = doc! { "_id": view, "$or": free };
        let done = self.views().update_one(filter, doc! { "$set": { "rebuilding_until": until.map(Timestamp::as_millisecond) } }).await?;
        Ok(done.matched_count == 1)
    }

    async fn parked(&self, table: Table) -> Result<Vec<Parked>, StoreFault> {
        let cursor = self.parked_streams().find(doc! { "table": table.to_string() }).sort(doc! { "position": 1 }).await?;
        let entries: Vec<ParkedEntry> = cursor.try_collect().await?;
        let parked = |entry: ParkedEntry| Parked {
            stream_type: entry.stream_type,
            stream_id: entry.stream_id,
            position: unsigned(entry.position),
            why: entry.why,
            retry: entry.retry,
        };
        Ok(entries.into_iter().map(parked).collect())
    }

    async fn ask_retry(&self, table: Table, stream_type: &str, stream_id: &str) -> Result<bool, StoreFault> {
        let id = parked_id(table, stream_type, stream_id);
        let done = self.parked_streams().update_one(doc! { "_id": id }, doc! { "$set": { "retry": true } }).await?;
        Ok(done.matched_count == 1)
    }

    async fn unpark(&self, table: Table, stream_type: &str, stream_id: &str) -> Result<(), StoreFault> {
        self.parked_streams().delete_one(doc! { "_id": parked_id(table, stream_type, stream_id) }).await?;
        Ok(())
    }
}
