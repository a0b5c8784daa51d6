//! The board: the next launch with seats at the top, then all that fit the filters.

use super::{
    BoardAddress, HOME, Route,
    filters::{Destinations, Filters, Sorting},
    frame::Night,
    launch_address,
    loaded::use_loaded,
};
use crate::{
    browser, client,
    components::{Empty, Failed, LaunchPill, Loading, Meter, Pager, Stale, Title, Trajectory},
    format,
};
use contract::{Destination, Status, launch::LaunchCard};
use dioxus::prelude::*;
use jiff::Timestamp;

/// At this share of free seats, in percent, a launch counts as nearly full.
const FEW_LEFT_PERCENT: u16 = 15;
/// How often the hero's count is brought up to date, in milliseconds.
const COUNT_EVERY_MS: u32 = 20_000;

/// The page.
#[component]
pub(super) fn Board(address: ReadSignal<BoardAddress>) -> Element {
    let board = use_loaded(move || {
        let query = address.read().0.clone();
        async move { client::board(&query).await }
    })?;
    let now = use_now();
    let asked = address.read().clone();
    let answer = board.answer.clone();
    let next = answer.as_ref().and_then(|answer| answer.as_ref().as_ref().ok()).and_then(|board| board.next.clone());
    rsx! {
        Title { text: "Launches with seats" }
        Night {
            if let Some(next) = next {
                Hero { launch: next, now: now() }
            } else {
                div { class: "lead",
                    p { class: "eyebrow", "Launches with seats" }
                    h1 { "Choose a seat, leave the planet" }
                    p { "Suborbital hops, orbits, stations, the Moon and Mars: compare, choose your seat and book." }
                }
            }
        }
        main { class: "page", id: "content",
            Filters { address: asked.clone() }
            match answer.as_deref() {
                None => rsx! { Loading { lines: 9 } },
                Some(Err(problem)) => rsx! {
                    div { class: "after-night",
                        Failed { what: "The board", problem: problem.clone(), onretry: board.reload }
                    }
                },
                Some(Ok(found)) => rsx! {
                    Destinations { address: asked.clone(), counts: found.destinations.clone() }
                    if found.launches.stale {
                        Stale {}
                    }
                    div { class: "results-head",
                        h2 { class: "results-title", "aria-live": "polite",
                            {format::plural(found.launches.total, "launch", "launches")}
                            if asked.0.supplier.is_some() {
                                if let Some(first) = found.launches.items.first() {
                                    " by {first.supplier_name}"
                                }
                            }
                        }
                        if asked.filtered() {
                            Link { class: "text small", to: HOME, "Clear filters" }
                        }
                        Sorting { address: asked.clone() }
                    }
                    if found.launches.items.is_empty() {
                        Empty { title: "No launch fits",
                            p { "No launch with free seats fits all the filters. Try other dates, a higher price or fewer travellers." }
                            p { class: "text", Link { to: HOME, "Show all launches" } }
                        }
                    } else {
                        ul { class: "rows", "data-state": if board.loading { "loading" } else { "ready" },
                            for launch in found.launches.items.iter() {
                                li { key: "{launch.id}", LaunchRow { launch: launch.clone() } }
                            }
                        }
                        Pager {
                            page: found.launches.page,
                            pages: found.launches.pages(),
                            total: found.launches.total,
                            noun: "launches",
                            href: {
                                let asked = asked.clone();
                                Callback::new(move |page| Route::Board { address: asked.with(|query| query.page = page) }.to_string())
                            },
                            onpage: {
                                let asked = asked.clone();
                                Callback::new(move |page| {
                                    navigator().push(Route::Board { address: asked.with(|query| query.page = page) });
                                })
                            },
                        }
                    }
                },
            }
        }
    }
}

/// The time, from the server's first and kept up to date in the browser.
pub(super) fn use_now() -> Signal<Timestamp> {
    let first = use_server_cached(|| browser::now().as_second());
    let mut now = use_signal(|| Timestamp::from_second(first).unwrap_or_default());
    use_future(move || async move {
        loop {
            browser::sleep(COUNT_EVERY_MS).await;
            now.set(browser::now());
        }
    });
    now
}

