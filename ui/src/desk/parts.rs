//! The small parts of a desk's page: its head, its filters, its tiles, its pages, the detail beside a list.

use super::{Icon, Shape, Sift};
use crate::{
    browser,
    client::{self, Answer},
    components::{Empty, Failed, Loading, Moment, Title},
    format,
};
use contract::{
    Money, Problem,
    booking::{PaymentState, RefundState, Step},
    launch::{Departure, Happening},
};
use dioxus::prelude::*;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Typing rests this long before a search is asked, in milliseconds.
const TYPING_PAUSE_MS: u32 = 250;

/// The page's heading, of which moment and position it speaks, and its actions.
#[component]
pub fn PageHead(
    title: String,
    #[props(default)] desk: String,
    #[props(default)] position: Option<u64>,
    #[props(default)] at: Option<Timestamp>,
    #[props(default)] note: String,
    #[props(default)] actions: Option<Element>,
) -> Element {
    rsx! {
        Title { text: if desk.is_empty() { title.clone() } else { format!("{title} | {desk}") } }
        div { class: "head-bar",
            h1 { "{title}" }
            if !note.is_empty() {
                span { class: "asof", "{note}" }
            }
            AsOf { position, at }
            if let Some(actions) = actions {
                div { class: "actions", {actions} }
            }
        }
    }
}

/// Of which moment and position a page speaks.
#[component]
pub fn AsOf(#[props(default)] position: Option<u64>, #[props(default)] at: Option<Timestamp>) -> Element {
    let at = at.map(|at| {
        let civil = format::civil(at, 0);
        format!("{}, {}:{:02} UTC", format::day(civil), format::clock(civil), civil.second())
    });
    rsx! {
        if at.is_some() || position.is_some() {
            span { class: "asof",
                "as of "
                if let Some(at) = &at {
                    span { class: "num", "{at}" }
                }
                if at.is_some() && position.is_some() {
                    ", "
                }
                if let Some(position) = position {
                    "position "
                    span { class: "num", {format::count(position)} }
                }
            }
        }
    }
}

/// Draws what a resource came back with: on its way, failed with another try, or `draw`.
pub fn draw<T: 'static>(mut resource: Resource<Answer<T>>, what: &str, draw: impl FnOnce(&T) -> Element) -> Element {
    match &*resource.read() {
        None => rsx! {
            div { class: "card", Loading { lines: 6 } }
        },
        Some(Err(problem)) => rsx! {
            div { class: "card", Failed { what, problem: problem.clone(), onretry: move |()| resource.restart() } }
        },
        Some(Ok(value)) => draw(value),
    }
}

/// The errors beside fields that a problem names.
#[must_use]
pub fn fields_of(problem: Option<&Problem>) -> BTreeMap<String, String> {
    problem.map(client::field_errors).unwrap_or_default().into_iter().collect()
}

/// One number of a day.
#[component]
pub fn Tile(label: String, value: String, #[props(default)] note: String, #[props(default)] tone: String) -> Element {
    rsx! {
        div { class: "card tile",
            span { class: "label", "{label}" }
            b { "{value}" }
            span { class: "note", "data-tone": tone, "{note}" }
        }
    }
}

/// The filters of a list, in one line; what they say is in the address.
#[component]
pub fn Sieve(base: String, sift: Sift, children: Element) -> Element {
    rsx! {
        form { class: "sift", role: "search", onsubmit: move |event| event.prevent_default(),
            {children}
            if sift.narrows() {
                Link { class: "btn clear", "data-kind": "quiet", to: base, "Show all" }
            }
        }
    }
}

