//! What handlers take from a request, with our errors when it is not there. Who may do it is left to `authority`.

use crate::problem::{Answer, ApiError, Fields};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Request, path::ErrorKind, rejection::PathRejection},
};
use bytes::BytesMut;
use commands::{Ask, StreamVersion, ask::digest};
use contract::{BookingId, Code, IDEMPOTENCY_KEY, POSITION, page::PER_PAGE_MAX};
use domain::{Actor, id::AccountId};
use http::{HeaderMap, header::CONTENT_TYPE, request::Parts};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to come.
const BODY_FOR: Duration = Duration::from_secs(5);
/// How much of a body that is too large is taken in all the same, in bytes.
const DRAINED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// For how long.
const DRAINED_FOR: Duration = Duration::from_secs(2);
/// The last page of a list that can be asked for: further ones would have the database count for nothing.
pub const PAGE_MAX: u32 = 10_000;

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        json_content(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

/// A command: its JSON body, and the key that makes asking twice do once.
#[derive(Debug)]
pub struct Asked<T> {
    /// What is asked.
    pub body: T,
    /// Under which key.
    pub key: Key,
}

/// The client's key of a command, with a digest of what was asked.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    key: Uuid,
    request_hash: [u8; 32],
}

impl Key {
    /// The command as `account` asks it: keys of different accounts never meet.
    #[must_use]
    pub fn ask(&self, account: AccountId, actor: Actor) -> Ask {
        Ask::new(Uuid::new_v5(&account.0, self.key.as_bytes()), actor, self.request_hash)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        json_content(&parts.headers)?;
        let body = parse(&bytes)?;
        Ok(Self { body, key: key(&parts, &bytes)? })
    }
}

/// A command that says all in its address.
#[derive(Debug)]
pub struct AskedBare(pub Key);

impl<S: Send + Sync> FromRequest<S> for AskedBare {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if !bytes.is_empty() {
            json_content(&parts.headers)?;
            let _: Nothing = parse(&bytes)?;
        }
        Ok(Self(key(&parts, &[])?))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn key(parts: &Parts, body: &[u8]) -> Answer<Key> {
    let missing = || {
        ApiError::new(Code::IdempotencyKeyMissing, "Send the header Idempotency-Key with a new UUID, and the same one when you ask again.")
    };
    let text = parts.headers.get(IDEMPOTENCY_KEY).ok_or_else(missing)?;
    let key = text.to_str().ok().and_then(|text| Uuid::try_parse(text).ok()).ok_or_else(missing)?;
    let path = parts.extensions.get::<axum::extract::OriginalUri>().map_or(parts.uri.path(), |uri| uri.0.path());
    Ok(Key { key, request_hash: digest(&[parts.method.as_str().as_bytes(), path.as_bytes(), body]) })
}

async fn read(headers: &HeaderMap, body: Body) -> Answer<Bytes> {
    let too_slow = |_| ApiError::new(Code::BodyTooSlow, format!("The body did not come within {} s. Send it again.", BODY_FOR.as_secs()));
    timeout(BODY_FOR, read_all(headers, body)).await.map_err(too_slow)?
}

async fn read_all(headers: &HeaderMap, mut body: Body) -> Answer<Bytes> {
    let too_large = || {
        ApiError::new(Code::BodyTooLarge, format!("The body is larger than {} KiB. Send less.", BODY_BYTES_MAX / 1024))
            .with(json!({ "max_bytes": BODY_BYTES_MAX }))
    };
    let announced = headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        drain(body).await;
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broke_off = |_| ApiError::new(Code::BadRequest, "The body broke off before its end. Send it again.");
        let Ok(data) = frame.map_err(broke_off)?.into_data() else { continue };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            drain(body).await;
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Takes in some more of a body that nobody wants: a connection closed on a client that is still sending loses our answer on its way.
async fn drain(mut body: Body) {
    let rest = async {
        let mut left = DRAINED_BYTES_MAX;
        while left > 0
            && let Some(Ok(frame)) = body.frame().await
        {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
    };
    // Too slow is as good as too much.
    let _ = timeout(DRAINED_FOR, rest).await;
}

fn json_content(headers: &HeaderMap) -> Answer<()> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(ApiError::new(Code::NotJson, "The body must be JSON: send the header Content-Type: application/json."))
    }
}

/// How a text says that it holds the one character which no database takes.
const NUL_ESCAPED: &[u8] = b"\\u0000";

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    if bytes.windows(NUL_ESCAPED.len()).any(|part| part == NUL_ESCAPED) {
        return Err(ApiError::new(Code::BadRequest, "The body holds a character that is no text (U+0000). Send it without."));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::new(Code::BadRequest, format!("The body cannot be read: {error}."))
            .with(json!({ "line": error.line(), "column": error.column() }))
    })
}

/// The query. A parameter without a value counts as absent, as HTML forms send them.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("%00") {
            return Err(ApiError::new(Code::BadRequest, "The query holds a character that is no text (%00). Send it without."));
        }
        let given: Vec<&str> = query.split('&').filter(|pair| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty())).collect();
        let bad = |error: &dyn std::fmt::Display| ApiError::new(Code::BadRequest, format!("The query cannot be read: {error}."));
        let uri: http::Uri = format!("/?{}", given.join("&")).parse().map_err(|error: http::uri::InvalidUri| bad(&error))?;
        match axum::extract::Query::try_from_uri(&uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(bad(&error.body_text().trim_start_matches("Failed to deserialize query string: "))),
        }
    }
}

/// Parts of the path, each with its form. What has not the form does not exist.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        if parts.uri.path().contains("%00") {
            return Err(ApiError::not_found());
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => match error.kind() {
                ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. } => {
                    Err(ApiError::internal(anyhow::anyhow!("{}", error.body_text())))
                }
                _ => Err(ApiError::not_found()),
            },
            Err(error) => Err(ApiError::internal(error)),
        }
    }
}

/// The path of a booking of a launch.
#[derive(Debug, serde::Deserialize)]
pub struct BookingOfLaunch {
    /// Slug or id.
    pub launch: String,
    /// The booking.
    pub booking: BookingId,
}

/// A read must not be older than this (`Astro-Position`).
#[derive(Debug)]
pub struct AtLeast(pub Option<StreamVersion>);

impl<S: Send + Sync> FromRequestParts<S> for AtLeast {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let Some(text) = parts.headers.get(POSITION) else { return Ok(Self(None)) };
        let version = text.to_str().ok().and_then(|text| text.parse().ok());
        match version {
            Some(version) => Ok(Self(Some(version))),
            None => Err(ApiError::new(Code::BadRequest, "The header Astro-Position must be as it was answered, such as launch/<id>@42.")),
        }
    }
}

/// Checks which part of a list is wanted; page 0 counts as 1.
pub fn page(page: u32, per_page: u32) -> Answer<(u32, u32)> {
    let mut fields = Fields::default();
    if !(1..=PER_PAGE_MAX).contains(&per_page) {
        fields.refuse("per_page", format!("must be 1 to {PER_PAGE_MAX}"));
    }
    if page > PAGE_MAX {
        fields.refuse("page", format!("must be 1 to {PAGE_MAX}; narrow the search instead"));
    }
    fields.check()?;
    Ok((page.max(1), per_page))
}
