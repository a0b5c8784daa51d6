//! What customers and visitors read, from MongoDB: the board, a launch, their bookings. Who may read what is left to the services.

use crate::{
    Blinding, Closed, Databases, Guards, Projection,
    bookings::{BookingDocument, trip},
    freshness::{Freshness, ReadFault, Reader},
    launches::LaunchDocument,
    listing::{Part, part},
    local::Local,
    store::{Kept, MongoStore, Standing, Store, StoreFault, Table, unsigned},
    words::{Sought, sought, sought_blind},
};
use contract::{
    BookingId, CustomerId, Destination, LaunchId, Listing, Page, RocketId,
    booking::Trip,
    fleet::{Rocket, Spaceport, Supplier},
    launch::{Board, BoardQuery, BoardSort, DestinationCount, LaunchCard, LaunchPage},
};
use futures::TryStreamExt;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use mongodb::bson::{Bson, Document, doc};
use nats::Feed;
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::HashMap;

/// How many documents a list without pages has at most.
const LIST_MAX: i64 = 1_000;

/// The views of the customer service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CustomerViews {
    mongo: MongoStore,
    feed: Feed,
    local: Local,
    guards: Guards,
}

/// The part of a launch that the board shows.
#[derive(Deserialize)]
struct Card {
    page: LaunchCard,
}

/// What the board leaves out.
fn only_card() -> Document {
    doc! { "doc.taken": 0, "doc.page.taken": 0, "doc.page.history": 0, "doc.page.cabin": 0, "doc.marks": 0, "tokens": 0 }
}

/// Where the views stand at the moment of a read.
struct Now(HashMap<String, Standing>);

impl Now {
    fn table(&self, view: &'static str) -> Result<Table, StoreFault> {
        let standing = self.0.get(view).ok_or_else(|| StoreFault::Missing(format!("customer.{view}")))?;
        Ok(Table { view, version: standing.version })
    }
    fn position(&self, view: &str) -> u64 {
        self.0.get(view).map_or(0, Standing::position)
    }
}

impl CustomerViews {
    /// The views in these databases.
    #[must_use]
    pub fn new(databases: &Databases) -> Self {
        let Databases { mongo, feed, local, trial, .. } = databases.clone();
        Self { mongo, feed, local, guards: trial.guards }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { projection: Projection::Customer, store: &self.mongo, feed: &self.feed, local: &self.local, guards: self.guards }
    }

    /// Whether the views show the event `(stream type, stream id, sequence)`, if one is asked for, after waiting for it, 2 s at most; and
    /// whether they are late.
    pub async fn freshness(&self, at_least: Option<(&str, &str, u64)>) -> Result<Freshness, ReadFault> {
        self.reader().freshness(at_least).await
    }
    /// Waits, 2 s at most, until the views have read the event `sequence` of the stream.
    pub async fn wait_for(&self, stream_type: &str, stream_id: &str, sequence: u64) -> Result<Freshness, ReadFault> {
        self.reader().wait_for(stream_type, stream_id, sequence).await
    }
    /// Waits, 2 s at most, until the views have read up to `position`.
    pub async fn wait_until(&self, position: u64) -> Result<Freshness, ReadFault> {
        self.reader().wait_until(position).await
    }
    /// Up to where all views have read.
    pub async fn position(&self) -> Result<u64, ReadFault> {
        Ok(self.reader().reached().await?)
    }

    async fn now(&self) -> Result<Now, StoreFault> {
        Ok(Now(self.mongo.standings().await?))
    }

    async fn cards(&self, table: Table, filter: Document, sort: Document, part: Part) -> Result<Vec<LaunchCard>, ReadFault> {
        let cursor = self
            .mongo
            .kept::<Card>(table)
            .find(filter)
            .projection(only_card())
            .sort(sort)
            .skip(part.skip)
            .limit(i64::from(part.per_page))
            .await?;
        let found: Vec<Kept<Card>> = cursor.try_collect().await?;
        Ok(found.into_iter().map(|kept| kept.doc.0.page).collect())
    }

