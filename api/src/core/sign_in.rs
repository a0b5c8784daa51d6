//! Signing in and out, and one's own sessions.

use super::{
    account::{Account, Holder},
    device::{DEVICE_COOKIE, DEVICE_SECONDS, device},
    password::Checked,
    session::{Issued, Origin, RefreshError},
    throttle::Counter,
    token::{ACCESS_FOR, Bearer, Claims},
    totp,
};
use crate::{
    app::App,
    audit::{Event, Kind},
    authority::{ACCESS_COOKIE, Entered, REFRESH_COOKIE, SignedIn, cookie},
    extract::{Json, Path},
    problem::{Answer, ApiError},
    web::address::Address,
};
use axum::{
    Json as Body,
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use commands::ask::digest;
use contract::{
    Code, Email, Problem,
    account::{AccountState, Me, SessionRow, SignIn},
};
use domain::{customer, id::AccountId};
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{SET_COOKIE, USER_AGENT},
};
use std::net::IpAddr;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The routes.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_in, session, sign_out))
        .routes(routes!(refresh))
        .routes(routes!(sessions, end_others))
        .routes(routes!(end_one))
}

pub(super) type Cookies = AppendHeaders<Vec<(HeaderName, String)>>;

fn set(name: &str, value: &str, seconds: i64) -> (HeaderName, String) {
    (SET_COOKIE, format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"))
}

/// Takes the cookies of a session away.
pub(super) fn cleared() -> Cookies {
    AppendHeaders(vec![set(ACCESS_COOKIE, "", 0), set(REFRESH_COOKIE, "", 0)])
}

fn sign_in_required() -> ApiError {
    ApiError::new(Code::SignInRequired, "The session is over. Sign in again.")
}

/// With what and from where a request comes, as its owner is shown it: the last part of the address is left out.
pub(super) fn origin(headers: &HeaderMap, address: &Address) -> Origin {
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = match address.to_string().parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.*")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:*")
        }
        Err(_) => String::new(),
    };
    Origin { device: device(user_agent), address }
}

impl App {
    /// The cookies of a session.
    pub(super) fn cookies(&self, account: &Account, issued: &Issued) -> Answer<Cookies> {
        let now = self.clock.now();
        let bearer = Bearer {
            account: account.id(),
            role: account.role,
            supplier: account.supplier(),
            session: issued.session,
            enrolling: issued.enrolling,
        };
        let access = self.tokens.sign(bearer, now).map_err(ApiError::internal)?;
        let left = issued.expires_at.duration_since(now).as_secs();
        Ok(AppendHeaders(vec![
            set(ACCESS_COOKIE, &access, ACCESS_FOR.as_secs().cast_signed().min(left)),
            set(REFRESH_COOKIE, &issued.refresh, left),
        ]))
    }

    /// The cookie by which a device of the account is known again.
    pub(super) fn device_cookie(&self, account: &Account, device: Option<Uuid>) -> (HeaderName, String) {
        set(DEVICE_COOKIE, &self.devices.mark(account, device), DEVICE_SECONDS)
    }

    /// Who an account is, for its own eyes.
    pub(super) async fn me(&self, account: &Account, enrolling: bool) -> Answer<Me> {
        let Some(Holder { name, email }) = self.accounts.holder(account).await? else { return Err(sign_in_required()) };
        let customer = account.customer();
        let vip = match customer {
            Some(id) => self.executor.load::<customer::Customer>(&id).await?.state.is_vip(),
            None => false,
        };
        Ok(Me {
            account: account.id(),
            name: name.to_string(),
            email: email.to_string(),
            role: account.role,
            customer,
            supplier: account.supplier(),
            vip,
            enrolling,
            second_factor: account.factor().is_some(),
            recovery_codes: account.recovery_codes(),
        })
    }

    /// The account of one who is signed in.
    pub(super) async fn own_account(&self, claims: &Claims) -> Answer<Account> {
        let account = self.accounts.by_id(claims.sub).await?;
        account.filter(|account| account.state == AccountState::Active).ok_or_else(sign_in_required)
    }

