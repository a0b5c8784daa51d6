//! Views in one database of MongoDB: documents by bulk upserts that only go forward, and the positions, in one transaction or, where that
//! cannot be, after them. Everything about the views themselves is in one document, so that each change of it is one step.

use super::{
    Changes, Member, Parked, Place, Row, Sharing, Standing, Store, StoreFault, Stored, Table, signed,
    together::{Outcome, Together},
    unsigned,
};
use crate::{
    Column,
    guards::{Guards, Step, Trial},
    partitions::{PARTS, Positions},
};
use contract::operations::RebuildProgress;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use mongodb::{
    Client, Collection, Database,
    bson::{self, Bson, Document, RawArrayBuf, RawDocumentBuf, cstr, doc, rawdoc, serde_helpers::HumanReadable},
    options::{DatabaseOptions, ReturnDocument, WriteConcern},
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use uuid::Uuid;

/// How many documents one command writes.
const ROWS_MAX: usize = 250;
/// How many documents go with their positions in one transaction; more are written in several, and the positions after them.
const TOGETHER_ROWS_MAX: usize = 500;
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
    together: Together,
    trial: Trial,
}

/// A document as readers see it.
#[derive(Debug, Deserialize)]
pub(crate) struct Kept<V> {
    /// Ids and the like are kept as text, as in JSON.
    #[serde(bound(deserialize = "V: Deserialize<'de>"))]
    pub(crate) doc: HumanReadable<V>,
}

/// A document as stored, with all that stands beside it.
#[derive(Debug, Deserialize)]
struct Whole {
    #[serde(rename = "_id")]
    id: String,
    position: i64,
    doc: HumanReadable<serde_json::Value>,
    #[serde(flatten)]
    columns: serde_json::Map<String, serde_json::Value>,
}

impl From<Whole> for Stored {
    fn from(Whole { id, position, doc, columns }: Whole) -> Self {
        Self { id, position: unsigned(position), doc: doc.0, columns: columns.into() }
    }
}

