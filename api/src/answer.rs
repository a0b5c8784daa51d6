//! How answers say where they stand in the log: the position of a command, and whether a read may be out of date.

use crate::problem::{ApiError, RETRY_AFTER_DEFAULT};
use axum::{Json, response::AppendHeaders};
use commands::StreamVersion;
use contract::{Code, List};
use http::HeaderName;
use projections::Freshness;

/// The header `Astro-Position`, as names of headers are sent.
const POSITION: HeaderName = HeaderName::from_static("astro-position");
/// The header `Astro-Stale`.
const STALE: HeaderName = HeaderName::from_static("astro-stale");

/// The header of a command's answer.
pub type Position = AppendHeaders<[(HeaderName, String); 1]>;
/// A read's answer.
pub type Read<T> = (AppendHeaders<Option<(HeaderName, &'static str)>>, Json<T>);

/// Where the command stands.
pub fn position(at: &StreamVersion) -> Position {
    AppendHeaders([(POSITION, at.to_string())])
}

/// Word of it when a read may be out of date.
pub fn older(freshness: Freshness) -> AppendHeaders<Option<(HeaderName, &'static str)>> {
    AppendHeaders(freshness.is_stale().then_some((STALE, "true")))
}

/// A whole list, with the same word.
pub fn list<T>(freshness: Freshness, items: Vec<T>) -> Read<List<T>> {
    read(freshness, List { items, stale: freshness.is_stale() })
}

/// What to say of that which a read does not find: that there is no such thing, or, where the read is older than asked for, that it may have
/// been made a moment ago.
pub fn missing(freshness: Freshness) -> ApiError {
    if !freshness.is_older_than_asked() {
        return ApiError::not_found();
    }
    let why = "This was made a moment ago and is not shown yet. Try again in a moment.";
    ApiError::new(Code::NotShownYet, why).retry_after(RETRY_AFTER_DEFAULT)
}

/// A read, with word of it when it may be out of date.
pub fn read<T>(freshness: Freshness, body: T) -> Read<T> {
    (older(freshness), Json(body))
}
