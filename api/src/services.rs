//! The four services: which routes each has, and what describes them.

use crate::{app::App, core::token::Service, problem::ApiError};
use axum::{Json, Router, response::IntoResponse, routing::get};
use contract::{Code, Problem};
use utoipa::openapi::{
    OpenApi, OpenApiBuilder, RefOr,
    info::InfoBuilder,
    path::{Operation, Parameter, ParameterIn},
    response::ResponseBuilder,
    security::{ApiKey, ApiKeyValue, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

fn routes(service: Service) -> OpenApiRouter<App> {
    match service {
        Service::Customer => crate::customer::routes::router(),
        Service::Supplier => crate::supplier::routes::router(),
        Service::Employee => crate::employee::router(),
        Service::Core => crate::core::routes::router(),
    }
}

fn base(service: Service) -> String {
    format!("/api/{}", service.as_str())
}

fn described(service: Service) -> (Router<App>, OpenApi) {
    let title = match service {
        Service::Customer => "Astro Bookings: customer service",
        Service::Supplier => "Astro Bookings: supplier service",
        Service::Employee => "Astro Bookings: employee service",
        Service::Core => "Astro Bookings: core service",
    };
    let about = "Errors have one shape, `Problem`. Commands need the header `Idempotency-Key` and answer with `Astro-Position`. Reads \
                 wait a little for the one they carry, and say `Astro-Stale: true` when they are older all the same or more than 2 s behind the log.";
    let info = InfoBuilder::new().title(title).version(env!("CARGO_PKG_VERSION")).description(Some(about)).build();
    let start = OpenApiRouter::with_openapi(OpenApiBuilder::new().info(info).build());
    let (router, mut openapi) = start.nest(&base(service), routes(service)).split_for_parts();
    complete(&mut openapi);
    (router, openapi)
}

/// The document that describes a service.
#[must_use]
pub fn openapi(service: Service) -> OpenApi {
    described(service).1
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

/// Codes every operation may answer with, beside its own.
fn common(operation: &Operation) -> Vec<(u16, String)> {
    let has = |place: ParameterIn| parameters(operation).any(|parameter| parameter.parameter_in == place);
    let has_query = has(ParameterIn::Query);
    let command = parameters(operation).any(|parameter| parameter.name == contract::IDEMPOTENCY_KEY);
    let mut codes: Vec<(u16, String)> =
        [(414, "address_too_long"), (429, "too_many_requests"), (431, "headers_too_large"), (500, "internal"), (503, "unavailable")]
            .map(|(status, code)| (status, code.to_owned()))
            .to_vec();
    let mut bad = Vec::new();
    if operation.request_body.is_some() || has_query || command {
        bad.push("bad_request");
    }
    if command {
        bad.push("idempotency_key_missing");
        codes.push((422, "idempotency_key_reused".to_owned()));
    }
    if !bad.is_empty() {
        codes.push((400, bad.join(" ")));
    }
    if operation.request_body.is_some() {
        codes.push((408, "body_too_slow".to_owned()));
        codes.push((413, "body_too_large".to_owned()));
        codes.push((415, "not_json".to_owned()));
    }
    if operation.security.is_some() {
        codes.push((401, "sign_in_required".to_owned()));
        codes.push((403, "forbidden".to_owned()));
    }
    if has(ParameterIn::Path) {
        codes.push((404, "not_found".to_owned()));
    }
    codes
}

/// Adds what all operations share: their common errors, and how one signs in.
fn complete(openapi: &mut OpenApi) {
    let problem = utoipa::openapi::ContentBuilder::new().schema(Some(utoipa::openapi::Ref::from_schema_name("Problem"))).build();
    for path in openapi.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post, &mut path.put, &mut path.delete].into_iter().flatten() {
            for (status, description) in common(operation) {
                let response = operation.responses.responses.entry(status.to_string()).or_insert_with(|| {
                    RefOr::T(ResponseBuilder::new().description("").content("application/json", problem.clone()).build())
                });
                if let RefOr::T(response) = response {
                    for code in description.split(' ') {
                        if !response.description.split(' ').any(|known| known == code) {
                            response.description = format!("{} {code}", response.description).trim().to_owned();
                        }
                    }
                }
            }
        }
    }
    let components = openapi.components.get_or_insert_default();
    components.schemas.entry("Problem".to_owned()).or_insert_with(<Problem as utoipa::PartialSchema>::schema);
    components.schemas.entry("Code".to_owned()).or_insert_with(<Code as utoipa::PartialSchema>::schema);
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::authority::ACCESS_COOKIE)));
    components.add_security_scheme("session", cookie);
}

async fn no_such_path() -> ApiError {
    ApiError::not_found()
}

async fn no_such_method() -> ApiError {
    ApiError::new(Code::MethodNotAllowed, "This address does not take this method. The service's openapi.json says which it takes.")
}

/// The routes of these services under `/api`, with their documents, and errors of our shape where there is no route.
pub fn router(app: &App, services: &[Service]) -> Router {
    let mut all = Router::new();
    for service in services {
        let (router, openapi) = described(*service);
        let document = get(move || {
            let document = openapi.clone();
            async move { Json(document).into_response() }
        });
        let router = router.route(&format!("{}/openapi.json", base(*service)), document).method_not_allowed_fallback(no_such_method);
        all = all.merge(router);
    }
    all.route("/api/{*path}", axum::routing::any(no_such_path)).fallback(no_such_path).with_state(app.clone())
}
