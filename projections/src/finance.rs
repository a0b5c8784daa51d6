//! Money as employees read it, from Postgres: the journal, and revenue per launch, supplier and month.

use crate::{
    Databases, Guards, Projection,
    accounts::{CUSTOMER_DEPOSITS, LaunchAccount},
    freshness::{Freshness, ReadFault, Reader},
    listing::part,
    local::Local,
    store::{PostgresStore, signed, unsigned},
    tsquery::tsquery,
};
use contract::{
    BookingId, LaunchId, Listing, Money, Page, SupplierId,
    finance::{AccountBalance, Journal, JournalLine, LaunchRevenue, MonthRevenue, SupplierRevenue},
};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use nats::{Feed, Moment};
use sqlx::{PgPool, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

/// The schema of these views.
pub const SCHEMA: &str = "finance";
/// How many months a chart has.
const MONTHS: i32 = 12;

/// The views of money. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FinanceViews {
    pool: PgPool,
    store: PostgresStore,
    feed: Feed,
    local: Local,
    guards: Guards,
}

/// Which lines of the journal are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalQuery {
    /// Only of this launch.
    pub launch: Option<LaunchId>,
    /// Only of this booking.
    pub booking: Option<BookingId>,
    /// From 1.
    pub page: u32,
    /// 1 to 100.
    pub per_page: u32,
}

/// Sums over everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Captured.
    pub captured: Money,
    /// Given back or promised so.
    pub refunded: Money,
    /// Abort fees charged.
    pub fees: Money,
    /// The sum of all lines of the journal; anything but zero is an alarm.
    pub sum: Money,
}

impl FinanceViews {
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
        Reader { projection: Projection::Finance, store: &self.store, feed: &self.feed, local: &self.local, guards: self.guards }
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

    /// Lines of the journal, newest first, with balances and the sum over the whole selection.
    pub async fn journal(&self, query: &JournalQuery) -> Result<Journal, ReadFault> {
        let position = self.position().await?;
        let part = part(query.page, query.per_page);
        let which = "WHERE ($1::uuid IS NULL OR launch = $1) AND ($2::uuid IS NULL OR booking = $2)";
        let (launch, booking) = (query.launch.map(|id| id.0), query.booking.map(|id| id.0));
        let lines = format!(
            "SELECT position, line, at, account, amount, event, launch, booking, supplier FROM finance.lines {which} \
             ORDER BY position DESC, line LIMIT $3 OFFSET $4"
        );
        let balances =
            format!("SELECT account, sum(amount)::bigint, count(*) FROM finance.lines {which} GROUP BY account ORDER BY account");
        let (lines, balances) = tokio::try_join!(
            sqlx::query(&lines).bind(launch).bind(booking).bind(i64::from(part.per_page)).bind(signed(part.skip)).fetch_all(&self.pool),
            sqlx::query(&balances).bind(launch).bind(booking).fetch_all(&self.pool),
        )?;
        let balance = |row: &PgRow| -> Result<(AccountBalance, i64), sqlx::Error> {
            Ok((AccountBalance { account: row.try_get(0)?, balance: Money::cents(row.try_get(1)?) }, row.try_get(2)?))
        };
        let balances: Vec<(AccountBalance, i64)> = balances.iter().map(balance).collect::<Result<_, _>>()?;
        let total = unsigned(balances.iter().map(|(_, lines)| lines).sum());
        let balances: Vec<AccountBalance> = balances.into_iter().map(|(balance, _)| balance).collect();
        let sum = balances.iter().fold(Money::ZERO, |sum, account| sum.plus(account.balance));
        let items = lines.iter().map(journal_line).collect::<Result<_, _>>()?;
        let lines = Page { items, total, page: part.page, per_page: part.per_page, position, stale: false };
        Ok(Journal { lines, balances, sum })
    }

    /// Revenue of each launch that had any, most net first.
    pub async fn revenue_by_launch(&self, listing: &Listing) -> Result<Page<LaunchRevenue>, ReadFault> {
        let position = self.position().await?;
        let part = part(listing.page, listing.per_page);
        let found = tsquery(&listing.search);
        // Without words all launches that earned something; with words also those that did not.
        let which = "WHERE CASE WHEN $1::text IS NULL THEN captured <> 0 ELSE search @@ $1::tsquery END";
        let count = format!("SELECT count(*) FROM finance.journal {which}");
        let rows = format!("SELECT doc FROM finance.journal {which} ORDER BY net DESC, id LIMIT $2 OFFSET $3");
        let (total, rows) = tokio::try_join!(
            sqlx::query_scalar::<_, i64>(&count).bind(&found).fetch_one(&self.pool),
            sqlx::query_scalar::<_, Json<LaunchAccount>>(&rows)
                .bind(&found)
                .bind(i64::from(part.per_page))
                .bind(signed(part.skip))
                .fetch_all(&self.pool),
        )?;
        let items = rows.into_iter().map(|Json(account)| account.revenue).collect();
        Ok(Page { items, total: unsigned(total), page: part.page, per_page: part.per_page, position, stale: false })
    }

