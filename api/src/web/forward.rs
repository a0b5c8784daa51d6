//! Passes requests to the core service, for a service that runs without it: its pages sign people in under their own address. What a
//! request may do is decided there.

use super::address::Address;
use crate::{
    problem::{Answer, ApiError},
    tls::{self, Tls},
};
use anyhow::{Context, Result, anyhow, ensure};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use contract::Code;
use http::{HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long connecting to the core service may take.
const CONNECT_FOR: Duration = Duration::from_secs(2);
/// How long an answer to a look may take.
const LOOK_FOR: Duration = Duration::from_secs(5);
/// How much of it is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long a connection is kept for the next request.
const IDLE_FOR: Duration = Duration::from_secs(8);
/// How many are kept.
const IDLE_MAX: usize = 32;
/// Requests passed on at once: each is a connection, of which the core service takes 256 from one address.
const FORWARDED_MAX: usize = 200;
/// Who asked, as the core service believes it from a service.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Headers that are between two neighbours.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The core service, elsewhere. Cheap to clone.
#[derive(Debug, Clone)]
struct Core {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    scheme: http::uri::Scheme,
    authority: http::uri::Authority,
    room: Arc<Semaphore>,
}

/// Everything under `/api/core`, passed on to the service at `core_url`, over TLS with the certificate of this process where there is one.
pub fn router(core_url: &str, tls: Option<&Tls>) -> Result<Router> {
    let parts = core_url.parse::<Uri>().ok().map(Uri::into_parts);
    let (scheme, authority) = parts
        .and_then(|parts| Some((parts.scheme?, parts.authority?)))
        .context("ASTRO_CORE_URL is not an address such as https://core.internal:8443")?;
    let encrypted = scheme == http::uri::Scheme::HTTPS;
    ensure!(encrypted || tls.is_none(), "ASTRO_CORE_URL: with ASTRO_TLS_CA only https:// will do");
    ensure!(encrypted || tls::stays_here(authority.host()), "ASTRO_CORE_URL: {} is not this machine: say https://", authority.host());
    let client = client(tls)?;
    let core = Core { client, scheme, authority, room: Arc::new(Semaphore::new(FORWARDED_MAX)) };
    Ok(Router::new().route("/api/core", any(pass_on)).route("/api/core/{*path}", any(pass_on)).with_state(core))
}

fn client(tls: Option<&Tls>) -> Result<Client<HttpsConnector<HttpConnector>, Body>> {
    let config = match tls {
        Some(tls) => tls.client(),
        None => tls::public()?,
    };
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_FOR));
    connector.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_FOR)
        .pool_max_idle_per_host(IDLE_MAX)
        .build(connector))
}

/// The status that a GET of `url` is answered with, and what is said.
pub async fn answer_of(url: &str, tls: Option<&Tls>) -> Result<(StatusCode, String)> {
    let url: Uri = url.parse().context("not an address such as https://localhost:8443/ready")?;
    let client = client(tls)?;
    let look = async {
        let answer = client.get(url).await.context("ask")?;
        let status = answer.status();
        let said =
            Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| anyhow!("read the answer: {error}"))?;
        Ok((status, String::from_utf8_lossy(&said.to_bytes()).into_owned()))
    };
    tokio::time::timeout(LOOK_FOR, look).await.context("no answer in time")?
}

async fn pass_on(State(core): State<Core>, address: Address, mut request: Request) -> Answer<Response> {
    let Ok(_room) = core.room.try_acquire() else {
        return Err(ApiError::new(Code::Unavailable, "Too many requests at once. Try again in a moment."));
    };
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    // The host that people know stays in its header: the core service compares it with where a page comes from.
    let elsewhere = Uri::builder().scheme(core.scheme).authority(core.authority.clone()).path_and_query(path).build();
    *request.uri_mut() = elsewhere.map_err(|error| ApiError::internal(anyhow::Error::new(error)))?;
    *request.version_mut() = http::Version::HTTP_11;
    let headers = request.headers_mut();
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers.remove(FORWARDED_FOR);
    if let Ok(from) = HeaderValue::from_str(&address.to_string())
        && !from.is_empty()
    {
        headers.insert(FORWARDED_FOR, from);
    }
    match core.client.request(request).await {
        Ok(mut response) => {
            for name in OF_THE_CONNECTION {
                response.headers_mut().remove(name);
            }
            Ok(response.map(Body::new))
        }
        Err(error) => {
            let message = "Accounts cannot be reached just now. Try again in a moment.";
            Err(ApiError::new(Code::Unavailable, message).because(anyhow::Error::new(error).context("pass a request on to ASTRO_CORE_URL")))
        }
    }
}
