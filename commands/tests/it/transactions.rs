//! Who gives up while a transaction begins leaves no connection within one.

use crate::world::{World, world};
use nats::transaction::begin;
use sqlx::PgPool;
use std::{future::Future, pin::pin};

/// Gives up `beginning` when it has been asked of the server; says whether what is then written over the same connection is kept. None: it
/// was over before it could be given up.
async fn is_kept_after(world: &World, pool: &PgPool, beginning: impl Future) -> Option<bool> {
    {
        let mut beginning = pin!(beginning);
        if futures::poll!(&mut beginning).is_ready() {
            return None;
        }
    }
    let before = world.count("SELECT count(*) FROM written").await;
    sqlx::query("INSERT INTO written VALUES (1)").execute(pool).await.unwrap();
    Some(world.count("SELECT count(*) FROM written").await == before + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_given_up_as_it_begins_swallows_nothing() {
    world(async |world| {
        sqlx::query("CREATE TABLE written (n int)").execute(&world.pool).await.unwrap();
        for _ in 0..20 {
            let pool = commands::connect(&world.url, 1).await.unwrap();
            assert_ne!(is_kept_after(world, &pool, begin(&pool, "BEGIN")).await, Some(false));
            pool.close().await;
        }
        // What that is for: sqlx alone. When this fails, `begin` is not needed any more.
        let kept = loop {
            let pool = commands::connect(&world.url, 1).await.unwrap();
            let kept = is_kept_after(world, &pool, pool.begin()).await;
            pool.close().await;
            if let Some(kept) = kept {
                break kept;
            }
        };
        assert!(!kept);
    })
    .await;
}
