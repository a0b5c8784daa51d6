//! What Prometheus and operators are told when a transaction that stays open holds the log back, and when views stand still.

use crate::{
    client::Client,
    crash::{all_roles, serving},
    world::{Flight, Namespace, OPEN_TRANSACTION, fleet, schedule},
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
use contract::account::Role;
use domain::id::AccountId;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use std::{net::TcpListener, process::Child};
use uuid::Uuid;

/// Killed when a test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The value of a figure without labels.
fn figure(page: &Value, name: &str) -> Option<f64> {
    page.as_str()?.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Runs `test` beside a process of all roles, with its figures and an operator.
async fn beside_all_roles(test: impl AsyncFnOnce(&Namespace, &Executor, &Client, &Client)) {
    let place = Namespace::make().await;
    let servers = Servers::connect(&place.config()).await.unwrap();
    roles::migrate(&servers).await.unwrap();
    let executor = servers.executor();
    fleet(&executor).await;
    let (port, figures_port) = (free_port(), free_port());
    let (base, figures) = (format!("http://127.0.0.1:{port}"), Client::new(&format!("http://127.0.0.1:{figures_port}")));
    let (tokens, now, account) = (Tokens::new(&Keys::load(&place.keys).unwrap()), Timestamp::now(), AccountId(Uuid::new_v4()));
    let session = Sessions::new(&servers.mongo.system).start(account, Role::Operator, now).await.unwrap().session;
    let operator = Client::new(&base)
        .with_token(&base, &tokens.sign(Bearer { account, role: Role::Operator, supplier: None, session, enrolling: false }, now).unwrap());
    let astro = all_roles(&place, port).env("ASTRO_METRICS_LISTEN", format!("127.0.0.1:{figures_port}")).spawn().unwrap();
    let astro = Running(astro);
    serving(&base).await;
    figures.until("/metrics", |page| figure(page, "astro_log_unsequenced_events") == Some(0.0)).await;
    test(&place, &executor, &figures, &operator).await;
    drop(astro);
    drop(executor);
    place.drop(&servers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stays_open_is_told_to_prometheus_and_operators() {
    beside_all_roles(async |place, executor, figures, operator| {
        let alone = OPEN_TRANSACTION.write().await;
        let mut connection = PgConnection::connect(&place.postgres_url).await.unwrap();
        let mut writer = connection.begin().await.unwrap();
        sqlx::query("SELECT pg_current_xact_id()").execute(&mut *writer).await.unwrap();
        schedule(executor, Flight::default()).await;
        let page = figures
            .until("/metrics", |page| {
                figure(page, "astro_log_oldest_writer_seconds") > Some(2.0) && figure(page, "astro_log_unsequenced_events") > Some(0.0)
            })
            .await;
        assert!(page.as_str().unwrap().contains("# TYPE astro_log_oldest_writer_seconds gauge"), "{page}");
        let held = operator.until("/api/core/projections", |all| all["held_back"] == true).await;
        assert!(held["oldest_writer_ms"].as_u64() >= Some(5_000) && held["unsequenced"].as_u64() > Some(0), "{held}");
        assert!(held["sequencer"].is_string() && held["epoch"].as_u64() > Some(0), "{held}");

        writer.rollback().await.unwrap();
        drop(alone);
        operator.until("/api/core/projections", |all| all["held_back"] == false && all["unsequenced"] == 0).await;
        figures.until("/metrics", |page| figure(page, "astro_log_unsequenced_events") == Some(0.0)).await;
        assert!(operator.get("/metrics").await.status.as_u16() == 404, "figures are told on their own listener only");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_late_views_are_is_told_while_they_stand_still() {
    beside_all_roles(async |_, executor, figures, operator| {
        let _calm = OPEN_TRANSACTION.read().await;
        let late = |page: &Value, projection: &str| {
            ["events", "seconds"].map(|unit| figure(page, &format!("astro_view_lag_{unit}{{projection=\"{projection}\"}}")))
        };
        figures.until("/metrics", |page| late(page, "customer") == [Some(0.0); 2]).await;
        assert_eq!(operator.post("/api/core/projections/customer/pause", &Value::Null).await.status.as_u16(), 204);
        schedule(executor, Flight::default()).await;
        let page = figures.until("/metrics", |page| late(page, "customer").into_iter().all(|late| late > Some(1.0))).await;
        // It goes on, and the others are not held up.
        let [events, seconds] = late(&page, "customer");
        let page = figures.until("/metrics", |page| late(page, "customer")[1] > seconds && late(page, "finance") == [Some(0.0); 2]).await;
        assert_eq!(late(&page, "customer")[0], events);
        assert_eq!(operator.post("/api/core/projections/customer/resume", &Value::Null).await.status.as_u16(), 204);
        figures.until("/metrics", |page| late(page, "customer") == [Some(0.0); 2]).await;
    })
    .await;
}
