//! The supplier's desk at a glance: four numbers, the next departures, and what needs a decision.

use super::launches::title;
use crate::{
    browser,
    client::{self, ListQuery},
    components::{Empty, LaunchPill, Stale},
    desk::{Column, DepartureTime, Occupancy, PageHead, Row, Table, Tile, departure_line, draw, relative_days, short_money},
    format,
};
use contract::{Page, Status, fleet::SupplierSummary, launch::LaunchCard};
use dioxus::prelude::*;

/// Departures shown.
const NEXT_MAX: u32 = 8;
/// A launch below its minimum is pointed out this many days ahead.
const AT_RISK_DAYS: i64 = 150;
const DAY_SECONDS: i64 = 86_400;

/// The page.
#[component]
pub fn Overview() -> Element {
    let summary = use_resource(|| client::fresh(client::supplier_summary, |summary| summary.stale));
    let next = use_resource(|| client::fresh(next_launches, |page| page.stale));
    let late = matches!(&*next.read(), Some(Ok(page)) if page.stale);
    rsx! {
        {draw(summary, "The overview", |summary| rsx! { Glance { summary: summary.clone(), stale: summary.stale || late } })}
        {draw(next, "The next departures", |page| rsx! { Departures { page: page.clone() } })}
    }
}

async fn next_launches() -> client::Answer<Page<LaunchCard>> {
    client::supplier_launches(&ListQuery { page: 1, per_page: NEXT_MAX, ..ListQuery::default() }).await
}

#[component]
fn Glance(summary: SupplierSummary, stale: bool) -> Element {
    let percent = (summary.sold * 100).checked_div(summary.capacity).unwrap_or(0);
    let (next, when) = match summary.next_departure {
        Some(at) => (relative_days(at, browser::now()), format::utc(at)),
        None => ("none".to_owned(), "nothing is scheduled".to_owned()),
    };
    rsx! {
        PageHead {
            title: summary.supplier.name.clone(),
            desk: "Supplier",
            position: summary.position,
            at: browser::now(),
            actions: rsx! {
                Link { class: "btn", "data-kind": "primary", to: "/supplier/schedule", "Schedule a launch" }
            },
        }
        if stale {
            Stale {}
        }
        div { class: "tiles",
            Tile { label: "Launches on sale", value: format::count(summary.open_launches), note: "{format::count(summary.capacity)} seats in all" }
            Tile { label: "Seats sold", value: format::count(summary.sold), note: "{percent} % of those on sale" }
            Tile { label: "Net revenue", value: short_money(summary.net_revenue), note: "captured minus refunded" }
            Tile { label: "Next departure", value: next, note: when }
        }
    }
}

#[component]
fn Departures(page: Page<LaunchCard>) -> Element {
    if page.items.is_empty() {
        return rsx! {
            div { class: "card",
                Empty { title: "No launches yet", "Put the first one on sale: choose a rocket, a spaceport and a date." }
            }
        };
    }
    let now = browser::now();
    let at_risk: Vec<LaunchCard> = page.items.iter().filter(|card| at_risk(card, now)).cloned().collect();
    let columns = vec![Column::text("Launch"), Column::text("Departs"), Column::text("State").lead(), Column::text("Occupancy")];
    let rows = page.items.iter().map(|card| Row { key: card.slug.to_string(), cells: cells(card) }).collect::<Vec<_>>();
    rsx! {
        div { class: "two", "data-top": "true",
            section { class: "stack",
                div { class: "panel-head outside",
                    h2 { "Next departures" }
                    Link { class: "aside", to: "/supplier/launches", "All {format::count(page.total)} launches" }
                }
                Table { caption: "Next departures", columns, rows, short: true }
            }
            section { class: "card",
                div { class: "panel-head",
                    h2 { "Below the minimum" }
                }
                div { class: "panel-body",
                    if at_risk.is_empty() {
                        p { class: "muted", "None of the next departures is short of its minimum within {AT_RISK_DAYS} days." }
                    } else {
                        p { class: "muted small", "Without enough seats sold a launch is not confirmed; far below, it is given up for you." }
                        ul { class: "bars",
                            for card in at_risk {
                                li { key: "{card.id}",
                                    div { class: "row",
                                        Link { to: "/supplier/launches/{card.slug}", "{card.rocket_name} to {card.destination.title()}" }
                                        span { class: "num", "{card.minimum_seats - card.sold} short" }
                                    }
                                    span { class: "muted small", {departure_line(&card.departure)} }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn at_risk(card: &LaunchCard, now: jiff::Timestamp) -> bool {
    let days = (card.departure.at.as_second() - now.as_second()) / DAY_SECONDS;
    let open = !matches!(card.status, Status::Aborted | Status::Launched | Status::Failed);
    open && card.sold < card.minimum_seats && (0..=AT_RISK_DAYS).contains(&days)
}

/// The cells of a launch where no detail opens beside the list.
fn cells(card: &LaunchCard) -> Vec<Element> {
    let title = title(card);
    vec![
        rsx! {
            Link { class: "open", to: "/supplier/launches/{card.slug}", "{title}" }
            small { "{card.rocket_name} to {card.destination.title()}" }
        },
        rsx! {
            DepartureTime { departure: card.departure.clone() }
        },
        rsx! {
            LaunchPill { status: card.status }
        },
        rsx! {
            Occupancy { sold: card.sold, held: card.held, capacity: card.capacity, minimum: card.minimum_seats }
        },
    ]
}
