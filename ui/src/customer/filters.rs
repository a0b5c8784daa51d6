//! The board's filters: a form that works by itself with GET, and links.

use super::{BoardAddress, Route};
use crate::{components::ButtonKind, format};
use contract::{
    Destination,
    launch::{BoardSort, DestinationCount},
};
use dioxus::prelude::*;

/// What "up to" offers, in whole dollars.
const PRICES: [(u64, &str); 8] = [
    (250_000, "$250,000"),
    (500_000, "$500,000"),
    (1_000_000, "$1 million"),
    (2_500_000, "$2.5 million"),
    (5_000_000, "$5 million"),
    (10_000_000, "$10 million"),
    (20_000_000, "$20 million"),
    (50_000_000, "$50 million"),
];
/// The most travellers one may ask seats for.
const TRAVELLERS_MAX: u16 = 6;

/// The form. Without JavaScript the browser sends it; with it, the page stays.
#[component]
pub(super) fn Filters(address: BoardAddress) -> Element {
    let query = address.0.clone();
    let submit = move |event: FormEvent| {
        event.prevent_default();
        let mut text = String::new();
        for (name, value) in event.values() {
            if let FormValue::Text(value) = value {
                let pair = serde_urlencoded::to_string([(name, value)]).unwrap_or_default();
                text.push('&');
                text.push_str(&pair);
            }
        }
        navigator().push(Route::Board { address: BoardAddress::from(text.trim_start_matches('&')) });
    };
    let price_known = query.price_max.is_none_or(|price| PRICES.iter().any(|(known, _)| *known == price));
    rsx! {
        form { class: "filters", role: "search", "aria-label": "Launches", action: "/", method: "get", onsubmit: submit, key: "{address}",
            label { class: "filters-search",
                "Search"
                input { name: "search", r#type: "search", value: query.search.clone(), placeholder: "Rocket, supplier, spaceport", autocomplete: "off", maxlength: "200" }
            }
            label {
                "From"
                input { name: "from", r#type: "date", value: query.from.map(|day| day.to_string()).unwrap_or_default() }
            }
            label {
                "Until"
                input { name: "until", r#type: "date", value: query.until.map(|day| day.to_string()).unwrap_or_default() }
            }
            label {
                "Travellers"
                select { name: "seats",
                    option { value: "", selected: query.seats.is_none(), "Any" }
                    for number in 1..=TRAVELLERS_MAX {
                        option { key: "{number}", value: "{number}", selected: query.seats == Some(number),
                            {format::plural(u64::from(number), "adult", "adults")}
                        }
                    }
                }
            }
            label {
                "Up to"
                select { name: "price_max",
                    option { value: "", selected: query.price_max.is_none(), "Any price" }
                    if let Some(price) = query.price_max.filter(|_| !price_known) {
                        option { value: "{price}", selected: true, "${format::count(price)}" }
                    }
                    for (price , words) in PRICES {
                        option { key: "{price}", value: "{price}", selected: query.price_max == Some(price), {words} }
                    }
                }
            }
            if let Some(destination) = query.destination {
                input { r#type: "hidden", name: "destination", value: destination.as_str() }
            }
            if let Some(supplier) = query.supplier {
                input { r#type: "hidden", name: "supplier", value: "{supplier}" }
            }
            if query.sort != BoardSort::Date {
                input { r#type: "hidden", name: "sort", value: sort_word(query.sort) }
            }
            div { class: "filters-go",
                button { class: "btn", r#type: "submit", "data-kind": ButtonKind::Primary.as_str(), "Search" }
            }
        }
    }
}

const fn sort_word(sort: BoardSort) -> &'static str {
    match sort {
        BoardSort::Date => "date",
        BoardSort::Price => "price",
        BoardSort::Seats => "seats",
    }
}

/// The destinations, with how many launches go there.
#[component]
pub(super) fn Destinations(address: BoardAddress, counts: Vec<DestinationCount>) -> Element {
    let chosen = address.0.destination;
    let all = counts.iter().map(|count| count.launches).sum::<u64>();
    let count = |destination: Destination| counts.iter().find(|count| count.destination == destination).map_or(0, |count| count.launches);
    rsx! {
        nav { class: "chips", "aria-label": "Destination",
            Link { class: chip(chosen.is_none()), to: Route::Board { address: address.with(|query| query.destination = None) },
                "All destinations "
                span { class: "num", {format::count(all)} }
            }
            for destination in Destination::ALL {
                Link {
                    key: "{destination.as_str()}",
                    class: chip(chosen == Some(destination)),
                    to: Route::Board { address: address.with(|query| query.destination = Some(destination)) },
                    "{destination.title()} "
                    span { class: "num", {format::count(count(destination))} }
                }
            }
        }
    }
}

fn chip(chosen: bool) -> &'static str {
    if chosen { "chip chip-on" } else { "chip" }
}

/// The order, as links.
#[component]
pub(super) fn Sorting(address: BoardAddress) -> Element {
    rsx! {
        nav { class: "sorting", "aria-label": "Order",
            for (sort , words) in [(BoardSort::Date, "Soonest"), (BoardSort::Price, "Cheapest"), (BoardSort::Seats, "Most seats")] {
                Link {
                    key: "{words}",
                    class: if address.0.sort == sort { "sort sort-on" } else { "sort" },
                    to: Route::Board { address: address.with(|query| query.sort = sort) },
                    {words}
                }
            }
        }
    }
}
