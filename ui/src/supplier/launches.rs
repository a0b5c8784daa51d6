//! Own launches as a list; one opens beside it.

use crate::{
    client::{self, ListQuery},
    components::{Choice, Empty, LaunchPill, Stale, Timeline},
    desk::{
        Column, DepartureTime, Detail, Occupancy, PageHead, Pages, Row, Search, Sieve, Sift, Table, amount, departure_line, draw,
        happenings, launch_states,
    },
    format,
};
use contract::launch::LaunchCard;
use dioxus::prelude::*;

const BASE: &str = "/supplier/launches";

/// What a launch is called in lists: its mission, or from where it leaves.
pub(super) fn title(card: &LaunchCard) -> String {
    card.mission.clone().unwrap_or_else(|| card.spaceport_name.clone())
}

/// The page.
#[component]
pub fn Launches(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery { page: sift.page(), per_page: 25, search: sift.search.clone(), status: sift.status.clone(), ..ListQuery::default() }
    });
    let list = use_resource(move || {
        let query = query();
        async move { client::fresh(|| client::supplier_launches(&query), |page| page.stale).await }
    });
    let navigator = use_navigator();
    let now = sift.read().clone();
    rsx! {
        PageHead {
            title: "Launches",
            desk: "Supplier",
            actions: rsx! {
                Link { class: "btn", "data-kind": "primary", to: "/supplier/schedule", "Schedule a launch" }
            },
        }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Rocket, spaceport, mission" }
            Choice {
                id: "status",
                label: "State",
                value: now.status.clone(),
                options: launch_states(),
                onchange: {
                    let now = now.clone();
                    move |status| { navigator.push(Sift { status, ..now.on_page(1) }.under(BASE)); }
                },
            }
        }
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            {draw(list, "The list of launches", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card",
                            Empty { title: "No launch matches",
                                if now.narrows() { "Take a filter away to see more." } else { "Schedule the first one." }
                            }
                        }
                    };
                }
                let columns = vec![
                    Column::text("Launch"),
                    Column::text("Departs"),
                    Column::text("State").lead(),
                    Column::text("Occupancy"),
                    Column::number("Seat, USD").later(),
                ];
                let rows = page.items.iter().map(|card| Row { key: card.slug.to_string(), cells: cells(card) }).collect::<Vec<_>>();
                rsx! {
                    div {
                        if page.stale {
                            Stale {}
                        }
                        Table { caption: "Own launches", columns, rows, base: BASE, sift: now.clone(),
                            Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "launches", position: page.position }
                        }
                    }
                }
            })}
            if !now.open.is_empty() {
                LaunchDetail { key: "{now.open}", sift: now.clone() }
            }
        }
    }
}

fn cells(card: &LaunchCard) -> Vec<Element> {
    let title = title(card);
    vec![
        rsx! {
            "{title}"
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
        rsx! { {amount(card.price)} },
    ]
}

#[component]
fn LaunchDetail(sift: Sift) -> Element {
    let slug = sift.open.clone();
    let launch = use_resource(move || {
        let slug = slug.clone();
        async move { client::supplier_launch(&slug).await }
    });
    let heading = match &*launch.read() {
        Some(Ok(launch)) => format!("{} to {}", launch.card.rocket_name, launch.card.destination.title()),
        _ => "Launch".to_owned(),
    };
    rsx! {
        Detail { title: heading, base: BASE, sift,
            {draw(launch, "The launch", |launch| {
                let card = launch.card.clone();
                rsx! {
                    dl { class: "pairs",
                        dt { "State" }
                        dd { LaunchPill { status: card.status } }
                        dt { "Departs" }
                        dd { {departure_line(&card.departure)} }
                        dt { "From" }
                        dd { "{card.spaceport_name}" }
                        dt { "Seat" }
                        dd { class: "num", "{card.price}" }
                        dt { "Sold, held, free" }
                        dd { class: "num", "{card.sold}, {card.held}, {card.left()}" }
                        dt { "Confirmed from" }
                        dd { {format::plural(u64::from(card.minimum_seats), "seat", "seats")} }
                    }
                    Link { class: "btn", "data-kind": "primary", to: "/supplier/launches/{card.slug}", "Seats, bookings and changes" }
                    section {
                        h3 { "What has happened" }
                        Timeline { steps: happenings(&launch.history) }
                    }
                }
            })}
        }
    }
}
