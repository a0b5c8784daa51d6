//! All launches, with one open beside the list.

use crate::{
    client::{self, ListQuery},
    components::{Choice, Empty, LaunchPill, Stale, Timeline},
    desk::{
        Column, DepartureTime, Detail, MiniCabin, Occupancy, PageHead, Pages, Row, Search, Sieve, Sift, Table, amount, departure_line,
        draw, exact, happenings, launch_states,
    },
    format,
};
use contract::launch::LaunchCard;
use dioxus::prelude::*;

const BASE: &str = "/employee/launches";

/// The page.
#[component]
pub fn Launches(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery { page: sift.page(), per_page: 25, search: sift.search.clone(), status: sift.status.clone(), ..ListQuery::default() }
    });
    let list = use_resource(move || {
        let query = query();
        async move { client::employee_launches(&query).await }
    });
    let navigator = use_navigator();
    let now = sift.read().clone();
    rsx! {
        PageHead { title: "Launches", desk: "Employee" }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Rocket, supplier, spaceport, mission" }
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
                                if now.narrows() { "Take a filter away to see more." } else { "Suppliers have scheduled none yet." }
                            }
                        }
                    };
                }
                let columns = vec![
                    Column::text("Launch"),
                    Column::text("Departs"),
                    Column::text("State").lead(),
                    Column::text("Supplier").later(),
                    Column::text("Occupancy"),
                    Column::number("Seat, USD").later(),
                ];
                let rows = page.items.iter().map(|card| Row { key: card.slug.to_string(), cells: cells(card) }).collect::<Vec<_>>();
                rsx! {
                    div {
                        if page.stale {
                            Stale {}
                        }
                        Table { caption: "Launches", columns, rows, base: BASE, sift: now.clone(),
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
    vec![
        rsx! {
            "{card.rocket_name} to {card.destination.title()}"
            small { "from {card.spaceport_name}" }
        },
        rsx! {
            DepartureTime { departure: card.departure.clone() }
        },
        rsx! {
            LaunchPill { status: card.status }
        },
        rsx! { "{card.supplier_name}" },
        rsx! {
            Occupancy { sold: card.sold, held: card.held, capacity: card.capacity, minimum: card.minimum_seats }
        },
        rsx! { {amount(card.price)} },
    ]
}

#[component]
fn LaunchDetail(sift: Sift) -> Element {
    let slug = sift.open.clone();
    // What everyone may see of a launch is enough here; its money is in the journal.
    let launch = use_resource(move || {
        let slug = slug.clone();
        async move { client::employee_launch(&slug).await }
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
                    if launch.stale {
                        Stale {}
                    }
                    dl { class: "pairs",
                        dt { "State" }
                        dd { LaunchPill { status: card.status } }
                        if let Some(mission) = &card.mission {
                            dt { "Mission" }
                            dd { "{mission}" }
                        }
                        dt { "Supplier" }
                        dd { "{card.supplier_name}" }
                        dt { "Departs" }
                        dd { {departure_line(&card.departure)} }
                        dt { "From" }
                        dd { "{card.spaceport_name}" }
                        dt { "Seat" }
                        dd { class: "num", {exact(card.price)} }
                        dt { "Sold, held, free" }
                        dd { class: "num", "{card.sold}, {card.held}, {card.left()}" }
                        dt { "Confirmed from" }
                        dd { {format::plural(u64::from(card.minimum_seats), "seat", "seats")} }
                    }
                    div { class: "form-actions",
                        Link { class: "btn", "data-kind": "quiet", to: "/employee/journal?launch={card.slug}", "Its money" }
                        Link { class: "btn", "data-kind": "quiet", to: "/employee/bookings?search={card.slug}", "Its bookings" }
                    }
                    section {
                        h3 { "Seats" }
                        MiniCabin { cabin: launch.cabin.clone(), taken: launch.taken.clone() }
                    }
                    section {
                        h3 { "What has happened" }
                        Timeline { steps: happenings(&launch.history) }
                    }
                }
            })}
        }
    }
}
