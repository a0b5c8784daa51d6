//! Says at the start of a program whether it can read everything the log holds, before it stumbles over it amid its work.

use domain::AnyEvent;
use sqlx::{PgPool, Row};

/// This program must not run on this log.
#[derive(Debug, thiserror::Error)]
pub enum FormsError {
    /// The log holds forms of events that this program does not know; each is named with why it cannot be read.
    #[error("the log holds what this program cannot read: {}", .0.join("; "))]
    Unknown(Vec<String>),
    /// The log cannot be asked.
    #[error("ask the log which events it holds")]
    Database(#[from] sqlx::Error),
}

/// Checks that [`AnyEvent::read`] reads every form of event that has a place in the log, by one stored event of each.
pub async fn check(pool: &PgPool) -> Result<(), FormsError> {
    check_with(pool, |stream_type, event_type, event_version, payload| {
        AnyEvent::read(stream_type, event_type, event_version, payload).map(drop).map_err(|error| error.to_string())
    })
    .await
}

/// The same for one who reads other kinds of streams: `read` takes stream type, event type, version and payload, and says why it cannot.
pub async fn check_with(pool: &PgPool, read: impl Fn(&str, &str, u32, &str) -> Result<(), String>) -> Result<(), FormsError> {
    let rows = sqlx::query(
        "SELECT f.stream_type, f.event_type, f.event_version, e.payload::text FROM forms f JOIN events e ON e.id = f.event_row \
         ORDER BY f.stream_type, f.event_type, f.event_version",
    )
    .fetch_all(pool)
    .await?;
    let mut unknown = Vec::new();
    for row in &rows {
        let (stream_type, event_type): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let event_version = row.try_get::<i32, _>(2)?.try_into().unwrap_or_default();
        if let Err(why) = read(stream_type, event_type, event_version, row.try_get(3)?) {
            unknown.push(format!("{stream_type} {event_type} v{event_version}: {why}"));
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(FormsError::Unknown(unknown)) }
}
