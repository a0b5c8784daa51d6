//! What suppliers and employees read, from Postgres: launches, bookings, rockets and the day's figures. Who may read what is left to the services.

use crate::{
    Blinding, Closed, Databases, Guards, Projection,
    bookings::{BookingDocument, seen, status_word, trip},
    finance::FinanceViews,
    freshness::{Freshness, ReadFault, Reader},
    launches::LaunchDocument,
    listing::{Part, part},
    local::Local,
    store::{PostgresStore, signed, unsigned},
    tsquery::tsquery,
    words::sought_blind,
};
use contract::{
    BookingId, CustomerId, LaunchId, Listing, Money, Page, RocketId, Status, SupplierId,
    booking::{BookingStatus, Trip},
    finance::{BookingRow, Today},
    fleet::{Rocket, Spaceport, Supplier, SupplierSummary},
    launch::{LaunchCard, LaunchPage},
    operations::StreamHit,
};
use domain::sealed::Blind;
use jiff::{Timestamp, tz::TimeZone};
use nats::{Feed, Moment};
use serde::de::DeserializeOwned;
use sqlx::{PgPool, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

/// The schema of these views.
pub const SCHEMA: &str = "operations";
/// How many customers are looked at whether they were erased, of those a search finds.
const CUSTOMERS_MAX: i64 = 1_000;
/// How many streams a search finds.
const HITS_MAX: i64 = 20;
/// How many bookings and launches the day's page shows.
const TODAY_ROWS: u32 = 8;

/// The views of the desks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OperationsViews {
    pool: PgPool,
    store: PostgresStore,
    feed: Feed,
    local: Local,
    guards: Guards,
}

/// Which launches a desk wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchQuery {
    /// Only of this supplier.
    pub supplier: Option<SupplierId>,
    /// Only of this status.
    pub status: Option<Status>,
    /// Words, page and size.
    pub listing: Listing,
}

/// Which bookings a desk wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookingQuery {
    /// Only on launches of this supplier.
    pub supplier: Option<SupplierId>,
    /// Only on this launch.
    pub launch: Option<LaunchId>,
    /// Only of this status.
    pub status: Option<BookingStatus>,
    /// Words, page and size.
    pub listing: Listing,
}

