//! One view on its way through the log: folds events into documents and says what is to be written. Reading the log and writing is
//! left to the projector and to rebuilds.

use crate::{
    View,
    partitions::{Partitions, Positions},
    recorded::{Read, Recorded},
    store::{Changes, Parked, Place, Row, Store, StoreFault, Stored, Table},
};
use contract::finance::JournalLine;
use jiff::Timestamp;
use nats::{Envelope, partition};
use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// How many documents are asked for at once.
const READ_MAX: usize = 500;
/// How many documents are remembered between batches; more are read again when they are needed.
const CACHE_MAX: usize = 2_000;

/// A lane of whatever view.
#[async_trait::async_trait]
pub(crate) trait AnyLane: Send {
    /// Which version of which view it writes.
    fn table(&self) -> Table;
    /// The only kind of stream it looks at.
    fn stream(&self) -> &'static str;
    /// Up to where it has read its partitions.
    fn positions(&self) -> Positions;
    /// Up to where it has read all of its partitions.
    fn position(&self) -> u64;
    /// Whether the event is of its streams and new to it.
    fn wants(&self, event: &Envelope) -> bool;
    /// Begins behind `positions` with some partitions, leaving the streams alone that are set aside.
    fn open(&mut self, owned: Partitions, positions: Positions, parked: &[Parked]);
    /// Begins a version of which nothing is stored yet, with all partitions.
    fn begin(&mut self);
    /// Folds the events of the batch that are new to it; the batch ends at `up_to`.
    async fn fold(&mut self, store: &dyn Store, batch: &[Read], up_to: u64) -> Result<(), StoreFault>;
    /// Notes the last event of what it has folded, whether it was one of its own or not.
    fn note(&mut self, last: Place);
    /// The streams set aside, with the event that failed.
    fn aside(&self) -> Vec<(String, u64)>;
    /// Folds the past events of a stream that was set aside, but for the one at `without`. It stays aside if one fails again.
    async fn replay(&mut self, store: &dyn Store, stream_id: &str, past: &[Read], without: Option<u64>) -> Result<(), StoreFault>;
    /// How much waits to be written.
    fn unwritten(&self) -> usize;
    /// Hands out what is to be written.
    fn take(&mut self) -> Result<Changes, StoreFault>;
}

/// A document and the event that wrote it.
struct Slot<V> {
    position: u64,
    /// Only missing while it is folded into, or when that failed.
    view: Option<V>,
    dirty: bool,
    /// Whether it was read from the store, or handed out to be written there.
    stored: bool,
}

/// A lane of one view.
pub(crate) struct Lane<V> {
    table: Table,
    owned: Partitions,
    positions: Positions,
    /// Up to where it has handed out what is to be written.
    taken: Positions,
    last: Option<Place>,
    cache: HashMap<String, Slot<V>>,
    dirty: Vec<String>,
    lines: Vec<JournalLine>,
    aside: HashMap<String, u64>,
    parked: Vec<Parked>,
    taken_up: Vec<(&'static str, String)>,
    /// Whether the store may have documents that are not in the cache.
    stored: bool,
    /// Whether an event that a document has seen is passed over. Off only to show what that is for.
    once: bool,
}

impl<V: View> Lane<V> {
    pub(crate) fn new(table: Table, once: bool) -> Self {
        Self {
            table,
            owned: Partitions::NONE,
            positions: Positions::default(),
            taken: Positions::default(),
            last: None,
            cache: HashMap::new(),
            dirty: Vec::new(),
            lines: Vec::new(),
            aside: HashMap::new(),
            parked: Vec::new(),
            taken_up: Vec::new(),
            stored: true,
            once,
        }
    }

    /// Reads documents that are not at hand.
    async fn load(&mut self, store: &dyn Store, keys: impl Iterator<Item = String>) -> Result<(), StoreFault> {
        if !self.stored {
            return Ok(());
        }
        let missing: HashSet<String> = keys.filter(|id| !self.cache.contains_key(id)).collect();
        let missing: Vec<String> = missing.into_iter().collect();
        for ids in missing.chunks(READ_MAX) {
            for Stored { id, position, doc, .. } in store.read(self.table, ids).await? {
                let view =
                    serde_json::from_value(doc).map_err(|source| StoreFault::Unreadable { table: self.table.to_string(), source })?;
                self.cache.insert(id, Slot { position, view: Some(view), dirty: false, stored: true });
            }
        }
        Ok(())
    }

