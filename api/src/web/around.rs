//! What goes around every request: where it comes from, what it is called, how often it may come, how long it may take, and the one line
//! the log has of it.

use super::{
    address::{self, Address, is_trusted},
    cors, guard, headers,
    limits::{Class, Limits},
};
use crate::{
    app::App,
    asking::{self, Asking},
    audit::{Event, Kind, Trail},
    authority::{ACCESS_COOKIE, cookie},
    config::{Config, Network},
    core::token::Service,
    logs::ship::REQUESTS,
    problem::ApiError,
    tls::Identity,
};
use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use contract::{Code, REQUEST_ID};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use nats::Rush;
use std::{ops::Deref, panic::AssertUnwindSafe, sync::Arc, time::Instant};
use tokio::{sync::Semaphore, time::timeout};
use tower_http::{CompressionLevel, compression::CompressionLayer};
use uuid::Uuid;

/// The longest path with its query, in bytes.
const ADDRESS_BYTES_MAX: usize = 4 * 1024;
/// The longest query, in bytes.
const QUERY_BYTES_MAX: usize = 2 * 1024;
/// Headers of a request, at most.
pub(super) const HEADERS_MAX: usize = 64;
/// All of them together, in bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// See [`Around`].
#[derive(Debug)]
pub struct Shared {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted: Vec<Network>,
    /// Origins whose pages may call.
    pub origins: Vec<HeaderValue>,
    /// Whether people come over TLS only, whoever ends it.
    pub encrypted: bool,
    /// How often one may ask.
    pub limits: Limits,
    /// Room for requests at once.
    pub room: Semaphore,
    /// Those who wait for the answer to a command.
    rush: Rush,
    trail: Trail,
}

/// What the layers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Around(Arc<Shared>);

impl Deref for Around {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Around {
    /// As the configuration says.
    pub fn new(app: &App, config: &Config) -> Result<Self> {
        let origin = |origin: &String| {
            HeaderValue::from_str(origin)
                .with_context(|| format!("ASTRO_ALLOWED_ORIGINS: {origin:?} is not an origin such as https://host"))
        };
        Ok(Self(Arc::new(Shared {
            trusted: config.trusted_proxies.clone(),
            origins: config.allowed_origins.iter().map(origin).collect::<Result<_>>()?,
            encrypted: config.tls_ca.is_some() || config.public_url.as_ref().is_some_and(|url| url.starts_with("https://")),
            limits: app.limits.clone(),
            room: Semaphore::new(guard::REQUESTS_MAX),
            rush: app.feed.rush().clone(),
            trail: app.trail.clone(),
        })))
    }
}

/// `router` with everything that goes around it: one layer and compression, as each layer copies all that is inside it for each request.
pub fn dressed(router: Router, around: &Around) -> Router {
    let compressed = CompressionLayer::new().quality(CompressionLevel::Fastest);
    router.layer((middleware::from_fn_with_state(around.clone(), follow), compressed))
}

/// The service a path belongs to.
fn service_of(path: &str) -> Option<Service> {
    let rest = path.strip_prefix("/api/")?;
    Service::ALL.into_iter().find(|service| rest.split('/').next() == Some(service.as_str()))
}

/// A proxy that is trusted names the request; anyone else's name for it is not taken over.
fn named(headers: &HeaderMap, trusted: bool) -> Uuid {
    let given = headers.get(REQUEST_ID).filter(|_| trusted).and_then(|id| Uuid::try_parse(id.to_str().ok()?).ok());
    given.unwrap_or_else(Uuid::now_v7)
}

/// Names the request, answers it, and notes it: one line in the log, and an entry in the trail where a right or a limit was missing.
async fn follow(State(around): State<Around>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    // Not who only reads: pages may wait for views, which would give way to them.
    let _waiting = (!request.method().is_safe()).then(|| around.rush.wait());
    let peer = address::peer(request.extensions());
    // A service that passes a request on, with a certificate of ours, says for whom.
    let service = request.extensions().get::<Identity>().and(peer).map(Network::from);
    let trusted = service.as_ref().map_or(&*around.trusted, std::slice::from_ref);
    let from = Address::found(peer, request.headers(), trusted);
    let id = named(request.headers(), peer.is_some_and(|peer| is_trusted(peer, trusted)));
    request.extensions_mut().insert(from);
    let service = service_of(request.uri().path());
    if let Some(service) = service {
        request.extensions_mut().insert(service);
    }
    let asking = Arc::new(Asking::new(id, service.map(Service::as_str)));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let token = cookie(request.headers(), ACCESS_COOKIE).map(str::to_owned);
    let answering = async {
        let mut response = match measured(&request) {
            Ok(()) => within_limits(&around, &from, route.as_deref(), request, next).await,
            Err(refused) => refused.into_response(),
        };
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let shown = route.as_deref().unwrap_or(if service.is_some() { "no route" } else { "file" });
        let method = known(&method);
        if status >= 500 {
            tracing::warn!(target: REQUESTS, { http.method = method, http.route = shown, http.status = status, duration_ms }, "{method} {shown}: {status}");
        } else if route.is_none() && service.is_none() && status < 400 {
            // The files of a page: many, and all the same.
            tracing::debug!(target: REQUESTS, { http.method = method, http.route = shown, http.status = status, duration_ms }, "{method} {shown}: {status}");
        } else {
            tracing::info!(target: REQUESTS, { http.method = method, http.route = shown, http.status = status, duration_ms }, "{method} {shown}: {status}");
        }
        let code = response.extensions().get::<Code>().copied();
        if let Some(kind) = noteworthy(code, token.as_deref()) {
            let reason = format!("{method} {shown}");
            around.trail.note(Event::new(kind).account(asking.account()).address(&from).reason(reason)).await;
        }
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(HeaderName::from_static("request-id"), value);
        }
        headers::add(response.headers_mut());
        response
    };
    asking::within(asking.clone(), answering).await
}

