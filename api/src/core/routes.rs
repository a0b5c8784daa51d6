//! `/api/core`: signing up, in and out; and what operators and auditors see of the system.

use super::{
    account::{Account, new_id},
    history, observe,
    password::{self, Checked},
    projections,
    session::{Issued, RefreshError},
    token::{ACCESS_FOR, Bearer},
};
use crate::{
    answer::{Read, read},
    app::App,
    authority::{ACCESS_COOKIE, Auditor, Operator, REFRESH_COOKIE, SignedIn, cookie},
    extract::{AtLeast, Json, Path, Query},
    listing::listing,
    problem::{Answer, ApiError, Fields},
};
use axum::{
    Json as Body,
    extract::{ConnectInfo, FromRequestParts, State},
    response::{AppendHeaders, IntoResponse},
};
use commands::{Ask, ask::digest};
use contract::{
    Code, Email, Line, Listing, Page, Problem,
    account::{Me, Role, SignIn, SignUp},
    operations::{BadPosition, Mail, Notification, StreamEvent, StreamHit, StreamState, Verification},
};
use domain::{Actor, customer, id::CustomerId};
use http::{HeaderMap, HeaderName, StatusCode, header::SET_COOKIE, request::Parts};
use std::{net::SocketAddr, time::Instant};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(sign_in, session, sign_out))
        .routes(routes!(refresh))
        .routes(routes!(notifications))
        .routes(routes!(retry))
        .routes(routes!(discard))
        .routes(routes!(streams))
        .routes(routes!(stream_events))
        .routes(routes!(stream_state))
        .routes(routes!(verify))
        .routes(routes!(mailbox))
        .merge(observe::router())
        .merge(projections::router())
}

type Cookies = AppendHeaders<[(HeaderName, String); 2]>;

fn set(name: &str, value: &str, seconds: i64) -> (HeaderName, String) {
    (SET_COOKIE, format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"))
}

fn cleared() -> Cookies {
    AppendHeaders([set(ACCESS_COOKIE, "", 0), set(REFRESH_COOKIE, "", 0)])
}

impl App {
    fn cookies(&self, account: &Account, issued: &Issued) -> Answer<Cookies> {
        let now = self.clock.now();
        let bearer = Bearer { account: account.id(), role: account.role, supplier: account.supplier(), session: issued.session };
        let access = self.tokens.sign(bearer, now).map_err(ApiError::internal)?;
        let left = issued.expires_at.duration_since(now).as_secs();
        Ok(AppendHeaders([
            set(ACCESS_COOKIE, &access, ACCESS_FOR.as_secs().cast_signed().min(left)),
            set(REFRESH_COOKIE, &issued.refresh, left),
        ]))
    }

    async fn me(&self, account: &Account) -> Answer<Me> {
        let customer = account.customer();
        let vip = match customer {
            Some(id) => self.executor.load::<customer::Customer>(&id).await?.state.is_vip(),
            None => false,
        };
        Ok(Me {
            account: account.id(),
            name: account.name.to_string(),
            email: account.email.to_string(),
            role: account.role,
            customer,
            supplier: account.supplier(),
            vip,
            enrolling: false,
            second_factor: false,
            recovery_codes: 0,
        })
    }
}

/// Where a request comes from; unknown for one that was made in this process.
struct Address(String);

impl FromRequestParts<App> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map(|ConnectInfo(peer)| peer.ip().to_string()).unwrap_or_default()))
    }
}

/// Open a customer account and sign in.
#[utoipa::path(post, path = "/accounts", tag = "accounts", request_body = SignUp,
    responses((status = 201, body = Me, description = "Signed in: both cookies are set"), (status = 409, body = Problem, description = "email_taken")))]
async fn sign_up(State(app): State<App>, Json(form): Json<SignUp>) -> Answer<impl IntoResponse> {
    let mut fields = Fields::default();
    let name = fields.take("name", Line::new(&form.name));
    let email = fields.take("email", Email::new(&form.email));
    if let Some(why) = password::refused(&form.password, &form.email) {
        fields.refuse("password", why);
    }
    let (Some(name), Some(email), true) = (name, email, fields.is_empty()) else { return Err(fields.into_error()) };
    let hash = app.passwords.hash(&form.password).await?;
    let now = app.clock.now();
    let account = Account::new(new_id(), name, email, hash, Role::Customer, None, now);
    let customer = CustomerId(account.id().0);
    let ask = Ask::new(customer.0, Actor::Customer(customer), digest(&[b"sign up", customer.0.as_bytes()]));
    // First the record, then the account: a customer without a record could sign in and not book.
    if app.accounts.by_email(&account.email).await?.is_none() {
        app.executor.execute::<customer::Customer>(&customer, customer::Command::Register { now }, &ask).await?;
    }
    app.accounts.add(&account).await?;
    let issued = app.sessions.start(account.id(), account.role, now).await?;
    Ok((StatusCode::CREATED, app.cookies(&account, &issued)?, Body(app.me(&account).await?)))
}

