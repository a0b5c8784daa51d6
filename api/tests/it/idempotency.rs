//! Asking twice does once.

use crate::world::{Flight, World, book, card, passenger};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn one_key_has_one_answer_however_often_and_at_once() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let holds = format!("/api/customer/launches/{launch}/holds");
    let (key, body) = (Uuid::new_v4(), json!({ "seats": ["1A", "1B"] }));
    let replies = join_all((0..50).map(|_| ada.ask_as(key, &holds, &body))).await;
    let first: Value = replies[0].body.clone();
    for reply in &replies {
        assert_eq!((reply.status.as_u16(), &reply.body, reply.position()), (201, &first, replies[0].position()));
    }
    assert_eq!(world.state(launch).await.manifest().unwrap().bookings.len(), 1);

    ada.ask_as(key, &holds, &json!({ "seats": ["1C"] })).await.refused(422, "idempotency_key_reused");
    // Keys of different accounts never meet.
    let eve = world.customer().await;
    eve.ask_as(key, &holds, &body).await.refused(409, "seats_taken");
    // A refusal is an answer too: it stays when the seats are free again.
    let again = Uuid::new_v4();
    eve.ask_as(again, &holds, &json!({ "seats": ["5A", "5B", "5C", "5D", "4A"] })).await.refused(409, "seat_limit_reached");
    eve.ask_as(again, &holds, &json!({ "seats": ["5A", "5B", "5C", "5D", "4A"] })).await.refused(409, "seat_limit_reached");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_taken_once_and_a_cancellation_answered_twice_alike() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let path = format!("/api/customer/launches/{launch}");
    let held = ada.ask(&format!("{path}/holds"), &json!({ "seats": ["1A"] })).await.ok();
    let mine = format!("{path}/bookings/{}", held["booking"].as_str().unwrap());
    ada.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("1A")] })).await.ok();
    let key = Uuid::new_v4();
    // This card answers twice.
    let (payments, twice) = (format!("{mine}/payments"), card("4000 0000 0000 0259"));
    let pay = || ada.ask_as(key, &payments, &twice);
    let replies = join_all((0..10).map(|_| pay())).await;
    let paid = replies.iter().find(|reply| reply.status.is_success()).expect("one payment").body.clone();
    assert_eq!(pay().await.ok(), paid);
    let state = world.state(launch).await;
    let booking = &state.manifest().unwrap().bookings.values().next().unwrap().clone();
    assert_eq!((booking.payments.len(), booking.paid().minor), (1, 125_000_000));

    let quote = ada.get(&format!("{mine}/quote")).await.ok();
    let cancel = json!({ "refund": quote["quote"]["refund"] });
    let key = Uuid::new_v4();
    let first = ada.ask_as(key, &format!("{mine}/cancellation"), &cancel).await.ok();
    assert_eq!(ada.ask_as(key, &format!("{mine}/cancellation"), &cancel).await.ok(), first);
    ada.ask(&format!("{mine}/cancellation"), &cancel).await.refused(409, "already_cancelled");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_is_scheduled_once_for_a_key() {
    let world = World::start().await;
    let supplier = world.supplier().await;
    let form = json!({ "rocket": crate::world::ROCKET, "spaceport": crate::world::SPACEPORT, "destination": "station",
        "departs_local": "2029-07-02T14:20", "price": "1000000", "minimum_seats": 1 });
    let key = Uuid::new_v4();
    let replies = join_all((0..10).map(|_| supplier.ask_as(key, "/api/supplier/launches", &form))).await;
    let first = replies[0].clone().ok();
    assert!(replies.into_iter().all(|reply| reply.ok() == first));
    assert_eq!(first["slug"], "atlas-v-cape-canaveral-station-2029-07-02");
    let ada = world.customer().await;
    book(&ada, first["slug"].as_str().unwrap(), &["1A"]).await;
    world.end().await;
}
