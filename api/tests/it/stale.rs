//! Every read honours `Astro-Position`: it waits a moment, and then says that it is older. Or there is a reason why it need not.

use crate::{
    client::{Client, Reply},
    world::{Flight, SUPPLIER, World, book},
};
use api::{core::token::Service, services};
use contract::account::Role;
use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Reads that are not of a view, and so never older than what was done.
const NOT_OF_A_VIEW: &[(&str, &str)] = &[
    ("/api/core/session", "the account itself, and the customer's own stream"),
    ("/api/core/sessions", "the sessions themselves"),
    ("/api/core/accounts", "the accounts themselves"),
    ("/api/core/accounts/{id}", "the account itself"),
    ("/api/core/logs", "the system's log, which no command of the platform writes"),
    ("/api/core/security-events", "the trail, which no command of the platform writes"),
    ("/api/core/logs/live", "goes on: a stream of lines"),
    ("/api/core/notifications", "the queue itself"),
    ("/api/core/mailbox", "the mailbox itself"),
    ("/api/core/projections", "says of each view how far it is"),
    ("/api/core/projections/{view}/parked", "what the projector itself keeps"),
    ("/api/customer/launches/{launch}/live", "goes on until it is there: a stream of changes"),
    ("/api/customer/launches/{launch}/bookings/{booking}/quote", "asks the launch itself"),
    ("/api/supplier/launches/{launch}/abort-quote", "asks the launch itself"),
];

/// Every read of the four services, with the first role that may do it.
fn reads() -> Vec<(String, String)> {
    let mut reads = Vec::new();
    for service in Service::ALL {
        let document = serde_json::to_value(services::openapi(service)).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            if let Some(read) = operations.get("get") {
                let anyone = if read["security"].is_array() { "customer" } else { "" };
                let role = read["security"][0]["session"][0].as_str().unwrap_or(anyone);
                reads.push((path.clone(), role.to_owned()));
            }
        }
    }
    reads
}

/// Whether the answer says so: by header, and in its body, which is silent only where nothing is read of a view.
#[track_caller]
fn is_stale(path: &str, reply: &Reply, of_a_view: bool) -> bool {
    assert_eq!(reply.status.as_u16(), 200, "{path}: {reply:?}");
    let header = reply.headers.get("astro-stale").is_some_and(|value| value == "true");
    let said = ["/stale", "/launches/stale", "/lines/stale"].map(|place| reply.body.pointer(place).and_then(Value::as_bool));
    let said: Vec<bool> = said.into_iter().flatten().collect();
    assert!(said == [header] || (said.is_empty() && !of_a_view), "{path} does not say in its body what its header says: {reply:?}");
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_waits_for_a_position_and_says_when_it_is_older() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let booking = book(&ada, slug.as_str(), &["1A"]).await;
    let mut clients: BTreeMap<&str, Client> = BTreeMap::from([("", world.visitor()), ("customer", ada.clone())]);
    clients.insert("supplier", world.with_role(Role::Supplier, Some(SUPPLIER)).await);
    for (word, role) in [("employee", Role::Employee), ("operator", Role::Operator), ("auditor", Role::Auditor)] {
        clients.insert(word, world.with_role(role, None).await);
    }
    let excused: BTreeSet<&str> = NOT_OF_A_VIEW.iter().map(|(path, _)| *path).collect();
    let account = ada.get("/api/core/session").await.ok()["account"].as_str().unwrap().to_owned();
    let filled = |path: &str| {
        let path = path.replace("/accounts/{id}", &format!("/accounts/{account}"));
        let parts = [("{launch}", launch.to_string()), ("{booking}", booking.to_string()), ("{id}", launch.to_string())];
        let path = parts.iter().fold(path, |path, (part, value)| path.replace(part, value));
        path.replace("{stream_type}", "launch").replace("{view}", "customer.launches")
    };
    let ask = async |position: String| {
        let position = &position;
        let asked = reads().into_iter().filter(|(path, _)| !path.ends_with("/live")).map(|(path, role)| {
            let client = &clients[role.as_str()];
            let request = client.request(Method::GET, &filled(&path)).header("astro-position", position);
            async move { (path, client.send(request).await) }
        });
        join_all(asked).await
    };

    let mut known = 0;
    for (path, reply) in ask(format!("launch/{launch}@1000000")).await {
        let of_a_view = !excused.contains(path.as_str());
        assert_eq!(is_stale(&path, &reply, of_a_view), of_a_view, "{path}: {reply:?}");
        known += usize::from(!of_a_view);
    }
    assert_eq!(known + 2, excused.len(), "a reason is given for what is no read, but for the two streams");
    // What was done is shown, so nothing is older than that.
    let sequence = world.app.executor.load::<domain::launch::Launch>(&launch).await.unwrap().version;
    for (path, reply) in ask(format!("launch/{launch}@{sequence}")).await {
        assert!(!is_stale(&path, &reply, !excused.contains(path.as_str())), "{path}: {reply:?}");
    }
    world.end().await;
}
