//! How long a request may take and how many there may be, what is said where one panics, and the check that a command comes from our own
//! pages. Sizes of bodies are `extract`'s.

use super::cors::Caller;
use crate::problem::ApiError;
use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use contract::Code;
use http::{HeaderMap, Method, header};
use std::{any::Any, time::Duration};

/// How long a request may take.
pub const REQUEST_FOR: Duration = Duration::from_secs(10);
/// How long checking the whole log may take.
pub const VERIFY_FOR: Duration = Duration::from_secs(600);
/// Its path.
const VERIFY: &str = "/api/core/audit/verify";
/// Requests served at once; more are told to come back.
pub const REQUESTS_MAX: usize = 2_048;

/// How long a request to this path may take.
#[must_use]
pub fn time_for(path: &str) -> Duration {
    if path == VERIFY { VERIFY_FOR } else { REQUEST_FOR }
}

/// Refuses requests that change something and come from another site's page; where all is `encrypted`, from one that was not, too.
pub fn same_origin(request: &Request, caller: &Caller<'_>, encrypted: bool) -> Result<(), ApiError> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_own(request.headers(), encrypted) || caller.is_allowed() {
        return Ok(());
    }
    Err(ApiError::new(Code::ForeignOrigin, "This request comes from another site's page. Open our own page and try again."))
}

/// Where all is `encrypted`, a page that was not is nobody's.
fn is_own(headers: &HeaderMap, encrypted: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(origin) = text("origin") {
        let host = text(header::HOST.as_str()).unwrap_or_default();
        return origin
            .split_once("://")
            .is_some_and(|(scheme, origin)| !host.is_empty() && origin.eq_ignore_ascii_case(host) && (scheme == "https" || !encrypted));
    }
    text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"))
}

/// Answers where a handler panicked. What it said is in the log only.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
    ApiError::internal(anyhow::anyhow!("a handler panicked: {said}")).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn own(pairs: &[(&'static str, &str)]) -> bool {
        is_own(&headers(pairs), false)
    }
    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        assert!(own(&[("host", "astro.example"), ("origin", "https://astro.example")]));
        assert!(!own(&[("host", "astro.example"), ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!own(&[("host", "astro.example"), ("origin", "null")]));
        assert!(!own(&[("host", "astro.example"), ("sec-fetch-site", "cross-site")]));
        assert!(!own(&[("host", "astro.example"), ("sec-fetch-site", "same-site")]));
        assert!(own(&[("host", "astro.example"), ("sec-fetch-site", "same-origin")]));
        assert!(own(&[("host", "astro.example")]), "programs send neither");
        assert!(own(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")]));
        let unencrypted = headers(&[("host", "astro.example"), ("origin", "http://astro.example")]);
        assert!(!is_own(&unencrypted, true), "anyone on the way can make such a page");
    }
}