    /// The launches one can book at `at`, as asked for.
    pub async fn board(&self, query: &BoardQuery, at: Timestamp) -> Result<Board, ReadFault> {
        let now = self.now().await?;
        let table = now.table("launches")?;
        let part = part(query.page, query.per_page);
        let everywhere = narrowed(bookable(at), query);
        let mut filter = everywhere.clone();
        if let Some(destination) = query.destination {
            filter.insert("destination", destination.as_str());
        }
        let sort = match query.sort {
            BoardSort::Date => doc! { "departs_at": 1, "_id": 1 },
            BoardSort::Price => doc! { "price": 1, "departs_at": 1, "_id": 1 },
            BoardSort::Seats => doc! { "seats_left": -1, "departs_at": 1, "_id": 1 },
        };
        let mut with_seats = bookable(at);
        with_seats.insert("seats_left", doc! { "$gt": 0 });
        let soonest = Part { skip: 0, per_page: 1, page: 1 };
        let (items, destinations, next) = tokio::try_join!(
            self.cards(table, filter, sort, part),
            self.destinations(table, everywhere),
            self.cards(table, with_seats, doc! { "departs_at": 1, "_id": 1 }, soonest),
        )?;
        let chosen = |count: &&DestinationCount| query.destination.is_none_or(|destination| count.destination == destination);
        let total = destinations.iter().filter(chosen).map(|count| count.launches).sum();
        let launches = Page { items, total, page: part.page, per_page: part.per_page, position: now.position("launches"), stale: false };
        Ok(Board { launches, destinations, next: next.into_iter().next() })
    }

    async fn destinations(&self, table: Table, filter: Document) -> Result<Vec<DestinationCount>, ReadFault> {
        #[derive(Deserialize)]
        struct Count {
            #[serde(rename = "_id")]
            destination: Destination,
            launches: i64,
        }
        let pipeline = [doc! { "$match": filter }, doc! { "$group": { "_id": "$destination", "launches": { "$sum": 1_i64 } } }];
        let counts: Vec<Count> = self.mongo.kept::<Card>(table).aggregate(pipeline).with_type::<Count>().await?.try_collect().await?;
        let count_of =
            |destination| counts.iter().find(|count| count.destination == destination).map_or(0, |count| unsigned(count.launches));
        Ok(Destination::ALL.map(|destination| DestinationCount { destination, launches: count_of(destination) }).to_vec())
    }

    async fn launch_document(&self, now: &Now, launch: &str) -> Result<Option<LaunchDocument>, ReadFault> {
        let filter = match launch.parse::<LaunchId>() {
            Ok(id) => doc! { "_id": id.to_string() },
            Err(_) => doc! { "slug": launch },
        };
        let found = self.mongo.kept::<LaunchDocument>(now.table("launches")?).find_one(filter).await?;
        Ok(found.map(|kept| kept.doc.0))
    }

    /// A launch by its slug or its id; its position is that of its last change.
    pub async fn launch(&self, launch: &str) -> Result<Option<LaunchPage>, ReadFault> {
        let now = self.now().await?;
        Ok(self.launch_document(&now, launch).await?.map(LaunchDocument::into_page))
    }

    /// The launches with these ids, as the board shows them.
    pub async fn launches_by_ids(&self, ids: &[LaunchId]) -> Result<HashMap<LaunchId, LaunchCard>, ReadFault> {
        let now = self.now().await?;
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let part = Part { skip: 0, per_page: u32::try_from(ids.len()).unwrap_or(u32::MAX), page: 1 };
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let cards = self.cards(now.table("launches")?, doc! { "_id": { "$in": ids } }, doc! { "_id": 1 }, part).await?;
        Ok(cards.into_iter().map(|card| (card.id, card)).collect())
    }

    async fn all<V: DeserializeOwned + Send + Sync>(&self, view: &'static str, filter: Document) -> Result<Vec<V>, ReadFault> {
        let table = self.now().await?.table(view)?;
        let found: Vec<Kept<V>> =
            self.mongo.kept::<V>(table).find(filter).sort(doc! { "name": 1, "_id": 1 }).limit(LIST_MAX).await?.try_collect().await?;
        Ok(found.into_iter().map(|kept| kept.doc.0).collect())
    }

    /// Every supplier, by name.
    pub async fn suppliers(&self) -> Result<Vec<Supplier>, ReadFault> {
        self.all("suppliers", doc! {}).await
    }
    /// Every spaceport, by name.
    pub async fn spaceports(&self) -> Result<Vec<Spaceport>, ReadFault> {
        self.all("spaceports", doc! {}).await
    }
    /// A rocket.
    pub async fn rocket(&self, rocket: RocketId) -> Result<Option<Rocket>, ReadFault> {
        Ok(self.all("rockets", doc! { "_id": rocket.to_string() }).await?.into_iter().next())
    }

