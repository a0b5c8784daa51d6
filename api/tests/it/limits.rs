//! How much is too much: requests, headers, addresses, bodies, and clients that take their time.

use crate::{
    client::Client,
    personal::eventually,
    world::{Flight, PASSWORD, World, step},
};
use api::{
    audit::Kind,
    web::{
        guard::REQUESTS_MAX,
        limits::{CONNECTIONS_PER_ADDRESS_MAX, Width},
        serve,
    },
};
use commands::{Failure, Limits};
use contract::{Money, account::Role};
use domain::launch::{Command, Launch};
use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

async fn limited_world() -> World {
    World::with(|config| config.limits = Width::Times(1), None).await
}

/// Asks until it is too much; gives how often that went well and when to ask again.
async fn until_limited(client: &Client, method: Method, path: &str, most: usize) -> (usize, u64, Value) {
    for done in 0..most {
        let reply = client.send(client.request(method.clone(), path).json(&json!({}))).await;
        if reply.status == 429 {
            let after = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
            return (done, after, reply.refused(429, "too_many_requests"));
        }
    }
    panic!("{most} requests to {path} were not too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_an_account_may_ask_so_often() {
    let world = limited_world().await;
    let visitor = world.visitor();
    // Mail to addresses that strangers name: ten, then one in 30 s.
    let (done, after, details) = until_limited(&visitor, Method::POST, "/api/core/password/forgotten", 20).await;
    assert_eq!((done, details["limit"].as_str()), (10, Some("mail")));
    assert!((1..=30).contains(&after), "{after}");
    // Other classes go on, for the same address.
    visitor.get("/api/customer/launches").await.ok();
    // An account has buckets of its own, whatever its address; searching is the narrowest of them here.
    let (one, other) = (world.with_role(Role::Operator, None).await, world.with_role(Role::Operator, None).await);
    let (done, _, details) = until_limited(&one, Method::GET, "/api/core/logs", 100).await;
    assert!((60..100).contains(&done), "{done}");
    assert_eq!(details["limit"], "search");
    other.get("/api/core/logs").await.ok();
    // Too much is noted, once for many.
    let page = other
        .until("/api/core/security-events?kind=limited", |page| {
            page["items"].as_array().unwrap().iter().any(|event| event["account"].is_string())
        })
        .await;
    assert!(page["total"].as_u64().unwrap() <= 4, "{page}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_headers_have_a_length() {
    let world = World::start().await;
    let visitor = world.visitor();
    visitor.get(&format!("/api/customer/launches?search={}", "x".repeat(3_000))).await.refused(414, "address_too_long");
    visitor.get(&format!("/api/customer/launches/{}", "x".repeat(5_000))).await.refused(414, "address_too_long");
    let request = visitor.request(Method::GET, "/api/customer/launches").header("x-long", "x".repeat(20_000));
    visitor.send(request).await.refused(431, "headers_too_large");
    let many = (0..70).fold(visitor.request(Method::GET, "/api/customer/launches"), |request, n| request.header(format!("x-{n}"), "1"));
    assert_eq!(visitor.send(many).await.status, 431, "by the listener itself, which says no more");
    // Beyond what the listener itself takes, the answer is bare and the connection closed.
    let mut stream = TcpStream::connect(world.base.trim_start_matches("http://")).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(1_000_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer[..60]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_any_list_has_at_most_100_items() {
    let world = World::start().await;
    let mut asked = 0;
    for service in api::core::token::Service::ALL {
        let document = serde_json::to_value(api::services::openapi(service)).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
            if !parameters.iter().any(|parameter| parameter["name"] == "per_page") {
                continue;
            }
            let role = operations["get"]["security"][0]["session"][0].as_str().map(str::to_owned);
            let client = match role.as_deref() {
                None => world.visitor(),
                Some("supplier") => world.supplier().await,
                Some(role) => world.with_role(serde_json::from_value(json!(role)).unwrap(), None).await,
            };
            let path = ["launch", "booking", "stream_type", "id"]
                .iter()
                .fold(path.clone(), |path, part| path.replace(&format!("{{{part}}}"), "x"));
            for wrong in ["101", "0", "-1", "4294967296", "1e3"] {
                let reply = client.get(&format!("{path}?per_page={wrong}")).await;
                assert!([400, 404].contains(&reply.status.as_u16()), "{path} {wrong}: {reply:?}");
            }
            asked += 1;
        }
    }
    assert!(asked >= 8, "{asked}");
    world.end().await;
}

/// How long a client that writes `head` and then nothing is served.
async fn served_for(base: &str, head: &str) -> (Duration, String) {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await.expect("the connection is ended");
    (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_that_stands_still_leaves_room_for_pages() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let ada = world.customer().await;
    let room = Limits::default().mailbox_commands;
    assert!(room < REQUESTS_MAX);
    let mut lock = PgConnection::connect(&world.place().postgres_url).await.unwrap();
    lock.execute("BEGIN; LOCK TABLE events IN SHARE MODE").await.unwrap();
    let mut answers: FuturesUnordered<_> = (0..room as i64 + 10)
        .map(|n| {
            let executor = world.app.executor.clone();
            let command = Command::Reprice { price: Money::dollars(100_000 + n), now: Timestamp::now() };
            tokio::spawn(async move { executor.execute::<Launch>(&launch, command, &step("reprice")).await })
        })
        .collect();
    for _ in 0..10 {
        let turned_away = answers.next().await.unwrap().unwrap();
        assert!(matches!(turned_away, Err(Failure::Busy { .. })), "{turned_away:?}");
    }
    let holds = format!("/api/customer/launches/{slug}/holds");
    let busy = ada.ask(&holds, &json!({ "seats": ["1A"] })).await;
    assert_eq!(busy.headers["retry-after"], "1");
    busy.refused(503, "unavailable");
    ada.get(&format!("/api/customer/launches/{slug}")).await.ok();
    ada.get("/api/customer/bookings").await.ok();
    lock.execute("ROLLBACK").await.unwrap();
    while let Some(answer) = answers.next().await {
        answer.unwrap().unwrap();
    }
    ada.ask(&holds, &json!({ "seats": ["1A"] })).await.ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go() {
    let world = World::start().await;
    let body =
        "POST /api/core/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{";
    let (head, body) = tokio::join!(served_for(&world.base, "GET /health HTTP/1.1\r\nhost:"), served_for(&world.base, body));
    assert!(head.0 < Duration::from_secs(40), "{head:?}");
    assert!(body.0 < Duration::from_secs(12) && body.1.starts_with("HTTP/1.1 408") && body.1.contains("body_too_slow"), "{body:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections() {
    let world = limited_world().await;
    let try_one = async || {
        let mut stream = TcpStream::connect(world.base.trim_start_matches("http://")).await.unwrap();
        let asked = stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 12];
        let read = timeout(Duration::from_secs(20), stream.read(&mut answer)).await.unwrap();
        matches!((asked, read), (Ok(()), Ok(bytes)) if bytes > 0).then_some(stream)
    };
    // All at once: one that is silent for long is closed, and makes room.
    let tries = (0..CONNECTIONS_PER_ADDRESS_MAX + 20).map(|_| try_one());
    let tried = futures::future::join_all(tries).await;
    let refused = tried.iter().filter(|stream| stream.is_none()).count();
    let held: Vec<TcpStream> = tried.into_iter().flatten().collect();
    assert!(refused >= 20 && held.len() <= CONNECTIONS_PER_ADDRESS_MAX as usize, "{} held, {refused} refused", held.len());
    // Those that are closed make room.
    drop(held);
    eventually("there is room again", try_one).await;
    world.end().await;
}

#[test]
fn every_kind_has_its_own_word() {
    let words: std::collections::BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), Kind::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_a_denial_and_a_limit_each_leave_an_entry() {
    let world = limited_world().await;
    let (account, email) = world.account(Role::Customer, None, PASSWORD).await;
    let client = world.visitor();
    let form = |password: &str| json!({ "email": email.to_string(), "password": password });
    client.post("/api/core/session", &form("not the one it is")).await.refused(401, "wrong_credentials");
    client.post("/api/core/session", &form(PASSWORD)).await.ok();
    client.get("/api/core/logs").await.refused(403, "forbidden");
    client
        .send(client.request(Method::DELETE, "/api/core/session").header("origin", "https://evil.example"))
        .await
        .refused(403, "foreign_origin");
    until_limited(&world.visitor(), Method::POST, "/api/core/password/forgotten", 20).await;
    let auditor = world.with_role(Role::Auditor, None).await;
    for (kind, known) in [("sign_in_failed", true), ("signed_in", true), ("denied", true), ("foreign_origin", false), ("limited", false)] {
        let path = format!("/api/core/security-events?kind={kind}");
        let page = auditor.until(&path, |page| page["total"].as_u64() > Some(0)).await;
        let event = &page["items"][0];
        assert_eq!((&event["kind"], &event["address"]), (&json!(kind), &json!("127.0.0.1")), "{event}");
        if known {
            assert_eq!(event["account"], json!(account.to_string()), "{event}");
        }
    }
    // Who is asked for is found, and nothing else; what is asked for wrongly is refused.
    let mine = auditor.get(&format!("/api/core/security-events?account={account}")).await.ok();
    assert!(mine["items"].as_array().unwrap().iter().all(|event| event["account"] == json!(account.to_string())), "{mine}");
    auditor.get("/api/core/security-events?kind=nothing").await.refused(400, "bad_request");
    // Once a person is erased, from where they came is forgotten.
    world.app.trail.forget(account).await.unwrap();
    let mine = auditor.get(&format!("/api/core/security-events?account={account}")).await.ok();
    assert!(mine["items"].as_array().unwrap().iter().all(|event| event["address"] == ""), "{mine}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_connections_is_let_in_though_the_server_is_busy() {
    let listener = serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts; one that finds no room tries again after a second.
    let burst = (0..500).map(|_| timeout(Duration::from_millis(900), TcpStream::connect(address)));
    let made = futures::future::join_all(burst).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(made, 500);
}
