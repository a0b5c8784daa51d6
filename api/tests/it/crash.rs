//! What was acknowledged is there after the process was killed in the middle, once, and every view agrees with the log.

use crate::{
    client::{Client, Reply},
    world::{Flight, GOOD_CARD, Namespace, card, fleet, passenger, schedule, step},
};
use api::{
    app::Servers,
    core::{
        session::Sessions,
        token::{Bearer, Tokens},
    },
    keys::Keys,
    roles,
};
use commands::Executor;
use contract::{BookingId, LaunchId, account::Role};
use domain::{
    booking::Stage,
    customer::{self, Customer},
    id::{AccountId, CustomerId},
    launch::Launch,
};
use futures::future::join_all;
use jiff::Timestamp;
use projections::{FinanceViews, ViewName, rebuild::Differing};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LAUNCHES: usize = 5;
/// Each wants a seat of its own.
const BUYERS: usize = 1_000;
/// More who want a seat somebody else wants too.
const RIVALS: usize = 50;
/// Connections at once.
const AT_ONCE: usize = 200;
/// The process is killed after so many were told that they have a booking.
const KILL_AFTER: u32 = 250;
const ALL_DONE_WITHIN: Duration = Duration::from_secs(240);
const DOLLARS: i64 = 1_000_000;

fn program() -> PathBuf {
    std::env::var_os("ASTRO_TEST_ASTRO").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_astro")), PathBuf::from)
}

