//! The system's log: readable lines, queryable fields, no personal data; as kept, and as it is written.

mod tail;

use super::is;
use crate::{
    client,
    components::{Choice, Empty, Field},
    desk::{Column, Detail, PageHead, Pages, Row, Search, Sieve, Sift, Table, draw, keyed},
    format,
};
use contract::{
    account::Role,
    operations::{LogLine, LogQuery},
};
use dioxus::prelude::*;
use jiff::Timestamp;
use tail::Tail;

const BASE: &str = "/admin/logs";
/// What the address says while the log is watched.
const LIVE: &str = "live";

/// The page.
#[component]
pub fn Logs(sift: ReadSignal<Sift>) -> Element {
    if !is(Role::Operator) {
        return rsx! {
            super::NotForYou { title: "Logs", who: "operators" }
        };
    }
    let now = sift.read().clone();
    let live = now.status == LIVE;
    let other = Sift { status: if live { String::new() } else { LIVE.to_owned() }, ..now.on_page(1) };
    let words = if live { "Search instead" } else { "Watch live" };
    rsx! {
        PageHead {
            title: "Logs",
            desk: "Admin",
            actions: rsx! {
                Link { class: "btn", "data-kind": "quiet", to: other.under(BASE), "{words}" }
            },
        }
        Filters { sift: now.clone(), times: !live }
        if live {
            Tail { sift }
        } else {
            Lines { sift }
        }
    }
}

/// A minute as a form has it, `2026-11-22T20:15`, in UTC.
pub(super) fn minute(text: &str) -> Option<Timestamp> {
    format!("{text}:00Z").parse().ok()
}

fn query_of(sift: &Sift) -> LogQuery {
    LogQuery {
        level: sift.level.clone(),
        search: sift.search.clone(),
        service: sift.service.clone(),
        account: sift.account.parse().ok(),
        request: sift.request.parse().ok(),
        from: minute(&sift.from),
        to: minute(&sift.to),
        page: sift.page(),
    }
}

/// A filter by an id, which has no form while it is typed.
#[component]
pub(super) fn IdFilter(id: String, label: String, value: String, onchange: Callback<String>) -> Element {
    let error = (!value.is_empty() && value.parse::<contract::AccountId>().is_err()).then(|| "An id has 36 characters.".to_owned());
    rsx! {
        Field {
            id,
            label,
            value,
            error,
            data: true,
            maxlength: "36".to_owned(),
            autocomplete: "off".to_owned(),
            oninput: move |text: String| onchange.call(text.trim().to_owned()),
        }
    }
}

/// A filter by a minute, in UTC.
#[component]
pub(super) fn MinuteFilter(id: String, label: String, value: String, onchange: Callback<String>) -> Element {
    rsx! {
        Field { id, label, value, kind: "datetime-local", oninput: move |text: String| onchange.call(text) }
    }
}

#[component]
fn Filters(sift: Sift, times: bool) -> Element {
    let navigator = use_navigator();
    let options =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect::<Vec<_>>();
    let services =
        options(&[("", "All services"), ("customer", "Customer"), ("supplier", "Supplier"), ("employee", "Employee"), ("core", "Core")]);
    let levels = options(&[("", "Everything"), ("warn", "Warnings"), ("error", "Errors")]);
    rsx! {
        // Watching is no filter.
        Sieve { base: BASE, sift: Sift { status: String::new(), ..sift.clone() },
            Search { base: BASE, sift: sift.clone(), label: "Search", placeholder: "Message, target or a field's value" }
            Choice {
                id: "level",
                label: "At least",
                value: sift.level.clone(),
                options: levels,
                onchange: {
                    let sift = sift.clone();
                    move |level| { navigator.push(Sift { level, ..sift.on_page(1) }.under(BASE)); }
                },
            }
            Choice {
                id: "service",
                label: "Service",
                value: sift.service.clone(),
                options: services,
                onchange: {
                    let sift = sift.clone();
                    move |service| { navigator.push(Sift { service, ..sift.on_page(1) }.under(BASE)); }
                },
            }
            IdFilter { id: "account", label: "Account", value: sift.account.clone(), onchange: { let now = sift.clone(); move |account| { navigator.replace(Sift { account, ..now.on_page(1) }.under(BASE)); } } }
            IdFilter { id: "request", label: "Request", value: sift.request.clone(), onchange: { let now = sift.clone(); move |request| { navigator.replace(Sift { request, ..now.on_page(1) }.under(BASE)); } } }
            if times {
                MinuteFilter { id: "from", label: "From (UTC)", value: sift.from.clone(), onchange: { let now = sift.clone(); move |from| { navigator.replace(Sift { from, ..now.on_page(1) }.under(BASE)); } } }
                MinuteFilter { id: "to", label: "Before (UTC)", value: sift.to.clone(), onchange: { let now = sift.clone(); move |to| { navigator.replace(Sift { to, ..now.on_page(1) }.under(BASE)); } } }
            }
        }
    }
}

#[component]
fn Lines(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || query_of(&sift.read()));
    let list = use_resource(move || {
        let query = query();
        async move { client::logs(&query).await }
    });
    let now = sift.read().clone();
    rsx! {
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            {draw(list, "The log", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card",
                            Empty { title: "No line matches",
                                if now.narrows() { "Take a filter away to see more." } else { "Lines show here as the services write them." }
                            }
                        }
                    };
                }
                let keyed = keyed(&page.items, |line| line.at);
                let rows = keyed.iter().map(|(key, line)| row(key.clone(), line)).collect::<Vec<_>>();
                let open = keyed.iter().find(|(key, _)| *key == now.open).map(|(_, line)| (*line).clone());
                rsx! {
                    Table { caption: "Log lines, newest first", columns: columns(), rows, base: BASE, sift: now.clone(),
                        Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "lines" }
                    }
                    if let Some(line) = open {
                        LineDetail { key: "{now.open}", line, sift: now.clone() }
                    }
                }
            })}
        }
    }
}

fn columns() -> Vec<Column> {
    vec![Column::data("Time (UTC)"), Column::text("Level").lead(), Column::text("Message"), Column::data("Part").later()]
}

fn row(key: String, line: &LogLine) -> Row {
    let at = format::civil(line.at, 0);
    Row {
        key,
        cells: vec![
            rsx! { "{format::moment(at)}:{at.second():02}" },
            rsx! {
                span { class: "level", "data-level": "{line.level}", "{line.level}" }
            },
            rsx! {
                span { class: "message", "{line.message}" }
            },
            rsx! { "{line.target}" },
        ],
    }
}

#[component]
fn LineDetail(line: LogLine, sift: Sift) -> Element {
    let same = |name: &str, change: fn(Sift, String) -> Sift| {
        let id = line.fields.get(name).and_then(|id| id.as_str())?;
        Some(change(Sift::default(), id.to_owned()).under(BASE))
    };
    let request = same("request.id", |sift, request| Sift { request, ..sift });
    let account = same("account.id", |sift, account| Sift { account, ..sift });
    rsx! {
        Detail { title: "{line.level}: {line.target}", subtitle: "{line.at}", base: BASE, sift,
            p { "{line.message}" }
            if !line.fields.is_empty() {
                dl { class: "pairs",
                    for (name , value) in line.fields.iter() {
                        dt { class: "num", "{name}" }
                        dd { class: "num", {value.as_str().map_or_else(|| value.to_string(), str::to_owned)} }
                    }
                }
            }
            if let Some(to) = request {
                p { Link { to, "All lines of this request" } }
            }
            if let Some(to) = account {
                p { Link { to, "All lines of this account" } }
            }
        }
    }
}
