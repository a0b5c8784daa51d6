//! Serves the pages: the customer's rendered from the services in this process, the desks' as an empty shell. The bundles and
//! assets themselves, and every header but the content type, are left to the service that mounts this.

use crate::{client::InProcess, customer};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Response, StatusCode, header},
    middleware::map_response,
    response::Html,
    routing::get,
};
use dioxus::server::{DioxusRouterExt, FullstackState, ServeConfig};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::Arc,
};

/// The most a rendered page may be, in bytes.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
const SHELL: &str = include_str!("shell.html");
/// Hydration data of an app that has none: an empty list in CBOR.
const NOTHING: &str = "gA==";
const HYDRATION: &str = "<script>window.initial_dioxus_hydration_data=\"";
const MAIN: &str = "<div id=\"main\">";

/// The apps, as their bundles are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// For visitors and customers.
    Customer,
    /// For a supplier's members.
    Supplier,
    /// For employees.
    Employee,
    /// For operators and auditors.
    Admin,
}

impl App {
    /// The name of its bundle and, but for the customers', of its address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Employee => "employee",
            Self::Admin => "admin",
        }
    }
}

/// The customers' pages, for every path that nothing else serves. `services` answers `/api/customer` and `/api/core`; `public`
/// is the folder with `assets` and the bundles.
pub fn customer(services: Router, public: &Path) -> Router {
    let api = InProcess(services);
    let shell: Arc<str> = shell(App::Customer, public).into();
    let config = ServeConfig::new().context_provider(move || api.clone());
    let pages: Router<FullstackState> = Router::new();
    pages.serve_api_application(config, customer::App).layer(map_response(move |response| framed(response, Arc::clone(&shell))))
}

/// A desk's page: the same for each of its addresses, filled in the browser.
pub fn desk(app: App, public: &Path) -> Router {
    let page =
        shell(app, public).replace(MAIN, &format!("{MAIN}<!--placeholder0-->")).replace("</body>", &format!("{}</body>", data(NOTHING)));
    let answer = get(move || {
        let page = page.clone();
        async move { Html(page) }
    });
    let base = format!("/{}", app.as_str());
    Router::new().route(&base, answer.clone()).route(&format!("{base}/"), answer.clone()).route(&format!("{base}/{{*page}}"), answer)
}

/// The page around an app. Addresses of files carry a hash of what is in them, so that they may be kept forever.
#[must_use]
pub fn shell(app: App, public: &Path) -> String {
    let name = app.as_str();
    let mut page = String::with_capacity(SHELL.len() * 2);
    for line in SHELL.replace("{app}", name).lines() {
        if line.contains("{desk}") && app == App::Customer || line.contains("{customer}") && app != App::Customer {
            continue;
        }
        let line = line.replace("{desk}", "").replace("{customer}", "");
        let mut rest = line.as_str();
        while let Some(at) = rest.find("{file:") {
            let (before, after) = rest.split_at(at);
            let (file, after) = after["{file:".len()..].split_once('}').unwrap_or((after, ""));
            page.push_str(before);
            page.push_str(&address(file, public));
            rest = after;
        }
        page.push_str(rest);
        page.push('\n');
    }
    page
}

/// `/assets/<file>?v=<hash>` or `/pkg/<app>/<file>?v=<hash>`.
fn address(file: &str, public: &Path) -> String {
    let url = if file.starts_with("assets/") { format!("/{file}") } else { format!("/pkg/{file}") };
    match std::fs::read(public.join(file)) {
        Ok(bytes) => {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            format!("{url}?v={:016x}", hasher.finish())
        }
        Err(_) => url,
    }
}

/// Data for the page to start from, as an element that no policy takes for a script.
fn data(hydration: &str) -> String {
    format!("<template id=\"hydration\" data-value=\"{hydration}\"></template>")
}

/// The renderer's page has no head of ours and two scripts in it, which the policy of ours forbids: what it rendered goes into
/// the shell, and the data for the browser into an element that `boot.js` reads.
async fn framed(response: Response<Body>, shell: Arc<str>) -> Response<Body> {
    let html = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !html {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let rendered = to_bytes(body, PAGE_BYTES_MAX).await.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    let Some(page) = rendered.and_then(|rendered| frame(&rendered, &shell)) else {
        let mut broken = Response::new(Body::from("The page could not be rendered."));
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return broken;
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, Body::from(page))
}

/// What was rendered, in the shell.
fn frame(rendered: &str, shell: &str) -> Option<String> {
    let (head, body) = rendered.split_once(MAIN)?;
    // Without a title of its own in the renderer's page, the title comes before everything else.
    let title = between(head, "<title>", "</title>").unwrap_or("Astro Bookings");
    let more = between(head, "<head>", "</head>").unwrap_or_default().trim();
    let body = body.strip_prefix("<script>").and_then(|script| script.split_once("</script>")).map_or(body, |(_, body)| body);
    let (main, script) = body.split_once(HYDRATION)?;
    let (hydration, _) = script.split_once('"')?;
    let (before, after) = shell.split_once(MAIN)?;
    let before =
        before.replace("<title>Astro Bookings</title>", &format!("<title>{title}</title>")).replace("</head>", &format!("{more}</head>"));
    let after = after.replace("</body>", &format!("{}</body>", data(hydration)));
    Some(format!("{before}{MAIN}{main}{after}"))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendered_page_goes_into_the_shell_without_scripts() {
        let rendered = "<title>Moon</title><html><head> <meta a></head> <body><div id=\"main\"><script>x</script><b>y</b><script>window.initial_dioxus_hydration_data=\"gA==\";window.more=1;</script></div></body></html>";
        let shell = "<head><title>Astro Bookings</title></head><body><div id=\"main\"></div></body>";
        assert_eq!(
            frame(rendered, shell).as_deref(),
            Some(
                "<head><title>Moon</title><meta a></head><body><div id=\"main\"><b>y</b></div><template id=\"hydration\" data-value=\"gA==\"></template></body>"
            )
        );
    }

    #[test]
    fn a_desks_page_names_its_bundle_only() {
        let page = shell(App::Admin, Path::new("/nowhere"));
        assert!(page.contains("/pkg/admin/admin.js") && page.contains("/assets/desk.css"));
        assert!(!page.contains('{') && !page.contains("customer"), "{page}");
    }
}