/// The binary with every role, in this namespace.
pub(crate) fn all_roles(place: &Namespace, port: u16) -> Command {
    let mut command = Command::new(program());
    command
        .args(["all", "--listen", &format!("127.0.0.1:{port}"), "--mailbox", "127.0.0.1:0"])
        .env("ASTRO_POSTGRES_URL", &place.postgres_url)
        .env("ASTRO_NATS_URL", &place.nats_url)
        .env("ASTRO_MONGO_URL", &place.mongo_url)
        .env("ASTRO_KEYS", &place.keys)
        .env("ASTRO_PREFIX", &place.prefix)
        .env("ASTRO_LIMITS", "off")
        .env_remove("ASTRO_UI")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

fn start(place: &Namespace, port: u16) -> Child {
    all_roles(place, port).spawn().unwrap()
}

pub(crate) async fn serving(base: &str) {
    let (client, began) = (Client::new(base), Instant::now());
    while !client.try_send(client.request(Method::GET, "/health")).await.is_ok_and(|reply| reply.status.is_success()) {
        assert!(began.elapsed() < Duration::from_secs(30), "astro does not serve");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks under one key until there is an answer.
async fn insist(client: &Client, method: Method, path: &str, body: &Value, room: &Semaphore) -> Reply {
    let (key, began) = (Uuid::new_v4(), Instant::now());
    loop {
        let permit = room.acquire().await.unwrap();
        let reply = client.try_send(client.command(method.clone(), key, path, body)).await;
        drop(permit);
        match reply {
            Ok(reply)
                if reply.status.as_u16() < 500 && reply.body["code"] != "payment_unknown" && reply.body["code"] != "payment_in_flight" =>
            {
                return reply;
            }
            _ => {}
        }
        assert!(began.elapsed() < ALL_DONE_WITHIN, "no answer to {path}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A booking this buyer was told to have; none when another was first.
async fn buy(client: Client, launch: LaunchId, seat: String, room: Arc<Semaphore>, told: Arc<AtomicU32>) -> Option<BookingId> {
    let path = format!("/api/customer/launches/{launch}");
    let held = insist(&client, Method::POST, &format!("{path}/holds"), &json!({ "seats": [seat] }), &room).await;
    if held.body["code"] == "seats_taken" {
        return None;
    }
    let booking = held.ok()["booking"].as_str().unwrap().to_owned();
    let mine = format!("{path}/bookings/{booking}");
    let named = json!({ "passengers": [passenger(&seat)] });
    insist(&client, Method::PUT, &format!("{mine}/passengers"), &named, &room).await.ok();
    let paid = insist(&client, Method::POST, &format!("{mine}/payments"), &card(GOOD_CARD), &room).await.ok();
    assert_eq!(paid["confirmed"], true, "{paid}");
    told.fetch_add(1, Ordering::Relaxed);
    Some(booking.parse().unwrap())
}

async fn buyers(servers: &Servers, executor: &Executor, place: &Namespace, base: &str) -> Vec<Client> {
    let (sessions, tokens) = (Sessions::new(&servers.mongo.system), Tokens::new(&Keys::load(&place.keys).unwrap()));
    let (now, room, http) = (Timestamp::now(), Semaphore::new(AT_ONCE), Client::new(base));
    join_all((0..BUYERS + RIVALS).map(|_| async {
        let _permit = room.acquire().await.unwrap();
        let account = AccountId(Uuid::new_v4());
        let customer = CustomerId(account.0);
        executor.execute::<Customer>(&customer, customer::Command::Register { now }, &step("customer")).await.unwrap();
        let session = sessions.start(account, Role::Customer, now).await.unwrap().session;
        http.with_token(
            base,
            &tokens.sign(Bearer { account, role: Role::Customer, supplier: None, session, enrolling: false }, now).unwrap(),
        )
    }))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_thousand_bookings_loses_none_and_oversells_none() {
    let place = Namespace::make().await;
    let servers = Servers::connect(&place.config()).await.unwrap();
    roles::migrate(&servers).await.unwrap();
    let executor = servers.executor();
    fleet(&executor).await;
    let mut launches = Vec::new();
    for _ in 0..LAUNCHES {
        launches.push(schedule(&executor, Flight { rows: 60, dollars: DOLLARS, ..Flight::default() }).await.0);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = format!("http://127.0.0.1:{port}");
    let clients = buyers(&servers, &executor, &place, &base).await;
    let mut astro = start(&place, port);
    serving(&base).await;

    let (room, told) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(AtomicU32::new(0)));
    let buying: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(n, client)| {
            let place = (n % BUYERS) / LAUNCHES;
            let seat = format!("{}{}", place / 4 + 1, ["A", "B", "C", "D"][place % 4]);
            tokio::spawn(buy(client, launches[n % LAUNCHES], seat, room.clone(), told.clone()))
        })
        .collect();
    let began = Instant::now();
    while told.load(Ordering::Relaxed) < KILL_AFTER {
        assert!(began.elapsed() < ALL_DONE_WITHIN, "only {} bookings", told.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    astro.kill().unwrap();
    astro.wait().unwrap();
    assert!(told.load(Ordering::Relaxed) < BUYERS as u32, "all was done before the kill");
    let mut astro = start(&place, port);
    let answers = join_all(buying).await;
    let acknowledged: Vec<BookingId> = answers.into_iter().filter_map(|answer| answer.unwrap()).collect();
    assert_eq!(acknowledged.len(), BUYERS, "each seat found one buyer");

    let mut bookings = HashMap::new();
    for launch in &launches {
        let state = executor.load::<Launch>(launch).await.unwrap().state;
        let manifest = state.manifest().unwrap();
        assert_eq!((manifest.taken.len(), manifest.held), (BUYERS / LAUNCHES, 0));
        for (id, booking) in &manifest.bookings {
            assert!(matches!(booking.stage, Stage::Confirmed { .. }), "{booking:?}");
            assert_eq!(booking.paid().minor, DOLLARS * 100);
            assert!(booking.seats.iter().all(|seat| manifest.taken[seat] == *id));
            assert!(bookings.insert(*id, launch).is_none());
        }
    }
    assert_eq!(bookings.len(), BUYERS);
    assert!(acknowledged.iter().all(|booking| bookings.contains_key(booking)));

    // The views have read it all, and one folded anew says the same.
    let began = Instant::now();
    let head = servers.feed.head().await.unwrap();
    for name in ViewName::all() {
        let position = || async { servers.databases.store(name.projection).standings().await.unwrap()[name.view].position() };
        while position().await < head {
            assert!(began.elapsed() < ALL_DONE_WITHIN, "{name} does not catch up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let rebuilt = projections::rebuild(&servers.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert!(rebuilt.switched && rebuilt.differing == 0, "{name}: {rebuilt:?}");
    }
    let totals = FinanceViews::new(&servers.databases).totals().await.unwrap();
    assert_eq!((totals.sum.minor, totals.captured.minor), (0, DOLLARS * 100 * BUYERS as i64));
    let report = commands::audit::verify(&servers.pool, 1).await.unwrap();
    assert_eq!(report.first_bad, None);

    // And it stops in an orderly way when it is asked to.
    let began = Instant::now();
    Command::new("kill").args(["-TERM", &astro.id().to_string()]).status().unwrap();
    assert!(astro.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    place.drop(&servers).await;
}
