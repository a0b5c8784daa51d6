//! Connections: who gives up while a transaction begins leaves none within one, and those that died unused fail nothing.

use crate::world::{World, until, world};
use nats::transaction::begin;
use sqlx::PgPool;
use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_died_while_nobody_used_them_fail_nothing() {
    world(async |world| {
        let pool = commands::connect(&world.url, 5).await.unwrap();
        let mut servers: Vec<i32> = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..5 {
            let mut connection = pool.acquire().await.unwrap();
            servers.push(sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await.unwrap());
            connections.push(connection);
        }
        drop(connections);
        until("all are given back", async || pool.num_idle() == 5).await;
        let unused = Instant::now();
        // As a restart of Postgres does.
        let ended: Vec<bool> = sqlx::query_scalar("SELECT pg_terminate_backend(pid) FROM unnest($1) AS of(pid)")
            .bind(&servers)
            .fetch_all(&world.pool)
            .await
            .unwrap();
        assert_eq!(ended, [true; 5]);
        until("nobody has used them for a while", async || unused.elapsed() > Duration::from_millis(1_200)).await;
        for _ in 0..5 {
            sqlx::query("SELECT 1").execute(&pool).await.unwrap();
        }
    })
    .await;
}
