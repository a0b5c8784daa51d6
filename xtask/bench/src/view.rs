//! From the commit of an event to the moment its view shows it, under a steady load.

use crate::{
    Options,
    astro::Astro,
    booking::Desk,
    figure::{Figure, median, percentile},
    load::{SEATS, Schedules},
};
use anyhow::{Result, ensure};
use projections::CustomerViews;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

/// Events offered in a second, each by a hold over HTTP.
const EVENTS_PER_SECOND: usize = 500;
/// For how long.
const SECONDS: usize = 10;
/// Connections that share the holds.
const CLIENTS: usize = 32;
/// Launches held on at the same time.
const LAUNCHES: usize = 10;
/// How often the view is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What is told of the waits of a run; of several runs, the middle one.
const PERCENTS: [usize; 2] = [50, 99];
/// How long the view may take to be as far as the log.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every figure of this file.
pub(crate) async fn figures(options: &Options, astro: &Astro, desk: &Desk) -> Result<Vec<Figure>> {
    let mut of_runs = [Vec::new(), Vec::new()];
    for _ in 0..options.runs {
        astro.at_rest().await?;
        let mut waits = once(astro, desk).await?;
        for (percent, of_runs) in PERCENTS.into_iter().zip(&mut of_runs) {
            of_runs.push(percentile(&mut waits, percent));
        }
    }
    let name = |percent: usize| format!("view, commit to visible in MongoDB at {EVENTS_PER_SECOND} events/s, p{percent}");
    let figure = |(percent, mut of_runs): (usize, Vec<f64>)| Figure::alone(&name(percent), median(&mut of_runs), "ms").runs(options.runs);
    Ok(PERCENTS.into_iter().zip(of_runs).map(figure).collect())
}

/// How long each event took to be seen, in milliseconds.
async fn once(astro: &Astro, desk: &Desk) -> Result<Vec<f64>> {
    let views = CustomerViews::new(&astro.databases().await?);
    let pool = astro.pool().await?;
    let mut launches = Vec::new();
    for _ in 0..LAUNCHES {
        launches.push(desk.schedule().await?);
    }
    let first: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM log").fetch_one(&pool).await?;
    let begun = Instant::now();
    while i64::try_from(views.position().await?)? < first {
        ensure!(begun.elapsed() < PATIENCE, "the view stays behind");
        sleep(LOOK_EVERY).await;
    }
    let launches: Arc<[String]> = launches.into();
    let total = EVENTS_PER_SECOND * SECONDS;
    ensure!(total <= LAUNCHES * SEATS, "more holds than seats");
    let (mut tasks, begun) = (Vec::new(), Instant::now());
    for client in 0..CLIENTS {
        let (desk, launches, mut wire) = (desk.clone(), launches.clone(), desk.wire().await?);
        tasks.push(tokio::spawn(async move {
            let turn = Duration::from_secs_f64(1.0 / EVENTS_PER_SECOND as f64);
            let clients = u32::try_from(CLIENTS)?;
            let mut turns = interval_at(begun + turn * u32::try_from(client)?, turn * clients);
            turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for n in (client..total).step_by(CLIENTS) {
                turns.tick().await;
                desk.hold(&mut wire, &launches[n % LAUNCHES], n / LAUNCHES).await?;
            }
            anyhow::Ok(())
        }));
    }
    // When the view was first seen to be so far.
    let mut seen: Vec<(i64, jiff::Timestamp)> = Vec::new();
    let mut done_at = None;
    loop {
        let position = i64::try_from(views.position().await?)?;
        if seen.last().is_none_or(|(known, _)| *known < position) {
            seen.push((position, jiff::Timestamp::now()));
        }
        if done_at.is_none() && tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            done_at = Some(Instant::now());
        }
        if let Some(done_at) = done_at {
            let head: i64 = sqlx::query_scalar("SELECT max(position) FROM log").fetch_one(&pool).await?;
            if position >= head {
                break;
            }
            ensure!(done_at.elapsed() < PATIENCE, "the view stays behind");
        }
        sleep(LOOK_EVERY).await;
    }
    for task in tasks {
        task.await??;
    }
    let holds: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT position, (extract(epoch FROM recorded_at) * 1000000)::bigint FROM recorded WHERE position > $1 AND event_type = 'seats_held' ORDER BY position",
    )
    .bind(first)
    .fetch_all(&pool)
    .await?;
    ensure!(holds.len() == total, "{} holds of {total}", holds.len());
    pool.close().await;
    let wait = |(position, recorded): &(i64, i64)| {
        let shown = seen.get(seen.partition_point(|(at, _)| at < position))?.1;
        Some((shown.as_microsecond() - recorded) as f64 / 1000.0)
    };
    Ok(holds.iter().filter_map(wait).collect())
}