    /// Folds events in order. One that fails sets its stream aside, and what it has touched is made again as it was before.
    async fn apply(&mut self, store: &dyn Store, events: &[&Read]) -> Result<(), StoreFault> {
        self.load(store, events.iter().flat_map(|read| read.parts()).filter_map(V::key)).await?;
        for (n, read) in events.iter().enumerate() {
            let Envelope { stream_id, stream_type, position, event_type, .. } = read.envelope();
            // What is before the event that failed may not be written yet: a process can end when it has written only what it set aside.
            if self.aside.get(stream_id).is_some_and(|from| position >= from) {
                continue;
            }
            let lines = self.lines.len();
            let Err(why) = self.change(read, |_| true) else { continue };
            tracing::error!(
                view = %self.table, stream.type = stream_type, stream.id = stream_id, position, event = event_type,
                "Set stream {stream_type}/{stream_id} aside in {}: {why}", self.table
            );
            self.lines.truncate(lines);
            self.mend(store, &events[..n], read).await?;
            self.aside.insert(stream_id.clone(), *position);
            let (stream_type, stream_id) = (stream_type.clone(), stream_id.clone());
            let since = Timestamp::now();
            self.parked.push(Parked { stream_type, stream_id, position: *position, why, retry: false, discard: false, since });
        }
        Ok(())
    }

    /// Makes the documents that `failed` has touched as they were before it: as stored, and with the events of the batch before it.
    async fn mend(&mut self, store: &dyn Store, before: &[&Read], failed: &Read) -> Result<(), StoreFault> {
        let touched: HashSet<String> = failed.parts().iter().filter_map(V::key).collect();
        for id in &touched {
            self.cache.remove(id);
        }
        self.load(store, touched.iter().cloned()).await?;
        let lines = self.lines.len();
        let of_stream = |read: &&&Read| read.envelope().stream_id == failed.envelope().stream_id;
        for read in before.iter().filter(of_stream) {
            // It went well before.
            let _ = self.change(read, |id| touched.contains(id));
        }
        self.lines.truncate(lines);
        Ok(())
    }

    /// Folds one stored event into the documents it changes, as far as they are wanted.
    fn change(&mut self, read: &Read, wanted: impl Fn(&str) -> bool) -> Result<(), String> {
        if let Read::Unreadable(_, why) = read {
            return Err(why.clone());
        }
        let position = read.envelope().position;
        // An earlier part of the same event may have changed the same document.
        let mut touched: Vec<String> = Vec::new();
        let mut lines = 0..;
        for part in read.parts() {
            let Some(id) = V::key(part).filter(|id| wanted(id)) else { continue };
            if !self.cache.contains_key(&id) {
                self.cache.insert(id.clone(), Slot { position: 0, view: None, dirty: false, stored: false });
            }
            let Some(slot) = self.cache.get_mut(&id) else { continue };
            if self.once && slot.position >= position && !touched.contains(&id) {
                continue;
            }
            let (view, added) = fold(slot.view.take(), part)?;
            (slot.view, slot.position) = (Some(view), position);
            self.lines.extend(added.into_iter().zip(&mut lines).map(|(line, number)| JournalLine { line: number, ..line }));
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(id.clone());
            }
            if read.parts().len() > 1 {
                touched.push(id);
            }
        }
        Ok(())
    }
}

/// The document after the event, and its lines. A panic is a failure like any other.
fn fold<V: View>(before: Option<V>, event: &Recorded) -> Result<(V, Vec<JournalLine>), String> {
    let folded = catch_unwind(AssertUnwindSafe(|| {
        let view = V::project(before, event).map_err(|unfit| unfit.to_string())?;
        let lines = view.lines(event);
        Ok::<_, String>((view, lines))
    }));
    folded.map_err(|_| "the fold panicked".to_owned())?
}

