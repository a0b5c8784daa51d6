//! Every mail the system sent, in development: as it arrived over SMTP. Open to all then; elsewhere it does not exist.

use crate::{
    client::{self, ListQuery},
    components::{Empty, Failed, Loading},
    desk::{Column, Detail, PageHead, Pages, Row, Search, Sieve, Sift, Table},
    format,
};
use contract::{Code, operations::Mail};
use dioxus::prelude::*;

const BASE: &str = "/admin/mailbox";

/// The page.
#[component]
pub fn Mailbox(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery { page: sift.page(), per_page: 25, search: sift.search.clone(), ..ListQuery::default() }
    });
    let mut list = use_resource(move || {
        let query = query();
        async move { client::mailbox(&query).await }
    });
    let now = sift.read().clone();
    rsx! {
        PageHead {
            title: "Mailbox",
            desk: "Admin",
            note: "development only: no mail leaves this machine",
            actions: rsx! {
                button { class: "btn", r#type: "button", "data-kind": "quiet", onclick: move |_| list.restart(), "Look again" }
            },
        }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Recipient, subject, words" }
        }
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            match &*list.read() {
                None => rsx! { div { class: "card", Loading { lines: 6 } } },
                Some(Err(problem)) if problem.code == Code::NotFound => rsx! {
                    div { class: "card",
                        Empty { title: "No mailbox here", "Mail goes to real people on this installation. The mailbox is for development." }
                    }
                },
                Some(Err(problem)) => rsx! {
                    div { class: "card", Failed { what: "The mailbox", problem: problem.clone(), onretry: move |()| list.restart() } }
                },
                Some(Ok(page)) if page.items.is_empty() => rsx! {
                    div { class: "card",
                        Empty { title: "No mail",
                            if now.narrows() { "Search for something else." } else { "Book a seat: the confirmation arrives here within seconds." }
                        }
                    }
                },
                Some(Ok(page)) => {
                    let columns = vec![Column::text("Subject"), Column::text("To").later(), Column::data("Arrived (UTC)").lead()];
                    let rows = page.items.iter().map(row).collect::<Vec<_>>();
                    let open = page.items.iter().find(|mail| mail.id == now.open).cloned();
                    rsx! {
                        Table { caption: "Mail, newest first", columns, rows, base: BASE, sift: now.clone(),
                            Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "mails" }
                        }
                        if let Some(mail) = open {
                            Letter { key: "{mail.id}", mail, sift: now.clone() }
                        }
                    }
                }
            }
        }
    }
}

fn row(mail: &Mail) -> Row {
    Row {
        key: mail.id.clone(),
        cells: vec![rsx! { "{mail.subject}" }, rsx! { "{mail.to}" }, rsx! { {format::moment(format::civil(mail.at, 0))} }],
    }
}

#[component]
fn Letter(mail: Mail, sift: Sift) -> Element {
    rsx! {
        Detail { title: mail.subject.clone(), subtitle: format::utc(mail.at), base: BASE, sift,
            dl { class: "pairs",
                dt { "From" }
                dd { "{mail.from}" }
                dt { "To" }
                dd { "{mail.to}" }
            }
            p { class: "letter", "{mail.text}" }
        }
    }
}
