//! Fetches, in the browser. Signing in again is one request at a time, however many reads found the session old.

use super::{Answer, Ask, Method, Reply, unreachable_problem};
use contract::{IDEMPOTENCY_KEY, POSITION};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared, select},
};
use gloo_net::http::RequestBuilder;
use std::cell::RefCell;

/// How long one request may take, in milliseconds.
const ANSWER_MS_MAX: u32 = 20_000;

thread_local! {
    static REFRESHING: RefCell<Option<Shared<LocalBoxFuture<'static, bool>>>> = const { RefCell::new(None) };
}

pub(super) async fn send(ask: &Ask) -> Answer<Reply> {
    let answer = std::pin::pin!(fetch(ask));
    let late = std::pin::pin!(gloo_timers::future::TimeoutFuture::new(ANSWER_MS_MAX));
    match select(answer, late).await {
        futures_util::future::Either::Left((reply, _)) => reply.map_err(|_| unreachable_problem()),
        futures_util::future::Either::Right(_) => Err(unreachable_problem()),
    }
}

async fn fetch(ask: &Ask) -> Result<Reply, gloo_net::Error> {
    let method = match ask.method {
        Method::Get => gloo_net::http::Method::GET,
        Method::Post => gloo_net::http::Method::POST,
        Method::Put => gloo_net::http::Method::PUT,
        Method::Delete => gloo_net::http::Method::DELETE,
    };
    let mut request = RequestBuilder::new(&ask.path).method(method).header("accept", "application/json");
    if let Some(key) = &ask.key {
        request = request.header(IDEMPOTENCY_KEY, &key.to_string());
    }
    if let Some(position) = &ask.position {
        request = request.header(POSITION, position);
    }
    let request = match &ask.body {
        Some(body) => request.header("content-type", "application/json").body(body.clone())?,
        None => request.build()?,
    };
    let response = request.send().await?;
    let position = response.headers().get(POSITION);
    Ok(Reply { status: response.status(), position, body: response.text().await? })
}

/// Exchanges the session's long-lived cookie for a new short-lived one; whether that worked.
pub(super) async fn refresh() -> bool {
    let refreshing = REFRESHING.with_borrow_mut(|slot| {
        slot.get_or_insert_with(|| {
            async {
                let ask = Ask { method: Method::Post, path: "/api/core/session/refresh".to_owned(), body: None, key: None, position: None };
                let done = matches!(send(&ask).await, Ok(reply) if reply.status < 300);
                REFRESHING.set(None);
                done
            }
            .boxed_local()
            .shared()
        })
        .clone()
    });
    refreshing.await
}
