//! A log of a million events: how fast it is sequenced, relayed, read and folded, and what it costs in memory.

use crate::{
    Options,
    astro::Astro,
    database::Database,
    executor::CLIENTS,
    figure::{Figure, median},
    sales::{Sale, ask},
};
use anyhow::{Context, Result, bail, ensure};
use commands::{Executor, Limits, Wake, sequence};
use domain::launch::Launch;
use nats::{Bus, Feed, Rush, feed::PAGE_EVENTS_MAX};
use projections::{CustomerViews, rebuild::Differing};
use sqlx::PgPool;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Events in all.
const EVENTS: u64 = 1_000_000;
/// In how many parts they are written and sequenced, one after another.
const PARTS: u64 = 5;
/// Rows of each launch: 100 seats, all sold, are 601 events and more.
const ROWS: usize = 10;
/// Connections of the executor and of the others.
const CONNECTIONS: u32 = 8;
/// How long the views may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(900);
/// How long `astro all` rests before its memory is read.
const REST: Duration = Duration::from_secs(10);

/// Every figure of this file.
pub(crate) async fn figures(options: &Options) -> Result<Vec<Figure>> {
    let mut astro = Astro::prepare(options).await?;
    // As the sequencer and all who follow the log do.
    let pool = commands::connect_by_key(astro.database_url(), CONNECTIONS).await?;
    let bus = Bus::connect(&options.nats_url, astro.name()).await?;
    let (mut filling, mut sequencing) = (Vec::new(), Vec::new());
    for part in 1..=PARTS {
        let known = count(&pool).await?;
        let begun = Instant::now();
        fill(astro.database_url(), EVENTS / PARTS).await?;
        let new = count(&pool).await? - known;
        filling.push(new as f64 / begun.elapsed().as_secs_f64());
        eprintln!("  part {part} of {PARTS}: {new} events written in {:.1} s", begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        relay_all(&pool, &bus, known + new).await?;
        sequencing.push(new as f64 / begun.elapsed().as_secs_f64());
    }
    let total = count(&pool).await?;
    let mut reading = Vec::new();
    for _ in 0..options.runs {
        reading.push(read_all(&pool, total).await?);
    }
    let mut figures = vec![
        Figure::alone("log, bookings written by the executor", median(&mut filling), "events/s").runs(filling.len()),
        Figure::alone("log, sequenced and relayed", median(&mut sequencing), "events/s").runs(sequencing.len()),
        Figure::alone("log, read in order", median(&mut reading), "events/s").runs(reading.len()),
    ];
    pool.close().await;

    let begun = Instant::now();
    astro.start().await?;
    let databases = astro.databases().await?;
    let views = CustomerViews::new(&databases);
    while views.position().await? < total {
        ensure!(begun.elapsed() < CATCH_UP, "the views stay behind");
        sleep(Duration::from_millis(100)).await;
    }
    figures.push(Figure::alone("log, all views caught up from nothing", total as f64 / begun.elapsed().as_secs_f64(), "events/s"));
    sleep(REST).await;
    figures.push(Figure::alone("memory after 1 000 000 events", astro.resident_megabytes()?, "MB"));
    astro.end().await?;

    let mut rebuilding = Vec::new();
    for _ in 0..options.runs.min(3) {
        let name = "customer.launches".parse().context("the launch board")?;
        let rebuilt = projections::rebuild(&databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await?;
        ensure!(rebuilt.switched, "the rebuilt board differs in {:?}", rebuilt.some_differing);
        rebuilding.push(rebuilt.took.as_secs_f64());
    }
    figures.push(Figure::alone("rebuild of the launch board from 1 000 000 events", median(&mut rebuilding), "s").runs(rebuilding.len()));
    bus.delete().await?;
    astro.stop().await?;
    Ok(figures)
}

async fn count(pool: &PgPool) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(pool).await?;
    Ok(count.unsigned_abs())
}

/// Sells launch after launch until there are so many events more.
async fn fill(url: &str, events: u64) -> Result<()> {
    let pool = commands::connect_by_key(url, CONNECTIONS).await?;
    let executor = Executor::start(pool.clone(), Wake::new(), Limits::default());
    let written = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (executor, written) = (executor.clone(), written.clone());
            tokio::spawn(async move {
                while written.load(Ordering::Relaxed) < events {
                    let sale = Sale::new(ROWS);
                    executor.execute::<Launch>(&sale.launch, sale.schedule()?, &ask()).await?;
                    written.fetch_add(1, Ordering::Relaxed);
                    for n in 0..sale.seats() {
                        if written.load(Ordering::Relaxed) >= events {
                            break;
                        }
                        let deal = sale.deal(n)?;
                        let hold = sale.hold(deal);
                        for command in std::iter::once(hold).chain(sale.sell(deal)?) {
                            let done = executor.execute::<Launch>(&sale.launch, command, &deal.ask()).await?;
                            written.fetch_add(done.events.len() as u64, Ordering::Relaxed);
                        }
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    pool.close().await;
    Ok(())
}

/// Runs sequencer and relay until the bus has every event.
async fn relay_all(pool: &PgPool, bus: &Bus, total: u64) -> Result<()> {
    let stop = CancellationToken::new();
    let sequencing = tokio::spawn(sequence::run(pool.clone(), Some(bus.clone()), Wake::new(), Rush::default(), stop.clone()));
    while bus.head().await?.unwrap_or_default() < total {
        if sequencing.is_finished() {
            bail!("the sequencer ended");
        }
        sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    sequencing.await?;
    Ok(())
}

/// Events a second, read in order from PostgreSQL.
async fn read_all(pool: &PgPool, total: u64) -> Result<f64> {
    let begun = Instant::now();
    let mut follower = Feed::new(pool.clone(), None).follow(0);
    while follower.after() < total {
        let read = follower.next_batch(PAGE_EVENTS_MAX, Duration::from_secs(1)).await?;
        ensure!(!read.is_empty(), "the log ends at {}", follower.after());
    }
    Ok(total as f64 / begun.elapsed().as_secs_f64())
}

/// Events of the long stream and of the short one.
const STREAMS: [u64; 2] = [10_000, 10];
/// How often each is asked for a command.
const COLD_COMMANDS: usize = 50;

/// What a command costs on a long stream that is not in memory, beside a short one.
pub(crate) async fn stream_figures(options: &Options) -> Result<Vec<Figure>> {
    let database = Database::create(options).await?;
    let pool = commands::connect_by_key(&database.url, CONNECTIONS).await?;
    commands::migrate(&pool).await?;
    let mut sales = Vec::new();
    for events in STREAMS {
        let executor = Executor::start(pool.clone(), Wake::new(), Limits::default());
        let sale = Sale::new(ROWS);
        executor.execute::<Launch>(&sale.launch, sale.schedule()?, &ask()).await?;
        let mut last = 1;
        while last < events {
            let commands = (0..STREAMS[1].min(events - last)).map(|n| (sale.reprice(last + n), ask())).collect::<Vec<_>>();
            for done in futures::future::join_all(
                commands.iter().map(|(command, ask)| executor.execute::<Launch>(&sale.launch, command.clone(), ask)),
            )
            .await
            {
                last = last.max(done?.at.sequence);
            }
        }
        sales.push(sale);
    }
    // Both in turn, so that whatever else the machine does meets both.
    let mut waits = [const { Vec::new() }; 2];
    for n in 0..COLD_COMMANDS as u64 {
        for (sale, waits) in sales.iter().zip(&mut waits) {
            let executor = Executor::start(pool.clone(), Wake::new(), Limits::default());
            let asked = Instant::now();
            executor.execute::<Launch>(&sale.launch, sale.reprice(n), &ask()).await?;
            waits.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
    }
    pool.close().await;
    database.drop().await?;
    let [long, short] = waits.each_mut().map(|waits| median(waits));
    let yardstick = ("ms on one of 10 events", short);
    Ok(vec![Figure::beside("stream, cold command on one of 10 000 events", long, "ms", COLD_COMMANDS, yardstick)])
}
