//! Whoever changes history is found, and any stream can be seen as it was.

use crate::{
    cabin::{Cabin, Command, Id},
    world::{World, ask, take, world},
};
use commands::{
    StoreError,
    audit::{self, At, Bad},
};
use domain::{
    id::LaunchId,
    slug::{self, Slug, SlugClaim},
};
use serde_json::json;
use sqlx::Executor as _;
use uuid::Uuid;

async fn history(world: &World) {
    let executor = world.executor();
    let sequencing = world.sequence(None);
    for id in 1..=3 {
        executor.execute::<Cabin>(&Id(id), Command::Open { seats: 9 }, &ask()).await.unwrap();
        for n in 0..9 {
            executor.execute::<Cabin>(&Id(id), take(n), &ask()).await.unwrap();
        }
    }
    world.settle(30).await;
    sequencing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_log_verifies_from_anywhere() {
    world(async |world| {
        assert_eq!(audit::verify(&world.pool, 1).await.unwrap().checked, 0);
        history(world).await;
        for (from, checked) in [(0, 30), (1, 30), (15, 16), (30, 1), (31, 0)] {
            let report = audit::verify(&world.pool, from).await.unwrap();
            assert_eq!((report.checked, report.head, report.first_bad), (checked, 30, None), "from {from}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_tampering_is_found_at_its_position() {
    let row = "(SELECT event_row FROM log WHERE position = 17)";
    let cases = [
        (format!("UPDATE events SET payload = '{{\"type\":\"taken\",\"seat\":0,\"who\":\"x\"}}' WHERE id = {row}"), 17, "does not say"),
        // Only a space: the same JSON, but not what was stored.
        (format!("UPDATE events SET payload = (payload::text || ' ')::json WHERE id = {row}"), 17, "does not say"),
        (format!("UPDATE events SET actor = 'operator:x' WHERE id = {row}"), 17, "does not say"),
        (format!("UPDATE events SET recorded_at = recorded_at - interval '1 day' WHERE id = {row}"), 17, "does not follow"),
        (format!("DELETE FROM events WHERE id = {row}"), 17, "missing"),
        ("DELETE FROM log WHERE position = 17".to_owned(), 17, "missing"),
        ("UPDATE log SET hash = (SELECT hash FROM log WHERE position = 18) WHERE position = 17".to_owned(), 17, "does not follow"),
        ("UPDATE log SET event_row = -event_row WHERE position = 17".to_owned(), 17, "missing"),
        // The tail, with nothing after it to contradict.
        ("DELETE FROM log WHERE position > 28".to_owned(), 29, "ends before"),
        // A new body with a body hash to match: the chain tells.
        (format!("UPDATE events SET body_hash = '\\x00' WHERE id = {row}"), 17, "does not say"),
    ];
    for (sql, position, why) in cases {
        world(async |world| {
            history(world).await;
            world.tamper(&sql).await;
            let report = audit::verify(&world.pool, 1).await.unwrap();
            let Some(Bad { position: found, why: reason }) = report.first_bad else { panic!("{sql} was not found") };
            assert_eq!((found, report.checked), (position, position - 1), "{sql}: {reason}");
            assert!(reason.contains(why), "{sql}: {reason}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_tail_with_good_hashes_is_not_what_the_sequencer_holds() {
    world(async |world| {
        history(world).await;
        // The last event goes, with its place; then head and chain agree with each other but the sequencer knows better.
        world.tamper("DELETE FROM log WHERE position = 30").await;
        world.pool.execute("UPDATE sequencer SET position = 29").await.unwrap();
        let report = audit::verify(&world.pool, 1).await.unwrap();
        assert_eq!(report.first_bad.unwrap().position, 29);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_shown_as_it_was() {
    world(async |world| {
        let executor = world.executor();
        let slug: Slug = "atlas-v-ksc-moon-2031-01-01".parse().unwrap();
        let launch = LaunchId(Uuid::from_u128(1));
        executor.execute::<SlugClaim>(&slug, slug::Command::Claim { launch }, &ask()).await.unwrap();
        let now = audit::replay(&world.pool, "slug", slug.as_str(), At::Now).await.unwrap();
        assert_eq!((now.version, now.position, now.state), (1, None, json!({ "Claimed": { "launch": launch } })));
        let sequencing = world.sequence(None);
        world.settle(1).await;
        sequencing.stop().await;
        let recorded_at = now.recorded_at.unwrap();
        for (at, version) in [("0", 0), ("1", 1), (&*recorded_at.to_string(), 1), ("2020-01-01T00:00:00Z", 0)] {
            let replayed = audit::replay(&world.pool, "slug", slug.as_str(), at.parse().unwrap()).await.unwrap();
            assert_eq!(replayed.version, version, "at {at}");
            assert_eq!(replayed.position, (version > 0).then_some(1));
            assert_eq!(replayed.state == json!("Free"), version == 0);
        }
        assert!("yesterday".parse::<At>().is_err());
        let unknown = audit::replay(&world.pool, "planet", "x", At::Now).await;
        assert!(matches!(unknown, Err(StoreError::UnknownStreamType(name)) if name == "planet"));
    })
    .await;
}
