//! What comes in wrong is answered clearly, in one shape, and changes nothing.

use crate::world::{Flight, GOOD_CARD, World, card, passenger};
use contract::LaunchId;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_refuse_is_told_with_what_to_do() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let holds = format!("/api/customer/launches/{slug}/holds");

    ada.ask(&holds, &json!({ "seats": ["1A"] })).await.ok();
    let eve = world.customer().await;
    assert_eq!(eve.ask(&holds, &json!({ "seats": ["1A", "1B"] })).await.refused(409, "seats_taken")["seats"], json!(["1A"]));
    eve.ask(&holds, &json!({ "seats": ["9Z"] })).await.refused(409, "no_such_seat");
    eve.ask(&holds, &json!({ "seats": [] })).await.refused(409, "no_seats");
    let limit = eve.ask(&holds, &json!({ "seats": ["2A", "2B", "2C", "2D", "3A"] })).await.refused(409, "seat_limit_reached");
    assert_eq!((limit["limit"].as_u64(), limit["already"].as_u64()), (Some(4), Some(0)));

    let booking = eve.ask(&holds, &json!({ "seats": ["2A"] })).await.ok()["booking"].as_str().unwrap().to_owned();
    let mine = format!("/api/customer/launches/{slug}/bookings/{booking}");
    let mut old = passenger("2A");
    old["born"] = json!("1930-01-01");
    let details = eve.put(&format!("{mine}/passengers"), &json!({ "passengers": [old] })).await.refused(409, "age_out_of_range");
    assert_eq!((details["seat"].as_str(), details["from"].as_u64(), details["to"].as_u64()), (Some("2A"), Some(18), Some(70)));
    let mut nameless = passenger("2A");
    (nameless["name"], nameless["email"]) = (json!(""), json!("nowhere"));
    let fields = eve.put(&format!("{mine}/passengers"), &json!({ "passengers": [nameless] })).await.refused(400, "bad_request");
    assert!(fields["fields"]["passengers.2A.name"].is_string() && fields["fields"]["passengers.2A.email"].is_string(), "{fields}");
    eve.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("3A")] })).await.refused(409, "passengers_do_not_match");
    eve.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("2A")] })).await;
    for number in ["4242 4242 4242 4241", "4111 1111 1111 1111", "visa"] {
        assert!(eve.ask(&format!("{mine}/payments"), &card(number)).await.refused(400, "bad_card")["fields"]["card_number"].is_string());
    }
    eve.ask(&format!("{mine}/payments"), &json!({ "card_number": GOOD_CARD, "expiry": "01/20", "cvc": "123" }))
        .await
        .refused(400, "bad_card");
    ada.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("2A")] })).await.refused(404, "not_found");

    // An unknown launch, however it is named.
    for unknown in [LaunchId(Uuid::new_v4()).to_string(), "no-such-launch-2029-01-01".to_owned(), "No Slug".to_owned()] {
        ada.get(&format!("/api/customer/launches/{unknown}")).await.refused(404, "not_found");
        ada.ask(&format!("/api/customer/launches/{unknown}/holds"), &json!({ "seats": ["1A"] })).await.refused(404, "not_found");
    }
    let supplier = world.supplier().await;
    let price =
        supplier.ask(&format!("/api/supplier/launches/{slug}/price"), &json!({ "price": "much" })).await.refused(400, "bad_request");
    assert!(price["fields"]["price"].as_str().unwrap().contains("1250000"));
    let soon = json!({ "rocket": crate::world::ROCKET, "spaceport": crate::world::SPACEPORT, "destination": "station",
        "departs_local": "2020-07-02T14:20", "price": "1000000", "minimum_seats": 1 });
    supplier.ask("/api/supplier/launches", &soon).await.refused(409, "too_soon");

    let manifest = world.state(launch).await;
    assert_eq!(manifest.manifest().unwrap().taken.len(), 2, "only what was accepted changed anything");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_where() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let holds = format!("/api/customer/launches/{launch}/holds");
    let raw = |body: &'static str, kind: &'static str| {
        ada.request(Method::POST, &holds).header("idempotency-key", Uuid::new_v4().to_string()).header("content-type", kind).body(body)
    };
    let broken = ada.send(raw("{\"seats\": [\"1A\",\n }", "application/json")).await.refused(400, "bad_request");
    assert_eq!(broken["line"], 2);
    ada.send(raw("", "application/json")).await.refused(400, "bad_request");
    ada.send(raw("{\"seats\": \"1A\"}", "application/json")).await.refused(400, "bad_request");
    ada.send(raw("{\"seats\": [\"1A\"], \"price\": 1}", "application/json")).await.refused(400, "bad_request");
    ada.send(raw("{\"seats\": {\"$gt\": \"\"}}", "application/json")).await.refused(400, "bad_request");
    ada.send(raw("seats=1A", "application/x-www-form-urlencoded")).await.refused(415, "not_json");
    let deep = format!("{{\"seats\": {}1{}}}", "[".repeat(3_000), "]".repeat(3_000));
    let request = ada.request(Method::POST, &holds).header("idempotency-key", Uuid::new_v4().to_string());
    ada.send(request.header("content-type", "application/json").body(deep)).await.refused(400, "bad_request");
    let huge = ada.request(Method::POST, &holds).header("idempotency-key", Uuid::new_v4().to_string());
    ada.send(huge.header("content-type", "application/json").body(vec![b' '; 2 * 1024 * 1024])).await.refused(413, "body_too_large");

    ada.post(&holds, &json!({ "seats": ["1A"] })).await.refused(400, "idempotency_key_missing");
    let request = ada.request(Method::POST, &holds).header("idempotency-key", "once").json(&json!({ "seats": ["1A"] }));
    ada.send(request).await.refused(400, "idempotency_key_missing");

    for query in
        ["per_page=0", "per_page=101", "per_page=many", "sort=luck", "destination=pluto", "from=yesterday", "page=99999999", "what=1"]
    {
        ada.get(&format!("/api/customer/launches?{query}")).await.refused(400, "bad_request");
    }
    ada.get(&format!("/api/customer/launches?search={}", "x".repeat(300))).await.refused(400, "bad_request");
    assert_eq!(ada.get("/api/customer/launches?destination=&from=&page=0&price_max=").await.ok()["launches"]["page"], 1);
    ada.get("/api/customer/bookings/not-an-id").await.refused(404, "not_found");
    ada.get("/api/customer/nothing").await.refused(404, "not_found");
    ada.get("/api/nothing").await.refused(404, "not_found");
    ada.send(ada.request(Method::PATCH, "/api/customer/launches")).await.refused(405, "method_not_allowed");
    let request = ada.request(Method::GET, "/api/customer/launches").header("astro-position", "last tuesday");
    ada.send(request).await.refused(400, "bad_request");

    let fields: Value = world
        .visitor()
        .post("/api/core/accounts", &json!({ "name": "", "email": "x", "password": "short" }))
        .await
        .refused(400, "bad_request")["fields"]
        .clone();
    assert!(fields["name"].is_string() && fields["email"].is_string() && fields["password"].is_string(), "{fields}");
    let taken = world.state(launch).await.manifest().unwrap().taken.len();
    assert_eq!(taken, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_pages_change_nothing() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let holds = format!("/api/customer/launches/{launch}/holds");
    let ask = || ada.command(Method::POST, Uuid::new_v4(), &holds, &json!({ "seats": ["1A"] }));
    ada.send(ask().header("origin", "https://evil.example")).await.refused(403, "foreign_origin");
    ada.send(ask().header("sec-fetch-site", "cross-site")).await.refused(403, "foreign_origin");
    assert_eq!(ada.send(ask().header("origin", &world.base).header("sec-fetch-site", "same-origin")).await.status, 201);

    let reply = ada.get("/api/customer/launches").await;
    for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("referrer-policy", "same-origin")] {
        assert_eq!(reply.headers[name], value);
    }
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    world.end().await;
}
