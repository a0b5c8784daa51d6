//! The projections: how far each is behind the log, and what an operator does about it. Looks again by itself while the page is open,
//! sooner while something moves.

mod parked;
mod partitions;
mod projection;
mod view;

use super::is;
use crate::{
    browser,
    client::{self, Answer},
    components::{Failed, Loading, Notice, NoticeKind},
    desk::{PageHead, Tile},
    format,
};
use contract::{
    account::Role,
    operations::{ParkedStream, ProjectionStatus, Projections},
};
use dioxus::prelude::*;
use parked::Parked;
use projection::ProjectionCard;

/// Between two looks, in milliseconds.
const LOOK_AGAIN_MS: u32 = 4_000;
/// Between two looks while a rebuild runs or a stream is tried again, in milliseconds.
const LOOK_SOON_MS: u32 = 700;

/// What one look found.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    projections: Projections,
    parked: Vec<ParkedStream>,
}

impl Seen {
    /// Asks; the streams set aside only where there are some, and only for those who may decide about them.
    async fn look(decides: bool) -> Answer<Self> {
        let projections = client::projections().await?;
        let mut parked = Vec::new();
        for view in projections.views.iter().filter(|view| decides && view.parked > 0) {
            parked.extend(client::parked(&view.view).await?);
        }
        Ok(Self { projections, parked })
    }
    fn moves(&self) -> bool {
        self.projections.views.iter().any(is_rebuilding) || self.parked.iter().any(|stream| stream.retrying)
    }
}

/// Whether a rebuild of the view goes on.
fn is_rebuilding(view: &ProjectionStatus) -> bool {
    view.rebuild.as_ref().is_some_and(|rebuild| !rebuild.phase.is_empty())
}

/// `0 ms`, `830 ms`, `12 seconds`.
fn milliseconds(lag: u64) -> String {
    match lag {
        0..1_000 => format!("{lag} ms"),
        _ => format::duration(i64::try_from(lag / 1_000).unwrap_or(i64::MAX)),
    }
}

/// The page.
#[component]
pub fn ProjectionsPage() -> Element {
    let decides = is(Role::Operator);
    let mut seen = use_signal(|| None::<Seen>);
    let mut failed = use_signal(|| None::<contract::Problem>);
    let look = move || async move {
        match Seen::look(decides).await {
            Ok(found) => {
                seen.set(Some(found));
                failed.set(None);
            }
            Err(problem) => failed.set(Some(problem)),
        }
    };
    use_future(move || async move {
        loop {
            look().await;
            let moves = seen.peek().as_ref().is_some_and(Seen::moves);
            browser::sleep(if moves { LOOK_SOON_MS } else { LOOK_AGAIN_MS }).await;
        }
    });
    let onchanged = use_callback(move |()| {
        spawn(look());
    });
    match (&*seen.read(), &*failed.read()) {
        (None, None) => rsx! {
            PageHead { title: "Projections", desk: "Admin" }
            div { class: "card", Loading { lines: 6 } }
        },
        (None, Some(problem)) => rsx! {
            PageHead { title: "Projections", desk: "Admin" }
            div { class: "card", Failed { what: "The projections", problem: problem.clone(), onretry: onchanged } }
        },
        (Some(seen), failed) => rsx! {
            Views { seen: seen.clone(), decides, onchanged, failed: failed.is_some() }
        },
    }
}