/// Sign in.
#[utoipa::path(post, path = "/session", tag = "accounts", request_body = SignIn,
    responses((status = 200, body = Me, description = "Signed in: both cookies are set"),
        (status = 401, body = Problem, description = "wrong_credentials"), (status = 429, body = Problem, description = "too_many_requests")))]
async fn sign_in(State(app): State<App>, Address(address): Address, Json(form): Json<SignIn>) -> Answer<impl IntoResponse> {
    let wrong = || ApiError::new(Code::WrongCredentials, "The e-mail or the password is wrong. Check both and try again.");
    let now = app.clock.now();
    let email = Email::new(&form.email).ok();
    let named = email.as_ref().map_or_else(|| form.email.clone(), Email::normalised);
    let attempt = digest(&[named.as_bytes(), address.as_bytes()]);
    app.throttle.check(&attempt, now)?;
    let account = match &email {
        Some(email) => app.accounts.by_email(email).await?,
        None => None,
    };
    let checked = app.passwords.check(&form.password, account.as_ref().map(|account| account.password.as_str())).await?;
    let Some(account) = account.filter(|_| checked != Checked::Wrong) else {
        app.throttle.failed(attempt, now);
        tracing::info!("A sign-in failed");
        return Err(wrong());
    };
    app.throttle.succeeded(&attempt);
    if checked == Checked::RightButOld {
        app.accounts.rehash(account.id(), &app.passwords.hash(&form.password).await?).await?;
    }
    let issued = app.sessions.start(account.id(), account.role, now).await?;
    tracing::info!(account.id = %account.id(), role = ?account.role, "Account {} signed in", account.id());
    Ok((app.cookies(&account, &issued)?, Body(app.me(&account).await?)))
}

/// Who is signed in.
#[utoipa::path(get, path = "/session", tag = "accounts", security(("session" = [])), responses((status = 200, body = Me)))]
async fn session(State(app): State<App>, SignedIn(claims): SignedIn) -> Answer<Body<Me>> {
    let account = app.accounts.by_id(claims.sub).await?.ok_or_else(|| ApiError::new(Code::SignInRequired, "Sign in to do this."))?;
    Ok(Body(app.me(&account).await?))
}

/// Sign out: the session ends everywhere.
#[utoipa::path(delete, path = "/session", tag = "accounts", responses((status = 204, description = "Signed out, also when nobody was signed in")))]
async fn sign_out(State(app): State<App>, headers: HeaderMap, signed_in: Result<SignedIn, ApiError>) -> Answer<impl IntoResponse> {
    let now = app.clock.now();
    let session = match (signed_in, cookie(&headers, REFRESH_COOKIE)) {
        (Ok(SignedIn(claims)), _) => Some(claims.sid),
        (Err(_), Some(token)) => app.sessions.of_token(token).await?,
        (Err(_), None) => None,
    };
    if let Some(session) = session {
        app.sessions.end(session, now).await?;
    }
    Ok((StatusCode::NO_CONTENT, cleared()))
}

/// Continue a session: the refresh token is spent and the next one set.
#[utoipa::path(post, path = "/session/refresh", tag = "accounts",
    responses((status = 204, description = "Both cookies are set anew"), (status = 401, body = Problem, description = "sign_in_required")))]
async fn refresh(State(app): State<App>, headers: HeaderMap) -> Answer<impl IntoResponse> {
    let over = || ApiError::new(Code::SignInRequired, "The session is over. Sign in again.");
    let token = cookie(&headers, REFRESH_COOKIE).ok_or_else(over)?;
    let issued = match app.sessions.refresh(token, app.clock.now()).await {
        Ok(issued) => issued,
        Err(RefreshError::Store(error)) => return Err(error.into()),
        Err(RefreshError::Reused) => {
            tracing::warn!("A refresh token was used twice; its session is ended");
            return Err(over());
        }
        Err(RefreshError::Over) => return Err(over()),
    };
    let account = app.accounts.by_id(issued.account).await?.ok_or_else(over)?;
    Ok((StatusCode::NO_CONTENT, app.cookies(&account, &issued)?))
}

fn checked(wanted: Listing) -> Answer<Listing> {
    listing(wanted.page, wanted.per_page, wanted.search)
}

/// Notifications, newest first.
#[utoipa::path(get, path = "/notifications", tag = "operations", params(Listing), security(("session" = ["operator"])),
    responses((status = 200, body = Page<Notification>)))]
async fn notifications(State(app): State<App>, _: Operator, Query(wanted): Query<Listing>) -> Answer<Body<Page<Notification>>> {
    Ok(Body(app.notifications.page(&checked(wanted)?).await?))
}

/// Send a notification again.
#[utoipa::path(post, path = "/notifications/{id}/retry", tag = "operations", params(("id" = String, Path)), security(("session" = ["operator"])),
    responses((status = 204, description = "It is sent again shortly")))]
