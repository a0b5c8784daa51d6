//! The whole way of a booking, and what the desks see of it.

use crate::world::{Flight, GOOD_CARD, World, book, card, passenger};
use contract::account::Role;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_is_held_booked_and_given_back() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let board = world.visitor().get("/api/customer/launches?search=atlas%20cape&destination=low_earth&supplier=&seats=").await.ok();
    assert_eq!((board["launches"]["total"].as_u64(), board["launches"]["items"][0]["slug"].as_str()), (Some(1), Some(slug.as_str())));

    let ada = world.customer().await;
    let path = format!("/api/customer/launches/{slug}");
    let held = ada.ask(&format!("{path}/holds"), &json!({ "seats": ["2C", "2D"] })).await;
    assert_eq!(held.status, 201);
    assert_eq!(held.position(), format!("launch/{launch}@2"));
    assert_eq!(held.body["total"]["minor"], 250_000_000);
    let booking = held.body["booking"].as_str().unwrap().to_owned();
    let mine = format!("{path}/bookings/{booking}");

    ada.ask(&format!("{mine}/payments"), &card(GOOD_CARD)).await.refused(409, "passengers_missing");
    let named = ada.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("2C"), passenger("2D")] })).await;
    assert_eq!(named.status, 204, "{named:?}");
    let declined = ada.ask(&format!("{mine}/payments"), &card("4000 0000 0000 9995")).await;
    assert_eq!(declined.position().split('@').next().unwrap(), format!("launch/{launch}"));
    assert_eq!(declined.refused(402, "payment_declined")["reason"], "insufficient_funds");
    let paid = ada.ask(&format!("{mine}/payments"), &card(GOOD_CARD)).await.ok();
    assert_eq!((paid["confirmed"].as_bool(), paid["amount"]["minor"].as_i64()), (Some(true), Some(250_000_000)));

    let trip = ada.get(&format!("/api/customer/bookings/{booking}")).await.ok();
    assert_eq!((trip["booking"]["status"].as_str(), trip["launch"]["sold"].as_u64()), (Some("confirmed"), Some(2)));
    assert_eq!(ada.get("/api/customer/bookings").await.ok()["total"], 1);

    let quote = ada.get(&format!("{mine}/quote?seat=2D")).await.ok();
    assert_eq!((quote["quote"]["percent"].as_u64(), quote["quote"]["refund"]["minor"].as_i64()), (Some(90), Some(112_500_000)));
    ada.ask(&format!("{mine}/cancellation"), &json!({ "seat": "2D", "refund": { "minor": 1, "currency": "USD" } }))
        .await
        .refused(409, "quote_changed");
    let done = ada.ask(&format!("{mine}/cancellation"), &json!({ "seat": "2D", "refund": quote["quote"]["refund"] })).await.ok();
    assert_eq!(done, quote);
    let trip = ada.get(&format!("/api/customer/bookings/{booking}")).await.ok();
    assert_eq!(trip["launch"]["sold"], 1);

    // A stranger sees none of it.
    let eve = world.customer().await;
    eve.get(&format!("/api/customer/bookings/{booking}")).await.refused(404, "not_found");
    eve.get(&format!("{mine}/quote")).await.refused(404, "not_found");

    // The money shows, and the mails went out.
    let employee = world.with_role(Role::Employee, None).await;
    let journal = employee.until("/api/employee/journal", |journal| journal["lines"]["total"].as_u64() >= Some(6)).await;
    assert_eq!(journal["sum"]["minor"], 0);
    let bookings = employee.get("/api/employee/bookings?status=confirmed").await.ok();
    assert_eq!(bookings["items"][0]["id"], booking);
    assert_eq!(employee.get(&format!("/api/employee/bookings/{booking}")).await.ok()["booking"]["id"], booking);
    assert_eq!(employee.get("/api/employee/today").await.ok()["seats"], 1);
    employee.until("/api/employee/revenue/launches", |page| page["items"][0]["net"]["minor"] == 137_500_000).await;
    let mails = world.visitor().until("/api/core/mailbox", |page| page["total"].as_u64() >= Some(2)).await;
    assert!(mails["items"].as_array().unwrap().iter().any(|mail| mail["subject"].as_str().unwrap().contains("booked")), "{mails}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_schedules_delays_and_aborts() {
    let world = World::start().await;
    let supplier = world.supplier().await;
    let form = json!({
        "rocket": crate::world::ROCKET, "spaceport": crate::world::SPACEPORT, "destination": "station",
        "departs_local": "2029-07-02T14:20", "price": "1,250,000", "minimum_seats": 2,
    });
    let scheduled = supplier.ask("/api/supplier/launches", &form).await.ok();
    assert_eq!(scheduled["slug"], "atlas-v-cape-canaveral-station-2029-07-02");
    let second = supplier.ask("/api/supplier/launches", &form).await.ok();
    assert_eq!(second["slug"], "atlas-v-cape-canaveral-station-2029-07-02-2");
    let third = supplier.ask("/api/supplier/launches", &form).await.ok();
    assert_eq!(third["slug"], "atlas-v-cape-canaveral-station-2029-07-02-3");
    let refused = "SELECT count(*) FROM command_log WHERE stream_type = 'slug' AND refusal IS NOT NULL";
    let refused: i64 = sqlx::query_scalar(refused).fetch_one(&world.servers.pool).await.unwrap();
    assert_eq!(refused, 0, "slugs that were taken were asked for");
    let launch = scheduled["slug"].as_str().unwrap();
    let page = supplier.get(&format!("/api/supplier/launches/{launch}")).await.ok();
    assert_eq!((page["departure"]["at"].as_str(), page["stale"].as_bool()), (Some("2029-07-02T18:20:00Z"), Some(false)));

    let mut far = form.clone();
    far["destination"] = json!("mars");
    supplier.ask("/api/supplier/launches", &far).await.refused(409, "out_of_range");
    let mut wrong = form.clone();
    (wrong["price"], wrong["departs_local"]) = (json!("much"), json!("2029-03-11T02:30"));
    let fields = supplier.ask("/api/supplier/launches", &wrong).await.refused(400, "bad_request")["fields"].clone();
    assert!(fields["price"].is_string() && fields["departs_local"].as_str().unwrap().contains("does not exist"), "{fields}");

    let ada = world.customer().await;
    let booking = book(&ada, launch, &["1A", "1B"]).await;
    let quote = supplier.get(&format!("/api/supplier/launches/{launch}/abort-quote")).await.ok();
    assert_eq!((quote["bookings"].as_u64(), quote["refunds"]["minor"].as_i64()), (Some(1), Some(250_000_000)));
    let path = format!("/api/supplier/launches/{launch}");
    assert_eq!(supplier.ask(&format!("{path}/price"), &json!({ "price": "2000000" })).await.status, 204);
    supplier.ask(&format!("{path}/outcome"), &json!({ "outcome": "launched" })).await.refused(409, "not_departed");
    let delay = json!({ "departs_local": "2029-08-02T14:20", "reason": "Range maintenance" });
    assert_eq!(supplier.ask(&format!("{path}/delay"), &delay).await.status, 204);
    let rows = supplier.get(&format!("{path}/bookings")).await.ok();
    assert_eq!(rows["items"][0]["id"], booking.to_string());
    let summary = supplier.until("/api/supplier/summary", |summary| summary["sold"] == 2).await;
    assert_eq!(summary["supplier"]["name"], "Orbital Lines");

    assert_eq!(supplier.ask(&format!("{path}/abort"), &json!({ "reason": "technical" })).await.status, 204);
    ada.until(&format!("/api/customer/bookings/{booking}"), |trip| {
        trip["booking"]["status"] == "cancelled" && trip["booking"]["refunds"][0]["state"] == "paid"
    })
    .await;

    // Rockets, and another supplier's eyes.
    let rocket = json!({ "name": "Dream Boat", "range": "moon", "rows": 3, "seats_per_row": 2 });
    let added = supplier.ask("/api/supplier/rockets", &rocket).await.ok();
    let rockets = supplier.get("/api/supplier/rockets").await.ok();
    assert_eq!(rockets["items"].as_array().unwrap().len(), 2);
    let other = world.with_role(Role::Supplier, Some(crate::world::OTHER_SUPPLIER)).await;
    other.get(&path).await.refused(404, "not_found");
    other.ask(&format!("{path}/abort"), &json!({ "reason": "weather" })).await.refused(404, "not_found");
    let retire = format!("/api/supplier/rockets/{}/retire", added["id"].as_str().unwrap());
    other.ask(&retire, &json!({})).await.refused(404, "not_found");
    assert_eq!(supplier.ask(&retire, &json!({})).await.status, 204);
    let mut retired = form.clone();
    retired["rocket"] = added["id"].clone();
    supplier.ask("/api/supplier/launches", &retired).await.refused(409, "rocket_retired");
    world.end().await;
}