#[async_trait::async_trait]
impl<V: View> AnyLane for Lane<V> {
    fn table(&self) -> Table {
        self.table
    }
    fn stream(&self) -> &'static str {
        V::STREAM
    }
    fn positions(&self) -> Positions {
        self.positions
    }
    fn position(&self) -> u64 {
        self.positions.least_of(self.owned)
    }
    fn wants(&self, event: &Envelope) -> bool {
        event.stream_type == V::STREAM && {
            let partition = partition(&event.stream_id);
            self.owned.has(partition) && event.position > self.positions.of(partition)
        }
    }
    fn unwritten(&self) -> usize {
        self.dirty.len() + self.lines.len()
    }

    fn open(&mut self, owned: Partitions, positions: Positions, parked: &[Parked]) {
        let own = parked.iter().filter(|stream| owned.has(partition(&stream.stream_id)));
        let aside = own.map(|stream| (stream.stream_id.clone(), stream.position)).collect();
        let positions = positions.only(owned);
        *self = Self { owned, positions, taken: positions, aside, ..Self::new(self.table, self.once) };
    }

    fn begin(&mut self) {
        *self = Self { owned: Partitions::ALL, stored: false, ..Self::new(self.table, self.once) };
    }

    fn aside(&self) -> Vec<(String, u64)> {
        self.aside.iter().map(|(stream_id, position)| (stream_id.clone(), *position)).collect()
    }

    async fn fold(&mut self, store: &dyn Store, batch: &[Read], up_to: u64) -> Result<(), StoreFault> {
        let events: Vec<&Read> = batch.iter().filter(|read| self.wants(read.envelope())).collect();
        self.apply(store, &events).await?;
        self.positions.advance(self.owned, up_to);
        Ok(())
    }

    fn note(&mut self, last: Place) {
        self.last = Some(last);
    }

    async fn replay(&mut self, store: &dyn Store, stream_id: &str, past: &[Read], without: Option<u64>) -> Result<(), StoreFault> {
        self.aside.remove(stream_id);
        let seen = self.positions.of(partition(stream_id));
        let of_stream = |event: &Envelope| {
            event.position <= seen && event.stream_type == V::STREAM && event.stream_id == stream_id && Some(event.position) != without
        };
        let events: Vec<&Read> = past.iter().filter(|read| of_stream(read.envelope())).collect();
        self.apply(store, &events).await?;
        if !self.aside.contains_key(stream_id) {
            self.taken_up.push((V::STREAM, stream_id.to_owned()));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Changes, StoreFault> {
        let mut rows = Vec::with_capacity(self.dirty.len());
        for id in self.dirty.drain(..) {
            // What was made again after a failure may be named twice, or not be changed after all.
            let Some(slot) = self.cache.get_mut(&id).filter(|slot| slot.dirty) else { continue };
            slot.dirty = false;
            let Some(view) = &slot.view else { continue };
            let doc = serde_json::to_value(view).map_err(|source| StoreFault::Unreadable { table: self.table.to_string(), source })?;
            let new = !std::mem::replace(&mut slot.stored, true);
            rows.push(Row { columns: view.columns(), position: slot.position, doc, id, new });
        }
        if self.cache.len() > CACHE_MAX {
            // Everything in it is being written; what is needed again is read again.
            self.cache = HashMap::new();
            self.stored = true;
        }
        Ok(Changes {
            table: self.table,
            rows,
            lines: std::mem::take(&mut self.lines),
            parked: std::mem::take(&mut self.parked),
            taken_up: std::mem::take(&mut self.taken_up),
            behind: std::mem::replace(&mut self.taken, self.positions),
            positions: self.positions,
            last: self.last.take(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        accounts::LaunchAccount,
        given::{PRICE, captured, of_launch, scheduled},
        store::PostgresStore,
    };
    use domain::launch::Event;

    /// The log as it is read: each stored event with what it means.
    fn log(events: impl IntoIterator<Item = Vec<Event>>) -> Vec<Read> {
        let stored = |(position, parts): (u64, Vec<Event>)| {
            let mut parts: Vec<Recorded> = of_launch(parts);
            for part in &mut parts {
                part.envelope.position = position;
            }
            match parts.len() {
                1 => Read::One(parts.remove(0)),
                _ => Read::Many(parts[0].envelope.clone(), parts),
            }
        };
        (1..).zip(events).map(stored).collect()
    }

    /// What the journal says after the events, with nothing stored.
    async fn journal(log: &[Read], times: usize) -> Changes {
        let store = PostgresStore::new(sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap(), "finance");
        let mut lane = Lane::<LaunchAccount>::new(Table { view: "journal", version: 1 }, true);
        lane.begin();
        for _ in 0..times {
            lane.positions = Positions::default();
            lane.fold(&store, log, log.len() as u64).await.unwrap();
        }
        lane.take().unwrap()
    }

    #[tokio::test]
    async fn the_parts_of_a_stored_event_share_its_position() {
        let log = log([vec![scheduled()], vec![captured(1, PRICE), captured(2, PRICE)], vec![captured(3, PRICE)]]);
        let changes = journal(&log, 1).await;
        let lines: Vec<(u64, u16)> = changes.lines.iter().map(|line| (line.position, line.line)).collect();
        assert_eq!(lines, [(2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1)]);
        assert_eq!((changes.rows.len(), changes.rows[0].position, changes.positions.least(), changes.parked.len()), (1, 3, 3, 0));
        // However often it comes.
        let again = journal(&log, 2).await;
        assert_eq!((again.lines.len(), &again.rows[0].doc), (6, &changes.rows[0].doc));
    }

    #[tokio::test]
    async fn the_parts_of_a_stored_event_are_folded_all_or_none() {
        let good = || [vec![scheduled()], vec![captured(1, PRICE)]];
        let bad = [vec![captured(2, PRICE), scheduled()], vec![captured(3, PRICE)]];
        let before = journal(&log(good()), 1).await;
        let changes = journal(&log(good().into_iter().chain(bad)), 1).await;
        assert_eq!((changes.parked.len(), changes.parked[0].position, changes.lines.len()), (1, 3, 2));
        assert_eq!((changes.rows.len(), &changes.rows[0].doc, changes.rows[0].position), (1, &before.rows[0].doc, 2));
    }
}