impl OperationsViews {
    /// The views in these databases.
    #[must_use]
    pub fn new(databases: &Databases) -> Self {
        Self {
            pool: databases.pool.clone(),
            store: PostgresStore::new(databases.pool.clone(), SCHEMA),
            feed: databases.feed.clone(),
            local: databases.local.clone(),
            guards: databases.trial.guards,
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { projection: Projection::Operations, store: &self.store, feed: &self.feed, local: &self.local, guards: self.guards }
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

    /// Launches, the soonest still to come first, then the latest departed first.
    pub async fn launches(&self, query: &LaunchQuery, now: Timestamp) -> Result<Page<LaunchCard>, ReadFault> {
        let position = self.position().await?;
        let Part { page, per_page, skip } = part(query.listing.page, query.listing.per_page);
        let which = "WHERE ($1::text IS NULL OR supplier = $1) AND ($2::text IS NULL OR status = $2) \
             AND ($3::text IS NULL OR search @@ $3::tsquery)";
        let (supplier, status) = (query.supplier.map(|id| id.to_string()), query.status.map(|status| status.to_string()));
        let found = tsquery(&query.listing.search);
        let count = format!("SELECT count(*) FROM operations.launches {which}");
        let rows = format!(
            "SELECT doc FROM operations.launches {which} \
             ORDER BY departs_at <= $4, abs(extract(epoch FROM departs_at - $4)), id LIMIT $5 OFFSET $6"
        );
        let (total, rows) = tokio::try_join!(
            sqlx::query_scalar::<_, i64>(&count).bind(&supplier).bind(&status).bind(&found).fetch_one(&self.pool),
            sqlx::query_scalar::<_, Json<LaunchDocument>>(&rows)
                .bind(&supplier)
                .bind(&status)
                .bind(&found)
                .bind(Moment(now))
                .bind(i64::from(per_page))
                .bind(signed(skip))
                .fetch_all(&self.pool),
        )?;
        let items = rows.into_iter().map(|Json(launch)| launch.page.card).collect();
        Ok(Page { items, total: unsigned(total), page, per_page, position, stale: false })
    }

    async fn launch_document(&self, launch: &str) -> Result<Option<LaunchDocument>, ReadFault> {
        let column = if launch.parse::<LaunchId>().is_ok() { "id" } else { "slug" };
        let found = sqlx::query_scalar::<_, Json<LaunchDocument>>(&format!("SELECT doc FROM operations.launches WHERE {column} = $1"))
            .bind(launch)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.map(|Json(launch)| launch))
    }

    /// A launch by its slug or its id.
    pub async fn launch(&self, launch: &str) -> Result<Option<LaunchPage>, ReadFault> {
        Ok(self.launch_document(launch).await?.map(LaunchDocument::into_page))
    }

    /// When the other launches of a rocket depart, for the turnaround between them; those that were aborted do not count.
    pub async fn departures_of(&self, rocket: RocketId, except: Option<LaunchId>) -> Result<Vec<Timestamp>, ReadFault> {
        let moments: Vec<Moment> = sqlx::query_scalar(
            "SELECT departs_at FROM operations.launches WHERE rocket = $1 AND status <> 'aborted' AND id IS DISTINCT FROM $2 ORDER BY 1",
        )
        .bind(rocket.to_string())
        .bind(except.map(|id| id.to_string()))
        .fetch_all(&self.pool)
        .await?;
        Ok(moments.into_iter().map(Timestamp::from).collect())
    }

    /// The customers whose passengers a search would find, so that those who were erased can be left out of it; at most 1 000.
    pub async fn found_by_passengers(&self, search: &str, blinding: Blinding<'_>) -> Result<Vec<CustomerId>, ReadFault> {
        let blind: Vec<String> = sought_blind(search, blinding).into_iter().map(|sought| format!("'{}'", sought.blind)).collect();
        if blind.is_empty() {
            return Ok(Vec::new());
        }
        let statement = "SELECT DISTINCT customer FROM operations.bookings WHERE search @@ $1::tsquery LIMIT $2";
        let found: Vec<String> = sqlx::query_scalar(statement).bind(blind.join(" | ")).bind(CUSTOMERS_MAX).fetch_all(&self.pool).await?;
        Ok(found.iter().filter_map(|customer| customer.parse().ok()).collect())
    }

    /// Bookings with what their launch says, newest first. Words are looked for in reference, launch and passengers, these by `blinding` and
    /// not where the customer is one of `gone`.
    pub async fn bookings(
        &self,
        query: &BookingQuery,
        blinding: Blinding<'_>,
        gone: &[CustomerId],
    ) -> Result<Page<Closed<BookingRow>>, ReadFault> {
        let position = self.position().await?;
        let Part { page, per_page, skip } = part(query.listing.page, query.listing.per_page);
        let which = "FROM operations.bookings b JOIN operations.launches l ON l.id = b.launch \
             WHERE ($1::text IS NULL OR l.supplier = $1) AND ($2::text IS NULL OR b.launch = $2) \
             AND ($3::text IS NULL OR CASE WHEN b.status = 'confirmed' AND l.status = 'launched' THEN 'flown' ELSE b.status END = $3) \
             AND NOT EXISTS (SELECT FROM unnest($4::text[], $5::text[]) sought (word, blind) \
                 WHERE NOT coalesce(b.search @@ word::tsquery OR l.search @@ word::tsquery, false) \
                 AND NOT (b.search @@ blind::tsquery AND b.customer <> ALL ($6::text[])))";
        let (words, blind): (Vec<Option<String>>, Vec<String>) = sought_blind(&query.listing.search, blinding)
            .into_iter()
            .map(|sought| (sought.begins.map(|word| format!("{word}:*")), format!("'{}'", sought.blind)))
            .unzip();
        let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
        let (supplier, launch) = (query.supplier.map(|id| id.to_string()), query.launch.map(|id| id.to_string()));
        let status = query.status.map(status_word);
        let count = format!("SELECT count(*) {which}");
        let rows = format!("SELECT b.doc, l.doc {which} ORDER BY b.held_at DESC, b.id LIMIT $7 OFFSET $8");
        let (total, rows) = tokio::try_join!(
            sqlx::query_scalar::<_, i64>(&count)
                .bind(&supplier)
                .bind(&launch)
                .bind(status)
                .bind(&words)
                .bind(&blind)
                .bind(&gone)
                .fetch_one(&self.pool),
            sqlx::query(&rows)
                .bind(&supplier)
                .bind(&launch)
                .bind(status)
                .bind(&words)
                .bind(&blind)
                .bind(&gone)
                .bind(i64::from(per_page))
                .bind(signed(skip))
                .fetch_all(&self.pool),
        )?;
        let items = rows.iter().map(booking_row).collect::<Result<_, _>>()?;
        Ok(Page { items, total: unsigned(total), page, per_page, position, stale: false })
    }

    /// A booking with its launch.
    pub async fn trip(&self, booking: BookingId) -> Result<Option<Closed<Trip>>, ReadFault> {
        let row =
            sqlx::query("SELECT b.doc, l.doc FROM operations.bookings b JOIN operations.launches l ON l.id = b.launch WHERE b.id = $1")
                .bind(booking.to_string())
                .fetch_optional(&self.pool)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let (Json(booking), Json(launch)) = (row.try_get::<Json<BookingDocument>, _>(0)?, row.try_get::<Json<LaunchDocument>, _>(1)?);
        Ok(Some(trip(booking, launch)))
    }

    async fn one<V: DeserializeOwned>(&self, view: &str, id: Uuid) -> Result<Option<V>, ReadFault> {
        let statement = format!("SELECT doc FROM operations.{view} WHERE id = $1");
        let found: Option<Json<serde_json::Value>> = sqlx::query_scalar(&statement).bind(id.to_string()).fetch_optional(&self.pool).await?;
        found.map(|Json(doc)| read(doc)).transpose()
    }

    /// A supplier.
    pub async fn supplier(&self, supplier: SupplierId) -> Result<Option<Supplier>, ReadFault> {
        self.one("suppliers", supplier.0).await
    }
    /// A rocket.
    pub async fn rocket(&self, rocket: RocketId) -> Result<Option<Rocket>, ReadFault> {
        self.one("rockets", rocket.0).await
    }
    /// The rockets of a supplier, by name.
    pub async fn rockets(&self, supplier: SupplierId) -> Result<Vec<Rocket>, ReadFault> {
        let rows: Vec<Json<serde_json::Value>> =
            sqlx::query_scalar("SELECT doc FROM operations.rockets WHERE supplier = $1 ORDER BY name, id")
                .bind(supplier.to_string())
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter().map(|Json(doc)| read(doc)).collect()
    }
    /// Every supplier, by name.
    pub async fn suppliers(&self) -> Result<Vec<Supplier>, ReadFault> {
        self.all("suppliers").await
    }
    /// Every spaceport, by name.
    pub async fn spaceports(&self) -> Result<Vec<Spaceport>, ReadFault> {
        self.all("spaceports").await
    }
    async fn all<V: DeserializeOwned>(&self, view: &str) -> Result<Vec<V>, ReadFault> {
        let statement = format!("SELECT doc FROM operations.{view} ORDER BY name, id");
        let rows: Vec<Json<serde_json::Value>> = sqlx::query_scalar(&statement).fetch_all(&self.pool).await?;
        rows.into_iter().map(|Json(doc)| read(doc)).collect()
    }

    /// A supplier's desk at a glance; `None` when there is no such supplier.
    pub async fn supplier_summary(
        &self,
        supplier: SupplierId,
        finance: &FinanceViews,
        now: Timestamp,
    ) -> Result<Option<SupplierSummary>, ReadFault> {
        let position = self.position().await?;
        let figures = async {
            let statement = "SELECT count(*), coalesce(sum(sold), 0)::bigint, coalesce(sum(capacity), 0)::bigint, min(departs_at) \
                 FROM operations.launches WHERE supplier = $1 AND status IN ('scheduled', 'confirmed', 'delayed') AND departs_at > $2";
            Ok(sqlx::query(statement).bind(supplier.to_string()).bind(Moment(now)).fetch_one(&self.pool).await?)
        };
        let (supplier, row, revenue) = tokio::try_join!(self.supplier(supplier), figures, finance.revenue_of(supplier))?;
        let Some(supplier) = supplier else { return Ok(None) };
        Ok(Some(SupplierSummary {
            supplier,
            open_launches: unsigned(row.try_get(0)?),
            sold: unsigned(row.try_get(1)?),
            capacity: unsigned(row.try_get(2)?),
            net_revenue: revenue.map_or(Money::ZERO, |revenue| revenue.net),
            next_departure: row.try_get::<Option<Moment>, _>(3)?.map(Timestamp::from),
            stale: false,
            position,
        }))
    }

    /// The employee's day, and the latest bookings of it, still closed: its own list of them is empty.
    pub async fn today(&self, finance: &FinanceViews, now: Timestamp) -> Result<(Today, Vec<Closed<BookingRow>>), ReadFault> {
        let position = self.position().await?.min(finance.position().await?);
        let midnight = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |midnight| midnight.timestamp());
        let few = Listing { page: 1, per_page: TODAY_ROWS, search: String::new() };
        let newest = BookingQuery { listing: few.clone(), ..BookingQuery::default() };
        let figures = async {
            let statement = "SELECT count(*) FILTER (WHERE status = 'confirmed'), \
                coalesce(sum(seats) FILTER (WHERE status = 'confirmed'), 0)::bigint, count(*) FILTER (WHERE status = 'held') \
                FROM operations.bookings WHERE status IN ('confirmed', 'held')";
            Ok(sqlx::query(statement).fetch_one(&self.pool).await?)
        };
        let (row, totals, captured_today, by_month, top, latest) = tokio::try_join!(
            figures,
            finance.totals(),
            finance.captured_since(midnight),
            finance.by_month(now),
            finance.revenue_by_launch(&few),
            self.bookings(&newest, &|_, text| Blind::from_text(text.to_owned()), &[]), // nothing is sought
        )?;
        let today = Today {
            captured_today,
            captured: totals.captured,
            refunded: totals.refunded,
            bookings: unsigned(row.try_get(0)?),
            seats: unsigned(row.try_get(1)?),
            held: unsigned(row.try_get(2)?),
            by_month,
            top_launches: top.items,
            latest: Vec::new(),
            as_of: now,
            stale: false,
            position,
        };
        Ok((today, latest.items))
    }

