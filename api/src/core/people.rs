//! What operators do with accounts: find, disable, give roles, end sessions, reset second factors, invite staff. Each with a reason, noted in
//! the trail; nobody does it to themselves.

use super::{
    account::{Account, Holder, NewAccount, PER_PAGE, new_id},
    link::{Issued, Purpose},
};
use crate::{
    app::App,
    audit::{Event, Kind},
    authority::Operator,
    extract::{Json, PAGE_MAX, Path, Query},
    problem::{Answer, ApiError, Fields},
    web::address::Address,
};
use axum::{Json as Body, extract::State};
use contract::{
    Code, Email, Line, Page, Problem, SupplierId,
    account::{AccountQuery, AccountRow, AccountState, ChangeRole, Invite, REASON_CHARACTERS_MAX, Role, WithReason},
};
use domain::{id::AccountId, supplier::Supplier};
use http::StatusCode;
use scheduler::letter::Letter;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(invite))
        .routes(routes!(one))
        .routes(routes!(disable))
        .routes(routes!(enable))
        .routes(routes!(end_sessions))
        .routes(routes!(role))
        .routes(routes!(reset_totp))
}

fn row(account: &Account, holder: Option<Holder>, sessions: Option<u32>) -> AccountRow {
    let (name, email) = holder.map(|Holder { name, email }| (name.to_string(), email.to_string())).unwrap_or_default();
    AccountRow {
        id: account.id(),
        name,
        email,
        role: account.role,
        supplier: account.supplier(),
        state: account.state,
        second_factor: account.factor().is_some(),
        sessions,
        created_at: account.created_at(),
    }
}

/// Accounts, newest first.
#[utoipa::path(get, path = "/accounts", tag = "people", params(AccountQuery), security(("session" = ["operator"])),
    responses((status = 200, body = Page<AccountRow>)))]
async fn list(State(app): State<App>, _: Operator, Query(query): Query<AccountQuery>) -> Answer<Body<Page<AccountRow>>> {
    let page = query.page.max(1);
    if page > PAGE_MAX {
        return Err(ApiError::field("page", format!("must be 1 to {PAGE_MAX}; narrow the search instead")));
    }
    let (accounts, total) = app.accounts.page(&query.search, &query.role, &query.state, page).await?;
    let holders = app.accounts.holders(&accounts).await?;
    let items = accounts.iter().zip(holders).map(|(account, holder)| row(account, holder, None)).collect();
    Ok(Body(Page { items, total, page, per_page: PER_PAGE, position: 0, stale: false }))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{id}", tag = "people", params(("id" = AccountId, Path)), security(("session" = ["operator"])),
    responses((status = 200, body = AccountRow)))]
async fn one(State(app): State<App>, operator: Operator, Path(id): Path<AccountId>) -> Answer<Body<AccountRow>> {
    let account = app.accounts.by_id(id).await?.ok_or_else(ApiError::not_found)?;
    let holder = app.accounts.holder(&account).await?;
    let sessions = app.sessions.list(id, operator.account.0, app.clock.now()).await?.len();
    Ok(Body(row(&account, holder, u32::try_from(sessions).ok())))
}

fn given(reason: &str) -> Answer<String> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARACTERS_MAX || reason.chars().any(char::is_control) {
        return Err(ApiError::field("reason", format!("must say why, in one line of at most {REASON_CHARACTERS_MAX} characters")));
    }
    Ok(reason.to_owned())
}

/// An operator's act on another's account.
struct Act {
    account: Account,
    operator: AccountId,
    reason: String,
    address: Address,
}

