//! The views and how far each is behind the log. Looks again by itself while the page is open.

use crate::{
    browser,
    client::{self, Answer},
    components::{Failed, Loading, Notice, NoticeKind, Pill},
    desk::{Column, PageHead, Row, Table, Tile},
    format,
};
use contract::operations::{ProjectionStatus, Projections};
use dioxus::prelude::*;

/// Between two looks, in milliseconds.
const LOOK_AGAIN_MS: u32 = 2_000;

/// The page.
#[component]
pub fn ProjectionsPage() -> Element {
    let mut seen = use_signal(|| None::<Answer<Projections>>);
    use_future(move || async move {
        loop {
            let answer = client::projections().await;
            seen.set(Some(answer));
            browser::sleep(LOOK_AGAIN_MS).await;
        }
    });
    match &*seen.read() {
        None => rsx! {
            PageHead { title: "Projections", desk: "Admin" }
            div { class: "card", Loading { lines: 6 } }
        },
        Some(Err(problem)) => rsx! {
            PageHead { title: "Projections", desk: "Admin" }
            div { class: "card", Failed { what: "The projections", problem: problem.clone() } }
        },
        Some(Ok(projections)) => rsx! {
            Views { projections: projections.clone() }
        },
    }
}

#[component]
fn Views(projections: Projections) -> Element {
    let behind = projections.views.iter().filter(|view| view.lag_events > 0).count();
    let parked: u64 = projections.views.iter().map(|view| view.parked).sum();
    let slowest = projections.views.iter().map(|view| view.lag_ms).max().unwrap_or(0);
    let waiting = if behind == 0 { "all show the head".to_owned() } else { format!("the oldest waits {}", milliseconds(slowest)) };
    let columns = vec![
        Column::text("View"),
        Column::text("State").lead(),
        Column::number("Form"),
        Column::number("Position"),
        Column::number("Behind, events"),
        Column::number("Behind, time"),
        Column::number("Set aside"),
    ];
    let rows = projections.views.iter().map(row).collect::<Vec<_>>();
    rsx! {
        PageHead { title: "Projections", desk: "Admin", position: projections.head, at: projections.as_of }
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
                value: format::count(parked),
                note: if parked == 0 { "nothing failed" } else { "one of their events failed" },
                tone: if parked == 0 { "good" } else { "bad" },
            }
        }
        if parked > 0 {
            Notice { kind: NoticeKind::Bad, "Streams are set aside: what they show is old until the fault is mended and the view rebuilt." }
        }
        Table { caption: "Views", columns, rows, short: true }
    }
}

/// `0 ms`, `830 ms`, `12 seconds`.
fn milliseconds(lag: u64) -> String {
    match lag {
        0..1_000 => format!("{lag} ms"),
        _ => format::duration(i64::try_from(lag / 1_000).unwrap_or(i64::MAX)),
    }
}

fn row(view: &ProjectionStatus) -> Row {
    let state = match view.state.as_str() {
        "live" if view.lag_events == 0 => "confirmed",
        "live" | "rebuilding" => "scheduled",
        "paused" => "delayed",
        _ => "aborted",
    };
    Row {
        key: view.view.clone(),
        cells: vec![
            rsx! {
                b { class: "data", "{view.view}" }
            },
            rsx! {
                Pill { state, text: view.state.clone() }
            },
            rsx! { "{view.version}" },
            rsx! { {format::count(view.position)} },
            rsx! { {format::count(view.lag_events)} },
            rsx! { {milliseconds(view.lag_ms)} },
            rsx! { {format::count(view.parked)} },
        ],
    }
}
