//! Measures the crates in process and the running platform over HTTP, each figure beside its yardstick of the same run:
//! `cargo xtask bench`. Starting the servers and building the binary is left to xtask; nothing here gates a test.

mod astro;
mod bare;
mod booking;
mod database;
mod executor;
mod figure;
mod history;
mod load;
mod pgbench;
mod sales;
mod stock;
mod view;
mod wire;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::{path::PathBuf, time::Duration};

use crate::{astro::Astro, figure::Figure, pgbench::Inserts};

/// How long each yardstick and each load runs.
const RUN: Duration = Duration::from_secs(5);
/// What `astro all` gets to come to rest before its memory is read.
const REST: Duration = Duration::from_secs(10);
/// What the names of figures begin with.
const NAMES: [&str; 9] = ["executor", "stock", "stream", "log", "rebuild", "import", "memory", "http", "view"];
/// The sizes of the browser's bundles; measured on files.
const WASM: &str = "wasm";

/// Figures of Astro Bookings beside their yardsticks
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// Only figures whose name begins so: executor, stock, stream, log, rebuild, memory, import, http, view, wasm
    #[arg(long, default_value = "")]
    only: String,
    /// One JSON object per figure instead of a table
    #[arg(long)]
    json: bool,
    /// How often each load is run; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The file whose table is replaced by this one, unless only some figures are asked for
    #[arg(long, env = "ASTRO_BENCH_REPORT")]
    report: Option<PathBuf>,
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
    /// Whether a figure is asked for whose name begins with one of these.
    fn wants(&self, names: &[&str]) -> bool {
        names.iter().any(|name| name.starts_with(&self.only) || self.only.starts_with(name))
    }
}

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.runs > 0, "--runs must be at least 1");
    ensure!(
        options.wants(&NAMES) || options.wants(&[WASM]),
        "--only {}: no figure's name begins so; --help lists how they begin",
        options.only
    );
    let mut figures = measure(&options).await?;
    figures.retain(|figure| figure.name().starts_with(&options.only));
    if options.json {
        figure::print_json(&figures);
    } else {
        println!("{}", figure::table(&figures));
    }
    if let Some(report) = options.report.filter(|_| options.only.is_empty()) {
        figure::write_report(&report, &figures).with_context(|| report.display().to_string())?;
    }
    Ok(())
}

async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if options.wants(&["executor", "stock"]) {
        eprintln!("Commands in process");
        figures.extend(executor::figures(options).await?);
    }
    if options.wants(&["stream"]) {
        eprintln!("Long streams");
        figures.extend(history::stream_figures(options).await?);
    }
    if options.wants(&["import", "memory idle", "http", "view"]) {
        figures.extend(served(options).await?);
    }
    if options.wants(&["log", "rebuild", "memory after"]) {
        eprintln!("A log of a million events");
        figures.extend(history::figures(options).await?);
    }
    if options.wants(&[WASM]) {
        for app in ["customer", "supplier", "employee", "admin"] {
            let file = options.ui.join(app).join(format!("{app}_bg.wasm.br"));
            let bytes = std::fs::metadata(&file).with_context(|| file.display().to_string())?.len();
            figures.push(Figure::alone(&format!("wasm {app}, brotli"), bytes as f64 / 1000.0, "kB"));
        }
    }
    Ok(figures)
}

/// What is measured of the running platform with the catalogue in it.
async fn served(options: &Options) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut astro = Astro::prepare(options).await?;
    eprintln!("The catalogue");
    let mut inserts = Inserts::default();
    inserts.measure(options, astro.database_url()).await?;
    let (launches, took) = astro.import(&options.demo).await?;
    let rate = launches as f64 / took.as_secs_f64();
    figures.push(Figure::beside("import of the catalogue", rate, "launches/s", 1, inserts.prepared()));
    astro.start().await?;
    if options.wants(&["memory idle"]) {
        tokio::time::sleep(REST).await;
        figures.push(Figure::alone("memory idle with the catalogue", astro.resident_megabytes()?, "MB"));
    }
    if options.wants(&["http", "view"]) {
        let desk = booking::Desk::open(&astro).await.context("preparing launches and customers")?;
        if options.wants(&["view"]) {
            eprintln!("Commit to visible");
            figures.extend(view::figures(options, &astro, &desk).await?);
        }
        if options.wants(&["http"]) {
            eprintln!("Bookings over HTTP");
            figures.extend(booking::figures(options, &astro, &desk).await?);
        }
    }
    astro.stop().await?;
    Ok(figures)
}
