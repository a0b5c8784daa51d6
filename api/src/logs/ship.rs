//! Brings lines to MongoDB. While it is away lines wait, and are dropped, and counted, when there are too many.

use super::line::Line;
use crate::shelf::Shelf;
use jiff::Timestamp;
use mongodb::{
    Collection, Database,
    bson::Document,
    options::{Acknowledgment, CollectionOptions, WriteConcern},
};
use serde_json::Map;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Lines that may wait to be stored; more are dropped and counted.
pub(super) const WAITING_MAX: usize = 4_096;
/// Lines stored at once.
const BATCH_MAX: usize = 256;
/// How long lines are gathered, unless that many wait: storing few costs as much as storing many.
const GATHERED_FOR: Duration = Duration::from_millis(200);
/// How much of the log is kept, in bytes.
const KEPT_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// For how long.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often storing is tried again while MongoDB is away.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Lines of requests that went well are kept up to so many a second; stdout has them all.
const REQUESTS_PER_SECOND_MAX: u32 = 50;
/// What the line of a request says of itself.
pub(crate) const REQUESTS: &str = "api::requests";
pub(super) const COLLECTION: &str = "logs";

/// Lines on their way to MongoDB.
#[derive(Debug)]
pub struct Lines {
    waiting: mpsc::Receiver<Line>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    pub(super) fn new(waiting: mpsc::Receiver<Line>, dropped: Arc<AtomicU64>) -> Self {
        Self { waiting, dropped }
    }

    /// The next line, for those who do not store it.
    pub async fn next(&mut self) -> Option<Line> {
        self.waiting.recv().await
    }
}

/// Where lines are kept.
#[must_use]
pub fn shelf(system: &Database) -> Shelf {
    Shelf::new(system, COLLECTION, KEPT_BYTES_MAX, KEPT_FOR)
}

/// Lines of requests that went well, and how many of them were left out in this second.
struct Budget {
    since: Instant,
    taken: u32,
    left_out: u64,
}

impl Budget {
    fn takes(&mut self, line: &Line) -> bool {
        if line.target != REQUESTS || line.level != "info" {
            return true;
        }
        if self.since.elapsed() >= Duration::from_secs(1) {
            (self.since, self.taken) = (Instant::now(), 0);
        }
        self.taken += 1;
        let takes = self.taken <= REQUESTS_PER_SECOND_MAX;
        self.left_out += u64::from(!takes);
        takes
    }
}

fn note(level: &'static str, message: String) -> Document {
    Line { at: Timestamp::now(), level, target: module_path!().to_owned(), message, fields: Map::new() }.document()
}

/// Stores lines until `stop`, and those that wait then.
pub async fn keep(mut lines: Lines, system: Database, stop: CancellationToken) {
    // A lost line is no lost booking: nobody waits for the disk.
    let quick = CollectionOptions::builder().write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build()).build();
    let logs: Collection<Document> = system.collection_with_options(COLLECTION, quick);
    let mut budget = Budget { since: Instant::now(), taken: 0, left_out: 0 };
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        if lines.waiting.len() < BATCH_MAX {
            tokio::select! { () = sleep(GATHERED_FOR) => {}, () = stop.cancelled() => {} }
        }
        let stopping = tokio::select! {
            read = lines.waiting.recv_many(&mut batch, BATCH_MAX) => { if read == 0 { return } false }
            () = stop.cancelled() => {
                while batch.len() < BATCH_MAX && let Ok(line) = lines.waiting.try_recv() {
                    batch.push(line);
                }
                true
            }
        };
        let mut documents: Vec<Document> = batch.drain(..).filter(|line| budget.takes(line)).map(Line::document).collect();
        let dropped = lines.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            documents.push(note("warn", format!("{dropped} log lines were dropped: more were written than could be stored")));
        }
        if budget.left_out > 0 && (budget.taken <= REQUESTS_PER_SECOND_MAX || stopping) {
            documents.push(note("info", format!("{} lines of requests that went well are on stdout only", budget.left_out)));
            budget.left_out = 0;
        }
        while !documents.is_empty() {
            match logs.insert_many(&documents).await {
                Ok(_) => documents.clear(),
                Err(_) if stopping || stop.is_cancelled() => return,
                // Said on stdout by those who miss MongoDB; saying it here would only add lines.
                Err(_) => sleep(RETRY_EVERY).await,
            }
        }
        if stopping {
            return;
        }
    }
}
