//! Pages of other sites that may call: those named, exactly, and no others. Everyone else is kept out by the browser and by `guard`.

use super::around::Around;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

const METHODS: &str = "GET, POST, PUT, DELETE";
const ASKED: &str = "content-type, idempotency-key, astro-position";
const TOLD: &str = "astro-position, astro-stale, request-id, retry-after";
/// How long a browser may remember the answer, in seconds.
const REMEMBERED_SECONDS: &str = "600";

/// The origin of a request, where it is one that may call.
#[must_use]
pub fn allowed<'a>(headers: &HeaderMap, origins: &'a [HeaderValue]) -> Option<&'a HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins.iter().find(|allowed| *allowed == origin)
}

/// Tells browsers what pages of the named origins may do.
pub async fn answer(State(around): State<Around>, request: Request, next: Next) -> Response {
    if around.origins.is_empty() {
        return next.run(request).await;
    }
    let origin = allowed(request.headers(), &around.origins).cloned();
    let preflight = *request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &origin {
        Some(_) if preflight => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ASKED));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_SECONDS));
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(TOLD));
        }
    }
    response
}
