//! Asking for an account, confirming it, and passwords. What strangers ask is answered alike whether or not there is such an account; the
//! mail tells its reader the difference.

use super::{
    account::{Account, Holder, NewAccount, new_id},
    link::Purpose,
    password::{self, Checked},
    throttle::Counter,
    token::Claims,
};
use crate::{
    app::App,
    audit::{Event, Kind},
    authority::SignedIn,
    extract::Json,
    problem::{Answer, ApiError, Fields},
    web::address::Address,
};
use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use commands::{Ask, ask::digest};
use contract::{
    Code, CustomerId, Email, Line, Problem,
    account::{AccountState, ChangePassword, Confirm, Forgotten, ResetPassword, Role, SignUp},
};
use domain::{Actor, customer, id::AccountId};
use http::StatusCode;
use scheduler::{
    letter::Letter,
    notification::{Recipient, Written},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The routes.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(confirm))
        .routes(routes!(change_password))
        .routes(routes!(forgotten))
        .routes(routes!(reset))
}

fn link_expired() -> ApiError {
    ApiError::new(Code::LinkExpired, "This link was used already, or is too old. Ask for another one.")
}

impl App {
    /// Writes to the holder of an account.
    pub(super) async fn write(&self, account: AccountId, letter: Letter) -> Answer<()> {
        let letter = Written { cause: Uuid::new_v4(), recipient: Recipient::Account(account), letter, at: self.clock.now() };
        Ok(self.notifications.add(&[letter]).await?)
    }

    /// Checks the password of one who is signed in once more; a wrong one is refused as the form's `field`, and counted.
    pub async fn recheck(&self, claims: &Claims, account: &Account, password: &str, field: &str, address: &Address) -> Answer<()> {
        let counter = digest(&[b"again", claims.sub.0.as_bytes()]);
        self.throttle.begin(&[counter], self.clock.now())?;
        let checked = self.passwords.check(password, account.password()).await;
        match checked {
            Ok(Checked::Wrong) => {
                self.trail.note(Event::new(Kind::PasswordCheckFailed).account(claims.sub).address(address)).await;
                return Err(ApiError::field(field, "is not your password"));
            }
            Err(_) => self.throttle.forgive(&[counter]),
            Ok(_) => self.throttle.succeeded(&counter),
        }
        checked.map(drop)
    }

    /// Does what follows from a stranger's question after it was answered, so that the time of the answer says nothing.
    fn afterwards(&self, what: &'static str, work: impl Future<Output = Answer<()>> + Send + 'static) {
        tokio::spawn(async move {
            if let Err(error) = work.await {
                tracing::error!("Could not {what}: {error:?}");
            }
        });
    }

    fn may_be_mailed(&self, email: &Email) -> bool {
        let counter: Counter = digest(&[b"mail", email.normalised().as_bytes()]);
        self.mails.allow(counter, self.clock.now())
    }
}

/// Ask for a customer account. The answer is the same whether or not the address has one; a mail says how to go on.
#[utoipa::path(post, path = "/accounts", tag = "accounts", request_body = SignUp,
    responses((status = 202, description = "A mail is on its way")))]
async fn sign_up(State(app): State<App>, address: Address, Json(form): Json<SignUp>) -> Answer<StatusCode> {
    let mut fields = Fields::default();
    let name = fields.take("name", Line::new(&form.name));
    let email = fields.take("email", Email::new(&form.email));
    if let Some(why) = password::refused(&form.password, Role::Customer, &[&form.name, &form.email]) {
        fields.refuse("password", why);
    }
    let (Some(name), Some(email), true) = (name, email, fields.is_empty()) else { return Err(fields.into_error()) };
    let hash = app.passwords.hash(&form.password).await?;
    let known = app.accounts.by_email(&email).await?;
    if app.may_be_mailed(&email) {
        let after = app.clone();
        app.afterwards("finish a sign-up", async move {
            match known {
                Some(known) => after.write(known.id(), Letter::AlreadyRegistered {}).await,
                None => asked_for(&after, Holder { name, email }, hash, &address).await,
            }
        });
    }
    Ok(StatusCode::ACCEPTED)
}

async fn asked_for(app: &App, holder: Holder, password: String, address: &Address) -> Answer<()> {
    let (id, now) = (new_id(), app.clock.now());
    let new = NewAccount { id, holder, password, role: Role::Customer, supplier: None, state: AccountState::Unconfirmed };
    app.accounts.add(new, now).await?;
    let link = app.links.issue(id, Purpose::Confirm, now).await?;
    app.write(id, Letter::ConfirmAccount { token: link.token, until: link.until }).await?;
    app.trail.note(Event::new(Kind::SignedUp).account(id).address(address)).await;
    Ok(())
}

/// Open the account that was asked for, with the link of the mail.
#[utoipa::path(post, path = "/accounts/confirm", tag = "accounts", request_body = Confirm,
    responses((status = 204, description = "One may sign in now"), (status = 409, body = Problem, description = "link_expired email_taken")))]
