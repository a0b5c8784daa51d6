//! What HTTP and PostgreSQL cost where nothing else is done: a handler that inserts the row of the yardstick by a statement of its own. Each
//! client has a connection to PostgreSQL of its own, as with pgbench; taking one from a pool for each request was slower.

use crate::{
    RUN,
    executor::CLIENTS,
    load::{milliseconds, together},
    pgbench,
    wire::Wire,
};
use anyhow::Result;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::post,
};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use sqlx::{Connection, PgConnection};
use std::{sync::Arc, time::Instant};
use tokio::{net::TcpListener, sync::Mutex};

/// One for each client.
type Connections = Arc<Vec<Mutex<PgConnection>>>;

/// An event as it is posted.
#[derive(Debug, Deserialize)]
struct Posted {
    sequence: i64,
    payload: Box<RawValue>,
    metadata: Box<RawValue>,
}

async fn insert(State(connections): State<Connections>, Path(client): Path<usize>, Json(posted): Json<Posted>) -> StatusCode {
    let Some(connection) = connections.get(client) else { return StatusCode::NOT_FOUND };
    let inserted = sqlx::query(
        "INSERT INTO bench_insert (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
         VALUES ('Launch', $1, $2, 'SeatBooked', '1.0', $3::json, $4::json)",
    )
    .bind(format!("bare-{client}"))
    .bind(posted.sequence)
    .bind(posted.payload.get())
    .bind(posted.metadata.get())
    .execute(&mut *connection.lock().await)
    .await;
    if inserted.is_ok() { StatusCode::CREATED } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Requests a second over as many connections as the load has, into the database at `url`.
pub(crate) async fn requests_per_second(url: &str) -> Result<f64> {
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        connections.push(Mutex::new(PgConnection::connect(url).await?));
    }
    sqlx::raw_sql(pgbench::TABLE).execute(&mut *connections[0].lock().await).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let routes = Router::new().route("/{client}", post(insert)).with_state(Arc::new(connections));
    let serving = tokio::spawn(axum::serve(listener, routes).into_future());
    let mut wires = Vec::new();
    for _ in 0..CLIENTS {
        wires.push(Wire::connect(&address).await?);
    }
    let begun = Instant::now();
    let client = |(client, mut wire): (usize, Wire)| async move {
        let [payload, metadata]: [Value; 2] = [serde_json::from_str(pgbench::PAYLOAD)?, serde_json::from_str(pgbench::METADATA)?];
        let (path, mut latencies) = (format!("/{client}"), Vec::new());
        while begun.elapsed() < RUN {
            let posted = json!({"sequence": latencies.len() + 1, "payload": payload, "metadata": metadata});
            let asked = Instant::now();
            wire.command("", Method::POST, &path, &posted).await?;
            latencies.push(milliseconds(asked));
        }
        Ok(latencies)
    };
    let load = together(wires.into_iter().enumerate().map(client), begun).await?;
    serving.abort();
    eprintln!("  {:.0} requests/s by a bare handler", load.per_second);
    Ok(load.per_second)
}
