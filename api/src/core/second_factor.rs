//! Setting up the second factor, taking it away, and recovery codes.

use super::{
    account::{Account, Holder},
    sign_in::origin,
    token::Claims,
    totp,
};
use crate::{
    app::App,
    audit::{Event, Kind},
    authority::{Customer, Entered, SignedIn},
    extract::Json,
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
    Code, Problem,
    account::{ConfirmTotp, Reauthenticate, RecoveryCodes, StartTotp, TotpStart},
};
use http::{HeaderMap, StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(start, remove)).routes(routes!(confirm)).routes(routes!(recovery_codes))
}

/// Begin to set up a second factor. It is not in force before a code of it was confirmed.
#[utoipa::path(post, path = "/totp", tag = "accounts", request_body = StartTotp, security(("session" = [])),
    responses((status = 200, body = TotpStart), (status = 409, body = Problem, description = "already_exists"),
        (status = 429, body = Problem, description = "too_many_requests")))]
async fn start(State(app): State<App>, address: Address, Entered(claims): Entered, Json(form): Json<StartTotp>) -> Answer<Body<TotpStart>> {
    let account = app.own_account(&claims).await?;
    if account.factor().is_some() {
        return Err(ApiError::new(Code::AlreadyExists, "There is a second factor already. To change it, have it taken away first."));
    }
    if !claims.enrolling {
        app.recheck(&claims, &account, form.password.as_deref().unwrap_or_default(), "password", &address).await?;
    }
    let Some(Holder { email, .. }) = app.accounts.holder(&account).await? else { return Err(ApiError::not_found()) };
    let secret = totp::secret().map_err(ApiError::internal)?;
    app.accounts.start_factor(account.id(), &secret, app.clock.now()).await?;
    let uri = totp::uri(&secret, email.as_str());
    let qr = totp::picture(&uri).map_err(ApiError::internal)?;
    Ok(Body(TotpStart { secret: totp::base_32(&secret), uri, qr }))
}

/// Put the second factor in force with a code of it. Who signed in only for that is signed in fully now.
#[utoipa::path(post, path = "/totp/confirm", tag = "accounts", request_body = ConfirmTotp, security(("session" = [])),
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem, description = "second_factor_wrong"),
        (status = 409, body = Problem, description = "refused"), (status = 429, body = Problem, description = "too_many_requests")))]
async fn confirm(
    State(app): State<App>,
    address: Address,
    headers: HeaderMap,
    Entered(claims): Entered,
    Json(form): Json<ConfirmTotp>,
) -> Answer<impl IntoResponse> {
    let account = app.own_account(&claims).await?;
    let (id, now) = (account.id(), app.clock.now());
    let refused = || ApiError::new(Code::Refused, "No second factor is being set up. Begin again.");
    let factor = account.next_factor().filter(|_| account.factor().is_none()).ok_or_else(refused)?;
    let counter = digest(&[b"confirm", id.0.as_bytes()]);
    app.throttle.begin(&[counter], now)?;
    let secret = app.accounts.secret(id, factor).await?;
    let Some(step) = totp::step_of(&secret, &form.code, now) else {
        app.trail.note(Event::new(Kind::SecondFactorFailed).account(id).address(&address)).await;
        let message = "The code is not the one we expect. Check that the clock of your phone is right, and try the next one.";
        return Err(ApiError::new(Code::SecondFactorWrong, message));
    };
    app.throttle.succeeded(&counter);
    let (codes, hashes) = totp::recovery_codes().map_err(ApiError::internal)?;
    app.accounts.confirm_factor(id, factor, step, &hashes, now).await?;
    app.trail.note(Event::new(Kind::TotpEnrolled).account(id).address(&address)).await;
    let cookies = if claims.enrolling {
        app.sessions.end(claims.sid, now).await?;
        let issued = app.sessions.start_from(id, account.role, origin(&headers, &address), now).await?;
        app.trail.note(Event::new(Kind::SignedIn).account(id).address(&address)).await;
        app.cookies(&account, &issued)?
    } else {
        AppendHeaders(Vec::new())
    };
    Ok((cookies, Body(RecoveryCodes { codes })))
}

async fn reauthenticate(app: &App, claims: &Claims, form: &Reauthenticate, address: &Address) -> Answer<Account> {
    let account = app.own_account(claims).await?;
    app.recheck(claims, &account, &form.password, "password", address).await?;
    app.check_factor(&account, form.code.as_deref(), &[digest(&[b"again", claims.sub.0.as_bytes()])], address).await?;
    Ok(account)
}

/// Take the second factor away. Only customers may: everyone else needs one.
#[utoipa::path(delete, path = "/totp", tag = "accounts", request_body = Reauthenticate, security(("session" = ["customer"])),
    responses((status = 204, description = "The password alone signs in now"),
        (status = 401, body = Problem, description = "second_factor_required second_factor_wrong"),
        (status = 429, body = Problem, description = "too_many_requests")))]
async fn remove(
    State(app): State<App>,
    address: Address,
    SignedIn(claims): SignedIn,
    _: Customer,
    Json(form): Json<Reauthenticate>,
) -> Answer<StatusCode> {
    let account = reauthenticate(&app, &claims, &form, &address).await?;
    app.accounts.remove_factor(account.id(), app.clock.now()).await?;
    app.trail.note(Event::new(Kind::TotpRemoved).account(account.id()).address(&address)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Make new recovery codes; the old ones are worth nothing.
#[utoipa::path(post, path = "/recovery-codes", tag = "accounts", request_body = Reauthenticate, security(("session" = [])),
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem, description = "second_factor_required second_factor_wrong"),
        (status = 409, body = Problem, description = "refused"), (status = 429, body = Problem, description = "too_many_requests")))]
async fn recovery_codes(
    State(app): State<App>,
    address: Address,
    SignedIn(claims): SignedIn,
    Json(form): Json<Reauthenticate>,
) -> Answer<Body<RecoveryCodes>> {
    let account = reauthenticate(&app, &claims, &form, &address).await?;
    if account.factor().is_none() {
        return Err(ApiError::new(Code::Refused, "Recovery codes need a second factor. Set one up first."));
    }
    let (codes, hashes) = totp::recovery_codes().map_err(ApiError::internal)?;
    app.accounts.set_recovery(account.id(), &hashes, app.clock.now()).await?;
    app.trail.note(Event::new(Kind::RecoveryCodesRenewed).account(account.id()).address(&address)).await;
    Ok(Body(RecoveryCodes { codes }))
}
