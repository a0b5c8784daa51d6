//! The system log: one line per thing worth knowing, on stdout and, for operators to search, in MongoDB. Fields have one name
//! everywhere ([`fields`]), nothing in a line is personal data ([`mod@line`]), and no text can begin a line of its own.
//!
//! - [`start`]: from then on lines are written; [`ship`]: they are stored, within a size and an age.
//! - [`search`] and [`live`]: what operators ask for. Who did what is the trail's: [`crate::audit`].

pub mod fields;
pub mod line;
pub mod live;
pub mod search;
pub mod ship;

use crate::asking;
use jiff::Timestamp;
use line::{Line, Read};
use serde_json::Value;
use ship::Lines;
use std::{
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{EnvFilter, Layer, layer::Context, layer::SubscriberExt, util::SubscriberInitExt};

/// Where lines are shown as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// For people at a terminal.
    Text,
    /// One JSON document per line, for programs.
    Json,
    /// Nowhere.
    Nowhere,
}

/// Takes lines in. Made by [`layer`].
#[derive(Debug)]
pub struct Writer {
    shown: Shown,
    waiting: mpsc::Sender<Line>,
    dropped: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Writer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let mut read = Read::default();
        event.record(&mut read);
        let mut fields = read.fields;
        asking::describe(|name, value| {
            fields.entry(name).or_insert(Value::String(value));
        });
        let level = line::word(*meta.level());
        let line = Line { at: Timestamp::now(), level, target: meta.target().to_owned(), message: read.message, fields };
        let text = match self.shown {
            Shown::Text => line.text(),
            Shown::Json => line.json(),
            Shown::Nowhere => String::new(),
        };
        if !text.is_empty() {
            // Where stdout is gone nobody can be told.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
        // The rest is too much for a log that people search.
        if *meta.level() <= Level::INFO && self.waiting.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What takes lines in, and the lines that wait to be stored by [`ship::keep`].
#[must_use]
pub fn layer(shown: Shown) -> (Writer, Lines) {
    let (sender, waiting) = mpsc::channel(ship::WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    (Writer { shown, waiting: sender, dropped: dropped.clone() }, Lines::new(waiting, dropped))
}

/// Starts logging to stdout: readable at a terminal, JSON elsewhere. The lines returned are stored by [`ship::keep`].
pub fn start(filter: &str) -> anyhow::Result<Lines> {
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow::anyhow!("ASTRO_LOG: {error}"))?;
    let (writer, lines) = layer(if std::io::stdout().is_terminal() { Shown::Text } else { Shown::Json });
    tracing_subscriber::registry().with(filter).with(writer).try_init()?;
    Ok(lines)
}
