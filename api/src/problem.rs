//! The one error of the services and how it is answered. Which refusal becomes which code is left to `refusal`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use commands::{StoreError, StreamVersion};
use contract::{Code, POSITION, Problem};
use http::{HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};
use projections::{rebuild::RebuildFault, store::StoreFault};
use serde_json::{Map, Value, json};
use std::{fmt::Display, time::Duration};

/// When to ask again where nobody knows better.
pub const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// Anything but success.
#[derive(Debug)]
pub struct ApiError(Box<Told>);

#[derive(Debug)]
struct Told {
    problem: Problem,
    retry_after: Option<Duration>,
    cause: Option<anyhow::Error>,
    at: Option<StreamVersion>,
}

/// What a handler answers.
pub type Answer<T> = Result<T, ApiError>;

impl ApiError {
    /// A problem told in a sentence that says what to do.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let retry_after = matches!(code, Code::Unavailable | Code::TooManyRequests).then_some(RETRY_AFTER_DEFAULT);
        let problem = Problem { code, message: message.into(), details: Value::Null };
        Self(Box::new(Told { problem, retry_after, cause: None, at: None }))
    }
    /// The same with details, whose shape follows from the code.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.0.problem.details = details;
        self
    }
    /// The same with the time after which asking again makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }
    /// The same with what lies behind it: logged once, never answered.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same for a command that failed and yet recorded something: reads must not be older.
    #[must_use]
    pub fn at(mut self, at: &StreamVersion) -> Self {
        self.0.at = Some(at.clone());
        self
    }

    /// There is no such thing, or it is another's: the two answer alike.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is no such thing here. Check the address, or go back to the list.")
    }
    /// One field of a form that cannot be accepted.
    #[must_use]
    pub fn field(name: &str, why: impl Display) -> Self {
        let mut fields = Fields::default();
        fields.refuse(name, why);
        fields.into_error()
    }
    /// Something broke here.
    #[must_use]
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Code::Internal, "Something broke on our side. Try again; if it happens again, tell us what you did.").because(cause)
    }
    /// A server behind is down or busy.
    #[must_use]
    pub fn unavailable(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Code::Unavailable, "This cannot be answered right now. Try again in a moment.").because(cause)
    }

    /// What it says to people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.problem.message
    }

    /// The code it is answered with.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.problem.code
    }
}

/// Fields of a form that cannot be accepted, all at once.
#[derive(Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Notes what is wrong with a field.
    pub fn refuse(&mut self, name: &str, why: impl Display) {
        self.0.entry(name.to_owned()).or_insert_with(|| Value::String(why.to_string()));
    }
    /// The value, or a note of what is wrong with the field.
    pub fn take<T, E: Display>(&mut self, name: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|why| self.refuse(name, why)).ok()
    }
    /// Whether every field was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Fails when any field was refused.
    pub fn check(self) -> Answer<()> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }
    /// The refused fields, as details of a problem.
    #[must_use]
    pub fn details(self) -> Value {
        json!({ "fields": self.0 })
    }
    /// The error that names every refused field.
    #[must_use]
    pub fn into_error(self) -> ApiError {
        let named: Vec<String> = self.0.iter().map(|(name, why)| format!("{name} {}", why.as_str().unwrap_or_default())).collect();
        ApiError::new(Code::BadRequest, format!("Please correct: {}.", named.join("; "))).with(json!({ "fields": self.0 }))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(cause) = &self.0.cause {
            if status == StatusCode::INTERNAL_SERVER_ERROR {
                tracing::error!("A request failed: {cause:#}");
            } else {
                tracing::warn!("A request could not be served: {cause:#}");
            }
        }
        let mut response = (status, Json(&self.0.problem)).into_response();
        // For those who note what was denied.
        response.extensions_mut().insert(self.0.problem.code);
        if let Some(after) = self.0.retry_after {
            let seconds = after.as_millis().div_ceil(1000).max(1);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_str(&seconds.to_string()).unwrap_or(HeaderValue::from_static("1")));
        }
        if let Some(at) = &self.0.at
            && let (Ok(name), Ok(value)) = (HeaderName::try_from(POSITION), HeaderValue::from_str(&at.to_string()))
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(_) | StoreError::Busy => Self::unavailable(error),
            _ => Self::internal(error),
        }
    }
}
impl From<nats::FeedError> for ApiError {
    fn from(error: nats::FeedError) -> Self {
        Self::unavailable(error)
    }
}
impl From<projections::ReadFault> for ApiError {
    fn from(error: projections::ReadFault) -> Self {
        match error {
            projections::ReadFault::Store(StoreFault::Unreadable { .. } | StoreFault::Unstorable(_) | StoreFault::Missing(_)) => {
                Self::internal(error)
            }
            _ => Self::unavailable(error),
        }
    }
}
impl From<RebuildFault> for ApiError {
    fn from(fault: RebuildFault) -> Self {
        match fault {
            RebuildFault::Busy => Self::new(Code::RebuildGoingOn, "This view is being rebuilt already. Look again when that is done."),
            RebuildFault::NothingBefore => {
                Self::new(Code::NothingToGoBackTo, "No version before this one is kept. Rebuild the view instead.")
            }
            RebuildFault::Poison { .. } => Self::new(Code::Refused, format!("That version cannot go on: {fault}. Mend the fold first.")),
            RebuildFault::Store(fault) => projections::ReadFault::from(fault).into(),
            RebuildFault::Feed(fault) => fault.into(),
            RebuildFault::Stopped => Self::unavailable(fault),
        }
    }
}
impl From<mongodb::error::Error> for ApiError {
    fn from(error: mongodb::error::Error) -> Self {
        Self::unavailable(error)
    }
}
impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self::unavailable(error)
    }
}
