//! One projection: its lag, its partitions, pausing and resuming it, and its views.

use super::{
    is_rebuilding, milliseconds,
    partitions::{Partitions, furthest_behind},
    view::ViewRow,
};
use crate::{
    client,
    components::{Button, ButtonKind, Dialog, Notice, NoticeKind, Pill},
    format,
};
use contract::operations::ProjectionStatus;
use dioxus::prelude::*;

/// What is called what: its title, and who sees it.
fn titles(name: &str) -> (&'static str, &'static str) {
    match name {
        "customer" => ("Customers' views", "What visitors and customers see, in MongoDB"),
        "operations" => ("Desks' views", "What suppliers and employees work with, in PostgreSQL"),
        "finance" => ("Money", "The journal and every sum, in PostgreSQL"),
        _ => ("Other views", ""),
    }
}

/// The state of a projection: its colour, a word, and what to do about it, where there is something.
fn standing(name: &str, views: &[ProjectionStatus]) -> (&'static str, &'static str, String) {
    let Some(view) = views.iter().find(|view| !is_rebuilding(view)).or_else(|| views.first()) else {
        return ("", "Unknown", String::new());
    };
    if view.paused {
        return ("delayed", "Paused", "Nothing is folded until somebody resumes it: it shows everything as it was.".to_owned());
    }
    if views.iter().any(|view| view.ahead) {
        let advice =
            "An older log was put back: what the marked views show is not all in it. Nothing is folded until each of them is rebuilt.";
        return ("aborted", "To be rebuilt", advice.to_owned());
    }
    let behind = views.iter().any(|view| view.lag_events > 0);
    match view.state.split_once(": ").map_or((view.state.as_str(), ""), |(word, why)| (word, why)) {
        ("live" | "rebuilding", _) if !behind => ("confirmed", "Up to date", String::new()),
        ("live" | "rebuilding", _) => ("scheduled", "Catching up", String::new()),
        ("stopped", _) => ("aborted", "Stopped", format!("No process keeps it up to date. Start one: astro project {name}.")),
        ("missing", _) => ("aborted", "Missing", "It is not set up yet: run astro migrate.".to_owned()),
        ("unreachable", why) => ("aborted", "Unreachable", format!("Its database cannot be asked: {why}.")),
        (_, why) => ("aborted", "Waiting", format!("A server it needs has failed. It goes on by itself when that is back: {why}.")),
    }
}

/// The card of a projection. `decides` says whether the one who looks may do something about it.
#[component]
pub(super) fn ProjectionCard(name: String, views: Vec<ProjectionStatus>, decides: bool, onchanged: Callback<()>) -> Element {
    let (title, about) = titles(&name);
    let (tone, word, advice) = standing(&name, &views);
    let paused = views.iter().any(|view| view.paused);
    let known = views.iter().any(|view| view.version > 0);
    let head = views.iter().map(|view| view.head).max().unwrap_or(0);
    let events = views.iter().map(|view| view.lag_events).max().unwrap_or(0);
    let late = views.iter().map(|view| view.lag_ms).max().unwrap_or(0);
    rsx! {
        section { class: "card projection", id: "{name}", "aria-labelledby": "{name}-title",
            div { class: "panel-head",
                h2 { id: "{name}-title", "{title}" }
                Pill { state: tone, text: word }
                if known && !views.iter().any(|view| view.ahead) {
                    span { class: "aside num", "{format::plural(events, \"event\", \"events\")}, {milliseconds(late)} behind" }
                }
                p { class: "muted small", "{about}" }
            }
            div { class: "panel-body",
                if !advice.is_empty() {
                    Notice { kind: if paused { NoticeKind::Warn } else { NoticeKind::Bad }, "{advice}" }
                }
                div { class: "projection-bar",
                    Partitions { partitions: furthest_behind(&views), head, paused }
                    if decides && known {
                        PauseButton { name: name.clone(), title, paused, onchanged }
                    }
                }
            }
            ul { class: "view-rows", "aria-label": "Views",
                for view in views {
                    ViewRow { key: "{view.view}", view, decides, onchanged }
                }
            }
        }
    }
}

/// Pauses after a question, resumes at once.
#[component]
fn PauseButton(name: String, title: String, paused: bool, onchanged: Callback<()>) -> Element {
    let mut asking = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let mut refused = use_signal(String::new);
    let button = format!("pause-{name}");
    let set = use_callback({
        let name = name.clone();
        move |pause: bool| {
            let name = name.clone();
            spawn(async move {
                busy.set(true);
                let answer = if pause { client::pause_projection(&name).await } else { client::resume_projection(&name).await };
                busy.set(false);
                asking.set(false);
                refused.set(answer.err().map(|problem| problem.message).unwrap_or_default());
                onchanged.call(());
            });
        }
    });
    let seen_by = if name == "customer" { "Visitors and customers see" } else { "The desks see" };
    rsx! {
        div { class: "projection-do",
            if paused {
                Button { id: button.clone(), kind: ButtonKind::Primary, busy: busy(), onclick: move |_| set.call(false), label: "Resume {title}", "Resume" }
            } else {
                Button { id: button.clone(), onclick: move |_| asking.set(true), label: "Pause {title}", "Pause" }
            }
            if !refused.read().is_empty() {
                Notice { kind: NoticeKind::Bad, "{refused}" }
            }
        }
        if asking() {
            Dialog { id: "ask-{button}", title: "Pause {title}?", onclose: move |()| asking.set(false), back_to: button,
                p { "{seen_by} everything as it is now until somebody resumes it, and are told that it may be out of date once something has changed. Selling, paying and refunding go on: only what is shown waits." }
                div { class: "dialog-actions",
                    Button { onclick: move |_| asking.set(false), "Leave it running" }
                    Button { kind: ButtonKind::Danger, busy: busy(), onclick: move |_| set.call(true), "Pause it" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn view(state: &str, lag_events: u64, paused: bool) -> ProjectionStatus {
        ProjectionStatus {
            view: "customer.launches".to_owned(),
            version: 1,
            previous: None,
            position: 100 - lag_events,
            head: 100,
            lag_events,
            lag_ms: lag_events,
            parked: 0,
            state: state.to_owned(),
            paused,
            ahead: false,
            rebuild: None,
            partitions: Vec::new(),
        }
    }

    #[test]
    fn a_projection_says_how_it_is_and_what_to_do() {
        let said = |state: &str, lag, paused| standing("customer", &[view(state, lag, paused)]);
        assert_eq!(said("live", 0, false).1, "Up to date");
        assert_eq!(said("live", 5, false).1, "Catching up");
        assert_eq!(said("paused", 5, true).1, "Paused");
        assert!(said("stopped", 5, false).2.contains("astro project customer"));
        let waiting = said("paused: MongoDB failed", 5, false);
        assert!(waiting.1 == "Waiting" && waiting.2.contains("MongoDB failed"), "{waiting:?}");
        let another = [view("live", 0, false), ProjectionStatus { ahead: true, ..view("paused: ahead of the log", 0, false) }];
        assert_eq!(standing("customer", &another).1, "To be rebuilt");
    }
}