/// Words to search a list for; the list follows a moment after typing rests.
#[component]
pub fn Search(base: String, sift: Sift, label: String, #[props(default)] placeholder: String) -> Element {
    let navigator = use_navigator();
    let mut typed = use_signal(|| sift.search.clone());
    let mut asked = use_signal(|| sift.search.clone());
    let mut turn = use_signal(|| 0_u32);
    if *asked.peek() != sift.search {
        // The address changed by other means, such as going back.
        asked.set(sift.search.clone());
        typed.set(sift.search.clone());
    }
    let go = move |words: String| {
        if words != *asked.peek() {
            asked.set(words.clone());
            navigator.replace(Sift { search: words, ..sift.on_page(1) }.under(&base));
        }
    };
    rsx! {
        div { class: "field find",
            label { r#for: "search", "{label}" }
            input {
                r#type: "search",
                id: "search",
                name: "search",
                autocomplete: "off",
                value: "{typed}",
                placeholder,
                oninput: {
                    let go = go.clone();
                    move |event: FormEvent| {
                        typed.set(event.value());
                        let mine = turn() + 1;
                        turn.set(mine);
                        let mut go = go.clone();
                        async move {
                            browser::sleep(TYPING_PAUSE_MS).await;
                            if *turn.peek() == mine {
                                go(typed.peek().clone());
                            }
                        }
                    }
                },
                onchange: {
                    let mut go = go.clone();
                    move |event: FormEvent| go(event.value())
                },
            }
        }
    }
}

/// Which part of a list is shown, and the way to the others.
#[component]
pub fn Pages(base: String, sift: Sift, total: u64, per_page: u32, noun: String, #[props(default)] position: Option<u64>) -> Element {
    let pages = u32::try_from(total.div_ceil(u64::from(per_page.max(1))).max(1)).unwrap_or(u32::MAX);
    let page = sift.page().min(pages);
    let first = u64::from(page - 1) * u64::from(per_page) + 1;
    let last = (u64::from(page) * u64::from(per_page)).min(total);
    let mut near: Vec<u32> =
        [1, page.saturating_sub(1), page, page.saturating_add(1), pages].into_iter().filter(|at| (1..=pages).contains(at)).collect();
    near.sort_unstable();
    near.dedup();
    rsx! {
        div { class: "pages",
            span { class: "num",
                if total == 0 { "none" } else { "{format::count(first)} to {format::count(last)} of {format::count(total)} {noun}" }
            }
            AsOf { position }
            if pages > 1 {
                nav { "aria-label": "Pages",
                    for (index , at) in near.iter().copied().enumerate() {
                        if index > 0 && near[index - 1] + 1 < at {
                            span { "aria-hidden": "true", "…" }
                        }
                        Link { to: sift.on_page(at).under(&base), "aria-label": "Page {at}",
                            // Not on the link itself: see the shell.
                            span { "aria-current": if at == page { "page" }, "{format::count(u64::from(at))}" }
                        }
                    }
                }
            }
        }
    }
}

/// What a row holds, beside the list; over it where there is no room.
#[component]
pub fn Detail(title: String, #[props(default)] subtitle: String, base: String, sift: Sift, children: Element) -> Element {
    let navigator = use_navigator();
    let row = format!("row-{}", sift.open);
    let close = move || {
        navigator.replace(sift.opening("").under(&base));
        browser::focus(&row);
    };
    rsx! {
        aside {
            class: "card detail",
            id: "detail",
            tabindex: "-1",
            "aria-labelledby": "detail-title",
            onkeydown: {
                let close = close.clone();
                move |event: KeyboardEvent| {
                    if event.key() == Key::Escape {
                        close();
                    }
                }
            },
            div { class: "detail-head",
                div {
                    h2 { id: "detail-title", "{title}" }
                    if !subtitle.is_empty() {
                        p { "{subtitle}" }
                    }
                }
                button { class: "icon", r#type: "button", "aria-label": "Close", onclick: move |_| close(), Icon { shape: Shape::Close } }
            }
            div { class: "detail-body", {children} }
        }
    }
}

/// An address that leads nowhere.
#[component]
pub fn Lost(home: String) -> Element {
    rsx! {
        PageHead { title: "There is nothing here" }
        div { class: "card",
            Empty { title: "This address leads nowhere",
                p { "It may have been mistyped, or what it named may be gone." }
                Link { class: "btn", "data-kind": "primary", to: home, "To the first page" }
            }
        }
    }
}

fn all_or(states: &[(&str, &str)]) -> Vec<(String, String)> {
    std::iter::once(&("", "All")).chain(states).map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
}

/// The states of a launch to filter by.
#[must_use]
pub fn launch_states() -> Vec<(String, String)> {
    all_or(&[
        ("scheduled", "Scheduled"),
        ("confirmed", "Confirmed"),
        ("delayed", "Delayed"),
        ("aborted", "Aborted"),
        ("launched", "Launched"),
        ("failed", "Failed"),
    ])
}

/// The states of a booking to filter by.
#[must_use]
pub fn booking_states() -> Vec<(String, String)> {
    all_or(&[("held", "Held"), ("confirmed", "Confirmed"), ("expired", "Expired"), ("cancelled", "Cancelled"), ("flown", "Flown")])
}

/// `2 Jan 2028, 14:20 EST`, by the spaceport's clock.
#[must_use]
pub fn departure_line(departure: &Departure) -> String {
    format!("{} {}", format::moment(format::local(departure)), format::zone(departure))
}

/// A departure: the spaceport's time, and the viewer's in brackets where it differs. Desks are drawn in the browser only.
#[component]
pub fn DepartureTime(departure: Departure) -> Element {
    let yours = browser::viewer_offset_minutes(departure.at).filter(|offset| *offset != departure.offset_minutes).map(|offset| {
        let (there, here) = (format::local(&departure), format::civil(departure.at, offset));
        if there.date() == here.date() {
            format::clock(here)
        } else {
            format!("{} {}, {}", here.day(), format::month(here.month()), format::clock(here))
        }
    });
    let there = format::local(&departure);
    rsx! {
        time { datetime: "{departure.at}", class: "data", {format::day(there)} }
        small { class: "there",
            {format::local_clock(&departure)}
            if let Some(yours) = yours {
                span { class: "yours", " ({yours} your time)" }
            }
        }
    }
}

/// `Customer deposits` for `customer_deposits`: stored words as people read them.
#[must_use]
pub fn words(stored: &str) -> String {
    let spaced = stored.replace(['_', '.'], " ");
    let mut letters = spaced.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The state of a payment, and the colour it is said in.
#[must_use]
pub const fn payment_word(state: PaymentState) -> (&'static str, &'static str) {
    match state {
        PaymentState::Initiated => ("scheduled", "On its way"),
        PaymentState::Captured => ("confirmed", "Captured"),
        PaymentState::Declined => ("aborted", "Declined"),
    }
}

/// The state of a refund, and the colour it is said in.
#[must_use]
pub const fn refund_word(state: RefundState) -> (&'static str, &'static str) {
    match state {
        RefundState::Requested => ("scheduled", "On its way"),
        RefundState::Paid => ("confirmed", "Paid"),
        RefundState::Failed => ("delayed", "Tried again"),
    }
}

/// `$2,500,000.00`: to the cent, for what is about to be done.
#[must_use]
pub fn exact(money: Money) -> String {
    if money.minor % 100 == 0 { format!("{money}.00") } else { money.to_string() }
}

/// `2,500,000.00`: to the cent, for columns whose head names the currency.
#[must_use]
pub fn amount(money: Money) -> String {
    exact(money).replace('$', "")
}

/// What happened, newest first, each with a key that stays the same as newer ones come and others are filtered out: its time, and how many of
/// that time are older.
pub fn keyed<T>(items: &[T], at: impl Fn(&T) -> Timestamp) -> Vec<(String, &T)> {
    let older = |n: usize| items[n + 1..].iter().take_while(|item| at(item) == at(&items[n])).count();
    items.iter().enumerate().map(|(n, item)| (format!("{}-{}", at(item), older(n)), item)).collect()
}

/// `in 41 days`, `today`, `3 days ago`.
#[must_use]
pub fn relative_days(at: Timestamp, now: Timestamp) -> String {
    const DAY_SECONDS: i64 = 86_400;
    match at.as_second().div_euclid(DAY_SECONDS) - now.as_second().div_euclid(DAY_SECONDS) {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        days @ 2.. => format!("in {} days", format::count(days.unsigned_abs())),
        days => format!("{} days ago", format::count(days.unsigned_abs())),
    }
}

fn tone(event: &str) -> &'static str {
    match event {
        "confirmed" | "launched" | "booking_confirmed" | "payment_captured" | "refund_paid" => "good",
        "delayed" | "viability_warned" | "hold_expired" | "refund_failed" => "warn",
        "aborted" | "failed" | "payment_declined" | "booking_cancelled" | "passenger_cancelled" => "bad",
        _ => "",
    }
}

/// What has happened to a launch, newest first.
#[must_use]
pub fn happenings(history: &[Happening]) -> Vec<Moment> {
    let moment = |happening: &Happening| Moment {
        title: happening.title.clone(),
        when: format::utc(happening.at),
        text: happening.text.clone(),
        tone: tone(&happening.event),
    };
    history.iter().rev().map(moment).collect()
}

/// What has happened to a booking, newest first.
#[must_use]
pub fn steps(timeline: &[Step]) -> Vec<Moment> {
    let moment = |step: &Step| Moment {
        title: step.title.clone(),
        when: format!("{}, position {}", format::utc(step.at), format::count(step.position)),
        text: step.text.clone(),
        tone: tone(&step.event),
    };
    timeline.iter().rev().map(moment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_said_from_today() {
        let at: Timestamp = "2028-01-02T19:20:00Z".parse().expect("a time");
        let now: Timestamp = "2027-11-22T23:59:00Z".parse().expect("a time");
        assert_eq!(relative_days(at, now), "in 41 days");
        assert_eq!(relative_days(now, now), "today");
        assert_eq!(relative_days(now, at), "41 days ago");
        let departure = Departure { at, zone: "America/New_York".into(), offset_minutes: -300, abbreviation: "EST".into() };
        assert_eq!(amount(Money::cents(-250_050)), "-2,500.50");
        assert_eq!(exact(Money::dollars(2_500_000)), "$2,500,000.00");
        assert_eq!(departure_line(&departure), "2 Jan 2028, 14:20 EST");
    }
}
