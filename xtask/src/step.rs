//! Visible progress: which step runs, what it does, how long it takes. Knows nothing of what the steps are. Progress goes to stderr, so that
//! what a command was asked for (figures as JSON, say) has stdout for itself.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

/// On a terminal the elapsed time is drawn anew this often.
const TICK: Duration = Duration::from_secs(1);
/// Elsewhere (a log file) a line says that the step still runs, this often.
const REMINDER: Duration = Duration::from_secs(30);
/// A status line is cut to this many characters, so that it never wraps.
const WIDTH: usize = 110;

/// A numbered list of steps.
#[derive(Debug)]
pub(crate) struct Steps {
    total: usize,
    done: usize,
}

/// What a running step tells about itself.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    detail: Arc<Mutex<String>>,
    quiet: Arc<AtomicBool>,
}

impl Progress {
    /// Replaces the detail that is shown behind the step's name.
    pub(crate) fn say(&self, detail: impl Into<String>) {
        *self.detail.lock().unwrap_or_else(PoisonError::into_inner) = detail.into();
    }

    /// Nothing is drawn while `work` talks to the terminal itself.
    pub(crate) fn quietly<T>(&self, work: impl FnOnce() -> T) -> T {
        self.quiet.store(true, Ordering::SeqCst);
        let result = work();
        self.quiet.store(false, Ordering::SeqCst);
        result
    }

    fn detail(&self) -> String {
        self.detail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, done: 0 }
    }

    /// Runs one step: `what` it does and how long that may take; the last detail it said closes its line.
    pub(crate) fn run<T>(&mut self, what: &str, work: impl FnOnce(&Progress) -> Result<T>) -> Result<T> {
        self.done += 1;
        let label = format!("[{}/{}] {what}", self.done, self.total);
        let progress = Progress { detail: Arc::default(), quiet: Arc::default() };
        let started = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        let (finished, ticks) = channel::<()>();
        let ticker = std::thread::spawn({
            let (label, progress) = (label.clone(), progress.clone());
            move || {
                let mut next = TICK;
                let mut told = false;
                draw(terminal, &label, &progress.detail(), None);
                while ticks.recv_timeout(next) == Err(RecvTimeoutError::Timeout) {
                    if progress.quiet.load(Ordering::SeqCst) {
                        continue;
                    }
                    let elapsed = started.elapsed();
                    if terminal {
                        draw(true, &label, &progress.detail(), Some(elapsed));
                    } else if told {
                        tell(&format!("      still at it, {}: {}", seconds(elapsed), progress.detail()));
                    } else {
                        tell(&format!("{label} ..."));
                        (told, next) = (true, REMINDER);
                    }
                }
            }
        });
        let result = work(&progress);
        drop(finished);
        let _ = ticker.join();
        let detail = match &result {
            Ok(_) => progress.detail(),
            Err(_) => "failed".into(),
        };
        if terminal {
            draw(true, &label, &detail, Some(started.elapsed()));
            tell("");
        } else {
            tell(&line(&label, &detail, Some(started.elapsed())));
        }
        result
    }
}

fn line(label: &str, detail: &str, elapsed: Option<Duration>) -> String {
    let mut text = label.to_owned();
    if !detail.is_empty() {
        text.push_str(": ");
        text.push_str(detail);
    }
    if let Some(elapsed) = elapsed {
        text.push_str(" ... ");
        text.push_str(&seconds(elapsed));
    }
    text
}

/// Redraws the step's line; a no-op where there is no terminal to draw on.
fn draw(terminal: bool, label: &str, detail: &str, elapsed: Option<Duration>) {
    if !terminal {
        return;
    }
    let time = elapsed.map(seconds).unwrap_or_default();
    let text: String = line(label, detail, None).chars().take(WIDTH).collect();
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r{text} ... {time}\x1b[K");
    let _ = out.flush();
}

fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints without dying of a reader that went away: `up` must still stop its servers in order.
pub(crate) fn print_line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// `0.4 s`, `42 s`, `6 min 3 s`.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        s @ 10..120 => format!("{s} s"),
        s => format!("{} min {} s", s / 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_was_and_how_long() {
        assert_eq!(line("[1/9] NATS", "", Some(Duration::from_millis(420))), "[1/9] NATS ... 0.4 s");
        assert_eq!(line("[1/9] NATS", "2.15.1", Some(Duration::from_secs(363))), "[1/9] NATS: 2.15.1 ... 6 min 3 s");
    }
}
