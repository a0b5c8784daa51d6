//! The log as it is written, newest on top. It can be paused to read; what comes meanwhile waits, within a bound.

use super::{LogLine, LogQuery, columns, query_of, row};
use crate::{
    client,
    components::{Button, Empty},
    desk::{Sift, Table},
    format,
};
use dioxus::prelude::*;
use std::collections::VecDeque;

/// Lines shown; older ones leave at the bottom, and are found by a search.
const SHOWN_MAX: usize = 200;
/// After the stream was closed, how long until it is opened anew, in milliseconds.
#[cfg(feature = "web")]
const REOPEN_AFTER_MS: u32 = 2_000;

/// What has come, with a number for each line that tells it apart.
#[derive(Debug, Clone, Default, PartialEq)]
struct Came {
    shown: VecDeque<(u64, LogLine)>,
    waiting: VecDeque<(u64, LogLine)>,
    paused: bool,
    count: u64,
}

impl Came {
    #[cfg_attr(not(any(feature = "web", test)), allow(dead_code))]
    fn take(&mut self, line: LogLine) {
        self.count += 1;
        let lines = if self.paused { &mut self.waiting } else { &mut self.shown };
        lines.push_front((self.count, line));
        lines.truncate(SHOWN_MAX);
    }

    fn pause(&mut self) {
        self.paused = true;
    }

    fn resume(&mut self) {
        self.paused = false;
        let mut lines = std::mem::take(&mut self.waiting);
        lines.append(&mut self.shown);
        lines.truncate(SHOWN_MAX);
        self.shown = lines;
    }
}

/// The part of the page that follows the log.
#[component]
pub(super) fn Tail(sift: ReadSignal<Sift>) -> Element {
    let mut came = use_signal(Came::default);
    let connected = use_signal(|| false);
    let mut listening = use_signal(|| None::<dioxus::dioxus_core::Task>);
    let query = use_memo(move || LogQuery { from: None, to: None, page: 0, ..query_of(&sift.read()) });
    use_effect(move || {
        let address = client::live_logs(&query());
        let paused = came.peek().paused;
        came.set(Came { paused, ..Came::default() });
        if let Some(before) = listening.replace(Some(spawn(listen(address, came, connected)))) {
            before.cancel();
        }
    });
    let now = came.read();
    let waiting = now.waiting.len();
    let rows: Vec<_> = now.shown.iter().map(|(number, line)| row(number.to_string(), line)).collect();
    rsx! {
        div { class: "tail-bar",
            span { class: "live", "data-state": if !connected() { "connecting" } else if now.paused { "paused" } else { "live" },
                if !connected() { "Connecting" } else if now.paused { "Paused" } else { "Live" }
            }
            if now.paused {
                Button { onclick: move |_| came.write().resume(),
                    if waiting > 0 { "Resume, {format::count(waiting as u64)} new" } else { "Resume" }
                }
            } else {
                Button { onclick: move |_| came.write().pause(), "Pause" }
            }
        }
        if rows.is_empty() {
            div { class: "card",
                Empty { title: "Nothing yet", "Lines show here as the services write them, newest on top." }
            }
        } else {
            Table { caption: "Log lines as they are written, newest first", columns: columns(), rows }
        }
    }
}

#[cfg(feature = "web")]
async fn listen(address: String, mut came: Signal<Came>, mut connected: Signal<bool>) {
    use futures_util::{StreamExt, future::Either, future::select};
    use gloo_net::eventsource::{State, futures::EventSource};
    loop {
        if let Ok(mut source) = EventSource::new(&address)
            && let Ok(mut lines) = source.subscribe("line")
        {
            loop {
                // A stream that is quiet is looked at now and then: whether it is open is known to the browser alone.
                let look = std::pin::pin!(crate::browser::sleep(REOPEN_AFTER_MS));
                match select(lines.next(), look).await {
                    Either::Left((Some(Ok((_, message))), _)) => {
                        let line = message.data().as_string().and_then(|text| serde_json::from_str::<LogLine>(&text).ok());
                        if let Some(line) = line {
                            came.write().take(line);
                        }
                    }
                    Either::Left(_) => break,
                    Either::Right(_) => {}
                }
                let open = source.state() == State::Open;
                if *connected.peek() != open {
                    connected.set(open);
                }
            }
        }
        connected.set(false);
        crate::browser::sleep(REOPEN_AFTER_MS).await;
    }
}

#[cfg(not(feature = "web"))]
async fn listen(_address: String, _came: Signal<Came>, _connected: Signal<bool>) {
    crate::browser::sleep(0).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> LogLine {
        LogLine {
            at: jiff::Timestamp::UNIX_EPOCH,
            level: "info".to_owned(),
            target: "test".to_owned(),
            message: message.to_owned(),
            fields: serde_json::Map::new(),
        }
    }
    fn shown(came: &Came) -> Vec<&str> {
        came.shown.iter().map(|(_, line)| line.message.as_str()).collect()
    }

    #[test]
    fn what_comes_while_paused_waits() {
        let mut came = Came::default();
        came.take(line("a"));
        came.pause();
        came.take(line("b"));
        came.take(line("c"));
        assert_eq!((shown(&came), came.waiting.len()), (vec!["a"], 2));
        came.resume();
        assert_eq!((shown(&came), came.waiting.len()), (vec!["c", "b", "a"], 0));
    }

    #[test]
    fn only_so_many_are_shown() {
        let mut came = Came::default();
        for n in 0..SHOWN_MAX + 5 {
            came.take(line(&n.to_string()));
        }
        assert_eq!(came.shown.len(), SHOWN_MAX);
        assert_eq!(shown(&came)[0], (SHOWN_MAX + 4).to_string());
    }
}