#[component]
fn Views(seen: Seen, decides: bool, failed: bool, onchanged: Callback<()>) -> Element {
    let Seen { projections, parked } = seen;
    let behind = projections.views.iter().filter(|view| view.lag_events > 0 || view.ahead).count();
    let ahead = projections.views.iter().filter(|view| view.ahead).count();
    let aside: u64 = projections.views.iter().map(|view| view.parked).sum();
    let slowest = projections.views.iter().map(|view| view.lag_ms).max().unwrap_or(0);
    let waiting = match (behind, ahead) {
        (0, _) => "all show the head".to_owned(),
        (_, 0) => format!("the oldest waits {}", milliseconds(slowest)),
        _ => format!("{ahead} to be rebuilt"),
    };
    let mut groups: Vec<(String, Vec<ProjectionStatus>)> = Vec::new();
    for view in &projections.views {
        let name = view.view.split('.').next().unwrap_or_default();
        match groups.last_mut() {
            Some((known, views)) if known == name => views.push(view.clone()),
            _ => groups.push((name.to_owned(), vec![view.clone()])),
        }
    }
    rsx! {
        PageHead { title: "Projections", desk: "Admin", position: projections.head, at: projections.as_of }
        div { class: "warnings",
            if failed {
                Notice { kind: NoticeKind::Warn, "The figures cannot be asked for right now. These are older; the page keeps trying." }
            }
            LogWarning { projections: projections.clone() }
        }
        div { class: "tiles",
            Tile { label: "Head of the log", value: format::count(projections.head), note: "events in order" }
            Tile { label: "Not yet in order", value: format::count(projections.unsequenced), note: "written, to be sequenced" }
            Tile {
                label: "Views behind",
                value: "{behind} of {projections.views.len()}",
                note: waiting,
                tone: if behind == 0 { "good" } else { "" },
            }
            Tile {
                label: "Streams set aside",
                value: format::count(aside),
                note: if aside == 0 { "nothing failed" } else { "one of their events failed" },
                tone: if aside == 0 { "good" } else { "bad" },
            }
        }
        if aside > 0 {
            Parked { streams: parked, aside, decides, onchanged }
        }
        for (name , views) in groups {
            ProjectionCard { key: "{name}", name, views, decides, onchanged }
        }
    }
}

/// What keeps the log itself from going on, and what to do.
#[component]
fn LogWarning(projections: Projections) -> Element {
    let waiting = format::plural(projections.unsequenced, "event", "events");
    let wait = if projections.unsequenced == 1 { "waits" } else { "wait" };
    if let Some(stopped) = &projections.stopped {
        return rsx! {
            Notice { kind: NoticeKind::Bad,
                b { "The log stands still: {stopped}. " }
                "An event is missing that must have been there, so somebody has to find out what happened to it, for instance in a backup. "
                "Selling goes on and what is written is safe, but nobody is shown it and no mail or refund follows: {waiting} {wait}. "
                "The log is looked at again every few seconds and goes on by itself once the stream is whole."
            }
        };
    }
    if projections.sequencer.is_none() {
        return rsx! {
            Notice { kind: NoticeKind::Bad,
                b { "No process sequences the log. " }
                "What is written is safe, but nobody is shown it and no mail or refund follows. Start one with "
                code { "astro sequence" }
                "; several stand by for each other. Right after a process died another takes over within seconds."
            }
        };
    }
    if projections.held_back {
        let age = projections.oldest_writer_ms.map_or_else(|| "a long time".to_owned(), milliseconds);
        return rsx! {
            Notice { kind: NoticeKind::Bad,
                b { "A transaction open for {age} holds the log back. " }
                "{waiting} {wait} for it to end, and so does everything after them. Nothing is lost. Look for the oldest "
                code { "xact_start" }
                " with a "
                code { "backend_xid" }
                " in "
                code { "pg_stat_activity" }
                ", and if its program is stuck, end it with "
                code { "pg_terminate_backend(pid)" }
                "."
            }
        };
    }
    rsx! {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projections(unsequenced: u64, held_back: bool, sequenced: bool) -> Projections {
        Projections {
            views: Vec::new(),
            head: 9,
            unsequenced,
            oldest_writer_ms: Some(42_000),
            held_back,
            stopped: None,
            sequencer: sequenced.then(uuid::Uuid::nil),
            epoch: 1,
            as_of: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn warning(projections: Projections) -> String {
        dioxus_ssr::render_element(rsx! { LogWarning { projections } })
    }

    #[test]
    fn what_holds_the_log_back_is_said_with_what_to_do() {
        let held = warning(projections(3, true, true));
        assert!(held.contains("open for 42 seconds") && held.contains("3 events wait") && held.contains("pg_terminate_backend"), "{held}");
        assert!(warning(projections(3, false, false)).contains("astro sequence"));
        let stopped = Some("raw/holed has no event 3 before 4: the log stops at 2".to_owned());
        let stopped = warning(Projections { stopped, ..projections(3, false, false) });
        assert!(
            stopped.contains("no event 3 before 4") && stopped.contains("3 events wait") && !stopped.contains("astro sequence"),
            "{stopped}"
        );
        assert!(!warning(projections(3, false, true)).contains("notice"));
    }
}
