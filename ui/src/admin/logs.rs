//! The system's log: readable lines, queryable fields, no personal data.

use super::is;
use crate::{
    client,
    components::{Choice, Empty},
    desk::{Column, Detail, PageHead, Pages, Row, Search, Sieve, Sift, Table, draw},
    format,
};
use contract::{
    account::Role,
    operations::{LogLine, LogQuery},
};
use dioxus::prelude::*;

const BASE: &str = "/admin/logs";

/// The page.
#[component]
pub fn Logs(sift: ReadSignal<Sift>) -> Element {
    if !is(Role::Operator) {
        return rsx! {
            super::NotForYou { title: "Logs", who: "operators" }
        };
    }
    rsx! {
        Lines { sift }
    }
}

#[component]
fn Lines(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        LogQuery { level: sift.level.clone(), search: sift.search.clone(), page: sift.page(), ..LogQuery::default() }
    });
    let list = use_resource(move || {
        let query = query();
        async move { client::logs(&query).await }
    });
    let navigator = use_navigator();
    let now = sift.read().clone();
    rsx! {
        PageHead { title: "Logs", desk: "Admin" }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Message, target or a field's value" }
            Choice {
                id: "level",
                label: "At least",
                value: now.level.clone(),
                options: [("", "Everything"), ("warn", "Warnings"), ("error", "Errors")].map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec(),
                onchange: {
                    let now = now.clone();
                    move |level| { navigator.push(Sift { level, ..now.on_page(1) }.under(BASE)); }
                },
            }
        }
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
                let columns = vec![Column::data("Time (UTC)"), Column::text("Level").lead(), Column::text("Message"), Column::data("Part").later()];
                let keyed = page.items.iter().enumerate().map(|(index, line)| (format!("{}-{index}", line.at), line));
                let rows = keyed.clone().map(|(key, line)| row(key, line)).collect::<Vec<_>>();
                let open = keyed.clone().find(|(key, _)| *key == now.open).map(|(_, line)| line.clone());
                rsx! {
                    Table { caption: "Log lines, newest first", columns, rows, base: BASE, sift: now.clone(),
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
        }
    }
}