impl Act {
    async fn on(app: &App, operator: Operator, id: AccountId, reason: &str, address: Address) -> Answer<Self> {
        let reason = given(reason)?;
        let account = app.accounts.by_id(id).await?.filter(|account| account.state != AccountState::Erased);
        let account = account.ok_or_else(ApiError::not_found)?;
        if id == operator.account {
            return Err(ApiError::new(Code::OwnAccount, "Nobody does this to their own account. Ask another operator."));
        }
        Ok(Self { account, operator: operator.account, reason, address })
    }
    async fn note(self, app: &App, kind: Kind) {
        let event = Event::new(kind).account(self.account.id()).actor(self.operator).address(&self.address);
        app.trail.note(event.reason(self.reason)).await;
    }
}

/// Disable an account: it cannot sign in, and its sessions end.
#[utoipa::path(post, path = "/accounts/{id}/disable", tag = "people", params(("id" = AccountId, Path)), request_body = WithReason,
    security(("session" = ["operator"])), responses((status = 204, description = "Disabled, everywhere within 5 seconds"),
        (status = 409, body = Problem, description = "own_account")))]
async fn disable(
    State(app): State<App>,
    address: Address,
    operator: Operator,
    Path(id): Path<AccountId>,
    Json(form): Json<WithReason>,
) -> Answer<StatusCode> {
    let act = Act::on(&app, operator, id, &form.reason, address).await?;
    let now = app.clock.now();
    app.accounts.set_state(id, AccountState::Disabled, now).await?;
    app.sessions.end_all(id, None, now).await?;
    app.links.revoke(id).await?;
    act.note(&app, Kind::AccountDisabled).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Enable an account that was disabled: it is as it was before, confirmed or not.
#[utoipa::path(post, path = "/accounts/{id}/enable", tag = "people", params(("id" = AccountId, Path)), request_body = WithReason,
    security(("session" = ["operator"])), responses((status = 204, description = "It is disabled no more"),
        (status = 409, body = Problem, description = "own_account refused")))]
async fn enable(
    State(app): State<App>,
    address: Address,
    operator: Operator,
    Path(id): Path<AccountId>,
    Json(form): Json<WithReason>,
) -> Answer<StatusCode> {
    let act = Act::on(&app, operator, id, &form.reason, address).await?;
    if act.account.state != AccountState::Disabled {
        return Err(ApiError::new(Code::Refused, "Only a disabled account can be enabled. Reload the list."));
    }
    app.accounts.set_state(id, act.account.enabled(), app.clock.now()).await?;
    act.note(&app, Kind::AccountEnabled).await;
    Ok(StatusCode::NO_CONTENT)
}

/// End all sessions of an account.
#[utoipa::path(post, path = "/accounts/{id}/end-sessions", tag = "people", params(("id" = AccountId, Path)), request_body = WithReason,
    security(("session" = ["operator"])), responses((status = 204, description = "They have ended, everywhere within 5 seconds"),
        (status = 409, body = Problem, description = "own_account")))]
async fn end_sessions(
    State(app): State<App>,
    address: Address,
    operator: Operator,
    Path(id): Path<AccountId>,
    Json(form): Json<WithReason>,
) -> Answer<StatusCode> {
    let act = Act::on(&app, operator, id, &form.reason, address).await?;
    app.sessions.end_all(id, None, app.clock.now()).await?;
    act.note(&app, Kind::SessionEnded).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a member of staff another role: their sessions end.
#[utoipa::path(post, path = "/accounts/{id}/role", tag = "people", params(("id" = AccountId, Path)), request_body = ChangeRole,
    security(("session" = ["operator"])), responses((status = 204, description = "It is in force, everywhere within 5 seconds"),
        (status = 409, body = Problem, description = "own_account refused")))]
