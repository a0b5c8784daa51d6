//! Reads see one's own commands, and browsers see everyone's.

use crate::world::{Flight, World};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_command_it_follows() {
    let world = World::start().await;
    let (launch, _) = world.launch(Flight { rows: 50, ..Flight::default() }).await;
    let path = format!("/api/customer/launches/{launch}");
    let mut late = 0;
    for row in 1..=50 {
        let ada = world.with_role(contract::account::Role::Customer, None).await;
        ada.ask(&format!("{path}/holds"), &json!({ "seats": [format!("{row}A")] })).await.ok();
        let page = ada.get(&path).await;
        let stale = page.body["stale"].as_bool().unwrap();
        assert_eq!(stale, page.headers.contains_key("astro-stale"));
        late += u32::from(stale);
        assert!(stale || page.body["held"].as_u64() >= Some(row), "{row}: {}", page.body["held"]);
    }
    assert!(late <= 2, "{late} of 50 reads were stale");
    // What will not come is not waited for longer than two seconds.
    let began = Instant::now();
    let ada = world.visitor();
    let page = ada.send(ada.request(Method::GET, &path).header("astro-position", format!("launch/{launch}@9999"))).await;
    assert_eq!((page.body["stale"].as_bool(), page.headers["astro-stale"].to_str().unwrap()), (Some(true), "true"));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    world.end().await;
}

/// The next event of a stream.
async fn next(stream: &mut Response, read: &mut String) -> (u64, Value) {
    loop {
        if let Some((event, rest)) = read.split_once("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
            let found = field("data:").map(|data| {
                assert_eq!(field("event:").as_deref(), Some("launch"));
                (field("id:").unwrap().parse().unwrap(), serde_json::from_str(&data).unwrap())
            });
            *read = rest.to_owned();
            match found {
                Some(found) => return found,
                None => continue,
            }
        }
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await.expect("an event in time").unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_is_told_when_what_they_see_stands_still_and_when_it_goes_on() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let (operator, ada) = (world.with_role(contract::account::Role::Operator, None).await, world.customer().await);
    let mut stream = world.visitor().request(Method::GET, &format!("/api/customer/launches/{slug}/live")).send().await.unwrap();
    let mut read = String::new();
    let (first, page) = next(&mut stream, &mut read).await;
    assert_eq!(page["launch"]["stale"], false);
    assert_eq!(operator.post("/api/core/projections/customer/pause", &json!(null)).await.status, 204);
    ada.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": ["3B"] })).await.ok();
    let (same, page) = next(&mut stream, &mut read).await;
    assert_eq!((same, &page["launch"]["stale"], &page["launch"]["taken"]), (first, &json!(true), &json!([])));
    assert_eq!(operator.post("/api/core/projections/customer/resume", &json!(null)).await.status, 204);
    let (mut second, mut page) = next(&mut stream, &mut read).await;
    while page["launch"]["stale"] == true {
        (second, page) = next(&mut stream, &mut read).await;
    }
    assert_eq!(page["launch"]["taken"], json!([{ "seat": "3B", "held": true }]));
    assert!(second > first);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_browser_sees_a_seat_taken_within_a_second() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let eve = world.visitor();
    let path = format!("/api/customer/launches/{slug}/live");
    let mut stream = eve.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut read = String::new();
    let (first, page) = next(&mut stream, &mut read).await;
    assert_eq!(page["launch"]["taken"], json!([]));

    let ada = world.customer().await;
    ada.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": ["3B"] })).await.ok();
    let began = Instant::now();
    let (second, page) = next(&mut stream, &mut read).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(page["launch"]["taken"], json!([{ "seat": "3B", "held": true }]));
    assert!(second > first);

    // One who comes back having seen the first is told at once; one who has seen all waits for news.
    let mut behind = eve.request(Method::GET, &path).header("last-event-id", first.to_string()).send().await.unwrap();
    assert_eq!(next(&mut behind, &mut String::new()).await.0, second);
    let mut abreast = eve.request(Method::GET, &path).header("last-event-id", second.to_string()).send().await.unwrap();
    ada.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": ["3C"] })).await.ok();
    assert!(next(&mut abreast, &mut String::new()).await.0 > second);

    // The process stops although streams are open, and ends them.
    world.end().await;
    let ended = tokio::time::timeout(Duration::from_secs(10), async { while let Ok(Some(_)) = stream.chunk().await {} }).await;
    assert!(ended.is_ok(), "the stream goes on after the end");
}
