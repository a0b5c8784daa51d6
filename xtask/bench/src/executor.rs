//! Commands put to the executor in process, and to stock cqrs-es with postgres-es, each beside pgbench with as many clients.

use crate::{
    Options, RUN,
    database::{Database, processor_seconds},
    figure::{Figure, median, percentile},
    load::{Load, ROWS_MAX, Schedules, Season, milliseconds, together},
    pgbench::Inserts,
    sales::{Sale, ask},
    stock,
};
use anyhow::Result;
use commands::{Executor, Limits, Wake};
use domain::launch::Launch;
use std::time::Instant;

/// Commands in flight.
pub(crate) const CLIENTS: usize = 64;
/// Commands on one launch before the next, where launches are distinct.
pub(crate) const COMMANDS_EACH: usize = 21;
/// Connections of the executor.
const CONNECTIONS: u32 = 8;

/// Puts commands to launches. Two ways of doing so are compared.
pub(crate) trait Seller: Clone + Send + Sync + 'static {
    fn put(&self, sale: &Sale, command: domain::launch::Command) -> impl Future<Output = Result<()>> + Send;
}

#[derive(Clone)]
struct Ours(Executor);

impl Seller for Ours {
    async fn put(&self, sale: &Sale, command: domain::launch::Command) -> Result<()> {
        self.0.execute::<Launch>(&sale.launch, command, &ask()).await?;
        Ok(())
    }
}

impl<S: Seller> Schedules for S {
    type Launch = Sale;
    async fn schedule(&self) -> Result<Sale> {
        let sale = Sale::new(ROWS_MAX);
        self.put(&sale, sale.schedule()?).await?;
        Ok(sale)
    }
}

/// Launches one after another, each sold by all clients at once.
pub(crate) async fn hot(seller: &impl Seller, clients: usize) -> Result<Load> {
    let season = Season::open(seller.clone()).await?;
    let begun = Instant::now();
    let client = |_| {
        let (season, seller) = (season.clone(), seller.clone());
        async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < RUN {
                let (sale, n) = season.seat().await?;
                let command = sale.hold(sale.deal(n)?);
                let asked = Instant::now();
                seller.put(&sale, command).await?;
                latencies.push(milliseconds(asked));
            }
            Ok(latencies)
        }
    };
    together((0..clients).map(client), begun).await
}

/// Each client has launches of its own, one after another.
pub(crate) async fn distinct(seller: &impl Seller, clients: usize) -> Result<Load> {
    let begun = Instant::now();
    let client = |_| {
        let seller = seller.clone();
        async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < RUN {
                let sale = Sale::new(ROWS_MAX);
                for n in 0..COMMANDS_EACH {
                    let command = if n == 0 { sale.schedule()? } else { sale.hold(sale.deal(n)?) };
                    let asked = Instant::now();
                    seller.put(&sale, command).await?;
                    latencies.push(milliseconds(asked));
                }
            }
            Ok(latencies)
        }
    };
    together((0..clients).map(client), begun).await
}

#[derive(Default)]
struct Runs {
    rates: Vec<f64>,
    latencies: Vec<f64>,
}

impl Runs {
    fn add(&mut self, load: Load) {
        self.rates.push(load.per_second);
        self.latencies.extend(load.latencies);
    }
}

/// Every figure of this file.
pub(crate) async fn figures(options: &Options) -> Result<Vec<Figure>> {
    let (mut hot_runs, mut distinct_runs, mut stock_hot, mut stock_distinct) =
        (Runs::default(), Runs::default(), Runs::default(), Runs::default());
    let (mut inserts, mut costs) = (Inserts::default(), Vec::new());
    for _ in 0..options.runs {
        let database = Database::create(options).await?;
        inserts.measure(options, &database.url).await?;
        let pool = commands::connect_by_key(&database.url, CONNECTIONS).await?;
        commands::migrate(&pool).await?;
        let ours = Ours(Executor::start(pool.clone(), Wake::new(), Limits::default()));
        hot_runs.add(hot(&ours, CLIENTS).await?);
        let used = processor_seconds(&pool).await?;
        let load = distinct(&ours, CLIENTS).await?;
        costs.push((processor_seconds(&pool).await? - used) * 1e6 / load.latencies.len() as f64);
        distinct_runs.add(load);
        pool.close().await;
        let stock = stock::open(&database.url, CLIENTS).await?;
        stock_hot.add(hot(&stock, CLIENTS).await?);
        stock_distinct.add(distinct(&stock, CLIENTS).await?);
        stock.close().await;
        database.drop().await?;
    }
    let runs = options.runs;
    let (hot, distinct) = (median(&mut hot_runs.rates), median(&mut distinct_runs.rates));
    let (stock_hot, stock_distinct) = (median(&mut stock_hot.rates), median(&mut stock_distinct.rates));
    let p99 = |runs: &mut Runs| percentile(&mut runs.latencies, 99);
    Ok(vec![
        Figure::beside("executor hot, one launch, 64 in flight", hot, "commands/s", runs, inserts.prepared()),
        Figure::beside("executor hot against pgbench as it comes", hot, "commands/s", runs, inserts.as_it_comes()),
        Figure::alone("executor hot, p99", p99(&mut hot_runs), "ms").runs(runs),
        Figure::beside("executor distinct launches, 64 in flight", distinct, "commands/s", runs, inserts.prepared()),
        Figure::beside("executor distinct against pgbench as it comes", distinct, "commands/s", runs, inserts.as_it_comes()),
        Figure::alone("executor distinct, p99", p99(&mut distinct_runs), "ms").runs(runs),
        Figure::alone("executor distinct, processor time of program and PostgreSQL", median(&mut costs), "us/command").runs(runs),
        Figure::beside("stock hot, one launch, 64 in flight", stock_hot, "commands/s", runs, inserts.prepared()),
        Figure::beside("stock distinct launches, 64 in flight", stock_distinct, "commands/s", runs, inserts.prepared()),
        Figure::beside("executor hot against stock", hot, "commands/s", runs, ("stock cqrs-es + postgres-es", stock_hot)),
        Figure::beside("executor distinct against stock", distinct, "commands/s", runs, ("stock cqrs-es + postgres-es", stock_distinct)),
    ])
}
