//! Everything kept about a customer, for them to take: as JSON, or as a page to read and print. Gathers; what is kept is others'.

mod page;

use crate::{
    answer::older,
    app::App,
    audit::{Event, Kind},
    authority::{Customer, SignedIn},
    extract::{AtLeast, Query},
    problem::{Answer, ApiError},
    web::address::Address,
};
use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use contract::{
    Listing,
    booking::Trip,
    export::{Export, ExportedAccount, ExportedMail},
    page::PER_PAGE_MAX,
    security::{SecurityEvent, SecurityQuery},
};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use scheduler::address::Person;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Bookings, mails and security events in one export, at most of each; the newest bookings and events, the oldest mails.
const ITEMS_MAX: u32 = 1_000;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// For programs.
    #[default]
    Json,
    /// For people, to print.
    Html,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InForm {
    /// `json` or `html`
    format: Format,
}

/// The route.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export))
}

/// Everything that is kept about me.
#[utoipa::path(get, path = "/export", tag = "me", params(InForm), security(("session" = ["customer"])),
    responses((status = 200, content((Export = "application/json"), (String = "text/html")))))]
async fn export(
    State(app): State<App>,
    address: Address,
    customer: Customer,
    SignedIn(claims): SignedIn,
    AtLeast(at_least): AtLeast,
    Query(InForm { format }): Query<InForm>,
) -> Answer<Response> {
    let freshness = app.customer_freshness(at_least.as_ref()).await;
    let export = Export { stale: freshness.is_stale(), ..app.gather(customer, claims.sid).await? };
    app.trail.note(Event::new(Kind::DataExported).account(customer.account).address(&address)).await;
    let saved = |name: &str| AppendHeaders([(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))]);
    Ok(match format {
        Format::Json => (older(freshness), saved("astro-bookings.json"), Json(export)).into_response(),
        Format::Html => {
            let html = AppendHeaders([(CONTENT_TYPE, "text/html; charset=utf-8")]);
            (older(freshness), saved("astro-bookings.html"), html, page::render(&export)).into_response()
        }
    })
}

impl App {
    async fn gather(&self, customer: Customer, session: uuid::Uuid) -> Answer<Export> {
        let now = self.clock.now();
        let account = self.accounts.by_id(customer.account).await?.ok_or_else(ApiError::not_found)?;
        let holder = self.accounts.holder(&account).await?.ok_or_else(ApiError::not_found)?;
        let person = Person { name: holder.name.to_string(), email: holder.email.to_string() };
        let mails = self.notifications.to_person(customer.account.0, ITEMS_MAX.into()).await?;
        Ok(Export {
            made_at: now,
            stale: false,
            account: ExportedAccount {
                id: customer.account,
                name: person.name.clone(),
                email: person.email.clone(),
                role: account.role,
                state: account.state,
                vip: self.is_vip(customer.customer).await?,
                second_factor: account.factor().is_some_and(|factor| factor.confirmed_at.is_some()),
                created_at: account.created_at(),
            },
            bookings: self.all_trips(customer).await?,
            mails: mails
                .into_iter()
                .map(|(notification, letter)| {
                    let mail = letter.render(&person, "");
                    let text = if letter.has_secret() { String::new() } else { mail.text };
                    ExportedMail {
                        at: notification.at,
                        sent_at: notification.sent_at,
                        state: notification.state,
                        subject: mail.subject,
                        text,
                    }
                })
                .collect(),
            sessions: self.sessions.list(customer.account, session, now).await?,
            security_events: self.all_events(customer).await?,
        })
    }

    async fn all_trips(&self, customer: Customer) -> Answer<Vec<Trip>> {
        let mut all = Vec::new();
        for page in 1..=ITEMS_MAX / PER_PAGE_MAX {
            let listing = Listing { page, per_page: PER_PAGE_MAX, search: String::new() };
            let trips = self.views.customer.bookings_of(customer.customer, &listing, &|kind, text| self.blind(kind, text)).await?;
            let pages = trips.pages();
            all.extend(self.open_trips(trips).await?.items);
            if u64::from(page) >= pages {
                break;
            }
        }
        Ok(all)
    }

    async fn all_events(&self, customer: Customer) -> Answer<Vec<SecurityEvent>> {
        let mut all = Vec::new();
        for page in 1.. {
            let query = SecurityQuery { account: Some(customer.account), page, ..SecurityQuery::default() };
            let events = self.trail.search(&query).await?;
            let pages = events.pages();
            all.extend(events.items);
            if u64::from(page) >= pages || all.len() >= ITEMS_MAX as usize {
                break;
            }
        }
        Ok(all)
    }
}
