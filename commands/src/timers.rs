//! Timers: which streams want to be looked at again, and when. Reading that from events, and acting on what is due, is left to the scheduler.

use jiff::Timestamp;
use nats::Moment;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

/// The most timers one look returns.
pub const DUE_MAX: i64 = 1_000;

/// A timer of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The kind of stream.
    pub stream_type: String,
    /// Which stream.
    pub stream_id: String,
    /// What to do.
    pub kind: String,
    /// For what in the stream.
    pub subject: String,
    /// When, at the earliest.
    pub due_at: Timestamp,
    /// The event that asked for it.
    pub event_id: Uuid,
}

/// Sets timers, as part of a transaction of the caller's, who remembers in it that this was done.
pub async fn set(connection: &mut PgConnection, timers: &[Timer]) -> Result<(), sqlx::Error> {
    if timers.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Timer) -> &str| timers.iter().map(of).collect::<Vec<&str>>();
    sqlx::query(
        "INSERT INTO timers (stream_type, stream_id, kind, subject, due_at, event_id) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[])",
    )
    .bind(column(|timer| &timer.stream_type))
    .bind(column(|timer| &timer.stream_id))
    .bind(column(|timer| &timer.kind))
    .bind(column(|timer| &timer.subject))
    .bind(timers.iter().map(|timer| Moment(timer.due_at)).collect::<Vec<_>>())
    .bind(timers.iter().map(|timer| timer.event_id).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// The timers due at `now`, longest due first, at most `limit` (and [`DUE_MAX`]).
pub async fn due(pool: &PgPool, now: Timestamp, limit: i64) -> Result<Vec<Timer>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT stream_type, stream_id, kind, subject, due_at, event_id FROM timers \
         WHERE fired_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2",
    )
    .bind(Moment(now))
    .bind(limit.clamp(1, DUE_MAX))
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Timer {
                stream_type: row.try_get(0)?,
                stream_id: row.try_get(1)?,
                kind: row.try_get(2)?,
                subject: row.try_get(3)?,
                due_at: row.try_get::<Moment, _>(4)?.0,
                event_id: row.try_get(5)?,
            })
        })
        .collect()
}

/// When the next timer falls due, if any waits.
pub async fn next_due(pool: &PgPool) -> Result<Option<Timestamp>, sqlx::Error> {
    let next: Option<Moment> = sqlx::query_scalar("SELECT min(due_at) FROM timers WHERE fired_at IS NULL").fetch_one(pool).await?;
    Ok(next.map(Into::into))
}

/// Records that timers have done their work. Firing twice is harmless: what they do is idempotent, and this changes nothing then.
pub async fn fired(pool: &PgPool, timers: &[Timer], now: Timestamp) -> Result<(), sqlx::Error> {
    let column = |of: fn(&Timer) -> &str| timers.iter().map(of).collect::<Vec<&str>>();
    sqlx::query(
        "UPDATE timers t SET fired_at = $5 FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS f(e, k, s, d) \
         WHERE t.due_at = f.d AND t.event_id = f.e AND t.kind = f.k AND t.subject = f.s AND t.fired_at IS NULL",
    )
    .bind(timers.iter().map(|timer| timer.event_id).collect::<Vec<_>>())
    .bind(column(|timer| &timer.kind))
    .bind(column(|timer| &timer.subject))
    .bind(timers.iter().map(|timer| Moment(timer.due_at)).collect::<Vec<_>>())
    .bind(Moment(now))
    .execute(pool)
    .await?;
    Ok(())
}
