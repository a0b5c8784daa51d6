//! Begins transactions in Postgres so that whoever gives up leaves no connection within one. What they do is left to the caller.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins by `statement`, such as `BEGIN`. sqlx 0.8 gives a connection back as it is when the future that begins is dropped half-way, by a
/// deadline or a client that hung up: within a transaction that nobody ends, in which what others write over that connection is lost.
/// So it is carried through whatever becomes of the caller.
pub async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.begin_with(statement).await }).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