/// The id of the only document about the views.
const ONE: &str = "views";

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    epoch: i64,
    /// The newest epoch in which a projector began.
    #[serde(default)]
    begun: i64,
    paused: bool,
    holders: Vec<Option<String>>,
    /// By id.
    members: BTreeMap<String, MemberEntry>,
    /// By view.
    views: BTreeMap<String, ViewEntry>,
    /// By table, then by partition; a key is text in BSON.
    positions: BTreeMap<String, BTreeMap<String, i64>>,
    /// By table.
    #[serde(default)]
    last: BTreeMap<String, LastEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LastEntry {
    position: i64,
    event: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct MemberEntry {
    beats: i64,
    beat_at: i64,
    fault: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct ViewEntry {
    version: i64,
    previous: Option<i64>,
    latest: i64,
    rebuilding_until: Option<i64>,
    rebuild: Option<ProgressEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ProgressEntry {
    version: i64,
    done: i64,
    total: i64,
    seconds_left: Option<i64>,
    phase: String,
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
    #[serde(default)]
    discard: bool,
    #[serde(default)]
    since: i64,
}

impl MongoStore {
    /// The views in the database `name`. Writes are answered once a majority has them on disk.
    #[must_use]
    pub fn new(client: &Client, name: &str) -> Self {
        let concern = WriteConcern::builder().w(mongodb::options::Acknowledgment::Majority).journal(true).w_timeout(WRITE_WAIT_MAX).build();
        let options = DatabaseOptions::builder().write_concern(concern.clone()).build();
        let database = client.database_with_options(name, options);
        Self { database, together: Together::new(concern), trial: Trial::default() }
    }

    #[cfg(debug_assertions)]
    pub(crate) fn on_trial(self, trial: Trial) -> Self {
        Self { trial, ..self }
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

    fn whole(&self, table: Table) -> Collection<Whole> {
        self.database.collection(&table.to_string())
    }
    fn standing(&self) -> Collection<Entry> {
        self.database.collection("standing")
    }
    async fn entry(&self) -> Result<Entry, StoreFault> {
        self.standing().find_one(one()).await?.ok_or_else(|| StoreFault::Missing("customer".to_owned()))
    }
    fn parked_streams(&self) -> Collection<ParkedEntry> {
        self.database.collection("parked")
    }

    /// The bulk `update` commands of a batch: those of its documents that are `wanted`, then which streams are set aside.
    fn updates(
        &self,
        epoch: i64,
        changes: &[Changes],
        wanted: impl Fn(&Row) -> bool,
    ) -> Result<Vec<(String, Vec<RawDocumentBuf>)>, StoreFault> {
        let mut updates = Vec::new();
        for Changes { table, rows, parked, .. } in changes {
            let rows: Vec<&Row> = rows.iter().filter(|row| wanted(row)).collect();
            for rows in rows.chunks(ROWS_MAX) {
                let rows = rows.iter().map(|row| newer(row, self.trial.guards)).collect::<Result<Vec<_>, _>>()?;
                updates.push((table.to_string(), rows));
            }
            if !parked.is_empty() {
                let notes = parked.iter().map(|stream| raw(&set_aside(*table, stream, epoch))).collect::<Result<_, _>>()?;
                updates.push(("parked".to_owned(), notes));
            }
        }
        Ok(updates)
    }

    /// Documents, what is set aside and positions in one transaction, fenced as a whole. False when it has to be done step by step.
    async fn write_together(&self, fence: Option<u64>, changes: &[Changes]) -> Result<bool, StoreFault> {
        let Some(positions) = self.moved(fence, changes) else { return Ok(false) };
        let epoch = fence.map_or(i64::MAX, signed);
        let mut commands = Vec::new();
        for Changes { table, rows, .. } in changes {
            // An upsert costs four times as much. Where one is there after all, everything is done step by step.
            let new: Vec<&Row> = rows.iter().filter(|row| row.new).collect();
            for rows in new.chunks(ROWS_MAX) {
                let documents = rows.iter().map(|row| document(row)).collect::<Result<Vec<_>, _>>()?;
                commands.push(rawdoc! { "insert": table.to_string(), "documents": RawArrayBuf::from_iter(documents) });
            }
        }
        commands.extend(self.updates(epoch, changes, |row| !row.new)?.into_iter().map(|(name, updates)| bulk(&name, updates)));
        for Changes { table, taken_up, .. } in changes.iter().filter(|changes| !changes.taken_up.is_empty()) {
            let deletes: Vec<Document> =
                taken_up.iter().map(|(kind, id)| doc! { "q": note(*table, kind, id, epoch), "limit": 1 }).collect();
            commands.push(raw(&doc! { "delete": "parked", "deletes": deletes })?);
        }
        commands.push(bulk("standing", vec![raw(&positions)?]));
        match self.together.run(&self.database, &commands).await? {
            Outcome::Written => Ok(true),
            Outcome::NotFound => Err(StoreFault::Fenced),
            Outcome::Apart => Ok(false),
        }
    }

    /// Many documents at once, waiting for the disk once where that can be.
    async fn update_many(&self, collection: &str, updates: Vec<RawDocumentBuf>) -> Result<(), StoreFault> {
        let commands = [bulk(collection, updates)];
        if !self.trial.is_on() && self.together.run(&self.database, &commands).await? == Outcome::Written {
            return Ok(());
        }
        let [command] = commands;
        self.run(collection, command).await.map(drop)
    }

    /// Runs a bulk `update` command; upserts that lost against a newer document are as good as done. Says how many documents it found.
    async fn update(&self, collection: &str, updates: Vec<Document>) -> Result<i64, StoreFault> {
        let updates = updates.iter().map(raw).collect::<Result<_, _>>()?;
        self.run(collection, bulk(collection, updates)).await
    }

    async fn run(&self, collection: &str, mut command: RawDocumentBuf) -> Result<i64, StoreFault> {
        let wait = i64::try_from(WRITE_WAIT_MAX.as_millis()).unwrap_or(i64::MAX);
        command.append(cstr!("ordered"), false);
        command.append(cstr!("writeConcern"), rawdoc! { "w": "majority", "j": true, "wtimeout": wait });
        let answer = self.database.run_raw_command(command).await?;
        let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        let real =
            errors.iter().filter_map(Bson::as_document).find(|error| error.get("code").and_then(number) != Some(DUPLICATE_KEY.into()));
        if let Some(error) = real {
            return Err(StoreFault::Refused(format!("{collection}: code {:?}", error.get("code").and_then(number))));
        }
        if let Ok(error) = answer.get_document("writeConcernError") {
            return Err(StoreFault::Refused(format!("{collection}: write concern code {:?}", error.get("code").and_then(number))));
        }
        Ok(answer.get("n").and_then(number).unwrap_or_default())
    }

    /// Writes documents, and which streams are set aside. Only positions are fenced; what is set aside for an epoch that is over does not
    /// count once a projector has begun in a newer one, and changes nothing that was noted in that.
    async fn write_documents(&self, fence: Option<u64>, changes: &[Changes]) -> Result<(), StoreFault> {
        let epoch = fence.filter(|_| self.trial.guards.fence).map_or(i64::MAX, signed);
        #[cfg(debug_assertions)]
        if self.trial.ends_at(Step::SetAside) {
            // All this goes off at once; here what is set aside is first.
            for Changes { table, parked, .. } in changes.iter().filter(|changes| !changes.parked.is_empty()) {
                self.update("parked", parked.iter().map(|stream| set_aside(*table, stream, epoch)).collect()).await?;
                self.trial.reach(Step::SetAside);
            }
        }
        let updates = self.updates(epoch, changes, |_| true)?.into_iter();
        let writing = updates.map(|(collection, updates)| async move { self.update_many(&collection, updates).await });
        stream::iter(writing).buffer_unordered(WRITES_AT_ONCE).try_collect::<()>().await?;
        for Changes { table, taken_up, .. } in changes {
            for (stream_type, stream_id) in taken_up {
                self.parked_streams().delete_one(note(*table, stream_type, stream_id, epoch)).await?;
            }
        }
        Ok(())
    }

    /// The update of the positions; none where nothing has moved.
    fn moved(&self, fence: Option<u64>, changes: &[Changes]) -> Option<Document> {
        let mut query = one();
        let (mut further, mut now) = (Document::new(), Document::new());
        for Changes { table, behind, positions, last, .. } in changes {
            // A version that was thrown away does not come back, and what was put back is read again: all of its partitions are as old.
            match behind.0.iter().enumerate().find(|(_, at)| **at > 0).filter(|_| self.trial.guards.in_turn) {
                Some((partition, at)) => query.insert(format!("positions.{table}.{partition}"), doc! { "$gte": signed(*at) }),
                None => query.insert(format!("positions.{table}"), doc! { "$exists": true }),
            };
            let moved = positions.0.iter().enumerate().filter(|(_, at)| **at > 0);
            further.extend(moved.map(|(partition, at)| (format!("positions.{table}.{partition}"), Bson::Int64(signed(*at)))));
            if let Some(Place { position, event_id }) = last {
                now.insert(format!("last.{table}"), doc! { "position": signed(*position), "event": event_id.to_string() });
            }
        }
        if let Some(epoch) = fence.filter(|_| self.trial.guards.fence) {
            query.insert("epoch", signed(epoch));
        }
        let mut change = doc! { "$max": further };
        if !now.is_empty() {
            change.insert("$set", now);
        }
        (!change.get_document("$max").is_ok_and(Document::is_empty)).then(|| doc! { "q": query, "u": change })
    }

    async fn write_positions(&self, fence: Option<u64>, changes: &[Changes]) -> Result<(), StoreFault> {
        let Some(moved) = self.moved(fence, changes) else { return Ok(()) };
        let found = self.update("standing", vec![moved]).await?;
        if found == 1 { Ok(()) } else { Err(StoreFault::Fenced) }
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

pub(super) fn number(bson: &Bson) -> Option<i64> {
    match bson {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => Some(*number as i64),
        _ => None,
    }
}

fn one() -> Document {
    doc! { "_id": ONE }
}

fn at_zero() -> Document {
    (0..PARTS).map(|partition| (partition.to_string(), Bson::Int64(0))).collect()
}

fn positions(entry: &BTreeMap<String, i64>) -> Positions {
    (0..PARTS).map(|partition| entry.get(&partition.to_string()).copied().map(unsigned).unwrap_or_default()).collect()
}

fn sharing(entry: Entry) -> Sharing {
    let holder = |partition: usize| entry.holders.get(partition)?.as_ref()?.parse().ok();
    let member = |(id, member): (&String, &MemberEntry)| {
        Some(Member { id: id.parse().ok()?, beats: unsigned(member.beats), beat_at: moment(member.beat_at), fault: member.fault.clone() })
    };
    Sharing {
        epoch: unsigned(entry.epoch),
        holders: std::array::from_fn(holder),
        paused: entry.paused,
        members: entry.members.iter().filter_map(member).collect(),
    }
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}

/// A row as it is stored.
struct Placed<'a>(&'a Row);

impl Serialize for Placed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row { id, position, doc, columns, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("_id", id)?;
        map.serialize_entry("position", &signed(*position))?;
        for (name, column) in columns {
            match column {
                Column::Text(text) => map.serialize_entry(name, text),
                Column::Number(number) => map.serialize_entry(name, number),
                Column::Moment(moment) => map.serialize_entry(name, &moment.as_millisecond()),
                Column::Words(words) => map.serialize_entry(name, words),
            }?;
        }
        map.serialize_entry("doc", doc)?;
        map.end()
    }
}

fn document(row: &Row) -> Result<RawDocumentBuf, StoreFault> {
    Ok(bson::serialize_to_raw_document_buf(&Placed(row))?)
}

fn raw(document: &Document) -> Result<RawDocumentBuf, StoreFault> {
    Ok(RawDocumentBuf::try_from(document)?)
}

/// The update that writes a row if it is newer.
fn newer(row: &Row, guards: Guards) -> Result<RawDocumentBuf, StoreFault> {
    let mut query = rawdoc! { "_id": &*row.id };
    if guards.newer_only {
        query.append(cstr!("position"), rawdoc! { "$lt": signed(row.position) });
    }
    Ok(rawdoc! { "q": query, "u": document(row)?, "upsert": true })
}

/// The update that notes a stream as set aside, if nobody did in a newer epoch.
fn set_aside(table: Table, stream: &Parked, epoch: i64) -> Document {
    let entry = doc! {
        "table": table.to_string(), "stream_type": &stream.stream_type, "stream_id": &stream.stream_id,
        "position": signed(stream.position), "why": &stream.why, "retry": false, "discard": false, "since": stream.since.as_millisecond(),
        "epoch": epoch,
    };
    doc! { "q": note(table, &stream.stream_type, &stream.stream_id, epoch), "u": { "$set": entry }, "upsert": true }
}

/// The note that a stream is set aside, of this epoch or an older one.
fn note(table: Table, stream_type: &str, stream_id: &str, epoch: i64) -> Document {
    doc! { "_id": parked_id(table, stream_type, stream_id), "epoch": { "$lte": epoch } }
}

/// A write command of several updates.
fn bulk(collection: &str, updates: Vec<RawDocumentBuf>) -> RawDocumentBuf {
    rawdoc! { "update": collection, "updates": RawArrayBuf::from_iter(updates) }
}

fn parked_id(table: Table, stream_type: &str, stream_id: &str) -> String {
    format!("{table}/{stream_type}/{stream_id}")
}

#[async_trait::async_trait]
impl Store for MongoStore {
    async fn prepare(&self, views: &[&'static str]) -> Result<(), StoreFault> {
        let nobody = vec![Bson::Null; PARTS];
        let first =
            doc! { "epoch": 0_i64, "begun": 0_i64, "paused": false, "holders": nobody, "members": {}, "views": {}, "positions": {} };
        self.update("standing", vec![doc! { "q": one(), "u": { "$setOnInsert": first }, "upsert": true }]).await?;
        let known = self.entry().await?.views;
        for view in views.iter().filter(|view| !known.contains_key(**view)) {
            let table = Table { view, version: 1 };
            self.make(table).await?;
            let first = doc! { "version": 1_i64, "previous": null, "latest": 1_i64, "rebuilding_until": null, "rebuild": null };
            let mut query = one();
            query.insert(format!("views.{view}"), doc! { "$exists": false });
            let change = doc! { format!("views.{view}"): first, format!("positions.{table}"): at_zero() };
            self.standing().update_one(query, doc! { "$set": change }).await?;
        }
        let model = mongodb::IndexModel::builder().keys(doc! { "table": 1, "position": 1 }).build();
        self.parked_streams().create_index(model).await?;
        // Notes of older programs have no epoch.
        self.parked_streams().update_many(doc! { "epoch": null }, doc! { "$set": { "epoch": 0_i64 } }).await?;
        Ok(())
    }

    async fn standings(&self) -> Result<HashMap<String, Standing>, StoreFault> {
        let Entry { views, positions: all, last, .. } = self.entry().await?;
        let version = |version: i64| u32::try_from(version).unwrap_or_default();
        let standing = |(view, entry): (String, ViewEntry)| {
            let of_view = |table: &str| table.strip_prefix(&view)?.strip_prefix("_v")?.parse().ok();
            let place = |at: &LastEntry| Some(Place { position: unsigned(at.position), event_id: at.event.parse().ok()? });
            let standing = Standing {
                version: version(entry.version),
                previous: entry.previous.map(version),
                latest: version(entry.latest),
                positions: all.iter().filter_map(|(table, at)| Some((of_view(table)?, positions(at)))).collect(),
                last: last.iter().filter_map(|(table, at)| Some((of_view(table)?, place(at)?))).collect(),
                rebuilding_until: entry.rebuilding_until.map(moment),
                rebuild: entry.rebuild.map(|progress| RebuildProgress {
                    version: version(progress.version),
                    done: unsigned(progress.done),
                    total: unsigned(progress.total),
                    seconds_left: progress.seconds_left.map(unsigned),
                    phase: progress.phase,
                    fault: progress.fault,
                }),
                view: view.clone(),
            };
            (view, standing)
        };
        Ok(views.into_iter().map(standing).collect())
    }

    async fn read(&self, table: Table, ids: &[String]) -> Result<Vec<Stored>, StoreFault> {
        let cursor = self.whole(table).find(doc! { "_id": { "$in": ids } }).await?;
        Ok(cursor.map_ok(Stored::from).try_collect().await?)
    }

    async fn scan(&self, table: Table, after: &str, limit: u32) -> Result<Vec<Stored>, StoreFault> {
        let cursor = self.whole(table).find(doc! { "_id": { "$gt": after } }).sort(doc! { "_id": 1 }).limit(limit.into()).await?;
        Ok(cursor.map_ok(Stored::from).try_collect().await?)
    }

    async fn write(&self, fence: Option<u64>, changes: &[Changes]) -> Result<(), StoreFault> {
        let rows: usize = changes.iter().map(|changes| changes.rows.len()).sum();
        // What is on trial is the way with more steps.
        if !self.trial.is_on() && rows <= TOGETHER_ROWS_MAX && self.write_together(fence, changes).await? {
            return Ok(());
        }
        if !self.trial.guards.positions_last {
            self.write_positions(fence, changes).await?;
            self.trial.between()?;
            return self.write_documents(fence, changes).await;
        }
        self.write_documents(fence, changes).await?;
        self.trial.between()?;
        self.trial.reach(Step::DocumentsWritten);
        // The positions come last: what they say is there.
        self.write_positions(fence, changes).await
    }

    async fn sharing(&self) -> Result<Sharing, StoreFault> {
        Ok(sharing(self.entry().await?))
    }

    async fn beat(&self, member: Uuid, fault: &str) -> Result<Sharing, StoreFault> {
        let field = format!("members.{member}");
        let change = doc! {
            "$inc": { format!("{field}.beats"): 1_i64 },
            "$set": { format!("{field}.beat_at"): Timestamp::now().as_millisecond(), format!("{field}.fault"): fault },
        };
        let after = self.standing().find_one_and_update(one(), change).return_document(ReturnDocument::After).await?;
        Ok(sharing(after.ok_or_else(|| StoreFault::Missing("customer".to_owned()))?))
    }

    async fn deal(&self, epoch: u64, holders: [Option<Uuid>; PARTS]) -> Result<bool, StoreFault> {
        let mut query = one();
        query.insert("epoch", signed(epoch));
        let holders: Vec<Bson> = holders.iter().map(|holder| holder.map_or(Bson::Null, |id| Bson::String(id.to_string()))).collect();
        let done = self.standing().update_one(query, doc! { "$set": { "holders": holders }, "$inc": { "epoch": 1_i64 } }).await?;
        Ok(done.matched_count == 1)
    }

    async fn forget(&self, member: Uuid, beats: Option<u64>) -> Result<(), StoreFault> {
        let mut query = one();
        if let Some(beats) = beats {
            query.insert(format!("members.{member}.beats"), signed(beats));
        }
        self.standing().update_one(query, doc! { "$unset": { format!("members.{member}"): "" } }).await?;
        Ok(())
    }

    async fn begin(&self, epoch: u64) -> Result<(), StoreFault> {
        let begun = self.entry().await?.begun;
        // What counted until now counts in this epoch, too.
        let counts = doc! { "epoch": { "$gte": begun, "$lt": signed(epoch) } };
        self.parked_streams().update_many(counts, doc! { "$set": { "epoch": signed(epoch) } }).await?;
        let mut query = one();
        query.insert("epoch", signed(epoch));
        let done = self.standing().update_one(query, doc! { "$max": { "begun": signed(epoch) } }).await?;
        if done.matched_count == 1 { Ok(()) } else { Err(StoreFault::Fenced) }
    }

    async fn pause(&self, paused: bool) -> Result<(), StoreFault> {
        self.standing().update_one(one(), doc! { "$set": { "paused": paused }, "$inc": { "epoch": 1_i64 } }).await?;
        Ok(())
    }

    async fn create(&self, table: Table) -> Result<(), StoreFault> {
        self.database.collection::<Document>(&table.to_string()).drop().await?;
        self.parked_streams().delete_many(doc! { "table": table.to_string() }).await?;
        self.make(table).await?;
        let change = doc! {
            "$max": { format!("views.{}.latest", table.view): i64::from(table.version) },
            "$set": { format!("positions.{table}"): at_zero() },
            "$unset": { format!("last.{table}"): "" },
        };
        self.standing().update_one(one(), change).await?;
        Ok(())
    }

    async fn discard(&self, table: Table) -> Result<(), StoreFault> {
        self.standing().update_one(one(), doc! { "$unset": { format!("positions.{table}"): "", format!("last.{table}"): "" } }).await?;
        self.parked_streams().delete_many(doc! { "table": table.to_string() }).await?;
        self.database.collection::<Document>(&table.to_string()).drop().await?;
        Ok(())
    }

    async fn switch(&self, table: Table, previous: u32, no_further: Positions) -> Result<bool, StoreFault> {
        let field = format!("views.{}", table.view);
        let in_use = Table { version: previous, ..table };
        let mut query = one();
        query.insert(format!("{field}.version"), i64::from(previous));
        for (partition, most) in no_further.0.into_iter().enumerate() {
            query.insert(format!("positions.{in_use}.{partition}"), doc! { "$lte": signed(most) });
        }
        let versions = doc! { format!("{field}.version"): i64::from(table.version), format!("{field}.previous"): i64::from(previous) };
        let done = self.standing().update_one(query, doc! { "$set": versions, "$inc": { "epoch": 1_i64 } }).await?;
        if done.matched_count == 1 {
            return Ok(true);
        }
        let still = self.entry().await?.views.get(table.view).is_some_and(|view| view.version == i64::from(previous));
        if still { Err(StoreFault::Behind) } else { Ok(false) }
    }

    async fn report(&self, view: &'static str, progress: &RebuildProgress) -> Result<(), StoreFault> {
        let RebuildProgress { version, done, total, seconds_left, phase, fault } = progress;
        let entry = doc! {
            "version": i64::from(*version), "done": signed(*done), "total": signed(*total), "seconds_left": seconds_left.map(signed),
            "phase": phase, "fault": fault,
        };
        self.standing().update_one(one(), doc! { "$set": { format!("views.{view}.rebuild"): entry } }).await?;
        Ok(())
    }

    async fn claim(
        &self,
        view: &'static str,
        held: Option<Timestamp>,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<bool, StoreFault> {
        let field = format!("views.{view}.rebuilding_until");
        let mut free = vec![doc! { &field: null }, doc! { &field: { "$lt": now.as_millisecond() } }];
        free.extend(held.map(|held| doc! { &field: held.as_millisecond() }));
        let mut query = one();
        query.insert("$or", free);
        let done = self.standing().update_one(query, doc! { "$set": { &field: until.map(Timestamp::as_millisecond) } }).await?;
        Ok(done.matched_count == 1)
    }

    async fn parked(&self, table: Table) -> Result<Vec<Parked>, StoreFault> {
        // Asked in this order: of what is noted anew for a newer epoch meanwhile, nothing is left out.
        let begun = self.entry().await?.begun;
        let counts = doc! { "table": table.to_string(), "epoch": { "$gte": begun } };
        let cursor = self.parked_streams().find(counts).sort(doc! { "position": 1 }).await?;
        let entries: Vec<ParkedEntry> = cursor.try_collect().await?;
        let parked = |entry: ParkedEntry| Parked {
            stream_type: entry.stream_type,
            stream_id: entry.stream_id,
            position: unsigned(entry.position),
            why: entry.why,
            retry: entry.retry,
            discard: entry.discard,
            since: moment(entry.since),
        };
        Ok(entries.into_iter().map(parked).collect())
    }

    async fn ask_retry(&self, table: Table, stream_type: &str, stream_id: &str, discard: bool) -> Result<bool, StoreFault> {
        let id = parked_id(table, stream_type, stream_id);
        let change = doc! { "$set": { "retry": true, "discard": discard } };
        let done = self.parked_streams().update_one(doc! { "_id": id }, change).await?;
        Ok(done.matched_count == 1)
    }
}
