//! What operators do about views, over HTTP: pausing, rebuilding, going back, and deciding about streams set aside.

use crate::{
    client::Client,
    world::{Flight, World},
};
use commands::hash::Body;
use contract::{LaunchId, account::Role};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const VIEW: &str = "/api/core/projections/customer.launches";

/// What `GET /projections` says of a view.
fn of<'a>(projections: &'a Value, view: &str) -> &'a Value {
    projections["views"].as_array().unwrap().iter().find(|known| known["view"] == view).unwrap()
}

async fn done(client: &Client, path: &str) {
    let reply = client.post(path, &json!(null)).await;
    assert_eq!(reply.status.as_u16(), 204, "{path}: {reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_projection_is_shown_as_it_was_and_says_so_until_it_is_resumed() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let (operator, ada) = (world.with_role(Role::Operator, None).await, world.customer().await);
    let page = format!("/api/customer/launches/{launch}");
    done(&operator, "/api/core/projections/customer/pause").await;
    done(&operator, "/api/core/projections/customer/pause").await;
    let paused = operator.get("/api/core/projections").await.ok();
    assert_eq!(of(&paused, "customer.launches")["paused"], true);
    assert_eq!(of(&paused, "customer.launches")["partitions"].as_array().unwrap().len(), 16);

    let held = ada.ask(&format!("{page}/holds"), &json!({ "seats": ["1A"] })).await.ok();
    let reply = ada.get(&page).await;
    assert_eq!(reply.headers["astro-stale"], "true");
    assert_eq!((reply.body["held"].as_u64(), reply.body["stale"].as_bool()), (Some(0), Some(true)), "{:?}", reply.body);
    // Whoever made it is told that it is not shown yet, anybody else that there is no such thing.
    let booking = format!("/api/customer/bookings/{}", held["booking"].as_str().unwrap());
    let not_yet = ada.get(&booking).await;
    assert!(not_yet.headers.contains_key("retry-after"), "{not_yet:?}");
    not_yet.refused(503, "not_shown_yet");
    world.with_role(Role::Customer, None).await.get(&booking).await.refused(404, "not_found");
    let waiting = operator.until("/api/core/projections", |all| of(all, "customer.launches")["lag_events"].as_u64() > Some(0)).await;
    assert_eq!(of(&waiting, "operations.launches")["paused"], false);

    // Who has done nothing is told too, once it is some seconds old.
    let visitor = world.visitor();
    let late = visitor.until(&page, |page| page["stale"] == true).await;
    assert_eq!(late["held"], 0);
    visitor.get("/api/customer/launches/no-such-launch").await.refused(404, "not_found");

    done(&operator, "/api/core/projections/customer/resume").await;
    let shown = ada.until(&page, |page| page["held"] == 1).await;
    assert_eq!(shown["stale"], false);
    assert_eq!(visitor.get(&page).await.ok()["stale"], false);
    assert_eq!(ada.get(&booking).await.ok()["booking"]["status"], "held");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_rebuilt_and_rolled_back_by_api() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let operator = world.with_role(Role::Operator, None).await;
    operator.post(&format!("{VIEW}/roll_back"), &json!(null)).await.refused(409, "nothing_to_go_back_to");
    operator.post(&format!("{VIEW}/rebuild"), &json!({ "accept": true })).await.refused(400, "bad_request");

    let ask = async || operator.post(&format!("{VIEW}/rebuild"), &json!({ "accept_differences": false })).await;
    let first = ask().await;
    assert_eq!(first.status.as_u16(), 202, "{first:?}");
    // It keeps its right until the projector has taken the new version over, so a second one comes too early.
    ask().await.refused(409, "rebuild_going_on");
    let going = operator.get("/api/core/projections").await.ok();
    let progress = &of(&going, "customer.launches")["rebuild"];
    assert!(progress["phase"].as_str().is_some_and(|phase| !phase.is_empty()) && progress["total"].as_u64() > Some(0), "{progress}");
    let rebuilt = operator
        .until("/api/core/projections", |all| {
            let view = of(all, "customer.launches");
            view["version"] == 2 && view["state"] == "live" && view["rebuild"].is_null()
        })
        .await;
    assert_eq!(of(&rebuilt, "customer.launches")["previous"], 1);
    world.visitor().get(&format!("/api/customer/launches/{launch}")).await.ok();

    let back = operator.post(&format!("{VIEW}/roll_back"), &json!(null)).await.ok();
    assert_eq!(back, json!({ "view": "customer.launches", "version": 1 }));
    let (_, slug) = world.launch(Flight::default()).await; // which the version before shows, too
    world.visitor().get(&format!("/api/customer/launches/{slug}")).await.ok();

    for path in ["customer.nothing/rebuild", "nowhere/pause", "customer.launches/pause", "customer/rebuild", "nowhere.launches/roll_back"] {
        operator.post(&format!("/api/core/projections/{path}"), &json!({})).await.refused(404, "not_found");
    }
    operator.get("/api/core/projections/customer.nothing/parked").await.refused(404, "not_found");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_begins_no_rebuild() {
    let world = World::start().await;
    let operator = world.with_role(Role::Operator, None).await;
    let stop = CancellationToken::new();
    stop.cancel();
    world.app.rebuilds.clone().end_with(stop).await;
    operator.post(&format!("{VIEW}/rebuild"), &json!({})).await.refused(503, "unavailable");
    let all = operator.get("/api/core/projections").await.ok();
    assert_eq!((&of(&all, "customer.launches")["state"], &of(&all, "customer.launches")["version"]), (&json!("live"), &json!(1)));
    world.end().await;
}

/// Appends an event that no program can read to the launch.
async fn poison(world: &World, launch: LaunchId, sequence: u64) {
    let (event_id, command_id, stream_id, payload) = (Uuid::now_v7(), Uuid::new_v4(), launch.to_string(), r#"{"type":"from_the_future"}"#);
    let body = Body {
        event_id,
        stream_type: "launch",
        stream_id: &stream_id,
        sequence,
        event_type: "from_the_future",
        event_version: "1",
        payload,
        command_id,
        correlation_id: command_id,
        causation_id: None,
        actor: "system",
    };
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, correlation_id, actor, body_hash) \
         VALUES ('launch', $1, $2, 'from_the_future', '1', $3::json, $4, $5, $5, 'system', $6)",
    )
    .bind(&stream_id)
    .bind(i64::try_from(sequence).unwrap())
    .bind(payload)
    .bind(event_id)
    .bind(command_id)
    .bind(body.hash().as_slice())
    .execute(&world.servers.pool)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_set_aside_is_tried_again_or_goes_on_without_its_event() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight::default()).await;
    let operator = world.with_role(Role::Operator, None).await;
    let stream = format!("{VIEW}/parked/launch/{launch}");
    operator.post(&format!("{stream}/retry"), &json!(null)).await.refused(404, "not_found");
    operator.post(&format!("{stream}/discard"), &json!(null)).await.refused(404, "not_found");

    poison(&world, launch, 2).await;
    let parked = operator.until(&format!("{VIEW}/parked"), |parked| !parked.as_array().unwrap().is_empty()).await;
    assert_eq!((parked[0]["view"].as_str(), parked[0]["stream_type"].as_str()), (Some("customer.launches"), Some("launch")));
    assert_eq!((parked[0]["stream_id"].as_str(), parked[0]["retrying"].as_bool()), (Some(launch.to_string().as_str()), Some(false)));
    assert!(parked[0]["why"].as_str().is_some_and(|why| why.contains("unreadable")), "{parked}");

    // Trying again changes nothing as long as the program is as it is; a rebuild skips nothing either, and says why.
    done(&operator, &format!("{stream}/retry")).await;
    operator.until(&format!("{VIEW}/parked"), |parked| parked[0]["retrying"] == false).await;
    assert_eq!(operator.post(&format!("{VIEW}/rebuild"), &json!({})).await.status.as_u16(), 202);
    let failed = operator
        .until("/api/core/projections", |all| {
            let rebuild = &of(all, "customer.launches")["rebuild"];
            rebuild["phase"] == "" && rebuild["fault"].as_str().is_some_and(|fault| fault.contains("cannot be folded"))
        })
        .await;
    assert_eq!(of(&failed, "customer.launches")["version"], 1);

    done(&operator, &format!("{stream}/discard")).await;
    operator.until(&format!("{VIEW}/parked"), |parked| parked.as_array().unwrap().is_empty()).await;
    world.end().await;
}
