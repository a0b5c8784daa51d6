//! Who may do what: the table `tests/matrix.txt`, held against the documents and tried with every role, with sessions that only enrol,
//! with tokens of another audience, and with what is another's.

use crate::{
    client::{Client, Reply},
    operations::{self, Operation, ROLES, Row, word},
    world::{Flight, GOOD_CARD, OTHER_SUPPLIER, ROCKET, SPACEPORT, SUPPLIER, World, book, card, passenger},
};
use api::core::token::Bearer;
use contract::{RocketId, account::Role};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

#[test]
fn openapi_documents_say_the_same_as_the_table() {
    let documented: BTreeMap<String, String> = operations::all().into_iter().map(|(name, operation)| (name, operation.who)).collect();
    let table: BTreeMap<String, String> = operations::table().into_iter().map(|(name, row)| (name, row.who)).collect();
    assert_eq!(documented, table);
}

fn both() -> Vec<(String, Operation, Row)> {
    let mut table = operations::table();
    operations::all().into_iter().filter_map(|(name, operation)| Some((name.clone(), operation, table.remove(&name)?))).collect()
}

/// Which services a role's sign-in is for.
fn is_for(role: Role, path: &str) -> bool {
    path.starts_with("/api/core/") || path.starts_with(&format!("/api/{}/", word(role)))
}