    /// Checks the second factor of an account, where it has one: the digits of a step that was not used yet, or a recovery code. Failures are
    /// counted for `who`.
    pub(super) async fn check_factor(&self, account: &Account, code: Option<&str>, who: &[Counter], address: &Address) -> Answer<()> {
        let Some(factor) = account.factor() else { return Ok(()) };
        let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
            let message = "Now the six digits that your app shows, or one of your recovery codes.";
            return Err(ApiError::new(Code::SecondFactorRequired, message));
        };
        let (id, now) = (account.id(), self.clock.now());
        let counters: Vec<Counter> = who.iter().map(|counter| digest(&[b"second factor", counter])).collect();
        self.throttle.begin(&counters, now)?;
        let secret = self.accounts.secret(id, factor).await?;
        let right = match totp::step_of(&secret, code, now) {
            Some(step) => self.accounts.spend_step(id, step).await?,
            None => {
                let used = self.accounts.spend_recovery(id, &totp::recovery_hash(code)).await?;
                if used {
                    self.trail.note(Event::new(Kind::RecoveryCodeUsed).account(id).address(address)).await;
                }
                used
            }
        };
        if !right {
            self.trail.note(Event::new(Kind::SecondFactorFailed).account(id).address(address)).await;
            let message = "The code is wrong, or was used already. Wait for the next one and try again.";
            return Err(ApiError::new(Code::SecondFactorWrong, message));
        }
        for counter in &counters {
            self.throttle.succeeded(counter);
        }
        Ok(())
    }
}

/// Sign in.
#[utoipa::path(post, path = "/session", tag = "accounts", request_body = SignIn,
    responses((status = 200, body = Me, description = "Signed in: both cookies are set. Where `enrolling` is true, only to set up a second factor"),
        (status = 401, body = Problem, description = "wrong_credentials second_factor_required second_factor_wrong"),
        (status = 403, body = Problem, description = "account_disabled"), (status = 429, body = Problem, description = "too_many_requests")))]
async fn sign_in(State(app): State<App>, address: Address, headers: HeaderMap, Json(form): Json<SignIn>) -> Answer<impl IntoResponse> {
    let now = app.clock.now();
    let email = Email::new(&form.email).ok();
    let named = email.as_ref().map_or_else(|| form.email.clone(), Email::normalised);
    let account = match &email {
        Some(email) => app.accounts.by_email(email).await?,
        None => None,
    };
    let id = account.as_ref().map(Account::id);
    let marked = cookie(&headers, DEVICE_COOKIE);
    let known = account.as_ref().and_then(|account| app.devices.known(marked?, account));
    // The last of them is that of the account or its device: it is forgotten with the first success. That of the address is not, or guessing
    // could go on for ever beside an account of one's own.
    let counters = match known {
        Some(device) => vec![digest(&[b"device", device.as_bytes()])],
        None => vec![digest(&[b"address", address.network().to_string().as_bytes()]), digest(&[b"account", named.as_bytes()])],
    };
    if let Err(slow) = app.throttle.begin(&counters, now) {
        app.trail.note(Event::new(Kind::SignInThrottled).account(id).address(&address)).await;
        return Err(slow);
    }
    let checked = match app.passwords.check(&form.password, account.as_ref().and_then(Account::password)).await {
        Ok(checked) => checked,
        Err(busy) => {
            app.throttle.forgive(&counters);
            return Err(busy);
        }
    };
    let Some(account) = account.filter(|_| checked != Checked::Wrong) else {
        app.trail.note(Event::new(Kind::SignInFailed).account(id).address(&address)).await;
        let message = "The e-mail or the password is wrong, or the address is not confirmed yet. Check both, and look for our mail.";
        return Err(ApiError::new(Code::WrongCredentials, message));
    };
    app.throttle.forgive(&counters);
    let id = account.id();
    if account.state != AccountState::Active {
        app.trail.note(Event::new(Kind::SignInFailed).account(id).address(&address).reason("disabled")).await;
        return Err(ApiError::new(Code::AccountDisabled, "This account is disabled. Write to us if you think it should not be."));
    }
    app.check_factor(&account, form.code.as_deref(), &counters[counters.len() - 1..], &address).await?;
    if let Some(counter) = counters.last() {
        app.throttle.succeeded(counter);
    }
    if checked == Checked::RightButOld {
        app.accounts.rehash(&account, &app.passwords.hash(&form.password).await?).await?;
    }
    let enrolling = account.role.is_staff() && account.factor().is_none();
    if let Some(token) = cookie(&headers, REFRESH_COOKIE)
        && let Some((before, _)) = app.sessions.of_token(token).await?
    {
        app.sessions.end(before, now).await?;
    }
    let origin = origin(&headers, &address);
    let issued = if enrolling {
        app.sessions.start_enrolling(id, account.role, origin, now).await?
    } else {
        app.sessions.start_from(id, account.role, origin, now).await?
    };
    // Whoever changed the account meanwhile (another password, another role, disabled) ended all sessions, but not this one yet.
    let Some(account) = app.accounts.by_id(id).await?.filter(|now| now.is_as(&account)) else {
        app.sessions.end(issued.session, now).await?;
        return Err(sign_in_required());
    };
    let me = app.me(&account, enrolling).await?;
    let mut cookies = app.cookies(&account, &issued)?;
    if !enrolling {
        cookies.0.push(app.device_cookie(&account, known));
        app.trail.note(Event::new(Kind::SignedIn).account(id).address(&address)).await;
    }
    Ok((cookies, Body(me)))
}