/// Answers unless that is too much for us, too often for who asks, or takes too long.
async fn within_limits(around: &Around, from: &Address, route: Option<&str>, request: Request, next: Next) -> Response {
    let Ok(_permit) = around.room.try_acquire() else {
        return ApiError::new(Code::Unavailable, "Too many requests at once. Try again in a moment.").into_response();
    };
    let class = Class::of(request.method(), route, request.uri().query().is_some());
    if let Err(refused) = around.limits.address(class, from.network()) {
        return refused.into_response();
    }
    let time = guard::time_for(request.uri().path());
    match timeout(time, answer(around, request, next)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "This took too long. Whether it was done is not known: ask again with the same key, or look first.";
            ApiError::new(Code::Unavailable, message).because(anyhow::anyhow!("a request took longer than {time:?}")).into_response()
        }
    }
}

/// Answers who may call from where they are. A panic costs that answer and nothing else.
async fn answer(around: &Around, request: Request, next: Next) -> Response {
    let caller = cors::Caller::of(&request, &around.origins);
    let mut response = if caller.asks_first() {
        StatusCode::NO_CONTENT.into_response()
    } else if let Err(refused) = guard::same_origin(&request, &caller, around.encrypted) {
        refused.into_response()
    } else {
        AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(guard::panicked)
    };
    caller.tell(response.headers_mut());
    response
}

/// A method as the log names it: clients can make words up.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "OTHER",
    }
}

/// Whether a token says of itself that its time is over. Nothing else of it is believed.
fn is_only_old(token: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Until {
        exp: i64,
    }
    let until = jsonwebtoken::dangerous::insecure_decode::<Until>(token);
    until.is_ok_and(|token| token.claims.exp <= Timestamp::now().as_second())
}

/// What the trail has of an answer.
fn noteworthy(code: Option<Code>, token: Option<&str>) -> Option<Kind> {
    match code? {
        Code::Forbidden => Some(Kind::Denied),
        Code::ForeignOrigin => Some(Kind::ForeignOrigin),
        Code::TooManyRequests => Some(Kind::Limited),
        // A token that only ran out is how every page begins again.
        Code::SignInRequired => token.filter(|token| !is_only_old(token)).map(|_| Kind::Denied),
        _ => None,
    }
}

/// Fails when the address or the headers are larger than anyone needs.
fn measured(request: &Request) -> Result<(), ApiError> {
    let uri = request.uri();
    let query = uri.query().map_or(0, str::len);
    if query > QUERY_BYTES_MAX || uri.path().len() + query > ADDRESS_BYTES_MAX {
        return Err(ApiError::new(
            Code::AddressTooLong,
            format!("The address is longer than {ADDRESS_BYTES_MAX} bytes, or its query than {QUERY_BYTES_MAX}. Ask for less at once."),
        ));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(ApiError::new(
            Code::HeadersTooLarge,
            format!(
                "There are more than {HEADERS_MAX} headers, or more than {HEADER_BYTES_MAX} bytes of them. Delete this site's cookies and try again."
            ),
        ));
    }
    Ok(())
}