    /// Revenue of each supplier that had any, most net first.
    pub async fn revenue_by_supplier(&self) -> Result<Vec<SupplierRevenue>, ReadFault> {
        self.suppliers(None).await
    }

    /// Revenue of one supplier; `None` when it has no launches.
    pub async fn revenue_of(&self, supplier: SupplierId) -> Result<Option<SupplierRevenue>, ReadFault> {
        Ok(self.suppliers(Some(supplier)).await?.into_iter().next())
    }

    async fn suppliers(&self, supplier: Option<SupplierId>) -> Result<Vec<SupplierRevenue>, ReadFault> {
        let rows = sqlx::query(
            "SELECT supplier, max(doc->'revenue'->>'supplier_name'), count(*) FILTER (WHERE captured <> 0), sum(captured)::bigint, \
                sum(refunded)::bigint, sum(net)::bigint, sum(fees)::bigint FROM finance.journal \
             WHERE CASE WHEN $1::text IS NULL THEN captured <> 0 OR fees <> 0 ELSE supplier = $1 END \
             GROUP BY supplier ORDER BY 6 DESC, 1",
        )
        .bind(supplier.map(|id| id.to_string()))
        .fetch_all(&self.pool)
        .await?;
        let revenue = |row: &PgRow| -> Result<SupplierRevenue, sqlx::Error> {
            let id: String = row.try_get(0)?;
            Ok(SupplierRevenue {
                supplier: id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
                supplier_name: row.try_get(1)?,
                launches: unsigned(row.try_get(2)?),
                captured: Money::cents(row.try_get(3)?),
                refunded: Money::cents(row.try_get(4)?),
                net: Money::cents(row.try_get(5)?),
                fees: Money::cents(row.try_get(6)?),
            })
        };
        Ok(rows.iter().map(revenue).collect::<Result<_, _>>()?)
    }

    /// Sums over everything.
    pub async fn totals(&self) -> Result<Totals, ReadFault> {
        let row = sqlx::query(
            "SELECT coalesce(sum(captured), 0)::bigint, coalesce(sum(refunded), 0)::bigint, coalesce(sum(fees), 0)::bigint, \
                (SELECT coalesce(sum(amount), 0)::bigint FROM finance.lines) FROM finance.journal",
        )
        .fetch_one(&self.pool)
        .await?;
        let amount = |column| row.try_get(column).map(Money::cents);
        Ok(Totals { captured: amount(0)?, refunded: amount(1)?, fees: amount(2)?, sum: amount(3)? })
    }

    /// Captured since `from`.
    pub async fn captured_since(&self, from: Timestamp) -> Result<Money, ReadFault> {
        let captured: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(amount), 0)::bigint FROM finance.lines WHERE account = 'cash' AND at >= $1 AND amount > 0",
        )
        .bind(Moment(from))
        .fetch_one(&self.pool)
        .await?;
        Ok(Money::cents(captured))
    }

    /// Net revenue of the last twelve months up to `now`, oldest first; months without money are zero.
    pub async fn by_month(&self, now: Timestamp) -> Result<Vec<MonthRevenue>, ReadFault> {
        let this_month = now.to_zoned(TimeZone::UTC).date().first_of_month();
        let months: Vec<jiff::civil::Date> = (0..MONTHS).rev().map(|ago| this_month.saturating_sub(ago.months())).collect();
        let from = months.first().and_then(|month| month.to_zoned(TimeZone::UTC).ok()).map_or(now, |month| month.timestamp());
        // Captured is credited to the customers' deposits, refunds are debited: the rest is the net, with the sign turned.
        let rows = sqlx::query(
            "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM'), -sum(amount)::bigint FROM finance.lines \
             WHERE account = $1 AND at >= $2 GROUP BY 1",
        )
        .bind(CUSTOMER_DEPOSITS)
        .bind(Moment(from))
        .fetch_all(&self.pool)
        .await?;
        let sums: std::collections::HashMap<String, i64> =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?;
        let month = |month: jiff::civil::Date| {
            let month = month.strftime("%Y-%m").to_string();
            MonthRevenue { net: Money::cents(sums.get(&month).copied().unwrap_or_default()), month }
        };
        Ok(months.into_iter().map(month).collect())
    }
}

fn journal_line(row: &PgRow) -> Result<JournalLine, sqlx::Error> {
    Ok(JournalLine {
        position: unsigned(row.try_get(0)?),
        line: row.try_get::<i16, _>(1)?.unsigned_abs(),
        at: row.try_get::<Moment, _>(2)?.0,
        account: row.try_get(3)?,
        amount: Money::cents(row.try_get(4)?),
        event: row.try_get(5)?,
        launch: LaunchId(row.try_get(6)?),
        booking: row.try_get::<Option<Uuid>, _>(7)?.map(BookingId),
        supplier: SupplierId(row.try_get(8)?),
    })
}
