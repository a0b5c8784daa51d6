//! Who may call a handler: an extractor in its signature. A handler without one is public, and looks it.

use crate::{
    app::App,
    asking,
    core::token::{Claims, Service},
    extract::Key,
    problem::{Answer, ApiError},
    web::limits::Class,
};
use axum::extract::{FromRequestParts, MatchedPath};
use commands::Ask;
use contract::{Code, CustomerId, SupplierId, account::Role};
use domain::{Actor, id::AccountId};
use http::{HeaderMap, header::COOKIE, request::Parts};

/// The cookie of the access token.
pub const ACCESS_COOKIE: &str = "__Host-astro_access";
/// The cookie of the refresh token.
pub const REFRESH_COOKIE: &str = "__Host-astro_refresh";

/// The value of a cookie.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// Anyone who is signed in, also those who only set up their second factor and may do nothing else.
#[derive(Debug, Clone)]
pub struct Entered(pub Claims);

fn sign_in_required() -> ApiError {
    ApiError::new(Code::SignInRequired, "Sign in to do this.")
}

fn forbidden() -> ApiError {
    ApiError::new(Code::Forbidden, "Your role may not do this. Sign in with another account.")
}

impl FromRequestParts<App> for Entered {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        // A handler may ask for a role and for the claims: one request is looked at, and counted, once.
        if let Some(claims) = parts.extensions.get::<Claims>() {
            return Ok(Self(claims.clone()));
        }
        let service =
            *parts.extensions.get::<Service>().ok_or_else(|| ApiError::internal(anyhow::anyhow!("the router names no service")))?;
        let now = app.clock.now();
        let token = cookie(&parts.headers, ACCESS_COOKIE).ok_or_else(sign_in_required)?;
        let claims = app.tokens.verify(token, service, now).ok_or_else(sign_in_required)?;
        if !app.sessions.goes_on(claims.sid, now).await? {
            return Err(sign_in_required());
        }
        asking::is_by(claims.sub);
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        app.limits.account(Class::of(&parts.method, route, parts.uri.query().is_some()), claims.sub)?;
        parts.extensions.insert(claims.clone());
        Ok(Self(claims))
    }
}

/// Anyone who is signed in for this service.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Claims);

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let Entered(claims) = Entered::from_request_parts(parts, app).await?;
        if claims.enrolling {
            return Err(ApiError::new(Code::EnrolmentRequired, "Your role needs a second factor. Set it up, then go on."));
        }
        Ok(Self(claims))
    }
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident ($($role:ident)|+) { $($field:ident: $kind:ty = $value:expr),* };)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            /// The account.
            pub account: AccountId,
            $(#[allow(missing_docs)] pub $field: $kind,)*
        }
        impl FromRequestParts<App> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
                let SignedIn(claims) = SignedIn::from_request_parts(parts, app).await?;
                match claims.role {
                    $(Role::$role)|+ => Ok(Self { account: claims.sub, $($field: $value(&claims)?,)* }),
                    _ => Err(forbidden()),
                }
            }
        }
    )*};
}

roles! {
    /// One who books, for themselves.
    Customer (Customer) { customer: CustomerId = |claims: &Claims| Answer::Ok(CustomerId(claims.sub.0)) };
    /// A member of a supplier.
    SupplierMember (Supplier) { supplier: SupplierId = |claims: &Claims| claims.supplier.ok_or_else(forbidden) };
    /// An employee.
    Employee (Employee) {};
    /// An operator.
    Operator (Operator) {};
    /// An auditor.
    Auditor (Auditor) {};
    /// An operator or an auditor.
    Overseer (Operator | Auditor) {};
}

impl Customer {
    /// The command as this customer asks it.
    #[must_use]
    pub fn ask(&self, key: Key) -> Ask {
        key.ask(self.account, Actor::Customer(self.customer))
    }
}
impl SupplierMember {
    /// The command as this member asks it.
    #[must_use]
    pub fn ask(&self, key: Key) -> Ask {
        key.ask(self.account, Actor::Supplier(self.supplier, self.account))
    }
}
