//! A batch of a MongoDB view is one transaction; what that cannot do is done step by step.

use crate::world::{World, until, world};
use futures::future::join_all;
use projections::{
    Positions,
    store::{Changes, MongoStore, Row, Store, StoreFault, Table},
};
use serde_json::json;

const LAUNCHES: Table = Table { view: "launches", version: 1 };

fn store(world: &World) -> MongoStore {
    MongoStore::new(&world.mongo, &format!("{}_customer", world.name))
}

/// Documents that the events at these positions wrote, read up to `up_to`.
fn batch(documents: &[(&str, u64)], up_to: u64) -> Changes {
    let row = |(id, position): &(&str, u64)| Row {
        id: (*id).to_owned(),
        position: *position,
        doc: json!({ "of": position }),
        columns: vec![("slug", (*id).into())],
        new: false,
    };
    Changes {
        table: LAUNCHES,
        rows: documents.iter().map(row).collect(),
        lines: vec![],
        parked: vec![],
        taken_up: vec![],
        behind: Positions::default(),
        positions: Positions::all(up_to),
        last: None,
    }
}

/// The same, by who believes that none of the documents is there yet.
fn fresh(documents: &[(&str, u64)], up_to: u64) -> Changes {
    let batch = batch(documents, up_to);
    Changes { rows: batch.rows.into_iter().map(|row| Row { new: true, ..row }).collect(), ..batch }
}

async fn documents(store: &MongoStore) -> Vec<(String, u64)> {
    let found = store.scan(LAUNCHES, "", 100).await.unwrap();
    found.into_iter().map(|stored| (stored.id, stored.position)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_fenced_off_leaves_not_even_its_documents() {
    world(async |world| {
        let store = store(world);
        let epoch = store.sharing().await.unwrap().epoch;
        let late = store.write(Some(epoch + 1), &[fresh(&[("a", 1), ("b", 2)], 2)]).await;
        assert!(matches!(late, Err(StoreFault::Fenced)), "{late:?}");
        assert_eq!(documents(&store).await, [], "step by step they would be there");
        store.write(Some(epoch), &[fresh(&[("a", 1), ("b", 2)], 2)]).await.unwrap();
        assert_eq!(documents(&store).await, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(store.standings().await.unwrap()["launches"].position(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_something_older_is_written_but_for_that() {
    world(async |world| {
        let store = store(world);
        store.write(None, &[batch(&[("a", 5)], 5)]).await.unwrap();
        store.write(None, &[batch(&[("a", 3), ("b", 6)], 6)]).await.unwrap();
        assert_eq!(documents(&store).await, [("a".to_owned(), 5), ("b".to_owned(), 6)]);
        assert_eq!(store.standings().await.unwrap()["launches"].position(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_there_against_expectation_go_forward_only() {
    world(async |world| {
        let store = store(world);
        store.write(None, &[fresh(&[("a", 5), ("b", 4)], 5)]).await.unwrap();
        store.write(None, &[fresh(&[("a", 3), ("b", 6), ("c", 6)], 6)]).await.unwrap();
        assert_eq!(documents(&store).await, [("a".to_owned(), 5), ("b".to_owned(), 6), ("c".to_owned(), 6)]);
        assert_eq!(store.standings().await.unwrap()["launches"].position(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_at_the_same_moment_all_do() {
    world(async |world| {
        let ids: Vec<String> = (0..30).map(|n| format!("launch-{n:02}")).collect();
        let stores: Vec<MongoStore> = ids.iter().map(|_| store(world)).collect();
        let writing = ids.iter().zip(&stores).zip(1_u64..).map(async |((id, store), position)| {
            store.write(None, &[batch(&[(id, position)], position)]).await.unwrap();
        });
        join_all(writing).await;
        let expected: Vec<(String, u64)> = ids.iter().cloned().zip(1..).collect();
        assert_eq!(documents(&stores[0]).await, expected);
        until("the furthest position counts", async || stores[0].standings().await.unwrap()["launches"].position() == 30).await;
    })
    .await;
}