/// Who is signed in.
#[utoipa::path(get, path = "/session", tag = "accounts", security(("session" = [])), responses((status = 200, body = Me)))]
async fn session(State(app): State<App>, Entered(claims): Entered) -> Answer<Body<Me>> {
    let account = app.own_account(&claims).await?;
    Ok(Body(app.me(&account, claims.enrolling).await?))
}

/// Sign out: the session ends everywhere.
#[utoipa::path(delete, path = "/session", tag = "accounts", responses((status = 204, description = "Signed out, also when nobody was signed in")))]
async fn sign_out(
    State(app): State<App>,
    address: Address,
    headers: HeaderMap,
    signed_in: Result<Entered, ApiError>,
) -> Answer<impl IntoResponse> {
    let session = match (signed_in, cookie(&headers, REFRESH_COOKIE)) {
        (Ok(Entered(claims)), _) => Some((claims.sid, claims.sub)),
        (Err(_), Some(token)) => app.sessions.of_token(token).await?,
        (Err(_), None) => None,
    };
    if let Some((session, account)) = session {
        app.sessions.end(session, app.clock.now()).await?;
        app.trail.note(Event::new(Kind::SignedOut).account(account).address(&address)).await;
    }
    Ok((StatusCode::NO_CONTENT, cleared()))
}

/// Continue a session: the refresh token is spent and the next one set.
#[utoipa::path(post, path = "/session/refresh", tag = "accounts",
    responses((status = 204, description = "Both cookies are set anew"), (status = 401, body = Problem, description = "sign_in_required")))]
async fn refresh(State(app): State<App>, address: Address, headers: HeaderMap) -> Answer<impl IntoResponse> {
    let token = cookie(&headers, REFRESH_COOKIE).ok_or_else(sign_in_required)?;
    let issued = match app.sessions.refresh(token, app.clock.now()).await {
        Ok(issued) => issued,
        Err(RefreshError::Store(error)) => return Err(error.into()),
        Err(RefreshError::Reused(account)) => {
            app.trail.note(Event::new(Kind::RefreshReused).account(account).address(&address)).await;
            return Err(sign_in_required());
        }
        Err(RefreshError::Over) => return Err(sign_in_required()),
    };
    let account = app.accounts.by_id(issued.account).await?.filter(|account| account.state == AccountState::Active);
    let Some(account) = account else {
        app.sessions.end(issued.session, app.clock.now()).await?;
        return Err(sign_in_required());
    };
    Ok((StatusCode::NO_CONTENT, app.cookies(&account, &issued)?))
}

/// One's own sessions, last used first.
#[utoipa::path(get, path = "/sessions", tag = "accounts", security(("session" = [])), responses((status = 200, body = Vec<SessionRow>)))]
async fn sessions(State(app): State<App>, SignedIn(claims): SignedIn) -> Answer<Body<Vec<SessionRow>>> {
    Ok(Body(app.sessions.list(claims.sub, claims.sid, app.clock.now()).await?))
}

async fn note_ended(app: &App, account: AccountId, address: &Address) {
    app.trail.note(Event::new(Kind::SessionEnded).account(account).actor(account).address(address)).await;
}

/// End one of one's own sessions.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "accounts", params(("id" = Uuid, Path)), security(("session" = [])),
    responses((status = 204, description = "It has ended, everywhere within 5 seconds")))]
async fn end_one(State(app): State<App>, address: Address, SignedIn(claims): SignedIn, Path(id): Path<Uuid>) -> Answer<StatusCode> {
    if !app.sessions.end_own(claims.sub, id, app.clock.now()).await? {
        return Err(ApiError::not_found());
    }
    note_ended(&app, claims.sub, &address).await;
    Ok(StatusCode::NO_CONTENT)
}

/// End all of one's own sessions but this one.
#[utoipa::path(delete, path = "/sessions", tag = "accounts", security(("session" = [])),
    responses((status = 204, description = "They have ended, everywhere within 5 seconds")))]
async fn end_others(State(app): State<App>, address: Address, SignedIn(claims): SignedIn) -> Answer<StatusCode> {
    if app.sessions.end_all(claims.sub, Some(claims.sid), app.clock.now()).await? > 0 {
        note_ended(&app, claims.sub, &address).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
