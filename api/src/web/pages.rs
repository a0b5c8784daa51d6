//! The apps' files and pages beside their services. How a page looks is `ui`'s.

use super::statics::Statics;
use crate::core::token::Service;
use anyhow::Result;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::StatusCode;
use std::path::Path;
use ui::server::App;

/// Which app a service shows.
#[must_use]
pub fn app_of(service: Service) -> App {
    match service {
        Service::Customer => App::Customer,
        Service::Supplier => App::Supplier,
        Service::Employee => App::Employee,
        Service::Core => App::Admin,
    }
}

/// `services` with the pages of `apps` around them. `folder` holds the bundles and assets.
pub fn around(services: Router, apps: &[App], folder: &Path) -> Result<Router> {
    let mut files = Statics::read(&folder.join("assets"), "/assets/")?;
    for app in apps {
        files = files.and(Statics::read(&folder.join(app.as_str()), &format!("/pkg/{}/", app.as_str()))?);
    }
    let (mut router, mut others) = (services.clone(), services.clone());
    for app in apps {
        match app {
            App::Customer => others = ui::server::customer(services.clone(), folder),
            desk => router = router.merge(ui::server::desk(*desk, folder)),
        }
    }
    if let [desk] = apps
        && *desk != App::Customer
    {
        let address = format!("/{}", desk.as_str());
        router = router.route("/", get(move || async move { Redirect::temporary(&address) }));
    }
    Ok(router.fallback_service(others.layer(middleware::from_fn_with_state(files, serve))))
}

async fn serve(State(files): State<Statics>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    if !uri.path().starts_with("/assets/") && !uri.path().starts_with("/pkg/") {
        return next.run(request).await;
    }
    files.answer(request.method(), uri.path(), uri.query(), request.headers()).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}
