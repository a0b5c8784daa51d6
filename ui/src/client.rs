//! The one typed client: `contract` types in and out, every failure a [`Problem`] that can be shown as it is.
//! In the browser it fetches; on the server it asks the same routes in process. What the calls mean is left to [`contract`].

mod calls;
#[cfg(all(feature = "server", not(feature = "web")))]
#[path = "client/in_process.rs"]
mod transport;
#[cfg(feature = "web")]
#[path = "client/fetch.rs"]
mod transport;
#[cfg(not(any(feature = "web", feature = "server")))]
#[path = "client/nowhere.rs"]
mod transport;

pub use calls::*;
#[cfg(feature = "server")]
pub use transport::InProcess;

use contract::{Code, Problem};
use dioxus::prelude::{ReadableExt as _, Signal, WritableExt as _, use_signal};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::RefCell,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
};
use uuid::Uuid;

/// What a call comes back with.
pub type Answer<T> = Result<T, Problem>;

/// How often a read is repeated while the view is older than the last command.
const FRESH_TRIES_MAX: u32 = 6;
/// Between those, in milliseconds.
const FRESH_PAUSE_MS: u32 = 400;

thread_local! {
    /// `Astro-Position` of the last command: reads must not be older.
    static POSITION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[cfg(feature = "server")]
impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, as each transport sends it.
#[cfg_attr(not(any(feature = "web", feature = "server")), allow(dead_code))]
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
    pub(crate) key: Option<Uuid>,
    pub(crate) position: Option<String>,
}

/// An answer, as each transport brings it.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) position: Option<String>,
}

/// What one person wants once: the key under which a command is asked, kept while asking again after a network failure, and
/// changed as soon as the answer is known or something else is asked.
#[derive(Clone, Copy, PartialEq)]
pub struct Intent(Signal<Option<(u64, Uuid)>>);

/// One [`Intent`] of a component.
#[must_use]
pub fn use_intent() -> Intent {
    Intent(use_signal(|| None))
}

impl Intent {
    fn key(self, ask: &str) -> Uuid {
        let mut hasher = DefaultHasher::new();
        ask.hash(&mut hasher);
        let hash = hasher.finish();
        let Self(mut kept) = self;
        if let Some((known, key)) = *kept.peek()
            && known == hash
        {
            return key;
        }
        let key = Uuid::new_v4();
        kept.set(Some((hash, key)));
        key
    }
    fn settle(self) {
        let Self(mut kept) = self;
        kept.set(None);
    }
}

/// Where the last command stands, if there was one lately.
fn last_position() -> Option<String> {
    POSITION.with_borrow(Clone::clone).or_else(crate::browser::last_position)
}

/// Reads.
pub(crate) async fn get<T: DeserializeOwned>(path: String) -> Answer<T> {
    let position = last_position();
    call(Ask { method: Method::Get, path, body: None, key: None, position }).await.and_then(|reply| parse(&reply))
}

/// Reads with a query.
pub(crate) async fn get_with<T: DeserializeOwned>(path: &str, query: &impl Serialize) -> Answer<T> {
    let query = serde_urlencoded::to_string(query).map_err(|error| broken(&error.to_string()))?;
    get(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }).await
}

/// Asks without a key: signing in and out, checking.
pub(crate) async fn send<T: DeserializeOwned>(method: Method, path: String, body: Option<&impl Serialize>) -> Answer<T> {
    let body = body.map(serde_json::to_string).transpose().map_err(|error| broken(&error.to_string()))?;
    call(Ask { method, path, body, key: None, position: None }).await.and_then(|reply| parse(&reply))
}