    /// A booking of the customer with its launch.
    pub async fn trip(&self, customer: CustomerId, booking: BookingId) -> Result<Option<Closed<Trip>>, ReadFault> {
        let now = self.now().await?;
        let filter = doc! { "_id": booking.to_string(), "customer": customer.to_string() };
        let Some(booking) = self.mongo.kept::<BookingDocument>(now.table("bookings")?).find_one(filter).await? else { return Ok(None) };
        let launch = self.launch_document(&now, &booking.doc.booking.launch.to_string()).await?;
        Ok(launch.map(|launch| trip(booking.doc.0, launch)))
    }

    /// The bookings of the customer with their launches, newest first. Words are looked for in reference and passengers, these by `blinding`.
    pub async fn bookings_of(
        &self,
        customer: CustomerId,
        listing: &Listing,
        blinding: Blinding<'_>,
    ) -> Result<Page<Closed<Trip>>, ReadFault> {
        let now = self.now().await?;
        let part = part(listing.page, listing.per_page);
        let mut filter = doc! { "customer": customer.to_string() };
        let words: Vec<Bson> = sought_blind(&listing.search, blinding)
            .into_iter()
            .map(|Sought { begins: word, blind }| {
                let blind = doc! { "tokens": blind };
                Bson::Document(match word {
                    Some(word) => doc! { "$or": [begins(&word), blind] },
                    None => blind,
                })
            })
            .collect();
        if !words.is_empty() {
            filter.insert("$and", words);
        }
        let bookings = self.mongo.kept::<BookingDocument>(now.table("bookings")?);
        let newest = doc! { "held_at": -1, "_id": 1 };
        let (total, found) = tokio::try_join!(async { bookings.count_documents(filter.clone()).await }, async {
            let cursor = bookings.find(filter.clone()).sort(newest).skip(part.skip).limit(part.per_page.into()).await?;
            cursor.try_collect::<Vec<Kept<BookingDocument>>>().await
        })?;
        let ids: Vec<String> = found.iter().map(|kept| kept.doc.booking.launch.to_string()).collect();
        let cursor = self.mongo.kept::<LaunchDocument>(now.table("launches")?).find(doc! { "_id": { "$in": ids } }).await?;
        let launches: Vec<Kept<LaunchDocument>> = cursor.try_collect().await?;
        let launches: HashMap<LaunchId, LaunchDocument> = launches.into_iter().map(|kept| (kept.doc.0.page.card.id, kept.doc.0)).collect();
        let with_launch = |kept: Kept<BookingDocument>| Some(trip(kept.doc.0.clone(), launches.get(&kept.doc.booking.launch)?.clone()));
        let items = found.into_iter().filter_map(with_launch).collect();
        let position = now.position("bookings").min(now.position("launches"));
        Ok(Page { items, total, page: part.page, per_page: part.per_page, position, stale: false })
    }
}

/// On sale, and not departed at `at`.
fn bookable(at: Timestamp) -> Document {
    doc! { "status": { "$in": ["scheduled", "confirmed", "delayed"] }, "departs_at": { "$gt": at.as_millisecond() } }
}

/// All filters of the board but the destination.
fn narrowed(mut filter: Document, query: &BoardQuery) -> Document {
    if let Some(supplier) = query.supplier {
        filter.insert("supplier", supplier.to_string());
    }
    let midnight = |day: Date| day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |day| day.timestamp().as_millisecond());
    let mut days = Vec::new();
    if let Some(from) = query.from {
        days.push(doc! { "departs_at": { "$gte": midnight(from) } });
    }
    if let Some(until) = query.until {
        let next = until.checked_add(1.day()).map_or(i64::MAX, midnight);
        days.push(doc! { "departs_at": { "$lt": next } });
    }
    if !days.is_empty() {
        filter.insert("$and", days);
    }
    if let Some(dollars) = query.price_max {
        filter.insert("price", doc! { "$lte": i64::try_from(dollars).unwrap_or(i64::MAX).saturating_mul(100) });
    }
    if let Some(seats) = query.seats {
        filter.insert("seats_left", doc! { "$gte": i64::from(seats) });
    }
    search(&mut filter, &query.search);
    filter
}

/// One of the document's words begins so. A range of one element: an index serves it, and it means the same on every server.
fn begins(word: &str) -> Document {
    let behind = format!("{word}{}", char::MAX);
    doc! { "tokens": { "$elemMatch": { "$gte": word, "$lt": behind } } }
}

/// Every word must be the beginning of one of the document's.
fn search(filter: &mut Document, search: &str) {
    let mut all: Vec<Bson> = sought(search).iter().map(|word| Bson::Document(begins(word))).collect();
    if all.is_empty() {
        return;
    }
    if let Some(Bson::Array(others)) = filter.remove("$and") {
        all.extend(others);
    }
    filter.insert("$and", all);
}
