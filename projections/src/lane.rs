//! One view on its way through the log: folds events into documents and says what is to be written. Reading the log and writing is
//! left to the projector and to rebuilds.

use crate::{
    Recorded, View,
    recorded::Unreadable,
    store::{Changes, Parked, Row, Store, StoreFault, Stored, Table},
};
use contract::finance::JournalLine;
use nats::Envelope;
use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// How many documents are asked for at once.
const READ_MAX: usize = 500;
/// How many documents are remembered between batches; more are read again when they are needed.
const CACHE_MAX: usize = 2_000;

/// An event of a batch, or why it cannot be read.
pub(crate) type Read = Result<Recorded, Box<Unreadable>>;

pub(crate) fn envelope(read: &Read) -> &Envelope {
    match read {
        Ok(recorded) => &recorded.envelope,
        Err(unreadable) => &unreadable.envelope,
    }
}

/// A lane of whatever view.
#[async_trait::async_trait]
pub(crate) trait AnyLane: Send {
    /// Which version of which view it writes.
    fn table(&self) -> Table;
    /// The only kind of stream it looks at.
    fn stream(&self) -> &'static str;
    /// Up to where it has read.
    fn position(&self) -> u64;
    /// Begins behind `position`, leaving the streams alone that are set aside.
    fn open(&mut self, position: u64, parked: &[Parked]);
    /// Folds the events of the batch that it has not seen; the batch ends at `up_to`.
    async fn fold(&mut self, store: &dyn Store, batch: &[Read], up_to: u64) -> Result<(), StoreFault>;
    /// The streams set aside, with the event that failed.
    fn aside(&self) -> Vec<(String, u64)>;
    /// Folds the past events of a stream that was set aside. It stays so if one fails again.
    async fn replay(&mut self, store: &dyn Store, stream_id: &str, past: &[Read]) -> Result<(), StoreFault>;
    /// How much waits to be written.
    fn unwritten(&self) -> usize;
    /// Hands out what is to be written.
    fn take(&mut self) -> Result<Changes, StoreFault>;
}

/// A lane of one view.
pub(crate) struct Lane<V> {
    table: Table,
    position: u64,
    cache: HashMap<String, (u64, V)>,
    dirty: HashSet<String>,
    lines: Vec<JournalLine>,
    aside: HashMap<String, u64>,
    parked: Vec<Parked>,
}

impl<V: View> Lane<V> {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            position: 0,
            cache: HashMap::new(),
            dirty: HashSet::new(),
            lines: Vec::new(),
            aside: HashMap::new(),
            parked: Vec::new(),
        }
    }

    /// Reads the documents that the events change and that are not at hand.
    async fn load(&mut self, store: &dyn Store, events: &[&Read]) -> Result<(), StoreFault> {
        let keys = events.iter().filter_map(|read| read.as_ref().ok()).filter_map(V::key);
        let missing: HashSet<String> = keys.filter(|id| !self.cache.contains_key(id)).collect();
        let missing: Vec<String> = missing.into_iter().collect();
        for ids in missing.chunks(READ_MAX) {
            for Stored { id, position, doc } in store.read(self.table, ids).await? {
                let view =
                    serde_json::from_value(doc).map_err(|source| StoreFault::Unreadable { table: self.table.to_string(), source })?;
                self.cache.insert(id, (position, view));
            }
        }
        Ok(())
    }

    fn apply(&mut self, read: &Read) {
        let Envelope { stream_id, stream_type, position, event_type, .. } = envelope(read);
        if self.aside.contains_key(stream_id) {
            return;
        }
        if let Err(why) = self.change(read) {
            tracing::error!(
                view = %self.table, stream.type = stream_type, stream.id = stream_id, position, event = event_type,
                "Set stream {stream_type}/{stream_id} aside in {}: {why}", self.table
            );
            self.aside.insert(stream_id.clone(), *position);
            let (stream_type, stream_id) = (stream_type.clone(), stream_id.clone());
            self.parked.push(Parked { stream_type, stream_id, position: *position, why, retry: false });
        }
    }

    fn change(&mut self, read: &Read) -> Result<(), String> {
        let event = read.as_ref().map_err(|unreadable| unreadable.why.clone())?;
        let Some(id) = V::key(event) else { return Ok(()) };
        let known = self.cache.get(&id);
        if known.is_some_and(|(position, _)| *position >= event.position()) {
            return Ok(());
        }
        // The document before is kept until the fold has succeeded.
        let before = known.map(|(_, view)| view.clone());
        let folded = catch_unwind(AssertUnwindSafe(|| {
            let view = V::project(before, event).map_err(|unfit| unfit.to_string())?;
            let lines = view.lines(event);
            Ok::<_, String>((view, lines))
        }));
        let (view, lines) = folded.map_err(|_| "the fold panicked".to_owned())??;
        self.lines.extend(lines);
        self.dirty.insert(id.clone());
        self.cache.insert(id, (event.position(), view));
        Ok(())
    }
}

#[async_trait::async_trait]
impl<V: View> AnyLane for Lane<V> {
    fn table(&self) -> Table {
        self.table
    }
    fn stream(&self) -> &'static str {
        V::STREAM
    }
    fn position(&self) -> u64 {
        self.position
    }
    fn unwritten(&self) -> usize {
        self.dirty.len() + self.lines.len()
    }

    fn open(&mut self, position: u64, parked: &[Parked]) {
        let aside = parked.iter().map(|stream| (stream.stream_id.clone(), stream.position)).collect();
        *self = Self { position, aside, ..Self::new(self.table) };
    }

    fn aside(&self) -> Vec<(String, u64)> {
        self.aside.iter().map(|(stream_id, position)| (stream_id.clone(), *position)).collect()
    }

    async fn fold(&mut self, store: &dyn Store, batch: &[Read], up_to: u64) -> Result<(), StoreFault> {
        let unseen = |event: &Envelope| event.position > self.position && event.stream_type == V::STREAM;
        let events: Vec<&Read> = batch.iter().filter(|read| unseen(envelope(read))).collect();
        self.load(store, &events).await?;
        for read in events {
            self.apply(read);
        }
        self.position = self.position.max(up_to);
        Ok(())
    }

    async fn replay(&mut self, store: &dyn Store, stream_id: &str, past: &[Read]) -> Result<(), StoreFault> {
        self.aside.remove(stream_id);
        let position = self.position;
        let of_stream = |event: &Envelope| event.position <= position && event.stream_type == V::STREAM && event.stream_id == stream_id;
        let events: Vec<&Read> = past.iter().filter(|read| of_stream(envelope(read))).collect();
        self.load(store, &events).await?;
        for read in events {
            self.apply(read);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Changes, StoreFault> {
        let mut rows = Vec::with_capacity(self.dirty.len());
        for id in self.dirty.drain() {
            let Some((position, view)) = self.cache.get(&id) else { continue };
            let doc = serde_json::to_value(view).map_err(|source| StoreFault::Unreadable { table: self.table.to_string(), source })?;
            rows.push(Row { columns: view.columns(), position: *position, doc, id });
        }
        if self.cache.len() > CACHE_MAX {
            // Everything in it is being written; what is needed again is read again.
            self.cache = HashMap::new();
        }
        Ok(Changes {
            table: self.table,
            rows,
            lines: std::mem::take(&mut self.lines),
            parked: std::mem::take(&mut self.parked),
            position: self.position,
        })
    }
}
