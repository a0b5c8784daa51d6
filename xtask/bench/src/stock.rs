//! The yardstick of the executor: the same rules run by cqrs-es and postgres-es as they come, on the table they describe.

use crate::{executor::Seller, sales::Sale};
use anyhow::{Result, bail};
use commands::aggregate::Decided;
use cqrs_es::AggregateError;
use domain::launch::{Command, Launch};
use postgres_es::PostgresCqrs;
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::sync::Arc;

/// The table of events as postgres-es documents it, in a schema of its own.
const TABLES: &str = "CREATE SCHEMA stock; CREATE TABLE stock.events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, \
    metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

#[derive(Clone)]
pub(crate) struct Stock {
    cqrs: Arc<PostgresCqrs<Decided<Launch>>>,
    pool: PgPool,
}

/// With a connection for each client.
pub(crate) async fn open(url: &str, clients: usize) -> Result<Stock> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(u32::try_from(clients)?)
        .connect_with(options.options([("search_path", "stock,public")]))
        .await?;
    sqlx::raw_sql(TABLES).execute(&pool).await?;
    let cqrs = Arc::new(postgres_es::postgres_cqrs(pool.clone(), vec![], ()));
    Ok(Stock { cqrs, pool })
}

impl Stock {
    pub(crate) async fn close(self) {
        self.pool.close().await;
    }
}

impl Seller for Stock {
    async fn put(&self, sale: &Sale, command: Command) -> Result<()> {
        loop {
            match self.cqrs.execute(&sale.launch.to_string(), command.clone()).await {
                Ok(()) => return Ok(()),
                // Another client was first; the framework leaves trying again to its caller.
                Err(AggregateError::AggregateConflict) => {}
                Err(error) => bail!("{error}"),
            }
        }
    }
}
