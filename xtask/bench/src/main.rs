//! Measures the running platform over HTTP, each figure beside its yardstick of the same run: `cargo xtask bench`.
//! Starting the servers and building the binary is left to xtask; nothing here gates a test.

mod astro;
mod booking;
mod figure;
mod pgbench;
mod view;

use anyhow::{Context, Result};
use clap::Parser;
use std::{path::PathBuf, time::Duration};

use crate::{astro::Astro, figure::Figure};

/// Connections that book at the same time.
const CLIENTS: [usize; 4] = [1, 8, 32, 64];
/// How long each yardstick and each load runs, at most.
const RUN: Duration = Duration::from_secs(5);
/// What `astro all` gets to come to rest before its memory is read.
const REST: Duration = Duration::from_secs(10);

/// Figures of Astro Bookings beside their yardsticks
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// Only figures whose name begins so
    #[arg(long, default_value = "")]
    only: String,
    /// One JSON object per figure instead of a table
    #[arg(long)]
    json: bool,
    /// How often each load is run; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The binary
    #[arg(long, env = "ASTRO_BENCH_ASTRO")]
    astro: PathBuf,
    /// The folder of the web apps
    #[arg(long, env = "ASTRO_BENCH_UI")]
    ui: PathBuf,
    /// The folder of the demo catalogue
    #[arg(long, env = "ASTRO_BENCH_DEMO")]
    demo: PathBuf,
    /// A superuser's address of PostgreSQL
    #[arg(long, env = "ASTRO_BENCH_POSTGRES_URL")]
    postgres_url: String,
    /// The NATS server
    #[arg(long, env = "ASTRO_BENCH_NATS_URL")]
    nats_url: String,
    /// The MongoDB server
    #[arg(long, env = "ASTRO_BENCH_MONGO_URL")]
    mongo_url: String,
    /// The program pgbench
    #[arg(long, env = "ASTRO_BENCH_PGBENCH")]
    pgbench: PathBuf,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.only) || self.only.starts_with(name)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut figures = Vec::new();
    let mut astro = Astro::prepare(&options).await?;
    let (launches, took) = astro.import(&options.demo).await?;
    let yardstick = pgbench::inserts_per_second(&options.pgbench, astro.database_url(), 64, RUN).await?;
    if options.wants("import") {
        let rate = launches as f64 / took.as_secs_f64();
        figures.push(Figure::beside("import", rate, "launches/s", 1, ("pgbench, 64 clients", yardstick)));
    }
    astro.start().await?;
    if options.wants("memory") {
        tokio::time::sleep(REST).await;
        figures.push(Figure::alone("memory idle", astro.resident_megabytes()?, "MB"));
    }
    let desk = booking::Desk::open(&astro).await.context("preparing launches and customers")?;
    if options.wants("booking") {
        for clients in CLIENTS {
            let mut rates = Vec::new();
            let mut yardsticks = Vec::new();
            let mut latencies = Vec::new();
            for _ in 0..options.runs {
                yardsticks.push(pgbench::inserts_per_second(&options.pgbench, astro.database_url(), clients, RUN).await?);
                let load = desk.book(clients, RUN).await?;
                rates.push(load.per_second);
                latencies.extend(load.latencies);
            }
            let yardstick = figure::median(&mut yardsticks);
            let name = format!("booking, {clients} clients");
            figures.push(Figure::beside(
                &name,
                figure::median(&mut rates),
                "bookings/s",
                options.runs,
                ("pgbench, as many clients", yardstick),
            ));
            figures.push(Figure::alone(&format!("{name}, p99 of a booking"), figure::percentile(&mut latencies, 99), "ms"));
        }
    }
    if options.wants("view") {
        let mut waits = view::commit_to_view(&desk).await?;
        figures.push(Figure::alone("view, commit to visible, p50", figure::percentile(&mut waits, 50), "ms"));
        figures.push(Figure::alone("view, commit to visible, p99", figure::percentile(&mut waits, 99), "ms"));
    }
    if options.wants("wasm") {
        for app in ["customer", "supplier", "employee", "admin"] {
            let file = options.ui.join(app).join(format!("{app}_bg.wasm.br"));
            let bytes = std::fs::metadata(&file).with_context(|| file.display().to_string())?.len();
            figures.push(Figure::alone(&format!("wasm {app}, brotli"), bytes as f64 / 1000.0, "kB"));
        }
    }
    astro.stop().await?;
    if options.json {
        figure::print_json(&figures)
    } else {
        figure::print_table(&figures)
    }
    Ok(())
}