async fn retry(State(app): State<App>, operator: Operator, Path(id): Path<String>) -> Answer<StatusCode> {
    let found = app.notifications.retry(&id, app.clock.now()).await?;
    tracing::info!(account.id = %operator.account, "Operator {} retries a notification", operator.account);
    found.then_some(StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

/// Give a notification up.
#[utoipa::path(post, path = "/notifications/{id}/discard", tag = "operations", params(("id" = String, Path)), security(("session" = ["operator"])),
    responses((status = 204, description = "It is not sent any more")))]
async fn discard(State(app): State<App>, operator: Operator, Path(id): Path<String>) -> Answer<StatusCode> {
    let found = app.notifications.discard(&id).await?;
    tracing::info!(account.id = %operator.account, "Operator {} discards a notification", operator.account);
    found.then_some(StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[derive(Default)]
struct StreamSearch {
    /// Words of a launch, or an id
    search: String,
}

/// Streams by what people know of them.
#[utoipa::path(get, path = "/streams", tag = "audit", params(StreamSearch), security(("session" = ["auditor"])),
    responses((status = 200, body = Vec<StreamHit>)))]
async fn streams(
    State(app): State<App>,
    _: Auditor,
    AtLeast(at_least): AtLeast,
    Query(query): Query<StreamSearch>,
) -> Answer<Read<Vec<StreamHit>>> {
    let stale = app.operations_are_stale(at_least.as_ref()).await;
    Ok(read(stale, history::find(&app, query.search.trim()).await?))
}

/// The events of a stream, oldest first.
#[utoipa::path(get, path = "/streams/{stream_type}/{id}/events", tag = "audit", params(("stream_type" = String, Path), ("id" = String, Path), Listing),
    security(("session" = ["auditor"])), responses((status = 200, body = Page<StreamEvent>)))]
async fn stream_events(
    State(app): State<App>,
    _: Auditor,
    AtLeast(at_least): AtLeast,
    Path((stream_type, id)): Path<(String, String)>,
    Query(wanted): Query<Listing>,
) -> Answer<Read<Page<StreamEvent>>> {
    let wanted = checked(wanted)?;
    let stale = app.log_is_stale(at_least.as_ref()).await;
    let mut page = history::events(&app.pool, &stream_type, &id, &wanted).await?;
    page.stale = stale;
    Ok(read(stale, page))
}

#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AsOf {
    /// After the event at this position
    position: Option<u64>,
    /// After everything recorded up to this time
    time: Option<jiff::Timestamp>,
}

/// The state of a stream as it was.
#[utoipa::path(get, path = "/streams/{stream_type}/{id}/state", tag = "audit", params(("stream_type" = String, Path), ("id" = String, Path), AsOf),
    security(("session" = ["auditor"])), responses((status = 200, body = StreamState)))]
async fn stream_state(
    State(app): State<App>,
    _: Auditor,
    AtLeast(at_least): AtLeast,
    Path((stream_type, id)): Path<(String, String)>,
    Query(as_of): Query<AsOf>,
) -> Answer<Read<StreamState>> {
    use commands::audit::At;
    let at = match (as_of.position, as_of.time) {
        (None, None) => At::Now,
        (Some(position), None) => At::Position(position),
        (None, Some(time)) => At::Time(time),
        (Some(_), Some(_)) => return Err(ApiError::field("time", "and position cannot be given together")),
    };
    let stale = app.log_is_stale(at_least.as_ref()).await;
    let state = history::state(&app.pool, &stream_type, &id, at).await?;
    Ok(read(stale, StreamState { stale, ..state }))
}

/// Check every event of the log: places, hashes, chain, order within streams.
#[utoipa::path(post, path = "/audit/verify", tag = "audit", security(("session" = ["auditor"])), responses((status = 200, body = Verification)))]
async fn verify(State(app): State<App>, auditor: Auditor) -> Answer<Body<Verification>> {
    let started = Instant::now();
    let busy = || ApiError::new(Code::Unavailable, "The log is being verified already. Look again when that is done.");
    let _one = app.verifying.try_lock().map_err(|_| busy())?;
    let report = commands::audit::verify(&app.pool, 1).await?;
    let head_hash = history::head_hash(&app.pool).await?;
    match &report.first_bad {
        None => tracing::info!(account.id = %auditor.account, "Verified {} events: the chain holds", report.checked),
        Some(bad) => tracing::error!(position = bad.position, "The log is broken at position {}: {}", bad.position, bad.why),
    }
    Ok(Body(Verification {
        checked: report.checked,
        head: report.head,
        head_hash,
        first_bad: report.first_bad.map(|bad| BadPosition { position: bad.position, why: bad.why }),
        took_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
    }))
}

/// The mail of the development mailbox, newest first.
#[utoipa::path(get, path = "/mailbox", tag = "development", params(Listing),
    responses((status = 200, body = Page<Mail>), (status = 404, body = Problem, description = "not_found")))]
async fn mailbox(State(app): State<App>, Query(wanted): Query<Listing>) -> Answer<Body<Page<Mail>>> {
    let mailbox = app.mailbox.as_ref().ok_or_else(ApiError::not_found)?;
    Ok(Body(mailbox.page(&checked(wanted)?).await?))
}
