//! One of the own launches: its facts, seats and bookings, and what may be done about it.

use super::actions::Actions;
use crate::{
    client::{self, ListQuery},
    components::{BookingPill, Empty, LaunchPill, Stale, Timeline},
    desk::{Column, DepartureTime, Icon, MiniCabin, PageHead, Row, Shape, Table, amount, draw, happenings},
    format,
};
use contract::{finance::BookingRow, launch};
use dioxus::prelude::*;

/// Bookings shown; a cabin has no more seats than that.
const BOOKINGS_MAX: u32 = 100;

/// The page.
#[component]
pub fn LaunchPage(launch: ReadSignal<String>) -> Element {
    let mut page = use_resource(move || {
        let slug = launch();
        async move { client::fresh(|| client::supplier_launch(&slug), |page| page.stale).await }
    });
    let mut bookings = use_resource(move || {
        let slug = launch();
        let query = ListQuery { page: 1, per_page: BOOKINGS_MAX, ..ListQuery::default() };
        async move { client::fresh(|| client::supplier_launch_bookings(&slug, &query), |page| page.stale).await }
    });
    rsx! {
        Link { class: "back", to: "/supplier/launches", Icon { shape: Shape::Back } "Launches" }
        {draw(page, "The launch", |launch| rsx! {
            Whole {
                launch: launch.clone(),
                onchanged: move |()| {
                    page.restart();
                    bookings.restart();
                },
                {draw(bookings, "The bookings", |page| rsx! { Bookings { rows: page.items.clone() } })}
            }
        })}
    }
}

#[component]
fn Whole(launch: launch::LaunchPage, onchanged: Callback<()>, children: Element) -> Element {
    let card = &launch.card;
    rsx! {
        PageHead {
            title: "{card.spaceport_name} to {card.destination.title()}",
            desk: "Supplier",
            position: launch.position,
            actions: rsx! {
                a { class: "btn", "data-kind": "quiet", href: "/launches/{card.slug}", "As customers see it" }
            },
        }
        p { class: "lede",
            LaunchPill { status: card.status }
            " {card.rocket_name}"
            if let Some(mission) = &card.mission {
                ", {mission}"
            }
        }
        if launch.stale {
            Stale {}
        }
        dl { class: "fact-strip",
            div {
                dt { "Departs" }
                dd { DepartureTime { departure: card.departure.clone() } }
            }
            div {
                dt { "Price of a seat" }
                dd { class: "num", "{card.price}" }
            }
            div {
                dt { "Sold" }
                dd { class: "num", "{card.sold} of {card.capacity}" }
            }
            div {
                dt { "Held now" }
                dd { class: "num", "{card.held}" }
            }
            div {
                dt { "Confirmed from" }
                dd { class: "num", {format::plural(u64::from(card.minimum_seats), "seat", "seats")} }
            }
        }
        div { class: "two", "data-top": "true",
            div { class: "stack",
                section { class: "stack",
                    div { class: "panel-head outside",
                        h2 { "Bookings" }
                    }
                    {children}
                }
                section { class: "card",
                    div { class: "panel-head",
                        h2 { "Seats" }
                        span { class: "aside", "whose they are stays with the bookings" }
                    }
                    MiniCabin { cabin: launch.cabin.clone(), taken: launch.taken.clone() }
                }
            }
            div { class: "stack",
                Actions { key: "{card.id}", launch: launch.clone(), onchanged }
                section { class: "card",
                    div { class: "panel-head",
                        h2 { "What has happened" }
                    }
                    div { class: "panel-body", Timeline { steps: happenings(&launch.history) } }
                }
            }
        }
    }
}

#[component]
fn Bookings(rows: Vec<BookingRow>) -> Element {
    if rows.is_empty() {
        return rsx! {
            div { class: "card",
                Empty { title: "No bookings yet", "The first one shows here as soon as someone keeps a seat." }
            }
        };
    }
    let columns = vec![Column::data("Booking"), Column::text("Passengers"), Column::text("State").lead(), Column::number("Paid, USD")];
    let rows = rows
        .into_iter()
        .map(|row| Row {
            key: row.id.to_string(),
            cells: vec![
                rsx! {
                    "{row.reference}"
                    small { {format::moment(format::civil(row.held_at, 0))} }
                },
                rsx! {
                    if row.passengers.is_empty() {
                        span { class: "quiet", "not named yet" }
                    } else {
                        span { class: "clip", {format::and(&row.passengers)} }
                    }
                    small { {format::plural(u64::from(row.seats), "seat", "seats")} }
                },
                rsx! {
                    BookingPill { status: row.status }
                },
                rsx! {
                    {amount(row.paid)}
                    if row.refunded.is_positive() {
                        small { "-{amount(row.refunded)} back" }
                    }
                },
            ],
        })
        .collect::<Vec<_>>();
    rsx! {
        Table { caption: "Bookings of this launch", columns, rows, short: true }
    }
}
