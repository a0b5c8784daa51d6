//! The figures of this process for Prometheus, on a listener of their own: what they say is for those who run the platform. Every
//! crate counts with the macros of `metrics`; where nothing listens, counting costs nothing.

use super::serve;
use anyhow::{Context, Result};
use axum::{Router, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How often what was measured is put together, so that it does not pile up while nobody asks.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// The bounds durations are counted by, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Where the figures are told.
#[derive(Debug)]
pub struct Exporter {
    listener: TcpListener,
    figures: PrometheusHandle,
}

/// Counts from now on, for whoever asks at `address`. Once per process, before anything is counted.
pub async fn start(address: SocketAddr) -> Result<Exporter> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("ASTRO_METRICS_LISTEN: listen on {address}"))?;
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let figures = builder.install_recorder().context("start counting")?;
    metrics::describe_gauge!("astro_log_position", "The last position of the log, as the process that sequences knows it");
    metrics::describe_gauge!("astro_log_unsequenced_events", "Events written that have no position yet");
    metrics::describe_gauge!("astro_log_oldest_writer_seconds", "Age of the oldest transaction that may still write events");
    metrics::describe_gauge!("astro_log_stopped", "1 while the log has stopped at a stream with a hole");
    metrics::describe_gauge!("astro_relay_position", "Up to which position the log is on the bus");
    metrics::describe_gauge!("astro_view_position", "Up to which position the views of a projection have read");
    metrics::describe_gauge!("astro_view_lag_events", "Events the views of a projection have not read");
    metrics::describe_gauge!("astro_view_lag_seconds", "Age of the oldest event the views of a projection have not read");
    metrics::describe_counter!("astro_commands_total", "Commands by what came of them");
    metrics::describe_counter!("astro_streams_loaded_total", "Streams read into memory to decide about them");
    metrics::describe_counter!("astro_streams_dropped_total", "Streams no longer kept in memory");
    metrics::describe_counter!("astro_snapshots_wrong_total", "Snapshots that were not what their events add up to");
    metrics::describe_histogram!("astro_append_seconds", "How long appending one batch took");
    tracing::info!("Metrics are at http://{}/metrics", listener.local_addr()?);
    Ok(Exporter { listener, figures })
}

impl Exporter {
    /// Answers until `stop`.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let Self { listener, figures } = self;
        let told = figures.clone();
        let router = Router::new().route("/metrics", get(move || async move { told.render() }));
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP_EVERY).await;
                figures.run_upkeep();
            }
        };
        tokio::select! {
            served = serve::serve(listener, router, None, Vec::new(), stop) => served,
            () = upkeep => Ok(()),
        }
    }
}
