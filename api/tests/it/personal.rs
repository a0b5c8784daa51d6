//! Personal data: sealed where it is kept, opened for those who may see it, taken along by its owner, and gone for ever when they say so.

use crate::{
    client::Client,
    people::noted,
    world::{Flight, GOOD_CARD, OTHER_SUPPLIER, PASSWORD, SUPPLIER, World, card, step},
};
use api::app::Servers;
use contract::{CustomerId, LaunchId, account::Role};
use domain::{customer, id::AccountId};
use jiff::Timestamp;
use projections::{ViewName, rebuild::Differing};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vault::{PersonId, VaultError};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` finds something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> impl Future<Output = T> {
    let (from, began) = (std::panic::Location::caller(), Instant::now());
    async move {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{from}: not yet: {what}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

fn zenobia(seat: &str) -> Value {
    json!({ "seat": seat, "name": "Zenobia Quartermain", "email": "Zenobia@Example.net", "phone": "+49 170 5550199", "born": "1988-03-04" })
}

/// Holds 2C and 2D for Zenobia and a namesake, and pays; gives the way to the booking.
async fn book(client: &Client, launch: LaunchId) -> (String, String) {
    let held = client.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": ["2C", "2D"] })).await.ok();
    let booking = held["booking"].as_str().unwrap().to_owned();
    let path = format!("/api/customer/launches/{launch}/bookings/{booking}");
    client.put(&format!("{path}/passengers"), &json!({ "passengers": [zenobia("2C"), zenobia("2D")] })).await.ok();
    let paid = client.ask(&format!("{path}/payments"), &card(GOOD_CARD)).await.ok();
    assert_eq!(paid["confirmed"], true, "{paid}");
    (booking, path)
}

async fn cancel(client: &Client, path: &str) {
    let quote = client.get(&format!("{path}/quote")).await.ok();
    client.ask(&format!("{path}/cancellation"), &json!({ "refund": quote["quote"]["refund"] })).await.ok();
}

pub(crate) async fn account_of(client: &Client) -> AccountId {
    client.get("/api/core/session").await.ok()["account"].as_str().unwrap().parse().unwrap()
}

/// Everything the databases keep, as one text: what a dump would show.
async fn kept(world: &World) -> String {
    let mut all = String::new();
    for statement in [
        "SELECT coalesce(string_agg(events::text, ' '), '') FROM events",
        "SELECT coalesce(string_agg(snapshots::text, ' '), '') FROM snapshots",
        "SELECT coalesce(string_agg(command_log::text, ' '), '') FROM command_log",
        "SELECT coalesce(string_agg(jobs::text, ' '), '') FROM scheduler.jobs jobs",
        "SELECT coalesce(string_agg(bookings::text, ' '), '') FROM operations.bookings bookings",
    ] {
        all += &sqlx::query_scalar::<_, String>(statement).fetch_one(&world.servers.pool).await.unwrap();
    }
    all + &documents(&world.servers, &world.place().prefix).await
}

/// Every document of both document databases.
pub(crate) async fn documents(servers: &Servers, prefix: &str) -> String {
    use futures::TryStreamExt;
    let mut all = String::new();
    let customer = servers.mongo.client.database(&format!("{prefix}_customer"));
    for database in [&servers.mongo.system, &customer] {
        for name in database.list_collection_names().await.unwrap() {
            let found = database.collection::<mongodb::bson::Document>(&name).find(mongodb::bson::doc! {}).await.unwrap();
            for document in found.try_collect::<Vec<_>>().await.unwrap() {
                all += &document.to_string();
            }
        }
    }
    all
}

/// Everything the stream keeps, once it has the whole log.
async fn streamed(world: &World) -> String {
    let head = world.servers.feed.head().await.unwrap();
    eventually("the stream has all", async || (world.servers.bus.head().await.unwrap() >= Some(head)).then_some(())).await;
    let client = async_nats::connect(&world.place().nats_url).await.unwrap();
    let name = format!("{}_EVENTS", world.place().prefix.to_uppercase());
    let stream = async_nats::jetstream::new(client).get_stream(name).await.unwrap();
    let mut all = String::new();
    for position in 1..=head {
        let message = stream.get_raw_message(position).await.unwrap();
        all += &format!("{} {}\n", message.subject, String::from_utf8_lossy(&message.payload));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn passengers_are_kept_sealed_and_shown_to_those_who_may_see_them() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let (booking, path) = book(&ada, launch).await;
    let trip = ada.get(&format!("/api/customer/bookings/{booking}")).await.ok();
    let one = &trip["booking"]["passengers"][0];
    assert_eq!(
        (one["name"].as_str(), one["email"].as_str(), one["phone"].as_str(), one["born"].as_str()),
        (Some("Zenobia Quartermain"), Some("Zenobia@Example.net"), Some("+49 170 5550199"), Some("1988-03-04"))
    );
    for (search, total) in [("zenobia", 1), ("Quartermain%20b-", 1), ("zenobia@example.NET", 1), ("zeno", 0), ("example", 0), ("ada", 0)] {
        assert_eq!(ada.get(&format!("/api/customer/bookings?search={search}")).await.ok()["total"], total, "{search}");
    }

    let employee = world.with_role(Role::Employee, None).await;
    let rows = employee.until("/api/employee/bookings?search=quartermain", |page| page["total"] == 1).await;
    assert_eq!(rows["items"][0]["passengers"], json!(["Zenobia Quartermain", "Zenobia Quartermain"]));
    let shown = employee.get(&format!("/api/employee/bookings/{booking}")).await.ok();
    assert_eq!(shown["booking"]["passengers"][1]["name"], "Zenobia Quartermain");
    assert_eq!(employee.get("/api/employee/today").await.ok()["latest"][0]["passengers"][0], "Zenobia Quartermain");

    // A supplier learns names and ages on launch day, of their own launches.
    let supplier = world.with_role(Role::Supplier, Some(SUPPLIER)).await;
    let rows = supplier.get(&format!("/api/supplier/launches/{slug}/bookings")).await.ok();
    let departs_at: Timestamp = rows["items"][0]["departs_at"].as_str().unwrap().parse().unwrap();
    let age = domain::passenger::age_at("1988-03-04".parse().unwrap(), departs_at);
    assert_eq!(rows["items"][0]["passengers"][0], format!("Zenobia Quartermain ({age})"));
    for word in ["zenobia@", "5550199", "1988-03-04"] {
        assert!(!rows.to_string().to_lowercase().contains(word), "{word}: {rows}");
    }
    // Nor whether an address they know is that of a passenger; a name they see anyway.
    for (search, of_employee, of_supplier) in [("zenobia@example.net", 1, 0), ("ZENOBIA@example.NET", 1, 0), ("quartermain", 1, 1)] {
        assert_eq!(employee.get(&format!("/api/employee/bookings?search={search}")).await.ok()["total"], of_employee, "{search}");
        let found = supplier.get(&format!("/api/supplier/launches/{slug}/bookings?search={search}")).await.ok();
        assert_eq!(found["total"], of_supplier, "{search}");
    }
    let other = world.with_role(Role::Supplier, Some(OTHER_SUPPLIER)).await;
    other.get(&format!("/api/supplier/launches/{slug}/bookings")).await.refused(404, "not_found");
    // An auditor sees that passengers were named, not who they are.
    let auditor = world.with_role(Role::Auditor, None).await;
    let events = auditor.get(&format!("/api/core/streams/launch/{launch}/events")).await.ok().to_string();
    assert!(events.contains("passengers_named") && events.contains("x1:"), "{events}");
    assert!(!events.to_lowercase().contains("zenobia"), "{events}");

    ada.put(&format!("{path}/passengers"), &json!({ "passengers": [zenobia("2C")] })).await.refused(409, "booking_closed");
    let kept = kept(&world).await.to_lowercase();
    for word in ["zenobia", "quartermain", "5550199", "1988-03-04", "lovelace"] {
        assert!(!kept.contains(word), "{word} is kept as it is");
    }
    assert!(kept.contains("x1:") && kept.contains("passengers_named"));
    world.end().await;
}

/// The name of the passenger, as any role may try to find it after the erasure.
async fn nobody_finds(world: &World, launch: LaunchId, slug: &str, booking: &str, account: AccountId) {
    let mut asked = 0;
    let clients = [
        world.visitor(),
        world.customer().await,
        world.with_role(Role::Supplier, Some(SUPPLIER)).await,
        world.with_role(Role::Employee, None).await,
        world.with_role(Role::Operator, None).await,
        world.with_role(Role::Auditor, None).await,
    ];
    for client in clients {
        for path in [
            format!("/api/customer/launches/{slug}"),
            format!("/api/customer/bookings/{booking}"),
            "/api/customer/bookings".to_owned(),
            "/api/customer/export".to_owned(),
            format!("/api/supplier/launches/{slug}/bookings"),
            "/api/employee/bookings".to_owned(),
            "/api/employee/bookings?search=zenobia".to_owned(),
            format!("/api/employee/bookings/{booking}"),
            "/api/employee/today".to_owned(),
            "/api/core/accounts".to_owned(),
            format!("/api/core/accounts/{account}"),
            "/api/core/logs".to_owned(),
            "/api/core/security-events".to_owned(),
            "/api/core/notifications".to_owned(),
            "/api/core/mailbox".to_owned(),
            "/api/core/mailbox?search=zenobia".to_owned(),
            format!("/api/core/streams/launch/{launch}/events"),
            format!("/api/core/streams/launch/{launch}/state"),
            format!("/api/core/streams/customer/{account}/events"),
        ] {
            let reply = client.get(&path).await;
            asked += u32::from(reply.status.is_success());
            let answer = reply.body.to_string().to_lowercase();
            for word in ["zenobia", "quartermain", "5550199", "1988-03-04"] {
                assert!(!answer.contains(word), "{path} says {word}: {answer}");
            }
        }
    }
    assert!(asked >= 20, "only {asked} answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_takes_everything_along_and_is_forgotten() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let (account, email) = world.account_of("Zenobia Quartermain").await;
    let zenobia = world.visitor();
    zenobia.post("/api/core/session", &json!({ "email": email, "password": PASSWORD })).await.ok();
    let (booking, path) = book(&zenobia, launch).await;
    let employee = world.with_role(Role::Employee, None).await;

    // What is open keeps the account.
    zenobia.post("/api/core/erasure", &json!({ "password": "another password" })).await.refused(400, "bad_request");
    let open = zenobia.post("/api/core/erasure", &json!({ "password": PASSWORD })).await.refused(409, "open_bookings");
    assert_eq!(open["bookings"], json!([booking]));
    cancel(&zenobia, &path).await;
    eventually("the refund is paid", async || {
        let trip = zenobia.get(&format!("/api/customer/bookings/{booking}")).await.ok();
        (trip["booking"]["refunds"][0]["state"] == "paid").then_some(())
    })
    .await;
    let mails = world.visitor().until("/api/core/mailbox", |page| page["total"].as_u64() >= Some(3)).await.to_string();
    assert!(mails.contains("Hello Zenobia Quartermain"), "{mails}");

    // Everything that is kept, in both forms.
    let reply = zenobia.get("/api/customer/export").await;
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"astro-bookings.json\"");
    let export = reply.ok();
    assert_eq!(
        (export["account"]["name"].as_str(), export["account"]["email"].as_str()),
        (Some("Zenobia Quartermain"), Some(email.as_str()))
    );
    assert_eq!(export["bookings"][0]["booking"]["passengers"][0]["phone"], "+49 170 5550199");
    assert_eq!(export["bookings"][0]["booking"]["payments"][0]["card"], "visa 4242");
    assert_eq!(export["bookings"][0]["booking"]["refunds"][0]["state"], "paid");
    assert!(export["mails"].as_array().unwrap().iter().any(|mail| mail["text"].as_str().unwrap().contains("Hello Zenobia")), "{export}");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert!(export["security_events"].to_string().contains("signed_in"), "{export}");
    let reply = zenobia.get("/api/customer/export?format=html").await;
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"astro-bookings.html\"");
    let page = reply.ok();
    let page = page.as_str().unwrap();
    for text in ["Zenobia Quartermain", "+49 170 5550199", "1988-03-04", "visa 4242", "refund"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    zenobia.get("/api/customer/export?format=xml").await.refused(400, "bad_request");

    let before = employee.get("/api/employee/journal").await.ok();
    let gone = zenobia.post("/api/core/erasure", &json!({ "password": PASSWORD })).await;
    let taken = gone.headers.get_all("set-cookie").iter().filter(|cookie| cookie.to_str().unwrap().contains("Max-Age=0")).count();
    assert_eq!(taken, 2, "the browser has nothing left to ask with");
    assert_eq!(gone.status, 204, "{gone:?}");
    eventually("the session is over", async || (zenobia.get("/api/customer/bookings").await.status == 401).then_some(())).await;
    world.visitor().post("/api/core/session", &json!({ "email": email, "password": PASSWORD })).await.refused(401, "wrong_credentials");

    // Money, counts and the chain are as they were; the passengers are nobody now.
    let after = employee.get("/api/employee/journal").await.ok();
    assert_eq!(
        (&after["sum"], &after["balances"], &after["lines"]["total"]),
        (&before["sum"], &before["balances"], &before["lines"]["total"])
    );
    let erased = |page: &Value| page["items"][0]["passengers"] == json!(["Details erased", "Details erased"]);
    employee.until("/api/employee/bookings", erased).await;
    let shown = employee.get(&format!("/api/employee/bookings/{booking}")).await.ok();
    let one = &shown["booking"]["passengers"][0];
    assert_eq!((one["name"].as_str(), one["email"].as_str(), &one["born"]), (Some("Details erased"), Some(""), &Value::Null));
    assert_eq!(employee.get("/api/employee/bookings?search=quartermain").await.ok()["total"], 0, "nor found by name");
    nobody_finds(&world, launch, &slug.to_string(), &booking, account).await;
    // That there was somebody, and what was done, stays; from where it was done does not.
    let entries = ["password_check_failed", "signed_in", "data_exported", "erased"];
    let trail = noted(&world.with_role(Role::Operator, None).await, account, &entries).await;
    assert!(trail.as_array().unwrap().iter().all(|entry| entry["address"] == ""), "{trail}");
    let words = ["zenobia", "quartermain", "5550199", email.as_str()];
    for kept in [kept(&world).await, streamed(&world).await] {
        assert!(kept.contains("passengers_named"), "the control: {kept}");
        assert!(words.iter().all(|word| !kept.to_lowercase().contains(word)));
    }
    assert!(matches!(world.app.vault.seal(account.into(), &vault::Place::new("a", "b"), &"x").await, Err(VaultError::Erased)));

    // Every view folded anew from the log says the same.
    let head = world.servers.feed.head().await.unwrap();
    for name in ViewName::all() {
        let store = world.servers.databases.store(name.projection);
        eventually("the view has read all", async || (store.standings().await.unwrap()[name.view].position() >= head).then_some(())).await;
        let stop = CancellationToken::new();
        let rebuilt = projections::rebuild(&world.servers.databases, name, Differing::Refuse, &stop, |_| {}).await.unwrap();
        assert!(rebuilt.switched && rebuilt.differing == 0, "{name}: {rebuilt:?}");
    }
    assert_eq!(commands::audit::verify(&world.servers.pool, 1).await.unwrap().first_bad, None);
    employee.until("/api/employee/bookings", erased).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_broke_off_is_finished_by_the_scheduler() {
    let world = World::start().await;
    let ada = world.customer().await;
    let account = account_of(&ada).await;
    let person = async || world.app.accounts.person(account).await.unwrap();
    assert!(person().await.is_some());
    // As if the process had died right after the event.
    let command = customer::Command::Erase { now: Timestamp::now() };
    world.app.executor.execute::<customer::Customer>(&CustomerId(account.0), command, &step("erase")).await.unwrap();
    eventually("the account is empty", async || person().await.is_none().then_some(())).await;
    eventually("the key is gone", async || {
        let sealed = world.app.vault.seal(PersonId::from(account), &vault::Place::new("a", "b"), &"x").await;
        matches!(sealed, Err(VaultError::Erased)).then_some(())
    })
    .await;
    eventually("the session is over", async || (ada.get("/api/customer/bookings").await.status == 401).then_some(())).await;
    world.end().await;
}