    /// Streams found by words of a launch, or by the id of a launch, booking, supplier or rocket.
    pub async fn streams(&self, search: &str) -> Result<Vec<StreamHit>, ReadFault> {
        let search = search.trim();
        let rows = if let Ok(id) = search.parse::<Uuid>() {
            sqlx::query(
                "SELECT 'launch', id, slug FROM operations.launches WHERE id = $1 \
                 UNION ALL SELECT 'launch', l.id, l.slug FROM operations.bookings b JOIN operations.launches l ON l.id = b.launch WHERE b.id = $1 \
                 UNION ALL SELECT 'supplier', id, name FROM operations.suppliers WHERE id = $1 \
                 UNION ALL SELECT 'rocket', id, name FROM operations.rockets WHERE id = $1 \
                 UNION ALL SELECT 'spaceport', id, name FROM operations.spaceports WHERE id = $1",
            )
            .bind(id.to_string())
            .fetch_all(&self.pool)
            .await?
        } else {
            let Some(found) = tsquery(search) else { return Ok(Vec::new()) };
            // A booking's reference leads to its launch.
            sqlx::query(
                "SELECT DISTINCT 'launch', id, slug FROM (\
                    SELECT id, slug FROM operations.launches WHERE search @@ $1::tsquery \
                    UNION ALL SELECT l.id, l.slug FROM operations.bookings b JOIN operations.launches l ON l.id = b.launch \
                        WHERE b.search @@ $1::tsquery AND b.doc->>'reference' = upper($2)) hits ORDER BY 3 LIMIT $3",
            )
            .bind(&found)
            .bind(search)
            .bind(HITS_MAX)
            .fetch_all(&self.pool)
            .await?
        };
        let hit = |row: &PgRow| Ok(StreamHit { stream_type: row.try_get(0)?, stream_id: row.try_get(1)?, title: row.try_get(2)? });
        Ok(rows.iter().map(hit).collect::<Result<_, sqlx::Error>>()?)
    }
}

fn read<V: DeserializeOwned>(doc: serde_json::Value) -> Result<V, ReadFault> {
    serde_json::from_value(doc).map_err(|error| sqlx::Error::Decode(Box::new(error)).into())
}

fn booking_row(row: &PgRow) -> Result<Closed<BookingRow>, sqlx::Error> {
    let (Json(booking), Json(launch)) = (row.try_get::<Json<BookingDocument>, _>(0)?, row.try_get::<Json<LaunchDocument>, _>(1)?);
    let card = launch.page.card;
    Ok(booking.closed(|booking| BookingRow {
        id: booking.id,
        reference: booking.reference,
        launch: card.id,
        slug: card.slug,
        destination: card.destination,
        rocket_name: card.rocket_name,
        departs_at: card.departure.at,
        status: seen(booking.status, card.status),
        seats: u16::try_from(booking.seats.len()).unwrap_or(u16::MAX),
        passengers: Vec::new(),
        total: booking.total,
        paid: booking.paid,
        refunded: booking.refunded,
        held_at: booking.held_at,
    }))
}
