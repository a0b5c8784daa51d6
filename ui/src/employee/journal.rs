//! The double-entry journal: every line, the balances, and whether they sum to zero.

use crate::{
    client::{self, Answer, ListQuery},
    components::{Empty, Stale},
    desk::{Column, Icon, PageHead, Pages, Row, Shape, Sieve, Sift, Table, amount, draw, exact, words},
    format,
};
use contract::{
    LaunchId,
    finance::{AccountBalance, Journal, JournalLine},
};
use dioxus::prelude::*;

const BASE: &str = "/employee/journal";
const PER_PAGE: u32 = 50;

/// The page.
#[component]
pub fn JournalPage(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery {
            page: sift.page(),
            per_page: PER_PAGE,
            launch: sift.launch.clone(),
            booking: sift.booking.clone(),
            ..ListQuery::default()
        }
    });
    let journal = use_resource(move || {
        let query = query();
        async move { client::journal(&by_id(query).await?).await }
    });
    let now = sift.read().clone();
    let of = match (now.launch.is_empty(), now.booking.is_empty()) {
        (false, _) => format!("of the launch {}", now.launch),
        (_, false) => format!("of the booking {}", now.booking),
        _ => "of everything".to_owned(),
    };
    rsx! {
        PageHead { title: "Journal", desk: "Employee", note: of }
        Sieve { base: BASE, sift: now.clone(),
            Narrow { sift: now.clone(), field: "launch", label: "Launch", placeholder: "Slug or id" }
            Narrow { sift: now.clone(), field: "booking", label: "Booking", placeholder: "Id" }
        }
        {draw(journal, "The journal", |journal| rsx! { Book { journal: journal.clone(), sift: now.clone() } })}
    }
}

/// The query with the launch's id where the address has its slug, which people can read and type.
async fn by_id(query: ListQuery) -> Answer<ListQuery> {
    if query.launch.is_empty() || query.launch.parse::<LaunchId>().is_ok() {
        return Ok(query);
    }
    let launch = client::employee_launch(&query.launch).await?.card.id.to_string();
    Ok(ListQuery { launch, ..query })
}

/// One exact value to narrow by, taken when it is complete.
#[component]
fn Narrow(sift: Sift, field: &'static str, label: String, placeholder: String) -> Element {
    let navigator = use_navigator();
    let value = if field == "launch" { sift.launch.clone() } else { sift.booking.clone() };
    rsx! {
        div { class: "field find",
            label { r#for: field, "{label}" }
            input {
                class: "num",
                id: field,
                name: field,
                value,
                placeholder,
                autocomplete: "off",
                onchange: move |event: FormEvent| {
                    let narrowed = event.value().trim().to_owned();
                    let next = if field == "launch" {
                        Sift { launch: narrowed, ..sift.on_page(1) }
                    } else {
                        Sift { booking: narrowed, ..sift.on_page(1) }
                    };
                    navigator.push(next.under(BASE));
                },
            }
        }
    }
}

#[component]
fn Book(journal: Journal, sift: Sift) -> Element {
    let balanced = journal.sum.minor == 0;
    let page = &journal.lines;
    if page.items.is_empty() && journal.balances.is_empty() {
        return rsx! {
            div { class: "card",
                Empty { title: "No lines",
                    if sift.narrows() { "Nothing was posted for this. Look at the whole journal." } else { "The first payment posts the first two." }
                }
            }
        };
    }
    let columns = vec![
        Column::number("Position"),
        Column::data("Time (UTC)"),
        Column::text("Account").lead(),
        Column::text("Because"),
        Column::text("Launch and booking"),
        Column::number("Debit, USD"),
        Column::number("Credit, USD"),
    ];
    let rows = page.items.iter().map(row).collect::<Vec<_>>();
    rsx! {
        if page.stale {
            Stale {}
        }
        section { class: "stack",
            div { class: "panel-head outside",
                h2 { "Balances" }
                span { class: "muted small", "debit positive, credit negative" }
                span { class: "badge aside", id: "journal-balance", "data-tone": if balanced { "good" } else { "bad" },
                    Icon { shape: if balanced { Shape::Check } else { Shape::Alarm } }
                    if balanced { "Sums to zero" } else { "Does not balance" }
                    span { class: "num", id: "journal-sum", {exact(journal.sum)} }
                }
            }
            Balances { balances: journal.balances.clone() }
        }
        Table { caption: "Lines of the journal, newest first", columns, rows, short: true,
            Pages { base: BASE, sift: sift.clone(), total: page.total, per_page: page.per_page, noun: "lines", position: page.position }
        }
    }
}

#[component]
fn Balances(balances: Vec<AccountBalance>) -> Element {
    rsx! {
        dl { class: "fact-strip", "data-sums": "true",
            for balance in balances {
                div { key: "{balance.account}",
                    dt { {words(&balance.account)} }
                    dd { class: "num", {exact(balance.balance)} }
                }
            }
        }
    }
}

fn row(line: &JournalLine) -> Row {
    let at = format::civil(line.at, 0);
    let (debit, credit) = if line.amount.minor < 0 {
        (String::new(), amount(contract::Money { minor: -line.amount.minor, ..line.amount }))
    } else {
        (amount(line.amount), String::new())
    };
    let launch = line.launch.to_string();
    let short: String = launch.chars().take(8).collect();
    Row {
        key: format!("{}-{}", line.position, line.line),
        cells: vec![
            rsx! { {format::count(line.position)} },
            rsx! {
                {format::day(at)}
                small { "{format::clock(at)}:{at.second():02}" }
            },
            rsx! { {words(&line.account)} },
            rsx! { {words(&line.event)} },
            rsx! {
                Link { class: "data", to: "/employee/journal?launch={launch}", title: "All lines of launch {launch}", "{short}" }
                if let Some(booking) = line.booking {
                    small {
                        Link { class: "data", to: "/employee/journal?booking={booking}", title: "All lines of booking {booking}", {booking.to_string().chars().take(8).collect::<String>()} }
                    }
                }
            },
            rsx! { "{debit}" },
            rsx! { "{credit}" },
        ],
    }
}