/// Commands, once per intent.
pub(crate) async fn command<T: DeserializeOwned>(intent: Intent, method: Method, path: String, body: &impl Serialize) -> Answer<T> {
    let body = serde_json::to_string(body).map_err(|error| broken(&error.to_string()))?;
    let key = intent.key(&format!("{path} {body}"));
    let answer = call(Ask { method, path, body: Some(body), key: Some(key), position: None }).await;
    if !matches!(&answer, Err(problem) if problem.code == Code::Unavailable) {
        intent.settle(); // what is unknown is asked again under the same key
    }
    let reply = answer?;
    if let Some(position) = &reply.position {
        POSITION.set(Some(position.clone()));
        crate::browser::keep_position(position);
    }
    parse(&reply)
}

/// Repeats a read, a few times, while `stale` says that it does not show the last command yet, or what that made is not there yet. The server
/// reads once: a page that is late is worth less than one that says so.
pub async fn fresh<T, F: Future<Output = Answer<T>>>(read: impl Fn() -> F, stale: impl Fn(&T) -> bool) -> Answer<T> {
    let mut answer = read().await;
    for _ in 0..FRESH_TRIES_MAX {
        let again = match &answer {
            Ok(read) => stale(read),
            Err(problem) => problem.code == Code::NotShownYet,
        };
        if !again || cfg!(feature = "server") || last_position().is_none() {
            break;
        }
        crate::browser::sleep(FRESH_PAUSE_MS).await;
        answer = read().await;
    }
    answer
}

async fn call(ask: Ask) -> Answer<Reply> {
    let reply = checked(transport::send(&ask).await?);
    match reply {
        Err(problem) if problem.code == Code::SignInRequired && transport::refresh().await => checked(transport::send(&ask).await?),
        other => other,
    }
}

fn checked(reply: Reply) -> Answer<Reply> {
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    Err(serde_json::from_str(&reply.body).unwrap_or_else(|_| problem_of_status(reply.status)))
}

fn parse<T: DeserializeOwned>(reply: &Reply) -> Answer<T> {
    let body = if reply.body.is_empty() { "null" } else { &reply.body };
    serde_json::from_str(body).map_err(|error| broken(&error.to_string()))
}

/// An answer that came from something before our services, such as a proxy.
fn problem_of_status(status: u16) -> Problem {
    let (code, message) = match status {
        401 => (Code::SignInRequired, "Please sign in.".to_owned()),
        404 => (Code::NotFound, "There is nothing here.".to_owned()),
        429 => (Code::TooManyRequests, "Too many requests at once. Wait a moment, then try again.".to_owned()),
        502..=504 => (Code::Unavailable, "Astro Bookings is busy or restarting. Try again in a moment; nothing is lost.".to_owned()),
        other => (Code::Internal, format!("Something broke on our side (status {other}). Try again in a moment.")),
    };
    Problem { code, message, details: serde_json::Value::Null }
}

/// No answer at all.
#[cfg_attr(not(any(feature = "web", feature = "server")), allow(dead_code))]
pub(crate) fn unreachable_problem() -> Problem {
    Problem {
        code: Code::Unavailable,
        message: "Astro Bookings cannot be reached. Check the connection, then try again: asking twice does not book twice.".to_owned(),
        details: serde_json::Value::Null,
    }
}

fn broken(why: &str) -> Problem {
    Problem {
        code: Code::Internal,
        message: format!("The answer could not be read ({why}). Reload the page; it may be older than the service."),
        details: serde_json::Value::Null,
    }
}

/// The errors beside fields that a [`Code::BadRequest`] names, as `(field, sentence)`.
#[must_use]
pub fn field_errors(problem: &Problem) -> Vec<(String, String)> {
    match problem.details.get("fields") {
        Some(serde_json::Value::Object(fields)) => {
            fields.iter().map(|(field, why)| (field.clone(), why.as_str().map_or_else(|| why.to_string(), str::to_owned))).collect()
        }
        Some(serde_json::Value::Array(fields)) => fields
            .iter()
            .filter_map(|entry| {
                let text = |name: &str| entry.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
                Some((text("field")?, text("message").or_else(|| text("why"))?))
            })
            .collect(),
        _ => Vec::new(),
    }
}