async fn role(
    State(app): State<App>,
    address: Address,
    operator: Operator,
    Path(id): Path<AccountId>,
    Json(form): Json<ChangeRole>,
) -> Answer<StatusCode> {
    let mut act = Act::on(&app, operator, id, &form.reason, address).await?;
    if !act.account.role.is_staff() {
        return Err(ApiError::new(Code::Refused, "A customer stays a customer. Invite them with another address instead."));
    }
    let supplier = checked(&app, form.role, form.supplier).await?;
    let now = app.clock.now();
    app.accounts.set_role(id, form.role, supplier, now).await?;
    app.sessions.end_all(id, None, now).await?;
    act.reason = format!("{} to {}: {}", act.account.role.as_str(), form.role.as_str(), act.reason);
    act.note(&app, Kind::RoleChanged).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a lost second factor away: sessions end, and staff set up another at the next sign-in.
#[utoipa::path(post, path = "/accounts/{id}/reset-totp", tag = "people", params(("id" = AccountId, Path)), request_body = WithReason,
    security(("session" = ["operator"])), responses((status = 204, description = "There is none any more"),
        (status = 409, body = Problem, description = "own_account")))]
async fn reset_totp(
    State(app): State<App>,
    address: Address,
    operator: Operator,
    Path(id): Path<AccountId>,
    Json(form): Json<WithReason>,
) -> Answer<StatusCode> {
    let act = Act::on(&app, operator, id, &form.reason, address).await?;
    let now = app.clock.now();
    app.accounts.remove_factor(id, now).await?;
    app.sessions.end_all(id, None, now).await?;
    act.note(&app, Kind::TotpRemoved).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The supplier a role goes with: one there is for suppliers, none for everyone else.
async fn checked(app: &App, role: Role, supplier: Option<SupplierId>) -> Answer<Option<SupplierId>> {
    match (role, supplier) {
        (Role::Customer, _) => Err(ApiError::field("role", "must be one of staff; customers sign up by themselves")),
        (Role::Supplier, None) => Err(ApiError::field("supplier", "must be given for this role")),
        (Role::Supplier, Some(id)) => match app.executor.load::<Supplier>(&id).await?.state {
            Supplier::Active { .. } => Ok(Some(id)),
            _ => Err(ApiError::field("supplier", "is none there is")),
        },
        (_, Some(_)) => Err(ApiError::field("supplier", "goes with the role supplier only")),
        (_, None) => Ok(None),
    }
}

impl App {
    /// Makes an account for a member of staff and writes to them; they choose a password by the link. `operator` is none at the command line.
    pub async fn invite(&self, form: &Invite, operator: Option<AccountId>, address: &Address) -> Answer<(Account, Issued)> {
        let mut fields = Fields::default();
        let name = fields.take("name", Line::new(&form.name));
        let email = fields.take("email", Email::new(&form.email));
        let (Some(name), Some(email)) = (name, email) else { return Err(fields.into_error()) };
        let reason = given(&form.reason)?;
        let supplier = checked(self, form.role, form.supplier).await?;
        let (id, now) = (new_id(), self.clock.now());
        let holder = Holder { name, email };
        let new = NewAccount { id, holder, password: String::new(), role: form.role, supplier, state: AccountState::Unconfirmed };
        let account = self.accounts.add(new, now).await?;
        let link = self.links.issue(id, Purpose::Invite, now).await?;
        let letter = Letter::StaffInvitation { token: link.token.clone(), role: form.role.as_str().to_owned(), until: link.until };
        self.write(id, letter).await?;
        self.trail.note(Event::new(Kind::StaffInvited).account(id).actor(operator).address(address).reason(reason)).await;
        Ok((account, link))
    }
}

/// Invite staff: a mail with a link to choose a password goes out.
#[utoipa::path(post, path = "/accounts/staff", tag = "people", request_body = Invite, security(("session" = ["operator"])),
    responses((status = 201, body = AccountRow), (status = 409, body = Problem, description = "email_taken")))]
async fn invite(
    State(app): State<App>,
    address: Address,
    operator: Operator,
    Json(form): Json<Invite>,
) -> Answer<(StatusCode, Body<AccountRow>)> {
    let (account, _) = app.invite(&form, Some(operator.account), &address).await?;
    let holder = app.accounts.holder(&account).await?;
    Ok((StatusCode::CREATED, Body(row(&account, holder, None))))
}