async fn confirm(State(app): State<App>, address: Address, Json(form): Json<Confirm>) -> Answer<StatusCode> {
    let now = app.clock.now();
    let Some((id, Purpose::Confirm)) = app.links.look(&form.token, now).await? else { return Err(link_expired()) };
    let account = app.accounts.by_id(id).await?.filter(|account| account.state == AccountState::Unconfirmed).ok_or_else(link_expired)?;
    // First the record, then the account: a customer without a record could sign in and not book.
    register(&app, CustomerId(id.0)).await?;
    if !app.accounts.confirm(&account, now).await? {
        return Err(link_expired());
    }
    app.links.spend(&form.token).await?;
    app.trail.note(Event::new(Kind::AccountConfirmed).account(id).address(&address)).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn register(app: &App, customer: CustomerId) -> Answer<()> {
    let ask = Ask::new(customer.0, Actor::Customer(customer), digest(&[b"sign up", customer.0.as_bytes()]));
    let command = customer::Command::Register { now: app.clock.now() };
    app.executor.execute::<customer::Customer>(&customer, command, &ask).await?;
    Ok(())
}

/// Why a new password of this account is not accepted, as the form's `field`.
async fn acceptable(app: &App, account: &Account, password: &str, field: &str) -> Answer<()> {
    let holder = app.accounts.holder(account).await?;
    let own = holder.map(|Holder { name, email }| [name.to_string(), email.to_string()]).unwrap_or_default();
    match password::refused(password, account.role, &own.each_ref().map(String::as_str)) {
        Some(why) => Err(ApiError::field(field, why)),
        None => Ok(()),
    }
}

/// Change the password: all other sessions end.
#[utoipa::path(post, path = "/password", tag = "accounts", request_body = ChangePassword, security(("session" = [])),
    responses((status = 204, description = "It is changed, and all other sessions have ended"),
        (status = 429, body = Problem, description = "too_many_requests")))]
async fn change_password(
    State(app): State<App>,
    address: Address,
    SignedIn(claims): SignedIn,
    Json(form): Json<ChangePassword>,
) -> Answer<impl IntoResponse> {
    let account = app.own_account(&claims).await?;
    app.recheck(&claims, &account, &form.current, "current", &address).await?;
    acceptable(&app, &account, &form.new, "new").await?;
    let (id, now) = (account.id(), app.clock.now());
    if !app.accounts.set_password(&account, &app.passwords.hash(&form.new).await?, now).await? {
        return Err(ApiError::new(Code::SignInRequired, "The session is over. Sign in again."));
    }
    app.sessions.end_all(id, Some(claims.sid), now).await?;
    app.links.revoke(id).await?;
    app.trail.note(Event::new(Kind::PasswordChanged).account(id).address(&address)).await;
    app.write(id, Letter::PasswordChanged { at: now }).await?;
    // Other devices are strangers from now on; this one stays known.
    let device = app.own_account(&claims).await.map(|account| app.device_cookie(&account, None))?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([device])))
}

/// Ask for a link to set another password. The answer is the same for every address.
#[utoipa::path(post, path = "/password/forgotten", tag = "accounts", request_body = Forgotten,
    responses((status = 202, description = "If the address has an account, a mail is on its way")))]
async fn forgotten(State(app): State<App>, address: Address, Json(form): Json<Forgotten>) -> Answer<StatusCode> {
    let email = Email::new(&form.email).map_err(|why| ApiError::field("email", why))?;
    // One that was invited and chose no password in time is found here, too; one that is not confirmed is not.
    let may_enter = |account: &Account| matches!(account.state, AccountState::Active | AccountState::Unconfirmed);
    let known = app.accounts.by_email(&email).await?.filter(may_enter);
    if let Some(account) = known
        && app.may_be_mailed(&email)
    {
        let after = app.clone();
        app.afterwards("send a link", async move {
            let id = account.id();
            let link = after.links.issue(id, Purpose::Reset, after.clock.now()).await?;
            after.write(id, Letter::ResetPassword { token: link.token, until: link.until }).await?;
            after.trail.note(Event::new(Kind::PasswordResetAsked).account(id).address(&address)).await;
            Ok(())
        });
    }
    Ok(StatusCode::ACCEPTED)
}

/// Set a password by a link, from one who forgot it or was invited: all sessions end.
#[utoipa::path(post, path = "/password/reset", tag = "accounts", request_body = ResetPassword,
    responses((status = 204, description = "One may sign in with it now"), (status = 409, body = Problem, description = "link_expired")))]
async fn reset(State(app): State<App>, address: Address, Json(form): Json<ResetPassword>) -> Answer<StatusCode> {
    let now = app.clock.now();
    let Some((id, Purpose::Reset | Purpose::Invite)) = app.links.look(&form.token, now).await? else { return Err(link_expired()) };
    let account = app.accounts.by_id(id).await?.ok_or_else(link_expired)?;
    if !matches!(account.state, AccountState::Active | AccountState::Unconfirmed) {
        return Err(link_expired());
    }
    acceptable(&app, &account, &form.password, "password").await?;
    let hash = app.passwords.hash(&form.password).await?;
    if !app.links.spend(&form.token).await? {
        return Err(link_expired());
    }
    if !app.accounts.set_password(&account, &hash, now).await? {
        return Err(link_expired());
    }
    app.sessions.end_all(id, None, now).await?;
    app.trail.note(Event::new(Kind::PasswordReset).account(id).address(&address)).await;
    app.write(id, Letter::PasswordChanged { at: now }).await?;
    Ok(StatusCode::NO_CONTENT)
}
