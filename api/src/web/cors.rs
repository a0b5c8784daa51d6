//! Pages of other sites that may call: those named, exactly, and no others. Everyone else is kept out by the browser and by `guard`.

use axum::extract::Request;
use http::{
    HeaderMap, HeaderValue, Method,
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

/// Who calls, as far as that decides what their browser may do.
#[derive(Debug)]
pub struct Caller<'a> {
    /// Whether pages of any other site may call at all.
    any: bool,
    /// The other site whose page calls, where it may.
    allowed: Option<&'a HeaderValue>,
    preflight: bool,
}

impl<'a> Caller<'a> {
    /// Who sent this request, where pages of `origins` may call.
    #[must_use]
    pub fn of(request: &Request, origins: &'a [HeaderValue]) -> Self {
        let headers = request.headers();
        let allowed = headers.get(ORIGIN).and_then(|origin| origins.iter().find(|allowed| *allowed == origin));
        let preflight = *request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Self { any: !origins.is_empty(), allowed, preflight }
    }

    /// Whether it is a page of another site that may call.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.allowed.is_some()
    }

    /// Whether a browser asks, before it calls, what it may do.
    #[must_use]
    pub fn asks_first(&self) -> bool {
        self.is_allowed() && self.preflight
    }

    /// Tells the browser what the page may do.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if self.any {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if self.preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ASKED));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_SECONDS));
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(TOLD));
        }
    }
}
