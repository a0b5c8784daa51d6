//! Whole pages, rendered from made-up services.

use axum::{
    Json, Router,
    body::Body,
    extract::Path,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use contract::{Code, Problem, launch::LaunchPage};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

fn launch() -> Value {
    json!({
        "id": "7f0d8a52-4f43-4f0e-9d3c-0d6f8f6f0a01", "slug": "atlas-v-551-cape-canaveral-low-earth-2028-01-02", "mission": "Gemini <9>",
        "supplier": "7f0d8a52-4f43-4f0e-9d3c-0d6f8f6f0a02", "supplier_name": "United Launch Alliance",
        "rocket": "7f0d8a52-4f43-4f0e-9d3c-0d6f8f6f0a03", "rocket_name": "Atlas V 551",
        "spaceport": "7f0d8a52-4f43-4f0e-9d3c-0d6f8f6f0a04", "spaceport_name": "Cape Canaveral", "latitude": 28.4, "longitude": -80.6,
        "destination": "low_earth",
        "departure": { "at": "2028-01-02T19:20:00Z", "zone": "America/New_York", "offset_minutes": -300, "abbreviation": "EST" },
        "delayed_from": null, "price": { "minor": 125_000_000, "currency": "USD" }, "status": "confirmed",
        "capacity": 24, "sold": 20, "held": 1, "minimum_seats": 10,
    })
}

fn page() -> Value {
    let mut page = launch();
    let more = json!({
        "cabin": { "rows": 6, "seats_per_row": 4, "blocked": [] }, "taken": [{ "seat": "1A", "held": false }],
        "history": [{ "at": "2027-02-14T10:00:00Z", "event": "scheduled", "title": "On sale", "text": "by United Launch Alliance" }],
        "free_cancellation_until": null, "position": 7,
    });
    page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    page
}

async fn one(Path(slug): Path<String>) -> Response {
    if slug.starts_with("atlas") {
        return Json(page()).into_response();
    }
    let problem = Problem { code: Code::NotFound, message: "There is no such launch.".to_owned(), details: Value::Null };
    (StatusCode::NOT_FOUND, Json(problem)).into_response()
}

fn pages() -> Router {
    let board = json!({
        "launches": { "items": [launch()], "total": 1, "page": 1, "per_page": 20, "position": 7 },
        "destinations": [{ "destination": "low_earth", "launches": 3940 }], "next": launch(),
    });
    let services = Router::new()
        .route("/api/customer/launches", get(move || async move { Json(board) }))
        .route("/api/customer/launches/{launch}", get(one));
    ui::server::customer(services, std::path::Path::new("/nowhere"))
}

async fn ask(address: &str) -> (StatusCode, String) {
    let request = Request::builder().uri(address).body(Body::empty()).unwrap();
    let response = pages().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The text between tags, without the renderer's marks.
fn text(page: &str) -> String {
    let (_, page) = page.split_once("<div id=\"main\">").unwrap();
    let mut text = String::new();
    let mut inside = false;
    for c in page.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

#[tokio::test]
async fn the_board_is_complete_without_javascript() {
    let (status, page) = ask("/?destination=low_earth&search=atlas").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<title>Launches with seats | Astro Bookings</title>"));
    let words = text(&page);
    for expected in
        ["Low Earth Orbit from Cape Canaveral", "14:20 EST, 19:20 UTC", "$1,250,000", "3 of 24 seats left", "3,940", "Gemini &#60;9&#62;"]
    {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    assert!(page.contains("href=\"/launches/atlas-v-551-cape-canaveral-low-earth-2028-01-02\""));
    assert!(page.contains("method=\"get\"") && page.contains("value=\"atlas\""), "the filters are a form that works by itself");
}

#[tokio::test]
async fn a_launch_is_complete_without_javascript() {
    let (status, page) = ask("/launches/atlas-v-551-cape-canaveral-low-earth-2028-01-02?seats=2C").await;
    assert_eq!(status, StatusCode::OK);
    let launch: LaunchPage = serde_json::from_value(self::page()).unwrap();
    let words = text(&page);
    for expected in ["Sunday 2 January 2028, 14:20 EST", "Choose your seats", "On sale", "back if the launch is aborted"] {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    assert_eq!(page.matches("role=\"gridcell\"").count(), launch.cabin.capacity());
    assert!(page.contains("aria-label=\"2C, aisle, yours\""), "seats of the address are chosen already");
}

#[tokio::test]
async fn no_page_has_a_script_or_a_style_that_the_policy_forbids() {
    for address in ["/", "/launches/atlas-v-551-cape-canaveral-low-earth-2028-01-02", "/sign-in?next=/trips", "/trips", "/how-it-works"] {
        let (_, page) = ask(address).await;
        assert!(!page.contains("<script>"), "an inline script at {address}");
        assert!(!page.contains(" style=") && !page.contains("<style"), "an inline style at {address}");
        assert!(!page.contains(" onclick="), "an inline handler at {address}");
        assert!(page.contains("<template id=\"hydration\""), "data to start from at {address}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_with_its_status() {
    for address in ["/launches/no-such-launch", "/nothing/here"] {
        let (status, page) = ask(address).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
        assert!(page.contains("<main"), "{address}");
    }
}

#[tokio::test]
async fn a_desks_page_is_a_shell_for_each_of_its_addresses() {
    let desk = ui::server::desk(ui::server::App::Supplier, std::path::Path::new("/nowhere"));
    for address in ["/supplier", "/supplier/launches/x?page=2"] {
        let response = desk.clone().oneshot(Request::builder().uri(address).body(Body::empty()).unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(body.to_vec()).unwrap();
        assert!(page.contains("/pkg/supplier/supplier.js") && !page.contains("<script>"), "{address}");
    }
}