#[component]
fn Hero(launch: LaunchCard, now: Timestamp) -> Element {
    let seconds = (launch.departure.at.as_second() - now.as_second()).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    rsx! {
        div { class: "hero",
            div {
                p { class: "eyebrow", "Next launch with seats" }
                h1 { "{launch.destination.title()} from {launch.spaceport_name}" }
                p { class: "hero-words", "{launch.rocket_name} by {launch.supplier_name}. {promise(launch.destination)}" }
                div { class: "count", role: "timer", "aria-label": "Launch in {format::plural(days.unsigned_abs(), \"day\", \"days\")}",
                    CountPart { number: format!("{days:02}"), word: if days == 1 { "day" } else { "days" } }
                    CountPart { number: format!("{hours:02}"), word: if hours == 1 { "hour" } else { "hours" } }
                    CountPart { number: format!("{minutes:02}"), word: if minutes == 1 { "minute" } else { "minutes" } }
                    CountPart { number: launch.left().to_string(), word: if launch.left() == 1 { "seat left" } else { "seats left" } }
                }
                Link { class: "btn", "data-kind": "primary", to: launch_address(&launch.slug, ""), "Choose seats from {launch.price}" }
            }
            Trajectory {
                spaceport: launch.spaceport_name.clone(),
                latitude: launch.latitude,
                longitude: launch.longitude,
                destination: launch.destination,
            }
        }
    }
}

#[component]
fn CountPart(number: String, word: String) -> Element {
    rsx! {
        div {
            b { {number} }
            span { {word} }
        }
    }
}

/// One sentence about where it goes.
pub(super) const fn promise(destination: Destination) -> &'static str {
    match destination {
        Destination::Suborbital => "Past 100 kilometres, minutes of weightlessness, home the same day.",
        Destination::LowEarth => "Around the Earth every ninety minutes, two sunrises in each.",
        Destination::Station => "To a station in orbit: dock, stay, come home.",
        Destination::Moon => "Around the Moon and home, past its far side.",
        Destination::Mars => "Months of cruise to another planet.",
    }
}

/// Whether few of its seats are left.
pub(super) fn nearly_full(launch: &LaunchCard) -> bool {
    u32::from(launch.left()) * 100 <= u32::from(launch.capacity) * u32::from(FEW_LEFT_PERCENT)
}

/// After the status' word: by how much it was delayed.
pub(super) fn status_detail(launch: &LaunchCard) -> String {
    match (launch.status, launch.delayed_from) {
        (Status::Delayed, Some(from)) => format::duration(launch.departure.at.as_second() - from.as_second()),
        _ => String::new(),
    }
}

#[component]
fn LaunchRow(launch: LaunchCard) -> Element {
    let local = format::local(&launch.departure);
    let utc = format::civil(launch.departure.at, 0);
    let left = launch.left();
    let was = launch.delayed_from.map(|from| {
        let from = format::civil(from, launch.departure.offset_minutes);
        format!("{} {}", from.day(), format::month(from.month()))
    });
    let seats =
        if left == 0 { format!("All {} seats taken", launch.capacity) } else { format!("{left} of {} seats left", launch.capacity) };
    rsx! {
        Link { class: "card launch", to: launch_address(&launch.slug, ""),
            div { class: "date",
                b { {format!("{:02}", local.day())} }
                span {
                    "{format::month(local.month())} {local.year()}"
                    br {}
                    {format::short_weekday(local)}
                }
            }
            div { class: "launch-what",
                h3 { class: "route",
                    {launch.spaceport_name.clone()}
                    span { class: "arrow", role: "img", "aria-label": "to", "\u{2192}" }
                    {launch.destination.title()}
                }
                p { class: "muted small",
                    if let Some(mission) = &launch.mission {
                        b { {mission.clone()} }
                        " \u{b7} "
                    }
                    "{launch.rocket_name} \u{b7} {launch.supplier_name} \u{b7} "
                    span { class: "nowrap",
                        {format::local_clock(&launch.departure)}
                        if launch.departure.offset_minutes != 0 {
                            ", {format::clock(utc)} UTC"
                        }
                    }
                    if let Some(was) = was {
                        " \u{b7} was {was}"
                    }
                }
            }
            div { class: "seats small",
                LaunchPill { status: launch.status, detail: status_detail(&launch) }
                Meter {
                    taken: u64::from(launch.capacity - left.min(launch.capacity)),
                    total: u64::from(launch.capacity),
                    label: seats.clone(),
                    low: nearly_full(&launch),
                }
                span { class: "muted", "aria-hidden": "true", {seats} }
            }
            div { class: "price",
                {launch.price.to_string()}
                span { class: "muted small", "per seat" }
            }
            span { class: "btn row-go", "data-kind": "quiet", "aria-hidden": "true", "View" }
        }
    }
}
