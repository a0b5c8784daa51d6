//! Every notification: what caused it, what became of it; one that is stuck is sent again or given up here.

use super::is;
use crate::{
    client::{self, ListQuery},
    components::{Button, ButtonKind, Empty, Notice, NoticeKind, Pill},
    desk::{Column, Detail, PageHead, Pages, Row, Search, Sieve, Sift, Table, draw, words},
    format,
};
use contract::{
    account::Role,
    operations::{Notification, NotificationState},
};
use dioxus::prelude::*;

const BASE: &str = "/admin/notifications";

/// The page.
#[component]
pub fn Notifications(sift: ReadSignal<Sift>) -> Element {
    if !is(Role::Operator) {
        return rsx! {
            super::NotForYou { title: "Notifications", who: "operators" }
        };
    }
    rsx! {
        Queue { sift }
    }
}

#[component]
fn Queue(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery { page: sift.page(), per_page: 25, search: sift.search.clone(), ..ListQuery::default() }
    });
    let mut list = use_resource(move || {
        let query = query();
        async move { client::notifications(&query).await }
    });
    let now = sift.read().clone();
    rsx! {
        PageHead { title: "Notifications", desk: "Admin", note: "one for each cause and recipient" }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Template, state, recipient id, Message-ID" }
        }
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            {draw(list, "The notifications", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card",
                            Empty { title: "Nothing to send",
                                if now.narrows() { "Search for something else." } else { "Notifications show here as soon as an event causes one." }
                            }
                        }
                    };
                }
                let columns = vec![
                    Column::text("Template"),
                    Column::data("Caused (UTC)"),
                    Column::text("State").lead(),
                    Column::data("Recipient").later(),
                    Column::number("Tries"),
                ];
                let rows = page.items.iter().map(row).collect::<Vec<_>>();
                let open = page.items.iter().find(|one| one.id == now.open).cloned();
                rsx! {
                    Table { caption: "Notifications, newest first", columns, rows, base: BASE, sift: now.clone(),
                        Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "notifications" }
                    }
                    if let Some(one) = open {
                        NotificationDetail { key: "{one.id}", one, sift: now.clone(), onchanged: move |()| list.restart() }
                    }
                }
            })}
        }
    }
}

const fn state(state: NotificationState) -> (&'static str, &'static str) {
    match state {
        NotificationState::Pending => ("scheduled", "Pending"),
        NotificationState::Sent => ("confirmed", "Sent"),
        NotificationState::Uncertain => ("delayed", "Uncertain"),
        NotificationState::Dead => ("aborted", "Given up"),
    }
}

fn row(one: &Notification) -> Row {
    let (colour, word) = state(one.state);
    let recipient: String = one.recipient.chars().take(22).collect();
    Row {
        key: one.id.clone(),
        cells: vec![
            rsx! { {words(&one.template)} },
            rsx! { {format::moment(format::civil(one.at, 0))} },
            rsx! {
                Pill { state: colour, text: word }
            },
            rsx! { "{recipient}" },
            rsx! { "{one.attempts}" },
        ],
    }
}

#[component]
fn NotificationDetail(one: Notification, sift: Sift, onchanged: Callback<()>) -> Element {
    let mut busy = use_signal(|| false);
    let mut said = use_signal(|| None::<(NoticeKind, String)>);
    let (colour, word) = state(one.state);
    let id = use_signal(|| one.id.clone());
    let stuck = one.state != NotificationState::Sent;
    let mut finish = move |answer: client::Answer<()>, words: &str| {
        busy.set(false);
        match answer {
            Ok(()) => {
                said.set(Some((NoticeKind::Good, words.to_owned())));
                onchanged.call(());
            }
            Err(refused) => said.set(Some((NoticeKind::Bad, refused.message))),
        }
    };
    rsx! {
        Detail { title: words(&one.template), subtitle: format::utc(one.at), base: BASE, sift,
            if let Some((kind, words)) = said() {
                Notice { kind, "{words}" }
            }
            dl { class: "pairs",
                dt { "State" }
                dd { Pill { state: colour, text: word } }
                dt { "Recipient" }
                dd { class: "num", "{one.recipient}" }
                dt { "Caused by event" }
                dd { class: "num", "{one.cause}" }
                dt { "Tries" }
                dd { class: "num", "{one.attempts}" }
                if let Some(sent) = one.sent_at {
                    dt { "Sent" }
                    dd { {format::utc(sent)} }
                }
                if !one.message_id.is_empty() {
                    dt { "Message-ID" }
                    dd { class: "num", "{one.message_id}" }
                }
            }
            if !one.error.is_empty() {
                section {
                    h3 { "Last error" }
                    pre { class: "raw", "{one.error}" }
                }
            }
            if one.state == NotificationState::Uncertain {
                p { class: "muted small", "Whether the mail server took it is unknown. Sending it again may deliver it twice, so that is for you to decide." }
            }
            if stuck {
                div { class: "form-actions",
                    Button {
                        kind: ButtonKind::Primary,
                        busy: busy(),
                        onclick: move |_| async move {
                            busy.set(true);
                            finish(client::retry_notification(&id()).await, "It is sent again shortly.");
                        },
                        "Send again"
                    }
                    Button {
                        kind: ButtonKind::Danger,
                        busy: busy(),
                        onclick: move |_| async move {
                            busy.set(true);
                            finish(client::discard_notification(&id()).await, "It is given up.");
                        },
                        "Give up"
                    }
                }
            }
        }
    }
}