async fn tried(client: &Client, operation: &Operation) -> (u16, String) {
    let request = operation.ask(client, &operation.somewhere(), &json!({}));
    if operation.path.ends_with("/live") {
        let answer = request.send().await.unwrap();
        if answer.status().is_success() {
            return (200, String::new()); // and goes on as long as one listens
        }
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        return (status, body["code"].as_str().unwrap_or_default().to_owned());
    }
    let reply = client.send(request).await;
    (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_for_its_roles_only() {
    let world = World::start().await;
    for (name, operation, row) in both() {
        let (status, code) = tried(&world.visitor(), &operation).await;
        if row.who == "*" {
            let goes_on = operation.path.ends_with("/refresh"); // with a session, which a visitor has not
            assert_eq!(code == "sign_in_required", goes_on, "{name} by a visitor: {status} {code}");
            assert!(status < 500 && status != 403, "{name} by a visitor: {status} {code}");
        } else {
            assert_eq!((status, code.as_str()), (401, "sign_in_required"), "{name} by a visitor");
        }
        for role in ROLES {
            // A supplier nobody else here is, so that what exists is another's.
            let client = world.with_role(role, (role == Role::Supplier).then_some(OTHER_SUPPLIER)).await;
            let (status, code) = tried(&client, &operation).await;
            let may = ["*", "+"].contains(&row.who.as_str()) || row.who.split(' ').any(|known| known == word(role));
            match (may, is_for(role, &operation.path)) {
                _ if row.who == "*" => assert!(status < 500 && status != 403, "{name} by {role:?}: {status} {code}"),
                (true, _) => {
                    let turned_away = ["sign_in_required", "forbidden", "enrolment_required"].contains(&code.as_str());
                    assert!(!turned_away && status < 500, "{name} by {role:?}: {status} {code}");
                }
                (false, true) => assert_eq!((status, code.as_str()), (403, "forbidden"), "{name} by {role:?}"),
                // A token of another audience is no token at all.
                (false, false) => assert_eq!((status, code.as_str()), (401, "sign_in_required"), "{name} by {role:?}"),
            }
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_second_factor_yet_may_only_set_it_up() {
    let world = World::start().await;
    for role in [Role::Supplier, Role::Employee, Role::Operator, Role::Auditor] {
        let supplier = (role == Role::Supplier).then_some(SUPPLIER);
        let (account, _) = world.account(role, supplier, "").await;
        for (name, operation, row) in both() {
            if row.who == "*" || !is_for(role, &operation.path) {
                continue;
            }
            // A session for each, for some of what they may do ends it.
            let session = world.app.sessions.start(account, role, Timestamp::now()).await.unwrap().session;
            let bearer = Bearer { account, role, supplier, session, enrolling: true };
            let token = world.app.tokens.sign(bearer, Timestamp::now()).unwrap();
            let (status, code) = tried(&world.visitor().with_token(&world.base, &token), &operation).await;
            if row.enrolling {
                assert!(!["sign_in_required", "forbidden", "enrolment_required"].contains(&code.as_str()), "{name}: {status} {code}");
            } else if operation.path.starts_with("/api/core/") {
                assert_eq!((status, code.as_str()), (403, "enrolment_required"), "{name} by {role:?}");
            } else {
                // Such a token is for the core service alone.
                assert_eq!((status, code.as_str()), (401, "sign_in_required"), "{name} by {role:?}");
            }
        }
    }
    world.end().await;
}

/// An honest body for an operation on what is somebody's.
fn honest(operation: &Operation) -> Value {
    let what = operation.path.rsplit('/').next().unwrap();
    match what {
        "passengers" => json!({ "passengers": [passenger("1A")] }),
        "payments" => card(GOOD_CARD),
        "cancellation" => json!({ "refund": { "minor": 1, "currency": "USD" } }),
        "price" => json!({ "price": "900000" }),
        "delay" => json!({ "departs_local": "2031-07-02T14:20", "reason": "Weather" }),
        "abort" => json!({ "reason": "technical" }),
        "outcome" => json!({ "outcome": "launched" }),
        _ => json!({}),
    }
}

fn said(reply: &Reply) -> (u16, Value) {
    (reply.status.as_u16(), reply.body.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_not_there() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let (ada_account, _) = world.account(Role::Customer, None, "").await;
    let ada = world.signed_in(ada_account, Role::Customer, None).await;
    let booking = book(&ada, slug.as_str(), &["1A"]).await;
    ada.until(&format!("/api/customer/bookings/{booking}"), |_| true).await;
    let session = world.app.sessions.start(ada_account, Role::Customer, Timestamp::now()).await.unwrap().session;
    let member = world.supplier().await;
    member.until(&format!("/api/supplier/launches/{slug}"), |_| true).await;
    let (eve, stranger) = (world.customer().await, world.with_role(Role::Supplier, Some(OTHER_SUPPLIER)).await);

    let mut seen = 0;
    for (name, operation, row) in both() {
        let (owner, other) = match row.owner.as_str() {
            "-" => continue,
            "customer" | "account" => (&ada, &eve),
            "supplier" => (&member, &stranger),
            unknown => panic!("{name}: whose is {unknown}?"),
        };
        let at = |launch: &str, booking: &str, rocket: &str, id: &str| {
            let path = operation.path.replace("{launch}", launch).replace("{booking}", booking);
            path.replace("{rocket}", rocket).replace("{id}", id)
        };
        let (real, none) = (slug.as_str(), Uuid::new_v4().to_string());
        let there = at(real, &booking.to_string(), &ROCKET.to_string(), &session.to_string());
        // What nobody has: the launch is public to customers, so theirs stays the same.
        let nowhere = at(if row.owner == "supplier" { &none } else { real }, &none, &none, &none);
        let body = honest(&operation);
        let mine = other.send(operation.ask(other, &there, &body)).await;
        let nobodys = other.send(operation.ask(other, &nowhere, &body)).await;
        assert_eq!(said(&mine), said(&nobodys), "{name}");
        mine.refused(404, "not_found");
        // By its id, too.
        let by_id = at(&launch.to_string(), &booking.to_string(), &ROCKET.to_string(), &session.to_string());
        other.send(operation.ask(other, &by_id, &body)).await.refused(404, "not_found");
        if operation.method == reqwest::Method::GET {
            // The control: it is there, for its owner.
            owner.send(operation.ask(owner, &there, &body)).await.ok();
        }
        seen += 1;
    }
    assert!(seen >= 12, "{seen}");
    // Nothing of it did anything.
    let taken = world.state(launch).await.manifest().unwrap().taken.len();
    assert_eq!(taken, 1);
    assert!(world.app.sessions.goes_on(session, Timestamp::now()).await.unwrap());
    ada.get(&format!("/api/customer/bookings/{booking}")).await.ok();
    // Lists show one's own only.
    assert_eq!(eve.get("/api/customer/bookings").await.ok()["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(stranger.get("/api/supplier/launches").await.ok()["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(stranger.get("/api/supplier/rockets").await.ok()["items"].as_array().map(Vec::len), Some(0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_rocket_in_a_form_is_no_rocket() {
    let world = World::start().await;
    let launch_of = |rocket: RocketId| {
        json!({ "rocket": rocket, "spaceport": SPACEPORT, "destination": "station", "departs_local": "2031-07-02T14:20", "price": "1000000",
            "minimum_seats": 1 })
    };
    let schedule = async |client: &Client, rocket| client.ask("/api/supplier/launches", &launch_of(rocket)).await;
    let stranger = world.with_role(Role::Supplier, Some(OTHER_SUPPLIER)).await;
    let (anothers, nobodys) = (schedule(&stranger, ROCKET).await, schedule(&stranger, RocketId(Uuid::new_v4())).await);
    assert_eq!(said(&anothers), said(&nobodys));
    assert!(anothers.refused(400, "bad_request")["fields"]["rocket"].is_string());
    // The control: with it, its owner schedules just that.
    schedule(&world.supplier().await, ROCKET).await.ok();
    world.end().await;
}
